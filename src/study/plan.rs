//! Arms x seeds -> the ordered list of runs, with everything that defines each.

use super::pool::Pool;
use super::protocol::Hello;
use super::record::Definition;
use crate::config::{Arm, EngineChoice, Study};
use crate::data::Prepared;
use crate::error::UserError;
use crate::kernels::{Device, EngineKind, Shape};
use crate::model;
use anyhow::Result;
use std::path::PathBuf;

/// One arm with one seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The configuration.
    pub arm: Arm,
    /// Its seed.
    pub seed: u64,
}

impl Run {
    /// `<arm>/seed-<seed>`, which is also its folder in the study.
    pub fn id(&self) -> String {
        format!("{}/seed-{}", self.arm.name, self.seed)
    }
}

/// All runs of a study, and what they share.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The study, its device and engine named.
    pub study: Study,
    /// The prepared examples.
    pub data: Prepared,
    /// The sizes of the model.
    pub shape: Shape,
    /// The engine that serves.
    pub engine: EngineKind,
    /// What the machine has.
    pub machine: Hello,
    /// Where it works: the processor, or these GPUs.
    pub devices: Vec<Device>,
    /// Seed by seed, so that arms can be compared before all runs are done.
    pub runs: Vec<Run>,
}

impl Plan {
    /// Steps of one epoch; the last batch may be short.
    pub fn steps_per_epoch(&self, arm: &Arm) -> u64 {
        self.data.facts.train.examples.div_ceil(arm.batch_size) as u64
    }

    /// `cpu` or `cuda`: results repeat to the bit on the same kind of device.
    pub fn device_kind(&self) -> &'static str {
        match self.devices[0] {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
        }
    }

    /// What defines a run.
    pub fn definition(&self, run: &Run) -> Definition {
        Definition {
            arm: run.arm.clone(),
            seed: run.seed,
            model: self.shape,
            data: self.data.facts.hash.clone(),
            engine: self.engine,
            libtorch: self.machine.libtorch.clone(),
            device: self.device_kind().to_owned(),
        }
    }

    /// What is legal but surprising.
    pub fn warnings(&self) -> Vec<String> {
        let examples = self.data.facts.train.examples;
        let full = self.study.arms.iter().filter(|arm| arm.batch_size > examples);
        let full = full.map(|arm| {
            format!(
                "arm `{}`: its batch size {} exceeds the {examples} training examples, so every \
                 epoch is one step on all of them",
                arm.name, arm.batch_size
            )
        });
        let cuda = self.machine.cuda_trouble.iter().map(|trouble| {
            format!("there is an NVIDIA driver, but libtorch cannot use CUDA here: {trouble}")
        });
        full.chain(cuda).chain(self.data.facts.warnings()).collect()
    }

    /// Where the prepared examples are.
    pub fn dataset(&self) -> PathBuf {
        self.data.path.clone()
    }
}

pub(super) fn plan(study: &Study, data: Prepared, pool: &Pool) -> Result<Plan> {
    let mut study = study.clone();
    let devices = devices(&study.experiment.train.device, pool)?;
    let train = &mut study.experiment.train;
    if train.device == "auto" {
        train.device = if devices[0] == Device::Cpu { "cpu" } else { "cuda" }.to_owned();
    }
    let engine = match train.engine {
        EngineChoice::Auto | EngineChoice::Libtorch => EngineKind::Libtorch,
    };
    train.engine = EngineChoice::Libtorch;
    let shape = model::shape(&study.experiment.model, data.facts.vocabulary, data.facts.features);
    let arms = &study.arms;
    let seeds = study.seeds.iter();
    let runs = seeds.flat_map(|seed| arms.iter().map(|arm| Run { arm: arm.clone(), seed: *seed }));
    let runs = runs.collect();
    let machine = pool.hello().clone();
    Ok(Plan { study, data, shape, engine, machine, devices, runs })
}

/// The devices that a choice stands for on this machine.
fn devices(choice: &str, pool: &Pool) -> Result<Vec<Device>, UserError> {
    let found = pool.hello().cuda.len();
    let all = || (0..found).map(Device::Cuda).collect::<Vec<_>>();
    let absent = |what: String| {
        let trouble = pool.hello().cuda_trouble.as_ref();
        let trouble = trouble.map_or(String::new(), |trouble| format!(" ({trouble})"));
        Err(UserError::new(
            format!("{what}, and libtorch sees {found} CUDA devices here{trouble}"),
            "use `--device cpu`, or check `nvidia-smi` and that libtorch has CUDA",
        ))
    };
    match (choice, choice.strip_prefix("cuda:").and_then(|number| number.parse::<usize>().ok())) {
        (_, Some(index)) if index < found => Ok(vec![Device::Cuda(index)]),
        (_, Some(_)) => absent(format!("the device `{choice}` was asked for")),
        ("cuda", _) if found == 0 => absent("the device `cuda` was asked for".into()),
        ("cuda", _) => Ok(all()),
        ("auto", _) if found > 0 => Ok(all()),
        _ => Ok(vec![Device::Cpu]),
    }
}

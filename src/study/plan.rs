//! Arms x seeds -> the ordered list of runs, with everything that defines each.

use super::labels;
use super::protocol::MachineInfo;
use super::rates::{Tuning, settled};
use super::record::Definition;
use super::run::Run;
use crate::config::{Arm, EngineChoice, Init, ModelSection, Study};
use crate::data::{Facts, Prepared};
use crate::error::UserError;
use crate::kernels::{self, CudaDevice, Device, EngineKind};
use crate::model;
use crate::spec::Shape;
use crate::train::TrainingLength;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// All runs of a study, and what they share.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The study, its device and engine named.
    pub study: Study,
    /// The prepared examples.
    pub data: Prepared,
    /// The engine that serves.
    pub engine: EngineKind,
    /// What the machine has.
    pub machine: MachineInfo,
    /// Where it works: the processor, or these GPUs.
    pub devices: Vec<Device>,
    /// As [`Run::all`] lists them.
    pub runs: Vec<Run>,
    /// The hashes of the files that first weights are read from.
    pub weight_files: BTreeMap<PathBuf, String>,
}

impl Plan {
    /// The plan with the learning rates that were found.
    pub(super) fn settled(&self, tunings: &[Tuning]) -> Self {
        let study = settled(&self.study, tunings);
        Self { runs: Run::all(&study), study, ..self.clone() }
    }

    /// The plan with so many seeds, and arms that have no more than these.
    pub(super) fn grown(&self, seeds: u64, fewer: &BTreeMap<String, u64>) -> Self {
        let mut study = self.study.clone();
        study.grow(seeds, fewer);
        Self { runs: Run::all(&study), study, ..self.clone() }
    }

    /// The plan with as many seeds as may be added, if any may.
    pub fn at_most(&self) -> Option<Self> {
        let growth = self.study.growth?;
        (growth.most > growth.first).then(|| self.grown(growth.most, &BTreeMap::new()))
    }

    /// How many runs find the learning rate of an arm, if no rate has to be tried beyond the first.
    pub fn tuning_runs(&self, arm: &Arm) -> usize {
        let rule = self.study.tuning().filter(|_| self.study.tuned.contains(&arm.name));
        rule.map_or(0, |rule| rule.count() * rule.seeds as usize)
    }

    /// How long an arm's runs are.
    pub fn training_length(&self, arm: &Arm) -> TrainingLength {
        TrainingLength::new(arm, self.data.facts.train.examples)
    }

    /// The sizes of an arm's model.
    pub fn shape(&self, arm: &Arm) -> Shape {
        shape(&arm.model, &self.data.facts)
    }

    /// `cpu` or `cuda`: where it works.
    pub fn device_kind(&self) -> &'static str {
        match self.devices[0] {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
        }
    }

    /// A GPU of this machine, as its engine sees it.
    pub(super) fn gpu(&self, device: Device) -> Option<&CudaDevice> {
        let Device::Cuda(index) = device else { return None };
        self.machine.cuda.iter().find(|gpu| gpu.index == index)
    }

    /// What defines a run.
    pub fn definition(&self, run: &Run) -> Definition {
        let first_weights = match &run.arm.model.init {
            Init::Weights(path) => self.weight_files.get(path).cloned(),
            Init::Keras | Init::Torch => None,
        };
        Definition {
            arm: run.arm.defining(),
            seed: run.seed,
            model: self.shape(&run.arm),
            first_weights,
            data: self.data.facts.hash.clone(),
            engine: self.engine,
            arithmetic: self.engine.arithmetic(),
            libtorch: self.machine.libtorch.clone(),
            device: match self.engine {
                EngineKind::Libtorch => self.device_kind().to_owned(),
                // It gives the same bits everywhere, so a run may go on elsewhere.
                EngineKind::Fused => "cpu".to_owned(),
            },
        }
    }

    /// Where the prepared examples are.
    pub fn dataset(&self) -> PathBuf {
        self.data.path.clone()
    }
}

pub(super) fn plan(study: &Study, data: Prepared, machine: &MachineInfo) -> Result<Plan> {
    let mut study = study.clone();
    let shapes: Vec<(&str, Shape)> =
        study.arms.iter().map(|arm| (arm.name.as_str(), shape(&arm.model, &data.facts))).collect();
    let train = &mut study.experiment.train;
    let mut machine = machine.clone();
    if train.engine == EngineChoice::Auto && train.device != "cpu" {
        let mut best =
            shapes.iter().map(|(_, shape)| EngineKind::best_for_gpus(&machine.gpus, shape));
        if best.all(|kind| kind == EngineKind::Fused) {
            train.engine = EngineChoice::Fused;
        }
    }
    if train.engine == EngineChoice::Fused {
        (machine.cuda, machine.cuda_trouble) = (machine.gpus.clone(), machine.gpu_trouble.clone());
    }
    let choice = train.engine;
    let devices = match devices(&train.device, choice, &machine) {
        Ok(devices) => devices,
        Err(error) => return Err(study.placed("train.device", error).into()),
    };
    let train = &mut study.experiment.train;
    if train.device == "cpu" || devices[0] == Device::Cpu && train.engine == EngineChoice::Fused {
        // Who asked for the processor need not hear of trouble with a GPU.
        machine.cuda_trouble = None;
    }
    if train.device == "auto" {
        train.device = if devices[0] == Device::Cpu { "cpu" } else { "cuda" }.to_owned();
    }
    let engine = match engine(choice, devices[0], &shapes) {
        Ok(engine) => engine,
        Err(error) => return Err(study.placed("train.engine", error).into()),
    };
    study.experiment.train.engine = match engine {
        EngineKind::Libtorch => EngineChoice::Libtorch,
        EngineKind::Fused => EngineChoice::Fused,
    };
    let runs = Run::all(&study);
    labels::refuse_undefined_score(&study, &data.facts)?;
    labels::refuse_no_margin(&study, &data.facts)?;
    for arm in &study.arms {
        labels::refuse_other_classes(&study, arm, &data.facts)?;
    }
    let weight_files = weight_files(&study, &data)?;
    Ok(Plan { study, data, engine, machine, devices, runs, weight_files })
}

/// The sizes of a model for this data.
fn shape(model: &ModelSection, facts: &Facts) -> Shape {
    model::shape(model, facts.vocabulary, facts.features, facts.classes.len())
}

/// The engine of all arms, so that nothing but what the file says differs between them: the one that was
/// asked for, or the best one for the model that leaves the least choice. On GPUs `auto` has become `fused`
/// before if that is the best one.
fn engine(
    choice: EngineChoice,
    device: Device,
    shapes: &[(&str, Shape)],
) -> Result<EngineKind, UserError> {
    let asked = match choice {
        EngineChoice::Fused => EngineKind::Fused,
        EngineChoice::Libtorch => EngineKind::Libtorch,
        EngineChoice::Auto => {
            let mut best = shapes.iter().map(|(_, shape)| EngineKind::best_for_processor(shape));
            let all_fused = device == Device::Cpu && best.all(|kind| kind == EngineKind::Fused);
            return Ok(if all_fused { EngineKind::Fused } else { EngineKind::Libtorch });
        }
    };
    for (arm, shape) in shapes {
        let Err(reason) = kernels::supports(asked, shape, device) else { continue };
        let message = format!("arm `{arm}`: the engine `{}` {reason}", asked.name());
        let hint = match device {
            Device::Cuda(_) => "use `--device cpu`, or `--set train.engine=libtorch`",
            Device::Cpu => "use `--set train.engine=auto`, which takes libtorch for this model",
        };
        return Err(UserError::new(message, hint));
    }
    Ok(asked)
}

/// The content of these files defines runs, not their names.
fn weight_files(study: &Study, data: &Prepared) -> Result<BTreeMap<PathBuf, String>> {
    let mut hashes = BTreeMap::new();
    for arm in &study.arms {
        let Init::Weights(path) = &arm.model.init else { continue };
        let bytes = std::fs::read(path).map_err(|error| {
            let rule = format!("cannot read the first weights {}: {error}", path.display());
            let hint = "`model.init: { weights: FILE }` names a safetensors file";
            study.placed_in_arm(arm, "model.init", UserError::new(rule, hint))
        })?;
        // Whether they fit is better known now than by every run.
        let shape = shape(&arm.model, &data.facts);
        model::read_weights(path, &shape)?;
        hashes.insert(path.clone(), blake3::hash(&bytes).to_hex()[..16].to_owned());
    }
    Ok(hashes)
}

/// The devices that a choice stands for on this machine.
fn devices(
    choice: &str,
    engine: EngineChoice,
    machine: &MachineInfo,
) -> Result<Vec<Device>, UserError> {
    let found = machine.cuda.len();
    let all = || (0..found).map(Device::Cuda).collect::<Vec<_>>();
    let absent = |what: String| {
        let user = if engine == EngineChoice::Fused { "the engine `fused`" } else { "libtorch" };
        let reason = match (&machine.cuda_trouble, found) {
            (Some(trouble), _) => format!("{user} cannot use CUDA here: {trouble}"),
            (None, 0) => "this machine has no NVIDIA driver (libcuda.so.1)".to_owned(),
            (None, found) => format!("the GPUs here are `cuda:0` to `cuda:{}`", found - 1),
        };
        Err(UserError::new(
            format!("{what}, and {reason}"),
            "use `--device cpu`, or see what `nvidia-smi` says; docs/gpu.md has what a GPU needs",
        ))
    };
    match (choice, choice.strip_prefix("cuda:").and_then(|number| number.parse::<usize>().ok())) {
        (_, Some(index)) if index < found => Ok(vec![Device::Cuda(index)]),
        (_, Some(_)) => absent(format!("the device `{choice}` was asked for")),
        ("cuda", _) if found == 0 => absent("the device `cuda` was asked for".into()),
        ("cuda", _) => Ok(all()),
        // The engine `fused` takes a GPU on which it was not tested only where both are asked for.
        ("auto", _)
            if found > 0
                && (engine != EngineChoice::Fused
                    || machine.cuda.iter().all(kernels::is_proven)) =>
        {
            Ok(all())
        }
        _ => Ok(vec![Device::Cpu]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::Source;
    use crate::data::Facts;
    use crate::spec::{Input, Recurrent, Stack};

    /// The plan of an experiment file whose data have three features, for the processor.
    pub(in crate::study) fn plan_of(text: &str) -> Plan {
        let source = Source { name: "f".into(), text: text.into(), overrides: vec![] };
        let study = Study::from_source(&source, "f").unwrap();
        let facts = Facts { features: Some(3), ..Facts::default() };
        Plan {
            runs: Run::all(&study),
            study,
            data: Prepared { path: "data".into(), facts, repaired: None },
            engine: EngineKind::Fused,
            machine: MachineInfo::default(),
            devices: vec![Device::Cpu],
            weight_files: [].into(),
        }
    }

    /// A plan of one run that trains on these devices of a machine with these GPUs.
    pub(in crate::study) fn plan_on(engine: EngineKind, devices: &[Device], gpus: &[&str]) -> Plan {
        let plan = plan_of(
            "study: { arms: [{ name: a, batch_size: 1 }] }\ndata: { arrays: { path: a.npz } }\n",
        );
        let gpu = |(index, name): (usize, &&str)| CudaDevice {
            index,
            name: (*name).into(),
            memory: 1,
            architecture: None,
        };
        let cuda = gpus.iter().enumerate().map(gpu).collect();
        let machine = MachineInfo { cuda, ..plan.machine };
        Plan { engine, devices: devices.to_vec(), machine, ..plan }
    }

    fn small(units: usize) -> Shape {
        Shape { input: Input::Features(3), layers: Stack::lstm(units), outputs: 1 }
    }

    #[test]
    fn the_engine_fused_takes_a_gpu_of_another_architecture_only_when_it_is_asked_for() {
        let on = |architecture, choice, engine| {
            let gpu = CudaDevice {
                index: 0,
                name: "GPU".into(),
                memory: 1 << 30,
                architecture: Some(architecture),
            };
            let machine = MachineInfo {
                libtorch: "2.11".into(),
                cuda: vec![gpu.clone()],
                cuda_trouble: None,
                gpus: vec![gpu],
                gpu_trouble: None,
            };
            devices(choice, engine, &machine).unwrap()
        };
        assert_eq!(on(89, "auto", EngineChoice::Fused), [Device::Cpu]);
        assert_eq!(on(90, "auto", EngineChoice::Fused), [Device::Cuda(0)]);
        assert_eq!(on(89, "cuda", EngineChoice::Fused), [Device::Cuda(0)]);
        assert_eq!(on(89, "auto", EngineChoice::Auto), [Device::Cuda(0)]);
    }

    #[test]
    fn auto_is_the_engine_fused_on_gpus_on_which_it_was_tested() {
        let built = kernels::supports(EngineKind::Fused, &small(4), Device::Cuda(0)).is_ok();
        let fused = if built { EngineKind::Fused } else { EngineKind::Libtorch };
        let gpus = |architectures: &[u32]| -> Vec<CudaDevice> {
            let gpu = |(index, architecture): (usize, &u32)| CudaDevice {
                index,
                name: "GPU".into(),
                memory: 1 << 30,
                architecture: Some(*architecture),
            };
            architectures.iter().enumerate().map(gpu).collect()
        };
        let best = |architectures, shape| EngineKind::best_for_gpus(&gpus(architectures), &shape);
        assert_eq!(best(&[90, 90], small(4)), fused);
        assert_eq!(best(&[90, 89], small(4)), EngineKind::Libtorch);
        assert_eq!(best(&[], small(4)), EngineKind::Libtorch);
        assert_eq!(best(&[90], small(500)), EngineKind::Libtorch);
    }

    #[test]
    fn an_engine_that_was_asked_for_serves_or_is_an_error() {
        let cuda = Device::Cuda(0);
        let of = |choice, device, layers| {
            let plain = small(4);
            engine(choice, device, &[("a", plain), ("b", Shape { layers, ..plain })])
        };
        let plain = |choice, device| of(choice, device, Stack::lstm(4));
        assert_eq!(plain(EngineChoice::Auto, cuda).unwrap(), EngineKind::Libtorch);
        assert_eq!(plain(EngineChoice::Libtorch, Device::Cpu).unwrap(), EngineKind::Libtorch);
        assert_eq!(plain(EngineChoice::Fused, Device::Cpu).unwrap(), EngineKind::Fused);
        let built = kernels::supports(EngineKind::Fused, &small(4), cuda);
        assert_eq!(plain(EngineChoice::Fused, cuda).is_ok(), built.is_ok());
        let error = of(EngineChoice::Fused, cuda, Stack::lstm(500)).unwrap_err();
        assert!(error.message.contains("500") || error.message.contains("NVRTC"), "{error}");

        let gru = Stack::one(Recurrent::gru(5));
        assert_eq!(of(EngineChoice::Auto, Device::Cpu, gru).unwrap(), EngineKind::Libtorch);
        assert_eq!(of(EngineChoice::Libtorch, Device::Cpu, gru).unwrap(), EngineKind::Libtorch);
        let error = of(EngineChoice::Fused, Device::Cpu, gru).unwrap_err();
        assert_eq!(
            error.message,
            "arm `b`: the engine `fused` computes one LSTM in one direction, and the model has GRU(5)"
        );
        assert!(error.hint.unwrap().contains("train.engine=auto"));
    }
}

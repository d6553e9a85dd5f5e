//! Whether a study fits into the memory that there is, told before anything is trained.
//!
//! Counted is what no run can do without: weights, gradients, the moments of the optimizer, what one row
//! leaves behind on its way through the steps (larger batches are taken in parts when memory is short),
//! and the prepared examples. So a study that is refused cannot run, and one that passes may still be
//! killed by what is not counted.

use super::exec::Pool;
use super::killed;
use super::plan::Plan;
use crate::config::Arm;
use crate::error::UserError;
use crate::format;
use crate::kernels::Device;
use crate::spec::{Direction, Param, Role, Shape};
use std::fs;
use std::path::Path;

const VALUE: u64 = size_of::<f32>() as u64;

/// What one run of an arm takes at least, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Needed {
    parameters: u64,
    /// Weights, gradients and moments.
    state: u64,
    /// Of one row.
    workspace: u64,
}

impl Needed {
    fn of(shape: &Shape, moments: usize, steps: usize) -> Self {
        let product =
            |dims: &Vec<usize>| dims.iter().fold(1u64, |all, dim| all.saturating_mul(*dim as u64));
        let parameters =
            shape.parameters().iter().map(|p| product(&p.dims)).fold(0, u64::saturating_add);
        let state = parameters.saturating_mul(VALUE * (2 + moments as u64));
        // The gates, the carry and the state of each direction at each step, and what is read there.
        let of = |d: &Direction| (d.cell.gates() as u64 + 2) * d.units as u64;
        let inputs = shape.layers.iter().rev().skip(1).map(|layer| layer.width() as u64);
        let inputs = inputs.sum::<u64>() + shape.features() as u64;
        let step = shape.directions().iter().map(of).sum::<u64>() + inputs;
        Self { parameters, state, workspace: step.saturating_mul(VALUE * steps as u64) }
    }

    fn bytes(self) -> u64 {
        self.state.saturating_add(self.workspace)
    }
}

/// Memory that there is, and what it is called.
#[derive(Debug, Clone)]
struct Limit {
    bytes: u64,
    called: String,
}

/// Refuses a study whose runs cannot fit.
pub(super) fn refuse_too_large(plan: &Plan, pool: &Pool) -> Result<(), UserError> {
    let Some(limit) = limit(plan) else { return Ok(()) };
    let data = fs::metadata(&plan.data.path).map_or(0, |file| file.len());
    let steps = plan.data.facts.train.longest;
    let needed = |arm: &Arm| {
        let moments = arm.train.optimizer.rule().moments();
        Needed::of(&plan.shape(arm), moments, steps)
    };
    let arms = plan.study.arms.iter().map(|arm| (arm, needed(arm)));
    let Some((arm, needed)) = arms.max_by_key(|(_, needed)| needed.bytes()) else { return Ok(()) };
    let parallel = match plan.devices[0] {
        Device::Cpu => pool.parallel(plan, plan.runs.len()),
        Device::Cuda(_) => 1,
    };
    fits(&plan.shape(arm), needed, data, parallel, &limit)
        .map_err(|error| plan.study.placed_in_arm(arm, "model", error))
}

fn fits(
    shape: &Shape,
    needed: Needed,
    data: u64,
    parallel: usize,
    limit: &Limit,
) -> Result<(), UserError> {
    let all = |runs: usize| needed.bytes().saturating_mul(runs as u64).saturating_add(data);
    if all(parallel) <= limit.bytes {
        return Ok(());
    }
    let rule = format!(
        "its model has {} parameters; a run takes at least {} for weights, gradients and \
         the optimizer's state and {} for one row's steps, the data {}, and {} has {}",
        format::count(needed.parameters),
        format::bytes(needed.state),
        format::bytes(needed.workspace),
        format::bytes(data),
        limit.called,
        format::bytes(limit.bytes)
    );
    if all(1) > limit.bytes {
        return Err(UserError::new(rule, smaller(shape)));
    }
    let room = (limit.bytes - data) / needed.bytes().max(1);
    Err(UserError::new(
        format!("{rule}, too little for {parallel} runs at a time"),
        format!("write `--workers {room}`, or take a smaller model"),
    ))
}

/// What makes the model large.
fn smaller(shape: &Shape) -> String {
    let largest = shape
        .parameters()
        .into_iter()
        .max_by_key(|p| p.dims.iter().fold(1u64, |all, dim| all.saturating_mul(*dim as u64)));
    match largest {
        Some(Param { role: Role::Embedding, dims, .. }) => format!(
            "the embedding has {} vectors of {}: lower `model.embedding.dim`, or number the tokens so \
             that the largest id is smaller",
            format::count(dims[0] as u64),
            format::count(dims[1] as u64)
        ),
        _ => {
            let units = shape.layers.iter().map(|layer| layer.units).max().unwrap_or_default();
            let (key, is) = match shape.lstm() {
                Some(_) => ("`model.lstm.units`", "is"),
                None => ("`units` in `model.layers`", "is up to"),
            };
            format!(
                "lower {key}, which {is} {}: weights grow with its square, and 64 is usual",
                format::count(units as u64)
            )
        }
    }
}

fn limit(plan: &Plan) -> Option<Limit> {
    match plan.devices[0] {
        device @ Device::Cuda(index) => {
            let gpu = plan.gpu(device)?;
            Some(Limit { bytes: gpu.memory, called: format!("the device `cuda:{index}`") })
        }
        Device::Cpu => of_machine(Path::new("/")),
    }
}

/// The memory of this machine, or of the control group that this process is in, if that is less;
/// `None` where it is not told. Linux alone has these files under the root.
fn of_machine(root: &Path) -> Option<Limit> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let machine = Limit { bytes: kib * 1024, called: "this machine".into() };
    let group = killed::limit(root).filter(|bytes| *bytes < machine.bytes);
    Some(group.map_or(machine, |bytes| Limit { bytes, called: "this control group".into() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Input, Stack};

    fn limit(gigabytes: u64) -> Limit {
        Limit { bytes: gigabytes * 1_000_000_000, called: "this machine".into() }
    }

    fn refusal(shape: &Shape, parallel: usize, room: u64) -> Option<UserError> {
        let needed = Needed::of(shape, 2, 100);
        fits(shape, needed, 50_000_000, parallel, &limit(room)).err()
    }

    #[test]
    fn a_model_beyond_the_memory_is_refused_with_the_numbers_and_what_to_change() {
        let huge = Shape { input: Input::Features(3), layers: Stack::lstm(65_536), outputs: 1 };
        let error = refusal(&huge, 1, 24).unwrap();
        assert_eq!(
            error.message,
            "its model has 17,180,983,297 parameters; a run takes at least 274.9 GB for weights, \
             gradients and the optimizer's state and 157 MB for one row's steps, the data 50 MB, and \
             this machine has 24.0 GB"
        );
        assert!(error.hint.unwrap().contains("lower `model.lstm.units`, which is 65,536"));
        assert_eq!(refusal(&huge, 1, 300), None);
        let words = Input::Tokens { vocabulary: 500_000_000, dim: 64 };
        let error =
            refusal(&Shape { input: words, layers: Stack::lstm(8), outputs: 1 }, 1, 24).unwrap();
        assert!(error.hint.unwrap().contains("500,000,000 vectors of 64"));
    }

    #[test]
    fn runs_that_do_not_fit_beside_each_other_are_told_how_many_do() {
        let large = Shape { input: Input::Features(3), layers: Stack::lstm(16_384), outputs: 1 };
        let error = refusal(&large, 4, 40).unwrap();
        assert!(error.message.ends_with("too little for 4 runs at a time"), "{error}");
        assert!(error.hint.unwrap().starts_with("write `--workers 2`"));
        assert_eq!(refusal(&large, 2, 40), None);
    }

    #[test]
    fn a_control_group_limits_what_the_machine_has() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\n");
        let limit = || of_machine(root.path()).unwrap();
        assert_eq!((limit().bytes, limit().called.as_str()), (16_384_000_000, "this machine"));
        write("proc/self/cgroup", "0::/a/b\n");
        write("sys/fs/cgroup/a/memory.max", "3000000000\n");
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        let found = limit();
        assert_eq!((found.bytes, found.called.as_str()), (3_000_000_000, "this control group"));
        write("proc/self/cgroup", "12:cpu,memory:/job\n");
        write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2000000000\n");
        assert_eq!(limit().bytes, 2_000_000_000);
        write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(limit().bytes, 16_384_000_000);
    }
}

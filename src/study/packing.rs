//! How many runs may share a GPU.
//!
//! With the engine `fused` a run of a small batch keeps a few of a GPU's multiprocessors busy, so several
//! runs may be trained at a time, each in a lane of one worker (`lanes`), as many as the memory has room
//! for. They do so where the user asks for it: seconds of runs that share a GPU depend on their neighbours,
//! and of arms that are equally good the fastest is recommended. libtorch has a GPU for itself.

use super::plan::Plan;
use crate::config::Arm;
use crate::kernels::{self, Device, EngineKind, Workload};

/// A GPU executes the work of so many runs beside each other: it has as many connections.
const MOST: usize = 32;

/// Of a GPU's memory, in percent, what runs may take among them: other programs and the driver have some.
const SHARE: u64 = 85;

/// Whether runs share a GPU.
pub(super) fn packs(plan: &Plan) -> bool {
    plan.engine == EngineKind::Fused && matches!(plan.devices[0], Device::Cuda(_))
}

/// How many runs of a study each of its GPUs has room for.
pub(super) fn runs_on_a_gpu(plan: &Plan) -> usize {
    if !packs(plan) {
        return 1;
    }
    let on_plan = |device: &Device| match device {
        Device::Cuda(index) => plan.machine.gpus.iter().find(|gpu| gpu.index == *index),
        Device::Cpu => None,
    };
    let memory = plan.devices.iter().filter_map(on_plan).map(|gpu| gpu.memory).min();
    let needed = plan.study.arms.iter().map(|arm| needed(plan, arm)).max();
    match (memory, needed) {
        (Some(memory), Some(needed)) => {
            let fitting = memory / 100 * SHARE / needed.max(1);
            usize::try_from(fitting).unwrap_or(MOST).clamp(1, MOST)
        }
        _ => 1,
    }
}

/// What a run of an arm takes of a GPU at most, in bytes.
fn needed(plan: &Plan, arm: &Arm) -> u64 {
    let facts = &plan.data.facts;
    let splits = [&facts.train, &facts.validation, &facts.test];
    kernels::memory_on_gpu(
        &plan.shape(arm),
        &Workload {
            moments: arm.train.optimizer.rule().moments(),
            batch_rows: arm.batch_size,
            examples: splits.iter().map(|split| split.examples).sum(),
            longest: splits.iter().map(|split| split.longest).max().unwrap_or_default(),
        },
    )
}

//! How many runs may share a GPU.
//!
//! With the engine `fused` a run of a small batch keeps a few of a GPU's multiprocessors busy, so several
//! runs may be trained at a time, each in a lane of one worker (`lanes`), as many as the memory has room
//! for. They do so where the user asks for it: on a GPU, their bits were last compared with earlier
//! kernels (docs/gpu.md). libtorch has a GPU for itself, unless the user says otherwise.

use super::plan::Plan;
use crate::config::Arm;
use crate::kernels::{self, Device, EngineKind, Workload};
use crate::train::EVALUATED_TOGETHER;

/// Runs that share a GPU, at most: CUDA has this many connections, and work on one connection is done in turn.
const MOST: usize = 32;

/// Of a GPU's memory, in percent, what runs may take among them: other programs and the driver have some.
const SHARE: u64 = 85;

/// Whether runs may share a GPU.
pub(super) fn packs(plan: &Plan) -> bool {
    plan.engine == EngineKind::Fused && matches!(plan.devices[0], Device::Cuda(_))
}

/// How many runs of a study each of its GPUs has room for.
pub(super) fn runs_on_a_gpu(plan: &Plan) -> usize {
    let memory = plan.devices.iter().filter_map(|device| plan.gpu(*device)).map(|gpu| gpu.memory);
    let needed = plan.study.arms.iter().map(|arm| needed(plan, arm)).max().unwrap_or(1);
    let fitting = memory.min().unwrap_or(0) / 100 * SHARE / needed.max(1);
    usize::try_from(fitting).unwrap_or(MOST).clamp(1, MOST)
}

/// What a run of an arm takes of a GPU at most, in bytes.
fn needed(plan: &Plan, arm: &Arm) -> u64 {
    let facts = &plan.data.facts;
    let splits = [&facts.train, &facts.validation, &facts.test];
    kernels::memory_on_gpu(
        &plan.shape(arm),
        &Workload {
            moments: arm.train.optimizer.rule().moments(),
            rows_together: arm.batch_size.max(EVALUATED_TOGETHER),
            examples: splits.iter().map(|split| split.examples).sum(),
            longest: splits.iter().map(|split| split.longest).max().unwrap_or_default(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::plan::tests::plan_on;

    #[test]
    fn as_many_runs_share_a_gpu_as_its_memory_has_room_for() {
        let mut plan = plan_on(EngineKind::Fused, &[Device::Cuda(0)], &["GPU"]);
        plan.data.facts.train.longest = 100;
        let needed = needed(&plan, &plan.study.arms[0]);
        for (runs, expected) in [(0.5, 1), (1.1, 1), (5.1, 5), (31.9, 31), (1000.0, 32)] {
            plan.machine.cuda[0].memory = (needed as f64 * runs / 0.85) as u64;
            assert_eq!(runs_on_a_gpu(&plan), expected, "room for {runs} runs");
        }
        assert!(packs(&plan));
        assert!(!packs(&plan_on(EngineKind::Libtorch, &[Device::Cuda(0)], &["GPU"])));
        assert!(!packs(&plan_on(EngineKind::Fused, &[Device::Cpu], &["GPU"])));
    }
}

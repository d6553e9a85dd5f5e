//! What a kernel is given, as `kernels/step.h` has it, field by field.

use super::super::super::{Clip, Loss, Settings};
use super::super::elementwise::Rule;
use super::super::layout::Layout;

/// Where something lies in the GPU's memory; 0 for nothing.
pub(super) type Address = u64;

/// Values whose squares are summed together.
pub(super) const BLOCK: usize = 1024;

/// A slab among those of a launch.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct SlabEntry {
    /// Its first row-step.
    pub(super) first: u32,
    /// T of its longest row.
    pub(super) steps: u32,
    /// At most sixteen.
    pub(super) rows: u32,
    /// Where its T + 1 offsets stand.
    pub(super) offsets: u32,
}

/// One step of one run; `step.h` says what each field is.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StepArguments {
    pub(super) slabs: Address,
    pub(super) offsets: Address,
    pub(super) rows: Address,
    pub(super) positions: Address,
    pub(super) targets: Address,
    pub(super) shares: Address,
    pub(super) numbers: Address,
    pub(super) tokens: Address,
    pub(super) firsts: Address,
    pub(super) occurrences: Address,
    pub(super) input_masks: Address,
    pub(super) state_masks: Address,
    pub(super) values: Address,
    pub(super) packed: Address,
    pub(super) moments: [Address; 2],
    pub(super) embedding: Address,
    pub(super) embedding_moments: [Address; 2],
    pub(super) slots: Address,
    pub(super) gates: Address,
    pub(super) cells: Address,
    pub(super) states: Address,
    pub(super) last: Address,
    pub(super) d_logits: Address,
    pub(super) slab_gradients: Address,
    pub(super) gradient: Address,
    pub(super) products: Address,
    pub(super) d_products: Address,
    pub(super) d_vectors: Address,
    pub(super) d_inputs: Address,
    pub(super) chunk_sums: Address,
    pub(super) squares: Address,
    pub(super) parts: Address,
    pub(super) logits: Address,
    pub(super) norm: Address,
    pub(super) penalty: Address,
    pub(super) l1: [f64; 3],
    pub(super) l2: [f64; 3],
    pub(super) clip_most: f64,
    pub(super) features: u32,
    pub(super) units: u32,
    pub(super) panels: u32,
    pub(super) outputs: u32,
    pub(super) input_width: u32,
    pub(super) len: u32,
    pub(super) slab_count: u32,
    pub(super) tokens_count: u32,
    pub(super) vocabulary: u32,
    pub(super) steps: u32,
    pub(super) input_gates: u32,
    pub(super) state_gates: u32,
    pub(super) pieces: u32,
    pub(super) is_first: u32,
    pub(super) stamp: u32,
    pub(super) table: u32,
    pub(super) training: u32,
    pub(super) loss: u32,
    pub(super) clip: u32,
    pub(super) rule: u32,
    pub(super) loss_setting: f32,
    pub(super) beta_1: [f32; 2],
    pub(super) beta_2: [f32; 2],
    pub(super) decay: f32,
    pub(super) rate: f32,
    pub(super) root: f32,
    pub(super) epsilon: f32,
    pub(super) momentum: f32,
}

impl StepArguments {
    /// What is the same in all steps of a run, apart from addresses.
    pub(super) fn of_run(layout: &Layout, vocabulary: usize, settings: &Settings) -> Self {
        let penalties = settings.penalties.first().copied().unwrap_or_default();
        let penalties = [penalties.kernel, penalties.recurrent, penalties.bias];
        let (clip, clip_most) = match settings.clip {
            None => (0, 0.0),
            Some(Clip::Norm(most)) => (1, most),
            Some(Clip::Value(most)) => (2, most),
        };
        let (loss, loss_setting) = loss_number(settings.objective.loss);
        Self {
            l1: penalties.map(|penalty| penalty.l1),
            l2: penalties.map(|penalty| penalty.l2),
            clip_most,
            features: layout.features as u32,
            units: layout.units as u32,
            panels: layout.panels as u32,
            outputs: layout.outputs as u32,
            input_width: layout.input_width() as u32,
            len: layout.len() as u32,
            vocabulary: vocabulary as u32,
            loss,
            clip,
            loss_setting,
            ..Self::default()
        }
    }

    /// Takes the numbers of one update.
    pub(super) fn set_rule(&mut self, rule: &Rule) {
        match *rule {
            Rule::Adam { beta_1, beta_2, decay, rate, root, epsilon } => {
                (self.rule, self.beta_1, self.beta_2) = (0, beta_1, beta_2);
                (self.decay, self.rate, self.root, self.epsilon) = (decay, rate, root, epsilon);
            }
            Rule::Descent { rate } => (self.rule, self.rate) = (1, rate),
            Rule::Momentum { rate, momentum, nesterov } => {
                (self.rule, self.rate, self.momentum) =
                    (if nesterov { 3 } else { 2 }, rate, momentum);
            }
            Rule::RootMeanSquare { rho, rate, epsilon, momentum, is_keras } => {
                self.rule = 4 + u32::from(is_keras) + 2 * u32::from(momentum.is_some());
                (self.beta_2, self.rate, self.epsilon) = (rho, rate, epsilon);
                self.momentum = momentum.unwrap_or(0.0);
            }
        }
    }

    /// Whether anything is penalised.
    pub(super) fn penalises(&self) -> bool {
        self.l1.iter().chain(&self.l2).any(|by| *by > 0.0)
    }
}

/// The loss as the kernels number it, with its setting.
fn loss_number(loss: Loss) -> (u32, f32) {
    match loss {
        Loss::BinaryCrossentropy => (0, 0.0),
        Loss::CategoricalCrossentropy(smoothing) => (1, smoothing.label_smoothing as f32),
        Loss::Mse => (2, 0.0),
        Loss::Mae => (3, 0.0),
        Loss::Huber(huber) => (4, huber.delta as f32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_have_arguments_of_the_same_size() {
        let path = std::ffi::CString::new(env!("BATCHSCOPE_EMULATED_GPU")).unwrap();
        // SAFETY: strings that end with 0; the function has no arguments and gives a number.
        let size = unsafe {
            let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
            let function = libc::dlsym(library, c"emulated_step_size".as_ptr());
            assert!(!function.is_null());
            std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> u32>(function)()
        };
        assert_eq!(size as usize, size_of::<StepArguments>());
    }
}

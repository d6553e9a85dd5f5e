//! Every engine against PyTorch's and Keras's own numbers, against finite differences, and against
//! itself: one battery, for each way to compute (`battery!` below).
//!
//! A processor that lacks a set of instructions shows its tests as ignored, with the reason
//! (`build.rs` looks once); `BATCHSCOPE_REQUIRE=avx512` makes them run, and fail where it is missing.

// The engine `fused` on an emulated GPU: the processor's bits, and what a driver may answer.
mod emulated;
// The engine `fused`: one result whatever the instructions and threads, and beside libtorch.
mod fused;
// Gradients against finite differences of an independent model in f64.
mod gradients;
// Ten steps with each head and loss.
mod heads;
// Whole trainings as Keras does them.
mod keras;
// Memory that does not suffice, and gradients summed over parts of a batch.
mod micro_batches;
// What several fixtures hold alike.
mod recorded;
// Ten steps of the plain model; states, order, subnormal numbers.
mod trajectory;
// Ten steps with each optimizer, clipping, penalties, weights of labels, dropout.
mod updates;

use batchscope::kernels::{
    self, Arrays, Device, Engine, EngineKind, Examples, InstructionSet, Place, Sequences, Settings,
    Splits, Step,
};
use batchscope::spec::{Shape, UpdateRule};
use std::path::PathBuf;
use std::sync::OnceLock;

/// Rows of tokens as an engine takes them.
pub(crate) struct Ragged {
    tokens: Vec<i32>,
    offsets: Vec<u64>,
}

impl Ragged {
    pub(crate) fn new(rows: &[Vec<i32>]) -> Self {
        let mut offsets = vec![0];
        for row in rows {
            offsets.push(offsets[offsets.len() - 1] + row.len() as u64);
        }
        Self { tokens: rows.concat(), offsets }
    }

    pub(crate) fn sequences(&self) -> Sequences<'_> {
        Sequences::Tokens { tokens: &self.tokens, offsets: &self.offsets }
    }
}

/// Starts libtorch. Trouble with CUDA, as of a libtorch for CPUs beside a driver, fails the tests that
/// need it, and no others.
fn start(device: Device) {
    static CUDA_TROUBLE: OnceLock<Option<String>> = OnceLock::new();
    let trouble = CUDA_TROUBLE.get_or_init(|| kernels::start_libtorch().unwrap());
    assert!(device == Device::Cpu || trouble.is_none(), "{trouble:?}");
}

/// A way to compute.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    kind: EngineKind,
    place: Place,
    /// On an emulated GPU.
    is_emulated: bool,
}

impl Path {
    /// How many times as far as others it may be from the numbers of the reference. cuDNN's sigmoid and tanh
    /// round more coarsely: gradients of up to 1.4e-6 beside those in f64 were seen on an H200 (2026-11-27),
    /// where all others stay below 1e-6.
    fn roughness(self) -> f64 {
        let is_cudnn = self.kind == EngineKind::Libtorch && self.place.device != Device::Cpu;
        if is_cudnn { 20.0 } else { 1.0 }
    }

    fn engine<'d>(
        self,
        shape: Shape,
        splits: Splits<'d>,
        settings: Settings,
    ) -> Box<dyn Engine + 'd> {
        if self.is_emulated {
            return kernels::engine_on_driver(&emulated_gpu(), shape, splits, settings).unwrap();
        }
        start(self.place.device);
        kernels::engine(self.kind, self.place, shape, splits, settings).unwrap()
    }
}

const LIBTORCH: Path = libtorch(Device::Cpu);

const fn libtorch(device: Device) -> Path {
    let place = Place { device, threads: 1, instructions: InstructionSet::Portable };
    Path { kind: EngineKind::Libtorch, place, is_emulated: false }
}

const fn fused(instructions: InstructionSet) -> Path {
    let place = Place { device: Device::Cpu, threads: 1, instructions };
    Path { kind: EngineKind::Fused, place, is_emulated: false }
}

/// The engine `fused` on CUDA, on a GPU or on an emulated one.
const fn fused_on_gpu(is_emulated: bool) -> Path {
    let place = Place { device: Device::Cuda(0), ..LIBTORCH.place };
    Path { kind: EngineKind::Fused, place, is_emulated }
}

/// The driver of the emulated GPU that `build.rs` makes, or the one that `EMULATED_GPU` names: with sanitizers
/// (`scripts/check_races`), or `libcuda.so.1` for a GPU (`scripts/gpu_check`).
fn emulated_gpu() -> PathBuf {
    let named = std::env::var_os("EMULATED_GPU");
    named.unwrap_or_else(|| env!("BATCHSCOPE_EMULATED_GPU").into()).into()
}

/// The tests that every way to compute must pass, for each way.
macro_rules! battery {
    ($($(#[$ignore:meta])* $module:ident = $path:expr;)*) => {$(
        mod $module {
            battery! { @tests $path; $(#[$ignore])*;
                ten_steps_follow_torch = trajectory,
                a_state_that_is_set_again_continues_to_the_bit = trajectory,
                logits_wait_in_the_order_of_their_steps = trajectory,
                a_row_has_the_same_logit_alone_and_beside_longer_rows = trajectory,
                subnormal_numbers_are_flushed_and_nowhere_else = trajectory,
                every_update_follows_torch = updates,
                every_head_and_loss_follows_torch = heads,
                three_epochs_follow_keras = keras,
                parts_of_a_batch_give_the_step_of_the_whole_batch = micro_batches,
                gradients_of_ragged_tokens_agree_with_finite_differences = gradients,
                gradients_of_features_agree_with_finite_differences = gradients,
                gradients_of_saturated_gates_agree_with_finite_differences = gradients,
                gradients_with_penalties_and_weights_of_labels_agree = gradients,
                gradients_through_dropout_agree_with_finite_differences = gradients,
                gradients_of_each_head_and_loss_agree = gradients,
            }
        }
    )*};
    (@tests $path:expr; $(#[$ignore:meta])*; $($name:ident = $module:ident,)*) => {
        battery! { @each [$(#[$ignore])*] $path; $($name = $module,)* }
    };
    (@each $ignore:tt $path:expr; $($name:ident = $module:ident,)*) => {$(
        battery! { @one $ignore $path; $name = $module }
    )*};
    (@one [$(#[$ignore:meta])*] $path:expr; $name:ident = $module:ident) => {
        #[test]
        $(#[$ignore])*
        fn $name() {
            super::$module::$name($path);
        }
    };
}

battery! {
    on_libtorch = crate::engine::LIBTORCH;
    #[ignore = "needs a CUDA device"]
    on_cuda = crate::engine::libtorch(batchscope::kernels::Device::Cuda(0));
    #[cfg_attr(lacks_avx512, ignore = "NOT TESTED: this processor lacks AVX-512")]
    on_avx512 = crate::engine::fused(batchscope::kernels::InstructionSet::Avx512);
    #[cfg_attr(lacks_avx2, ignore = "NOT TESTED: this processor lacks AVX2 or FMA")]
    on_avx2 = crate::engine::fused(batchscope::kernels::InstructionSet::Avx2);
    on_portable = crate::engine::fused(batchscope::kernels::InstructionSet::Portable);
    on_emulated_gpu = crate::engine::fused_on_gpu(true);
    #[ignore = "needs a CUDA device"]
    on_gpu = crate::engine::fused_on_gpu(false);
}

/// The tests of models that libtorch alone computes, on the processor and on a GPU.
macro_rules! layers {
    ($($(#[$ignore:meta])* $module:ident = $path:expr;)*) => {$(
        mod $module {
            battery! { @tests $path; $(#[$ignore])*;
                three_epochs_of_several_layers_follow_keras = keras,
                gradients_of_several_layers_agree_with_finite_differences = gradients,
                gradients_of_several_layers_through_dropout_agree = gradients,
                gradients_of_several_layers_with_penalties_agree = gradients,
            }
        }
    )*};
}

layers! {
    layers_on_libtorch = crate::engine::LIBTORCH;
    #[ignore = "needs a CUDA device"]
    layers_on_cuda = crate::engine::libtorch(batchscope::kernels::Device::Cuda(0));
}

/// An engine whose three splits are the same examples.
fn engine<'d>(
    path: Path,
    shape: Shape,
    sequences: Sequences<'d>,
    labels: &'d [f32],
    settings: Settings,
) -> Box<dyn Engine + 'd> {
    let examples = Examples { sequences, labels };
    let splits = Splits { train: examples, validation: examples, test: examples };
    path.engine(shape, splits, settings)
}

const BATCHES: [&[u32]; 3] = [&[0, 1, 2], &[3, 4, 5], &[6, 7]];
const ALL: [u32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// torch's Adam with its defaults.
const ADAM: UpdateRule = UpdateRule::Adam {
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
    epsilon_hat: false,
    weight_decay: 0.0,
};

/// Each update rule, in each of its forms.
fn optimizers() -> [UpdateRule; 11] {
    let adam = |epsilon_hat, weight_decay| UpdateRule::Adam {
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-7,
        epsilon_hat,
        weight_decay,
    };
    let sgd = |momentum, nesterov| UpdateRule::Sgd { momentum, nesterov };
    let [keras, decayed, both] = [adam(true, 0.0), adam(false, 0.02), adam(true, 0.01)];
    let rms =
        |momentum, is_keras| UpdateRule::RmsProp { rho: 0.9, epsilon: 1e-7, momentum, is_keras };
    [
        ADAM,
        keras,
        decayed,
        both,
        sgd(0.0, false),
        sgd(0.9, false),
        sgd(0.9, true),
        rms(0.0, false),
        rms(0.0, true),
        rms(0.9, false),
        rms(0.9, true),
    ]
}

fn plain(rows: &[u32], lr: f64) -> Step<'_> {
    Step { rows, lr, masks: None }
}

/// |found - expected| <= tolerance * (1 + |expected|).
#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(
            error <= tolerance * (1.0 + expected.abs()),
            "{what}[{at}]: {found} for {expected}"
        );
    }
}

#[track_caller]
fn assert_weights(what: &str, found: &Arrays, expected: &[Vec<f64>], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_close(&format!("{what}, weights of parameter {index}"), found, expected, tolerance);
    }
}

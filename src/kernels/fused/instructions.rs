//! Which instructions the kernels use: found once, recorded, and free to choose, since all give the
//! same bits.
//!
//! Each kernel is written once, for any [`Vector`](super::vector::Vector). Here it is compiled for
//! each set of instructions, and called through [`Instructions`], which exists only for sets that
//! the processor has.

use super::{cell, dense, elementwise, head, products, vector};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// A set of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstructionSet {
    /// AVX-512F: sixteen lanes.
    Avx512,
    /// AVX2 with FMA: eight lanes.
    Avx2,
    /// What every processor has.
    Portable,
}

impl InstructionSet {
    /// All sets, the fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// The name, as it is written and read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Whether this processor has them.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                std::arch::is_x86_feature_detected!("avx512f") && Self::Avx2.is_available()
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|set| set.is_available()).unwrap_or(Self::Portable)
    }
}

/// A set of instructions that the processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instructions(InstructionSet);

impl Instructions {
    /// Refuses what the processor lacks.
    pub(super) fn new(set: InstructionSet) -> Result<Self> {
        ensure!(
            set.is_available(),
            "this processor lacks the instructions `{}`; its best are `{}`",
            set.name(),
            InstructionSet::best().name()
        );
        Ok(Self(set))
    }
}

/// Compiles a kernel for each set, and makes the method that calls the right copy.
macro_rules! kernels {
    ($($(#[$doc:meta])* $name:ident = $module:ident::$kernel:ident $(::<$vector:ident>)? ($argument:ty);)*) => {
        #[cfg(target_arch = "x86_64")]
        mod avx512 {
            use super::*;
            $(
                #[target_feature(enable = "avx512f,avx2,fma")]
                pub(super) unsafe fn $name(argument: $argument) {
                    kernels!(@call vector::Avx512, $module::$kernel $(::<$vector>)?, argument)
                }
            )*
        }
        #[cfg(target_arch = "x86_64")]
        mod avx2 {
            use super::*;
            $(
                #[target_feature(enable = "avx2,fma")]
                pub(super) unsafe fn $name(argument: $argument) {
                    kernels!(@call vector::Avx2, $module::$kernel $(::<$vector>)?, argument)
                }
            )*
        }
        mod portable {
            use super::*;
            $(
                pub(super) fn $name(argument: $argument) {
                    kernels!(@call vector::Portable, $module::$kernel $(::<$vector>)?, argument)
                }
            )*
        }
        impl Instructions {
            $(
                $(#[$doc])*
                pub(in crate::kernels::fused) fn $name(self, argument: $argument) {
                    match self.0 {
                        // SAFETY: `new` made sure that the processor has these instructions.
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx512 => unsafe { avx512::$name(argument) },
                        // SAFETY: as above.
                        #[cfg(target_arch = "x86_64")]
                        InstructionSet::Avx2 => unsafe { avx2::$name(argument) },
                        _ => portable::$name(argument),
                    }
                }
            )*
        }
    };
    (@call $of:ty, $module:ident::$kernel:ident::<V>, $argument:ident) => {
        // SAFETY: this copy is for the vector's instructions.
        unsafe { $module::$kernel::<$of>($argument) }
    };
    (@call $of:ty, $module:ident::$kernel:ident, $argument:ident) => {
        $module::$kernel($argument)
    };
}

kernels! {
    /// Rows times weights.
    project = products::project::<V>(products::Project<'_>);
    /// Gradients of gates back through weights.
    back = products::back::<V>(products::Back<'_>);
    /// Gradients of weights.
    outer = products::outer::<V>(products::Outer<'_>);
    /// The cell, one step forward.
    cell_forward = cell::forward::<V>(cell::Forward<'_>);
    /// The cell, one step back.
    cell_backward = cell::backward::<V>(cell::Backward<'_>);
    /// The dense layer.
    logits = dense::logits::<V>(dense::Logits<'_>);
    /// The gradient of the loss with respect to logits.
    errors = head::errors::<V>(head::Errors<'_>);
    /// The gradient of the dense layer.
    dense_gradient = dense::gradient::<V>(dense::Gradient<'_>);
    /// A sum of values, one by one.
    add = elementwise::add((&mut [f32], &[f32]));
    /// A sum of rows into a table.
    scatter = elementwise::scatter(elementwise::Scatter<'_>);
    /// A sum of squares.
    squares = elementwise::squares((&[f32], &mut f64));
    /// An optimizer's step.
    update = elementwise::update(elementwise::Update<'_>);
    /// Several steps of values whose gradients are 0.
    replay = elementwise::replay(elementwise::Replay<'_>);
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::activation;
    use super::super::tile::GROUP;
    use super::super::vector::Vector;
    use super::*;

    mod activations {
        use super::*;

        /// Whole groups of values.
        #[inline(always)]
        pub(super) unsafe fn sigmoids<V: Vector>(values: &mut [f32]) {
            for group in values.chunks_exact_mut(GROUP) {
                for lane in (0..GROUP).step_by(V::LANES) {
                    // SAFETY: the caller's promise; lanes lie within a group.
                    unsafe {
                        let at = group.as_mut_ptr().add(lane);
                        activation::sigmoid(V::load(at)).store(at);
                    }
                }
            }
        }

        /// Whole groups of values.
        #[inline(always)]
        pub(super) unsafe fn tanhs<V: Vector>(values: &mut [f32]) {
            for group in values.chunks_exact_mut(GROUP) {
                for lane in (0..GROUP).step_by(V::LANES) {
                    // SAFETY: the caller's promise; lanes lie within a group.
                    unsafe {
                        let at = group.as_mut_ptr().add(lane);
                        activation::tanh(V::load(at)).store(at);
                    }
                }
            }
        }
    }

    // Elsewhere they are parts of kernels.
    kernels! {
        sigmoids = activations::sigmoids::<V>(&mut [f32]);
        tanhs = activations::tanhs::<V>(&mut [f32]);
    }

    /// Makes a test of each function for each set of instructions.
    macro_rules! on_each_set {
        ($($name:ident),*) => {
            on_each_set! { @sets [$($name)*]
                #[cfg_attr(lacks_avx512, ignore = "NOT TESTED: this processor lacks AVX-512")]
                on_avx512 = Avx512;
                #[cfg_attr(lacks_avx2, ignore = "NOT TESTED: this processor lacks AVX2 or FMA")]
                on_avx2 = Avx2;
                #[cfg_attr(false, ignore)]
                on_portable = Portable;
            }
        };
        (@sets $names:tt $(#[$ignore:meta] $module:ident = $set:ident;)*) => {
            $(on_each_set! { @set $names #[$ignore] $module = $set })*
        };
        (@set [$($name:ident)*] #[$ignore:meta] $module:ident = $set:ident) => {
            mod $module {
                use $crate::kernels::fused::InstructionSet;
                use $crate::kernels::fused::instructions::Instructions;
                $(
                    #[test]
                    #[$ignore]
                    fn $name() {
                        super::$name(Instructions::new(InstructionSet::$set).unwrap());
                    }
                )*
            }
        };
    }
    pub(in super::super) use on_each_set;

    /// Computes with a set and with portable code; the result, which must be the same to the bit.
    #[track_caller]
    pub(in super::super) fn same_bits(
        set: Instructions,
        compute: impl Fn(Instructions) -> Vec<f32>,
    ) -> Vec<f32> {
        let (found, expected) = (compute(set), compute(Instructions(InstructionSet::Portable)));
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(same, "[{at}]: {found:e} for portable code's {expected:e}");
        }
        found
    }

    /// Noise in [-1, 1) from a linear congruential generator.
    pub(in super::super) fn noise(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state =
                state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            ((state >> 40) as f32) / (1u64 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    /// The same in f64.
    pub(in super::super) fn wide(values: &[f32]) -> Vec<f64> {
        values.iter().map(|value| f64::from(*value)).collect()
    }

    /// Whether this panics, as kernels do where something does not fit.
    pub(in super::super) fn refuses(work: impl FnOnce()) -> bool {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err()
    }

    /// |found - expected| <= tolerance * (1 + |expected|).
    #[track_caller]
    pub(in super::super) fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (f64::from(*found) - expected).abs();
            assert!(error <= tolerance * (1.0 + expected.abs()), "[{at}]: {found} for {expected}");
        }
    }
}

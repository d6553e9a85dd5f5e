//! Which instructions the kernels use: found once, recorded, and free to choose, since all give the
//! same bits.
//!
//! Each kernel is written once, for any [`Vector`](super::vector::Vector). Here it is compiled for
//! each set of instructions, and called through [`Instructions`], which exists only for sets that
//! the processor has.

use super::{cell, dense, elementwise, products};
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
                    kernels!(@call super::super::vector::Avx512, $module::$kernel $(::<$vector>)?, argument)
                }
            )*
        }
        #[cfg(target_arch = "x86_64")]
        mod avx2 {
            use super::*;
            $(
                #[target_feature(enable = "avx2,fma")]
                pub(super) unsafe fn $name(argument: $argument) {
                    kernels!(@call super::super::vector::Avx2, $module::$kernel $(::<$vector>)?, argument)
                }
            )*
        }
        mod portable {
            use super::*;
            $(
                pub(super) fn $name(argument: $argument) {
                    kernels!(@call super::super::vector::Portable, $module::$kernel $(::<$vector>)?, argument)
                }
            )*
        }
        impl Instructions {
            $(
                $(#[$doc])*
                pub(super) fn $name(self, argument: $argument) {
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
    /// The loss's gradient, and the dense layer's.
    loss = dense::loss::<V>(dense::Loss<'_>);
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

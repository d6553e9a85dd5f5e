//! Vectors of f32: the few operations that a set of instructions must give.
//!
//! Kernels are written once, for any [`Vector`]; `instructions` makes one copy for each
//! implementation. All operations are those of IEEE 754 in single precision, lane by lane, with
//! `fma` rounded once; none is approximate. So a kernel that gives each result its own chain of
//! operations gives the same bits with every implementation, whatever the number of lanes.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(super) use core::arch::x86_64::{__m256 as Avx2, __m512 as Avx512};
pub(super) use portable::Portable;

/// Several f32.
///
/// # Safety
///
/// Every method needs the instructions of its implementation, which whoever calls a kernel makes
/// sure of once. `load` and `store` also need that many values at their pointer.
pub(super) trait Vector: Copy {
    /// How many, a divisor of 16.
    const LANES: usize;
    /// Rows of four vectors whose sums fit into the registers.
    const ROWS: usize;

    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(value: f32) -> Self;
    /// `self * by + plus`
    unsafe fn fma(self, by: Self, plus: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// The smaller, and `self` when it is not a number.
    unsafe fn at_most(self, bound: Self) -> Self;
    /// The larger, and `self` when it is not a number.
    unsafe fn at_least(self, bound: Self) -> Self;
    /// 0 where the absolute value is below `least`.
    unsafe fn flush(self, least: Self) -> Self;
    /// 2^n for n = `self - 1.5 * 2^23`, a whole number from -126 to 127.
    unsafe fn power_of_two(self) -> Self;
}

/// Asks for the cache lines of values that will be needed soon.
#[inline(always)]
pub(super) fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(super::tile::GROUP) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, which touches nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _: &[f32] = values;
}

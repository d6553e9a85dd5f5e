//! Four lanes in plain Rust, for every processor; the compiler makes of them what it can.

use super::Vector;

/// Four f32.
#[derive(Clone, Copy)]
pub(in super::super) struct Portable([f32; 4]);

impl Portable {
    #[inline(always)]
    fn each(self, other: Self, of: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| of(self.0[lane], other.0[lane])))
    }
}

impl Vector for Portable {
    const LANES: usize = 4;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller made sure of four values.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller made sure of four values.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline(always)]
    unsafe fn fma(self, by: Self, plus: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane].mul_add(by.0[lane], plus.0[lane])))
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.each(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.each(other, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.each(other, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.each(other, |a, b| a / b)
    }

    #[inline(always)]
    unsafe fn at_most(self, bound: Self) -> Self {
        self.each(bound, |value, bound| if bound < value { bound } else { value })
    }

    #[inline(always)]
    unsafe fn at_least(self, bound: Self) -> Self {
        self.each(bound, |value, bound| if bound > value { bound } else { value })
    }

    #[inline(always)]
    unsafe fn flush(self, least: Self) -> Self {
        self.each(least, |value, least| if value.abs() < least { 0.0 } else { value })
    }

    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        let exponent = |value: f32| (value.to_bits() << 23).wrapping_add(0x3f80_0000);
        Self(self.0.map(|value| f32::from_bits(exponent(value))))
    }
}

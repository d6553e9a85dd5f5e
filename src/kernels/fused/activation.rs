//! exp, sigmoid and tanh of vectors, by IEEE operations alone.
//!
//! ```text
//! exp(x)     = 2^n e^r     n = round(x / ln 2), r = x - n ln 2 in two parts, |r| <= ln 2 / 2
//!              e^r ~ 1 + r + r^2 q(r), q of degree 4, relative error 3.7e-9
//! sigmoid(x) = 1 / (1 + exp(-x))
//! tanh(x)    ~ x P(x^2) / Q(x^2), P and Q of degree 4, relative error 5.6e-8, |x| <= 9.02
//! ```
//!
//! `scripts/fit_activations.py` made the coefficients. Largest errors, over all f32 from tests in
//! this file: sigmoid 2.1 ulp where |x| <= 87 (beyond it is the value at 87), tanh 2.4 ulp, and
//! never more than 1. What is not a number stays so, or a run that diverged would not be noticed.

use super::vector::Vector;

/// 1.5 * 2^23: adding it rounds to whole numbers, which then stand in the lowest bits.
const ROUND: f32 = 12_582_912.0;
/// The leading bits of ln 2; their product with a whole number up to 2^15 is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
/// ln 2 less [`LN_2_HIGH`].
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// e to plus or minus this is a normal number.
const EXP_BOUND: f32 = 87.0;
/// q, lowest degree first.
const EXP: [f32; 5] = [0.499_999_94, 0.166_665_21, 0.041_668_39, 0.008_368_745, 0.001_381_454];
/// tanh is 1 beyond.
const TANH_BOUND: f32 = 9.02;
/// P without its constant 1, lowest degree first.
const TANH_ABOVE: [f32; 4] = [1.338_268_7e-1, 3.497_456_7e-3, 2.063_580_4e-5, 1.338_426_6e-8];
/// Q without its constant 1, lowest degree first.
const TANH_BELOW: [f32; 4] = [4.671_600_8e-1, 2.588_435_6e-2, 3.288_515_4e-4, 7.790_239e-7];

/// `1 / (1 + exp(-x))`
#[inline(always)]
pub(super) unsafe fn sigmoid<V: Vector>(x: V) -> V {
    // SAFETY: the caller made sure of V's instructions.
    unsafe {
        let bounded = x.at_most(V::splat(EXP_BOUND)).at_least(V::splat(-EXP_BOUND));
        let rounded = bounded.fma(V::splat(-std::f32::consts::LOG2_E), V::splat(ROUND));
        let n = rounded.sub(V::splat(ROUND));
        // r of -x, in the same operations.
        let r = n.fma(V::splat(-LN_2_HIGH), V::splat(0.0).sub(bounded));
        let r = n.fma(V::splat(-LN_2_LOW), r);
        let mut q = V::splat(EXP[4]);
        for coefficient in EXP[..4].iter().rev() {
            q = q.fma(r, V::splat(*coefficient));
        }
        let e = q.fma(r.mul(r), r).add(V::splat(1.0));
        let e = e.mul(rounded.power_of_two());
        V::splat(1.0).div(e.add(V::splat(1.0)))
    }
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) unsafe fn tanh<V: Vector>(x: V) -> V {
    // SAFETY: the caller made sure of V's instructions.
    unsafe {
        let x = x.at_most(V::splat(TANH_BOUND)).at_least(V::splat(-TANH_BOUND));
        let square = x.mul(x);
        let mut above = V::splat(TANH_ABOVE[3]);
        let mut below = V::splat(TANH_BELOW[3]);
        for degree in (0..3).rev() {
            above = above.fma(square, V::splat(TANH_ABOVE[degree]));
            below = below.fma(square, V::splat(TANH_BELOW[degree]));
        }
        let above = above.fma(square, V::splat(1.0)).mul(x);
        let below = below.fma(square, V::splat(1.0));
        above.div(below).at_most(V::splat(1.0)).at_least(V::splat(-1.0))
    }
}

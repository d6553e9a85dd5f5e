//! exp, sigmoid and tanh of vectors, by IEEE operations alone.
//!
//! ```text
//! exp(x)     = 2^n e^r     n = round(x / ln 2), r = x - n ln 2 in two parts, |r| <= ln 2 / 2
//!              e^r ~ 1 + r + r^2 q(r), q of degree 4, relative error 3.1e-9
//! sigmoid(x) = 1 / (1 + exp(-x))
//! tanh(x)    ~ x P(x^2) / Q(x^2), P and Q of degree 4, relative error 2.8e-8, |x| <= 9.02
//! ```
//!
//! `scripts/fit_activations.py` made the coefficients. Largest errors, over all f32 by the tests in
//! this file: sigmoid 2.49 ulp where |x| <= 87 (beyond it is the value at 87), tanh 5.29 ulp, and
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
const EXP: [f32; 5] = [0.49999994, 0.16666521, 0.041668266, 0.008368677, 0.0013820733];
/// tanh is 1 beyond.
const TANH_BOUND: f32 = 9.02;
/// P without its constant 1, lowest degree first.
const TANH_ABOVE: [f32; 4] = [0.13382672, 0.0034974394, 2.063553e-05, 1.3383906e-08];
/// Q without its constant 1, lowest degree first.
const TANH_BELOW: [f32; 4] = [0.46715993, 0.025884291, 0.0003288488, 7.790084e-07];

/// `1 / (1 + exp(-x))`
#[inline(always)]
pub(super) unsafe fn sigmoid<V: Vector>(x: V) -> V {
    // SAFETY: the caller made sure of V's instructions.
    unsafe { V::splat(1.0).div(exp_of_negative(x).add(V::splat(1.0))) }
}

/// `exp(-x)`
#[inline(always)]
pub(super) unsafe fn exp_of_negative<V: Vector>(x: V) -> V {
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
        e.mul(rounded.power_of_two())
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

#[cfg(test)]
mod tests {
    use super::super::instructions::Instructions;
    use super::super::instructions::tests::{on_each_set, same_bits};
    use super::super::tile::GROUP;
    use super::*;

    on_each_set! { errors_are_small_everywhere, what_must_be_exact_is }

    type Activation = (fn(Instructions, &mut [f32]), fn(f64) -> f64, f32);

    /// The kernel, the function, and the largest |x| for which it is a normal number.
    const ACTIVATIONS: [Activation; 2] = [
        (Instructions::sigmoids, |x| 1.0 / (1.0 + (-x).exp()), EXP_BOUND),
        (Instructions::tanhs, f64::tanh, f32::INFINITY),
    ];
    /// No larger error was found among all 2^32 values.
    const LARGEST: [f64; 2] = [2.49, 5.29];

    /// The error in units of the last place of a f32.
    fn ulps(found: f32, exact: f64) -> f64 {
        let exponent = (exact.abs().to_bits() >> 52) as i32 - 1023;
        (f64::from(found) - exact).abs() / f64::powi(2.0, (exponent - 23).max(-149))
    }

    /// The largest errors of both functions at values that are given by their bits, in blocks.
    fn largest(instructions: Instructions, values: impl Iterator<Item = u32>) -> [f64; 2] {
        let mut largest = [0.0; 2];
        let mut values = values.map(f32::from_bits).filter(|x| x.is_finite());
        loop {
            let x: Vec<f32> = values.by_ref().take(4096).collect();
            if x.is_empty() {
                return largest;
            }
            for ((kernel, exact, bound), largest) in ACTIVATIONS.iter().zip(&mut largest) {
                let mut y = x.clone();
                y.resize(x.len().next_multiple_of(GROUP), 0.0);
                kernel(instructions, &mut y);
                for (x, y) in x.iter().zip(&y).filter(|(x, _)| x.abs() <= *bound) {
                    assert!(y.abs() <= 1.0, "{x:e}: {y}");
                    *largest = ulps(*y, exact(f64::from(*x))).max(*largest);
                }
            }
        }
    }

    /// Bits of values from everywhere, of both signs, and of all values around each bound.
    fn sample() -> impl Iterator<Item = u32> {
        let bounds = [0.0, 1e-38, 1.0, 0.5 * std::f32::consts::LN_2, TANH_BOUND, EXP_BOUND];
        let around = bounds.map(f32::to_bits).into_iter().flat_map(|bits| {
            let all = bits.saturating_sub(2000)..bits + 2000;
            all.flat_map(|bits| [bits, bits | 1 << 31])
        });
        (0..=u32::MAX).step_by(20_011).chain(around)
    }

    fn errors_are_small_everywhere(instructions: Instructions) {
        let found = largest(instructions, sample());
        assert!(found[0] <= LARGEST[0] && found[1] <= LARGEST[1], "{found:?} ulp");
        assert!(found[0] > 1.0 && found[1] > 1.0, "{found:?}: nothing was measured");
        let values: Vec<f32> = sample().map(f32::from_bits).take(200_000).collect();
        for (kernel, ..) in ACTIVATIONS {
            same_bits(instructions, |set| {
                let mut values = values.clone();
                kernel(set, &mut values);
                values
            });
        }
    }

    fn what_must_be_exact_is(instructions: Instructions) {
        let of = |kernel: fn(Instructions, &mut [f32]), x: f32| {
            let mut values = [x; GROUP];
            kernel(instructions, &mut values);
            values[GROUP - 1].to_bits()
        };
        let (sigmoid, tanh) = (Instructions::sigmoids, Instructions::tanhs);
        for nothing in [f32::NAN, -f32::NAN] {
            assert!(f32::from_bits(of(sigmoid, nothing)).is_nan());
            assert!(f32::from_bits(of(tanh, nothing)).is_nan());
        }
        for x in [0.0, f32::from_bits(1), f32::MIN_POSITIVE, 1e-20] {
            assert_eq!(of(tanh, x), x.to_bits());
        }
        assert_eq!(of(sigmoid, 0.0), 0.5f32.to_bits());
        for large in [TANH_BOUND, 88.0, f32::MAX, f32::INFINITY] {
            assert_eq!([of(tanh, large), of(tanh, -large)], [1f32, -1.0].map(f32::to_bits));
        }
        for large in [88.0, f32::MAX, f32::INFINITY] {
            assert_eq!(of(sigmoid, large), of(sigmoid, EXP_BOUND));
            assert_eq!(of(sigmoid, -large), of(sigmoid, -EXP_BOUND));
        }
        for bits in sample().step_by(7).filter(|bits| !f32::from_bits(*bits).is_nan()) {
            let (x, sign) = (f32::from_bits(bits), 1 << 31);
            assert_eq!(of(tanh, x) ^ sign, of(tanh, -x), "{x:e}");
        }
    }

    #[test]
    #[ignore = "all 2^32 values: minutes"]
    fn largest_errors_of_all_values() {
        let best = Instructions::new(super::super::InstructionSet::best()).unwrap();
        let found = largest(best, 0..=u32::MAX);
        println!("largest errors in ulp: sigmoid {:.3}, tanh {:.3}", found[0], found[1]);
        assert!(found[0] <= LARGEST[0] && found[1] <= LARGEST[1], "{found:?} ulp");
    }
}

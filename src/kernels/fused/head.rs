//! The gradient of the loss with respect to a slab's logits.
//!
//! With a row's share s (its weight over B), its target y and its K logits z:
//!
//! ```text
//! binary_crossentropy        s * (sigmoid(z) - y)
//! categorical_crossentropy   s * (softmax(z)_k - q_k),  q = (1 - a) onehot(y) + a / K, a the label smoothing
//! mse                        s * 2 (z - y)
//! mae                        s * sign(z - y)            0 where they are equal
//! huber                      s * (z - y), cut to plus or minus delta
//! ```

use super::super::Loss;
use super::activation::{exp_of_negative, sigmoid};
use super::tile::GROUP;
use super::vector::Vector;

/// The gradient of the loss with respect to logits.
pub(super) struct Errors<'a> {
    /// What is minimised.
    pub(super) loss: Loss,
    /// `[rows][K]`, at most sixteen rows.
    pub(super) logits: &'a [f32],
    /// `[rows]`
    pub(super) targets: &'a [f32],
    /// What each row counts: its weight over B.
    pub(super) shares: &'a [f32],
    /// The gradients of the logits, `[rows][K]`.
    pub(super) out: &'a mut [f32],
}

/// See [`Errors`].
///
/// # Safety
///
/// V's instructions.
#[inline(always)]
pub(super) unsafe fn errors<V: Vector>(p: Errors<'_>) {
    let rows = p.targets.len();
    assert!(rows <= GROUP && p.shares.len() == rows && p.out.len() == p.logits.len());
    match p.loss {
        Loss::CategoricalCrossentropy(smoothing) => {
            assert!(p.logits.len().is_multiple_of(rows));
            // SAFETY: the caller's promise.
            unsafe { softmax_errors::<V>(p, smoothing.label_smoothing as f32) };
        }
        _ => {
            assert!(p.logits.len() == rows);
            match p.loss {
                // SAFETY: the caller's promise.
                Loss::BinaryCrossentropy => unsafe { sigmoid_errors::<V>(p) },
                Loss::Mse => number_errors(p, |error| 2.0 * error),
                // The sign of a number that is none is none.
                Loss::Mae => {
                    number_errors(p, |error| if error == 0.0 { 0.0 } else { error.signum() });
                }
                Loss::Huber(huber) => {
                    let delta = huber.delta as f32;
                    number_errors(p, |error| error.clamp(-delta, delta));
                }
                Loss::CategoricalCrossentropy(_) => unreachable!("it is the case above"),
            }
        }
    }
}

/// sigmoid(z) - 1 = -sigmoid(-z), which loses nothing where sigmoid(z) is nearly 1.
#[inline(always)]
unsafe fn sigmoid_errors<V: Vector>(p: Errors<'_>) {
    let mut towards = [0f32; GROUP];
    for (row, (logit, label)) in p.logits.iter().zip(p.targets).enumerate() {
        towards[row] = if *label > 0.5 { -*logit } else { *logit };
    }
    for lane in (0..GROUP).step_by(V::LANES) {
        // SAFETY: the caller's promise.
        unsafe {
            let at = towards.as_mut_ptr().add(lane);
            sigmoid(V::load(at)).store(at);
        }
    }
    for row in 0..p.targets.len() {
        let sign = if p.targets[row] > 0.5 { -1.0 } else { 1.0 };
        p.out[row] = sign * towards[row] * p.shares[row];
    }
}

#[inline(always)]
unsafe fn softmax_errors<V: Vector>(p: Errors<'_>, smoothing: f32) {
    let outputs = p.logits.len() / p.targets.len();
    let rows = p.logits.chunks_exact(outputs).zip(p.out.chunks_exact_mut(outputs));
    for (row, (logits, out)) in rows.enumerate() {
        let most = logits.iter().fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
        for (logits, out) in logits.chunks(GROUP).zip(out.chunks_mut(GROUP)) {
            let mut below = [0f32; GROUP];
            below.iter_mut().zip(logits).for_each(|(below, logit)| *below = most - logit);
            for lane in (0..GROUP).step_by(V::LANES) {
                // SAFETY: the caller's promise.
                unsafe {
                    let at = below.as_mut_ptr().add(lane);
                    exp_of_negative(V::load(at)).store(at);
                }
            }
            out.copy_from_slice(&below[..out.len()]);
        }
        let sum: f32 = out.iter().sum();
        for (class, value) in out.iter_mut().enumerate() {
            let is_true = f32::from(u8::from(class == p.targets[row] as usize));
            let wanted = (1.0 - smoothing) * is_true + smoothing / outputs as f32;
            *value = (*value / sum - wanted) * p.shares[row];
        }
    }
}

#[inline(always)]
fn number_errors(p: Errors<'_>, gradient: impl Fn(f32) -> f32) {
    for row in 0..p.targets.len() {
        p.out[row] = gradient(p.logits[row] - p.targets[row]) * p.shares[row];
    }
}

#[cfg(test)]
mod tests {
    use super::super::instructions::tests::{assert_close, noise, on_each_set, refuses, same_bits};
    use super::super::instructions::{InstructionSet, Instructions};
    use super::*;
    use crate::spec::{Huber, LabelSmoothing};

    on_each_set! { errors_are_the_slope_of_the_loss, what_is_no_number_stays_so }

    const SMOOTHED: Loss = Loss::CategoricalCrossentropy(LabelSmoothing { label_smoothing: 0.1 });

    fn losses() -> [(Loss, usize); 7] {
        let plain = Loss::CategoricalCrossentropy(LabelSmoothing::default());
        [
            (Loss::BinaryCrossentropy, 1),
            (plain, 3),
            (SMOOTHED, 3),
            (SMOOTHED, 37),
            (Loss::Mse, 1),
            (Loss::Mae, 1),
            (Loss::Huber(Huber { delta: 0.7 }), 1),
        ]
    }

    fn errors_are_the_slope_of_the_loss(set: Instructions) {
        for ((loss, outputs), rows) in losses().into_iter().flat_map(|l| [1, 7, 16].map(|r| (l, r)))
        {
            let logits: Vec<f32> = noise(rows * outputs, 1).iter().map(|x| 3.0 * x).collect();
            let targets: Vec<f32> = match outputs {
                1 if loss == Loss::BinaryCrossentropy => {
                    (0..rows).map(|row| (row % 2) as f32).collect()
                }
                1 => noise(rows, 2),
                _ => (0..rows).map(|row| (row * 5 % outputs) as f32).collect(),
            };
            let shares = noise(rows, 3);
            let slope = |at: usize| {
                let (row, output) = (at / outputs, at % outputs);
                let mut z: Vec<f64> =
                    logits[row * outputs..][..outputs].iter().map(|z| f64::from(*z)).collect();
                // Differences in f64 of the loss in f64 would need logits in f64: their own f32 steps do.
                let mut at = |step: f32| {
                    let moved = logits[row * outputs + output] + step;
                    z[output] = f64::from(moved);
                    let z: Vec<f32> = z.iter().map(|z| *z as f32).collect();
                    (loss.of_row(&z, targets[row]), f64::from(moved))
                };
                let ((high, right), (low, left)) = (at(1e-3), at(-1e-3));
                f64::from(shares[row]) * (high - low) / (right - left)
            };
            let expected: Vec<f64> = (0..rows * outputs).map(slope).collect();
            let found = same_bits(set, |set| {
                let mut out = vec![0.0; rows * outputs];
                let (logits, targets, shares) = (&logits[..], &targets[..], &shares[..]);
                set.errors(Errors { loss, logits, targets, shares, out: &mut out });
                out
            });
            assert_close(&found, &expected, 1e-4);
        }
    }

    fn what_is_no_number_stays_so(set: Instructions) {
        for (loss, outputs) in losses() {
            let mut logits = vec![0.5; outputs];
            logits[outputs / 2] = f32::NAN;
            let mut out = vec![0.0; outputs];
            let (targets, shares) = (&[0.0][..], &[1.0][..]);
            set.errors(Errors { loss, logits: &logits, targets, shares, out: &mut out });
            assert!(out.iter().all(|value| value.is_nan()), "{loss:?}: {out:?}");
        }
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let set = Instructions::new(InstructionSet::best()).unwrap();
        let fits = |loss, logits: &[f32], rows: usize| {
            let (targets, mut out) = (vec![0.0; rows], vec![0.0; logits.len()]);
            let (targets, shares) = (&targets[..], &targets[..]);
            !refuses(|| set.errors(Errors { loss, logits, targets, shares, out: &mut out }))
        };
        assert!(fits(Loss::Mse, &[0.0; 3], 3) && !fits(Loss::Mse, &[0.0; 4], 3));
        assert!(fits(SMOOTHED, &[0.0; 6], 3) && !fits(SMOOTHED, &[0.0; 7], 3));
        assert!(!fits(Loss::BinaryCrossentropy, &[0.0; 17], 17));
    }
}

//! Windows of one series of which each was scaled by itself: standardised, brought to 0 to 1, or taken
//! relative to its first value.
//!
//! Such windows have no value in common, but for each feature f there are a_f and b_f > 0 with
//!
//! ```text
//! X_i[s + t, f] = a_f + b_f X_(i+1)[t, f]        t < T - s
//! ```
//!
//! so the two are correlated with r = 1 but for rounding. A smooth series is correlated with itself at
//! any shift, so r must fall when the shift is one step more or less: a ramp is no evidence.
//!
//! Only neighbours in one array are compared: windows that were shuffled, or saved as splits of their
//! own, are not found.

use super::neighbouring;
use super::rows::{Rows, Starts};
use crate::data::facts::InTraining;

/// 1 - r^2 of windows that are the same: sums of 32-bit numbers leave about 1e-12.
const SAME: f64 = 1e-8;
/// 1 - r^2 at a shift beside the right one.
const OTHER: f64 = 1e-6;
/// Steps that two windows must share at least.
const LEAST_STEPS: usize = 8;

/// What was found.
pub(super) struct Rescaled {
    pub(super) stride: usize,
    pub(super) validation: InTraining,
    pub(super) test: InTraining,
}

/// Looks at pairs of neighbours, and where these share steps at each row beside the training rows
/// around it in the source.
pub(super) fn find(
    parts: &[Rows<'_>; 3],
    places: [&[u64]; 3],
    arrays: [usize; 3],
    steps: usize,
) -> Option<Rescaled> {
    let is_float = matches!(parts[0].starts, Starts::Every(_));
    if !is_float || steps < 2 * LEAST_STEPS {
        return None;
    }
    let width = parts[0].width;
    let stride = stride(&neighbouring(parts, places, arrays, 128), width, steps)?;
    let in_training = |at: usize| match arrays[at] == arrays[0] {
        true => in_training(parts, places, at, stride, steps),
        false => InTraining::default(),
    };
    Some(Rescaled { stride, validation: in_training(1), test: in_training(2) })
}

/// The shift of most pairs, if at least half of them have it.
fn stride(pairs: &[[&[u32]; 2]], width: usize, steps: usize) -> Option<usize> {
    let mut counts = vec![0usize; steps / 2 + 1];
    for [a, b] in pairs {
        let shift = (1..=steps / 2).find(|shift| is_shifted(a, b, *shift, width));
        if let Some(shift) = shift {
            counts[shift] += 1;
        }
    }
    let (stride, count) = counts.into_iter().enumerate().max_by_key(|(_, count)| *count)?;
    (count >= 2 && 2 * count >= pairs.len()).then_some(stride)
}

/// Rows of a split that share at least half of their steps with a training row of the same array.
fn in_training(
    parts: &[Rows<'_>; 3],
    places: [&[u64]; 3],
    at: usize,
    stride: usize,
    steps: usize,
) -> InTraining {
    let mut training: Vec<(u64, usize)> = places[0].iter().copied().zip(0..).collect();
    training.sort_unstable();
    let reach = (steps / 2 / stride) as u64;
    let mut found = InTraining::default();
    for (row, place) in places[at].iter().enumerate() {
        let from = training.partition_point(|(of, _)| of + reach < *place);
        let near = training[from..].iter().take_while(|(of, _)| *of <= place + reach);
        let shares = |(of, training_row): &&(u64, usize)| {
            let shift = of.abs_diff(*place) as usize * stride;
            let [a, b] = [parts[0].row(*training_row), parts[at].row(row)];
            let [early, late] = if of < place { [a, b] } else { [b, a] };
            is_shifted(early, late, shift, parts[0].width)
        };
        let nearest = near.filter(shares).min_by_key(|(of, _)| of.abs_diff(*place));
        let Some((of, _)) = nearest else { continue };
        found.overlapping += 1;
        let shared = steps - of.abs_diff(*place) as usize * stride;
        if shared > found.most_steps {
            found.most_steps = shared;
            found.example = Some([*place, *of]);
        }
    }
    found
}

/// Whether `b` is `a` from this step on, but for its scale, and is so at no shift beside this one.
fn is_shifted(a: &[u32], b: &[u32], shift: usize, width: usize) -> bool {
    /// Steps that most shifts are excluded by.
    const FIRST: usize = 64;
    let unlike = |shift: usize, most: usize| unlikeness(a, b, shift, width, most);
    let is_same = |most| unlike(shift, most).is_some_and(|unlike| unlike <= SAME);
    let differs = |beside: usize| unlike(beside, usize::MAX).is_none_or(|unlike| unlike > OTHER);
    is_same(FIRST) && is_same(usize::MAX) && differs(shift - 1) && differs(shift + 1)
}

/// The largest 1 - r^2 of a feature of `a`, from this step on, with `b`, over at most so many steps.
/// `None` where nothing can be told: the windows are too short, or a feature is constant in one of them
/// alone or in both.
fn unlikeness(a: &[u32], b: &[u32], shift: usize, width: usize, most: usize) -> Option<f64> {
    let steps = (a.len() / width).checked_sub(shift)?.min(most);
    if a.len() != b.len() || steps < LEAST_STEPS {
        return None;
    }
    let pairs = |feature: usize| {
        (0..steps).map(move |step| {
            let [x, y] = [a[(step + shift) * width + feature], b[step * width + feature]];
            [x, y].map(|word| f64::from(f32::from_bits(word)))
        })
    };
    let mut largest: Option<f64> = None;
    for feature in 0..width {
        let mean = |at: usize| pairs(feature).map(|pair| pair[at]).sum::<f64>() / steps as f64;
        let means = [mean(0), mean(1)];
        let sum = |at: [usize; 2]| -> f64 {
            let centred = |pair: [f64; 2], at: usize| pair[at] - means[at];
            pairs(feature).map(|pair| centred(pair, at[0]) * centred(pair, at[1])).sum()
        };
        let (xx, yy, xy) = (sum([0, 0]), sum([1, 1]), sum([0, 1]));
        match (xx > 0.0, yy > 0.0) {
            (false, false) => continue,
            (true, true) if xy > 0.0 => {
                let unlike = (1.0 - xy * xy / (xx * yy)).max(0.0);
                largest = Some(largest.map_or(unlike, |largest: f64| largest.max(unlike)));
            }
            _ => return Some(1.0),
        }
    }
    largest.filter(|unlike| unlike.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{every_fifth, found, in_order, windows};

    /// Each window brought to its own mean and spread, feature by feature.
    fn standardised(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let scaled = |row: &Vec<f32>| {
            let mut scaled = row.clone();
            for feature in 0..2 {
                let values: Vec<f32> = row.iter().skip(feature).step_by(2).copied().collect();
                let mean = values.iter().sum::<f32>() / values.len() as f32;
                let squares: f32 = values.iter().map(|value| (value - mean).powi(2)).sum();
                let sd = (squares / values.len() as f32).sqrt();
                let own = scaled.iter_mut().skip(feature).step_by(2);
                own.for_each(|value| *value = (*value - mean) / sd);
            }
            scaled
        };
        rows.iter().map(scaled).collect()
    }

    #[test]
    fn windows_that_were_each_standardised_are_found_with_their_stride() {
        // The last row has one neighbour, which is not in training, and at stride 10 no other.
        for (stride, most, rows) in [(1, 29, 40), (3, 27, 40), (10, 20, 39)] {
            let found = found(&standardised(&windows(200, 30, stride)), every_fifth(200));
            assert_eq!((found.stride, found.rescaled), (Some(stride), true));
            assert_eq!((found.test.overlapping, found.test.most_steps), (rows, most), "{stride}");
            let [row, of] = found.test.example.unwrap();
            assert_eq!(row.abs_diff(of) as usize * stride, 30 - most);
        }
    }

    #[test]
    fn windows_that_were_each_brought_to_0_to_1_are_all_found() {
        let to_one = |row: &Vec<f32>| {
            let mut scaled = row.clone();
            for feature in 0..2 {
                let values = || row.iter().skip(feature).step_by(2).copied();
                let (low, high) =
                    (values().fold(f32::MAX, f32::min), values().fold(f32::MIN, f32::max));
                let own = scaled.iter_mut().skip(feature).step_by(2);
                own.for_each(|value| *value = (*value - low) / (high - low));
            }
            scaled
        };
        // Neighbours often have the same extremes, and are equal then.
        let rows: Vec<Vec<f32>> = windows(200, 16, 4).iter().map(to_one).collect();
        let found = found(&rows, every_fifth(200));
        assert_eq!((found.stride, found.rescaled, found.test.overlapping), (Some(4), true, 40));
    }

    #[test]
    fn a_gap_parts_them_and_windows_beside_each_other_share_nothing() {
        let apart = found(&standardised(&windows(200, 30, 1)), in_order(200, 30));
        assert_eq!((apart.stride, apart.test.overlapping), (Some(1), 0));
        let beside = found(&standardised(&windows(200, 30, 30)), every_fifth(200));
        assert_eq!((beside.stride, beside.rescaled), (None, false));
    }

    #[test]
    fn a_ramp_and_a_slow_wave_are_no_evidence() {
        let of = |value: fn(f32) -> f32| -> Vec<Vec<f32>> {
            let row = |at: usize| (0..60).map(|word| value((at * 30 + word / 2) as f32)).collect();
            (0..100).map(row).collect()
        };
        assert_eq!(found(&of(|t| 0.25 * t), every_fifth(100)).stride, None);
        assert_eq!(found(&of(|t| (t / 5000.0).sin()), every_fifth(100)).stride, None);
    }
}

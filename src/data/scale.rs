//! Features of very different scale.
//!
//! An LSTM adds all features of a step before it squashes the sum. A feature of thousands beside one of
//! thousandths saturates the gates, and hides the other: training seems to work and learns little.

use serde::{Deserialize, Serialize};

/// The features of the training split with the widest and the narrowest range, where these differ so
/// much that a model hardly sees the narrower one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// The feature with the widest range.
    pub widest: Range,
    /// The feature with the narrowest range, of those that vary.
    pub narrowest: Range,
}

/// The values of one feature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Its number, from 0.
    pub feature: usize,
    /// Its smallest value.
    pub least: f32,
    /// Its largest value.
    pub most: f32,
}

impl Range {
    fn width(&self) -> f64 {
        f64::from(self.most) - f64::from(self.least)
    }

    /// The largest value without its sign.
    fn reach(&self) -> f64 {
        f64::from(self.most.abs().max(self.least.abs()))
    }
}

/// Ranges that differ by more than this are told. Features that were scaled differ by less than 10.
const APART: f64 = 100.0;

/// Values beyond this saturate the gates at the weights a model begins with.
const LARGE: f64 = 100.0;

/// What is told of rows of `features` values, if anything is.
pub(super) fn of(values: &[f32], features: usize) -> Option<Scale> {
    let mut ranges: Vec<Range> = (0..features)
        .map(|feature| Range { feature, least: f32::INFINITY, most: f32::NEG_INFINITY })
        .collect();
    for step in values.chunks_exact(features.max(1)) {
        for (range, value) in ranges.iter_mut().zip(step) {
            range.least = range.least.min(*value);
            range.most = range.most.max(*value);
        }
    }
    // What never varies tells nothing, and a large constant is as bad as a large range.
    let by_width = |a: &&Range, b: &&Range| a.width().total_cmp(&b.width());
    let narrowest = *ranges.iter().filter(|range| range.width() > 0.0).min_by(by_width)?;
    let widest = *ranges.iter().max_by(by_width)?;
    let largest = *ranges.iter().max_by(|a, b| a.reach().total_cmp(&b.reach()))?;
    if widest.width() > APART * narrowest.width() {
        return Some(Scale { widest, narrowest });
    }
    (largest.reach() > LARGE).then_some(Scale { widest: largest, narrowest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_thousands_beside_thousandths_are_told() {
        let found = of(&[2000.0, 0.001, 0.0, 1000.0, 0.005, 0.0], 3).unwrap();
        assert_eq!((found.widest.feature, found.narrowest.feature), (0, 1));
        assert_eq!((found.widest.least, found.widest.most), (1000.0, 2000.0));
        assert_eq!(of(&[-1.5, 0.2, 1.5, 0.9], 2), None);
        assert_eq!(of(&[-1.5, 3.0, 1.5, 3.0], 2), None, "a constant is no narrow range");
        let large = of(&[300.0, 310.0, 305.0], 1).unwrap();
        assert_eq!((large.widest.least, large.widest.most), (300.0, 310.0));
    }
}

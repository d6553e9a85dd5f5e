//! What labels are of which nothing is said yet.

/// Labels as they were found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// What the classes are called, in the order in which they are numbered, with how often each comes.
    Classes(Vec<(String, usize)>),
    /// Numbers.
    Numbers {
        /// How many different ones there are.
        distinct: usize,
        /// Their mean.
        mean: f64,
        /// Their standard deviation.
        sd: f64,
        /// The smallest.
        least: f32,
        /// The largest.
        most: f32,
    },
}

impl Found {
    /// What these numbers are.
    pub fn of_numbers(values: &[f32]) -> Self {
        let mean =
            values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len().max(1) as f64;
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f32::total_cmp);
        sorted.dedup();
        let squares = values.iter().map(|value| (f64::from(*value) - mean).powi(2));
        let sd = (squares.sum::<f64>() / values.len().max(1) as f64).sqrt();
        Self::Numbers { distinct: sorted.len(), mean, sd, least, most }
    }

    /// Whether they are numbers that a model learns badly as they are, so that they should be scaled.
    pub fn are_far(&self) -> bool {
        matches!(self, Self::Numbers { mean, sd, .. } if *sd > 0.0 && Far::of(*mean, *sd).is_some())
    }
}

/// How targets lie that a model learns badly as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Far {
    /// Far from its first outputs.
    Large,
    /// Too near to each other.
    Small,
}

impl Far {
    /// Of targets with this mean and standard deviation; `None` for those that suit a model.
    pub(super) fn of(mean: f64, sd: f64) -> Option<Self> {
        const LARGE: f64 = 20.0;
        const SMALL: f64 = 0.05;
        match mean.abs().max(sd) > LARGE {
            true => Some(Self::Large),
            false if sd < SMALL => Some(Self::Small),
            false => None,
        }
    }
}

/// Whether rows stand in the order of their labels: all of one class before all of another one, or
/// numbers that only rise or only fall. Not where all are alike.
pub(super) fn is_sorted(labels: &[f32], are_classes: bool) -> bool {
    #[expect(clippy::float_cmp, reason = "whether labels are the same")]
    let changes = labels.windows(2).filter(|pair| pair[0] != pair[1]).count();
    if !are_classes {
        return changes > 0 && (labels.is_sorted() || labels.iter().rev().is_sorted());
    }
    let mut classes: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
    classes.sort_unstable();
    classes.dedup();
    changes > 0 && changes + 1 == classes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_sorted_in_blocks_and_numbers_where_they_rise_or_fall() {
        let classes = |labels: &[f32]| is_sorted(labels, true);
        assert!(classes(&[2.0, 2.0, 0.0, 1.0, 1.0]) && classes(&[1.0, 0.0]));
        assert!(!classes(&[0.0, 1.0, 0.0]) && !classes(&[1.0, 1.0]) && !classes(&[]));
        let numbers = |labels: &[f32]| is_sorted(labels, false);
        assert!(numbers(&[0.5, 0.5, 7.0]) && numbers(&[3.0, -1.0]));
        assert!(!numbers(&[1.0, 3.0, 2.0]) && !numbers(&[2.0, 2.0]));
    }
}

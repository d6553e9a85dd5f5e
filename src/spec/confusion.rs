//! How many rows of each class were taken for each class, and what follows from that.

use super::rows::Rows;

/// Counts `[K][K]`: rows of a class (first) that were taken for a class (second).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Confusion {
    counts: Vec<u64>,
    classes: usize,
}

/// `p > 0.5`, with p rounded as a model's sigmoid in f32 rounds it: for a logit of 1e-9, p is 0.5.
pub(super) fn is_positive(logit: f32) -> bool {
    logit > ROUNDS_TO_HALF
}

/// The largest logit whose p is 0.5 in f32: 1.5 / 2^24, as a test finds.
const ROUNDS_TO_HALF: f32 = 1.5 / 16_777_216.0;

/// The class that raw outputs stand for: of one logit 0 or 1, of several the first of the largest.
pub fn predicted_class(outputs: &[f32]) -> usize {
    match outputs {
        [logit] => usize::from(is_positive(*logit)),
        _ => {
            (0..outputs.len()).fold(0, |best, k| if outputs[k] > outputs[best] { k } else { best })
        }
    }
}

/// Whether fewer than `most` classes have a larger output than this one, or an equal one before it.
pub(super) fn is_among(most: usize, outputs: &[f32], class: usize) -> bool {
    let z = outputs[class];
    let ahead = outputs.iter().enumerate();
    #[expect(clippy::float_cmp, reason = "ties are equal outputs")]
    let ahead = ahead.filter(|(k, other)| **other > z || (**other == z && *k < class));
    ahead.count() < most
}

impl Confusion {
    pub(super) fn of(rows: &Rows<'_>) -> Self {
        let classes = rows.width.max(2);
        let mut counts = vec![0; classes * classes];
        for (outputs, target) in rows.each() {
            counts[target as usize * classes + predicted_class(outputs)] += 1;
        }
        Self { counts, classes }
    }

    /// Where the rows of a class that were taken for a class are counted.
    pub(super) fn place(&self, class: usize, taken_for: usize) -> usize {
        class * self.classes + taken_for
    }

    /// For each place that counts rows: what is found where one of them is left out.
    pub(super) fn without_each<T>(&mut self, found: impl Fn(&Self) -> Option<T>) -> Vec<Option<T>> {
        let mut without = Vec::new();
        for place in 0..self.counts.len() {
            without.push(match self.counts[place] {
                0 => None,
                _ => {
                    self.counts[place] -= 1;
                    let value = found(self);
                    self.counts[place] += 1;
                    value
                }
            });
        }
        without
    }

    fn hits(&self, class: usize) -> f64 {
        self.counts[self.place(class, class)] as f64
    }

    /// Rows of a class.
    fn rows(&self, class: usize) -> f64 {
        (0..self.classes).map(|k| self.counts[self.place(class, k)]).sum::<u64>() as f64
    }

    /// Rows that were taken for a class.
    fn taken(&self, class: usize) -> f64 {
        (0..self.classes).map(|k| self.counts[self.place(k, class)]).sum::<u64>() as f64
    }

    pub(super) fn precision(&self, class: usize) -> f64 {
        ratio(self.hits(class), self.taken(class))
    }

    pub(super) fn recall(&self, class: usize) -> f64 {
        ratio(self.hits(class), self.rows(class))
    }

    pub(super) fn f1(&self, class: usize) -> f64 {
        ratio(2.0 * self.hits(class), self.taken(class) + self.rows(class))
    }

    /// Over the classes that occur or were predicted.
    pub(super) fn macro_f1(&self) -> Option<f64> {
        let occurs = |class: &usize| self.rows(*class) + self.taken(*class) > 0.0;
        mean((0..self.classes).filter(occurs).map(|class| self.f1(class)))
    }

    /// Over the classes that occur.
    pub(super) fn balanced_accuracy(&self) -> Option<f64> {
        let occurs = |class: &usize| self.rows(*class) > 0.0;
        mean((0..self.classes).filter(occurs).map(|class| self.recall(class)))
    }

    /// 0 where all rows have one class, or were taken for one.
    pub(super) fn mcc(&self) -> Option<f64> {
        let n: f64 = (0..self.classes).map(|class| self.rows(class)).sum();
        let hits: f64 = (0..self.classes).map(|class| self.hits(class)).sum();
        let (mut both, mut rows, mut taken) = (0.0, 0.0, 0.0);
        for class in 0..self.classes {
            let (r, t) = (self.rows(class), self.taken(class));
            (both, rows, taken) = (both + r * t, rows + r * r, taken + t * t);
        }
        Some(ratio(hits * n - both, ((n * n - rows) * (n * n - taken)).sqrt()))
    }
}

fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u32);
    for value in values {
        (sum, count) = (sum + value, count + 1);
    }
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_taken_for_positive_where_the_sigmoid_in_f32_is_above_one_half() {
        let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
        let edge = ROUNDS_TO_HALF.to_bits();
        let near = (edge - 100_000..edge + 100_000).map(f32::from_bits);
        let far = (0..0x7f80_0000u32).step_by(9973).map(f32::from_bits);
        for logit in near.chain(far).chain([f32::INFINITY, f32::NAN]) {
            for logit in [logit, -logit] {
                assert_eq!(is_positive(logit), sigmoid(logit) > 0.5, "{logit:e}");
            }
        }
    }

    #[test]
    fn the_first_of_the_largest_outputs_is_the_class() {
        assert_eq!(predicted_class(&[0.1, 3.0, 3.0]), 1);
        assert_eq!([predicted_class(&[1.0]), predicted_class(&[-1.0])], [1, 0]);
        let outputs = [0.4, 0.1, 0.3, 0.2, 0.3];
        assert_eq!(
            [0, 1, 2, 3, 4].map(|k| is_among(3, &outputs, k)),
            [true, false, true, false, true]
        );
    }
}

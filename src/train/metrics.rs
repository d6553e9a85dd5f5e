//! Loss and metrics from logits and labels, for every engine alike, in f64.
//!
//! ```text
//! accuracy            share of rows for which (p > 0.5) agrees with the label
//! precision, recall   TP / (TP + FP), TP / (TP + FN); 0 where nothing was counted, as in Keras
//! f1                  2 TP / (2 TP + FP + FN)
//! auc                 P(logit of a positive > logit of a negative) + P(equal) / 2
//! brier               mean (p - label)^2
//! calibration_error   sum over 15 equal bins of p of  n_bin / n * |mean p - mean label|
//! ```
//!
//! AUC is the Mann-Whitney statistic, exact, where Keras interpolates between 200 thresholds. The
//! bins of the calibration error are those of Guo et al. 2017, of the probability of label 1.

use serde::{Deserialize, Serialize};

/// The metrics of one split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean binary cross-entropy in nats, weighted while training, with the penalties.
    pub loss: f64,
    /// Share of rows for which `p > 0.5` agrees with the label.
    pub accuracy: f64,
    /// The chance that a positive row has the higher p; `None` when all labels are alike.
    pub auc: Option<f64>,
    /// Share of positives among rows taken for positive.
    pub precision: f64,
    /// Share of the positives that were taken for positive.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Mean of (p - label)^2.
    pub brier: f64,
    /// How far p is from the share of positives.
    pub calibration_error: f64,
}

impl Metrics {
    /// The metrics of rows with these logits and labels, and a loss that was computed before.
    pub fn new(logits: &[f32], labels: &[f32], loss: f64) -> Self {
        let pairs = || logits.iter().zip(labels);
        let count = |taken: bool, is: bool| {
            let hit = pairs().filter(|(z, y)| (predicted(**z), **y > 0.5) == (taken, is));
            hit.count() as f64
        };
        let (tp, fp, missed) = (count(true, true), count(true, false), count(false, true));
        let n = logits.len() as f64;
        let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
        let squares = pairs().map(|(z, y)| (probability(*z) - f64::from(*y)).powi(2));
        Self {
            loss,
            accuracy: (n - fp - missed) / n,
            auc: auc(logits, labels),
            precision: ratio(tp, tp + fp),
            recall: ratio(tp, tp + missed),
            f1: ratio(2.0 * tp, 2.0 * tp + fp + missed),
            brier: squares.sum::<f64>() / n,
            calibration_error: calibration_error(logits, labels),
        }
    }
}

/// Running sums over the rows of an unfinished epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    loss: f64,
    correct: u64,
    rows: u64,
    /// In the order in which rows were trained; saved beside the sums.
    #[serde(skip)]
    pub(super) logits: Vec<f32>,
}

impl Tally {
    /// Adds a step: its logits and labels, and its loss.
    pub(super) fn add(&mut self, logits: &[f32], labels: impl Iterator<Item = f32>, loss: f64) {
        self.loss += loss * logits.len() as f64;
        let right = logits.iter().zip(labels).filter(|(z, y)| predicted(**z) == (*y > 0.5));
        self.correct += right.count() as u64;
        self.rows += logits.len() as u64;
        self.logits.extend(logits);
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The mean of the steps' losses, each weighted by its rows, as Keras reports it.
    pub fn loss(&self) -> f64 {
        self.loss / self.rows as f64
    }

    /// The share of right answers.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.rows as f64
    }
}

/// The mean loss of rows, each times the weight of its label.
pub fn mean_loss(
    logits: &[f32],
    labels: impl Iterator<Item = f32>,
    label_weights: [f32; 2],
) -> f64 {
    let weight = |label: f32| f64::from(label_weights[usize::from(label > 0.5)]);
    let losses = logits.iter().zip(labels).map(|(z, y)| weight(y) * cross_entropy(*z, y));
    losses.sum::<f64>() / logits.len() as f64
}

/// `-ln p` of the true label, from the logit, without overflow:
/// `max(z, 0) - z y + ln(1 + e^-|z|)`.
fn cross_entropy(logit: f32, label: f32) -> f64 {
    let (z, y) = (f64::from(logit), f64::from(label));
    z.max(0.0) - z * y + (-z.abs()).exp().ln_1p() + if z.is_nan() { f64::NAN } else { 0.0 }
}

/// The probability of label 1.
pub fn probability(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// `p > 0.5`, with p rounded as a model's sigmoid in f32 rounds it: for a logit of 1e-9, p is 0.5.
pub fn predicted(logit: f32) -> bool {
    logit > ROUNDS_TO_HALF
}

/// The largest logit whose p is 0.5 in f32: 1.5 / 2^24, as a test finds.
const ROUNDS_TO_HALF: f32 = 1.5 / 16_777_216.0;

fn auc(logits: &[f32], labels: &[f32]) -> Option<f64> {
    let mut order: Vec<(f32, bool)> =
        logits.iter().zip(labels).map(|(z, y)| (*z, *y > 0.5)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut twice_won) = (0u64, 0u128);
    #[expect(clippy::float_cmp, reason = "ties are equal logits")]
    for tied in order.chunk_by(|a, b| a.0 == b.0) {
        let positives = tied.iter().filter(|(_, positive)| *positive).count() as u64;
        let negatives = tied.len() as u64 - positives;
        twice_won += u128::from(positives) * u128::from(2 * below + negatives);
        below += negatives;
    }
    let positives = order.len() as u64 - below;
    let pairs = positives as f64 * below as f64;
    (pairs > 0.0).then(|| twice_won as f64 / 2.0 / pairs)
}

fn calibration_error(logits: &[f32], labels: &[f32]) -> f64 {
    const BINS: usize = 15;
    let (mut expected, mut found) = ([0.0; BINS], [0.0; BINS]);
    for (z, y) in logits.iter().zip(labels) {
        let p = probability(*z);
        // p = 1 belongs to the last bin; a logit that is not a number to none.
        let bin = ((p * BINS as f64) as usize).min(BINS - 1);
        expected[bin] += p;
        found[bin] += f64::from(*y);
    }
    let gaps = expected.iter().zip(&found).map(|(expected, found)| (expected - found).abs());
    gaps.sum::<f64>() / logits.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(rows: &[(f32, f32)]) -> Metrics {
        let (logits, labels): (Vec<f32>, Vec<f32>) = rows.iter().copied().unzip();
        Metrics::new(&logits, &labels, 0.0)
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
    }

    #[test]
    fn losses_agree_with_the_definition_and_do_not_overflow() {
        for (logit, label) in [(0.3f32, 1.0f32), (-2.0, 1.0), (1.5, 0.0)] {
            let p = 1.0 / (1.0 + (-f64::from(logit)).exp());
            let expected = if label > 0.5 { -p.ln() } else { -(1.0 - p).ln() };
            close(cross_entropy(logit, label), expected);
        }
        assert!((cross_entropy(1e4, 0.0) - 1e4).abs() < 1e-9);
        assert!(cross_entropy(-1e4, 0.0) < 1e-9);
        assert!(!mean_loss(&[1.0, f32::NAN], [0.0, 0.0].into_iter(), [1.0; 2]).is_finite());
        assert!(!mean_loss(&[f32::INFINITY], [0.0].into_iter(), [1.0; 2]).is_finite());
    }

    #[test]
    fn weights_of_labels_multiply_and_are_not_normalised() {
        let (a, b) = (cross_entropy(0.5, 0.0), cross_entropy(-1.0, 1.0));
        let found = mean_loss(&[0.5, -1.0], [0.0, 1.0].into_iter(), [0.5, 3.0]);
        close(found, (0.5 * a + 3.0 * b) / 2.0);
    }

    #[test]
    fn a_row_is_taken_for_positive_where_the_sigmoid_in_f32_is_above_one_half() {
        let sigmoid = |logit: f32| 1.0 / (1.0 + (-logit).exp());
        let edge = ROUNDS_TO_HALF.to_bits();
        let near = (edge - 100_000..edge + 100_000).map(f32::from_bits);
        let far = (0..0x7f80_0000u32).step_by(9973).map(f32::from_bits);
        for logit in near.chain(far).chain([f32::INFINITY, f32::NAN]) {
            for logit in [logit, -logit] {
                assert_eq!(predicted(logit), sigmoid(logit) > 0.5, "{logit:e}");
            }
        }
    }

    #[test]
    fn a_probability_of_exactly_one_half_counts_as_0() {
        close(metrics(&[(0.0, 0.0), (1e-9, 1.0), (1.0, 1.0), (-1.0, 1.0)]).accuracy, 0.5);
    }

    #[test]
    fn counts_give_precision_recall_and_f1() {
        let rows = [(2.0, 1.0), (1.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (-2.0, 0.0), (-3.0, 0.0)];
        let found = metrics(&rows);
        close(found.precision, 2.0 / 3.0);
        close(found.recall, 2.0 / 3.0);
        close(found.f1, 2.0 / 3.0);
        close(found.accuracy, 4.0 / 6.0);
        let none = metrics(&[(-1.0, 1.0), (-1.0, 0.0)]);
        close(none.precision + none.recall + none.f1, 0.0);
    }

    #[test]
    fn auc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half() {
        assert_eq!(metrics(&[(0.1, 0.0), (0.4, 1.0), (0.3, 1.0), (0.2, 0.0)]).auc, Some(1.0));
        assert_eq!(metrics(&[(1.0, 0.0), (1.0, 1.0)]).auc, Some(0.5));
        assert_eq!(metrics(&[(1.0, 1.0), (2.0, 1.0)]).auc, None);
        // By hand: of 6 pairs 3 are in order and 1 is tied.
        let rows = [(0.9, 1.0), (0.8, 0.0), (0.7, 1.0), (0.6, 1.0), (0.6, 0.0)];
        close(metrics(&rows).auc.unwrap(), 3.5 / 6.0);
    }

    #[test]
    fn brier_and_calibration_compare_probabilities_with_outcomes() {
        // p = 0.5 four times, two of them positive: calibrated, and a Brier score of a quarter.
        let found = metrics(&[(0.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.0, 1.0)]);
        close(found.brier, 0.25);
        close(found.calibration_error, 0.0);
        // Sure and wrong half of the time.
        let found = metrics(&[(40.0, 1.0), (40.0, 0.0)]);
        close(found.brier, 0.5);
        close(found.calibration_error, 0.5);
    }

    #[test]
    fn a_tally_weighs_the_losses_of_steps_by_their_rows() {
        let mut tally = Tally::default();
        tally.add(&[1.0, -1.0, 2.0], [1.0, 0.0, 0.0].into_iter(), 0.5);
        tally.add(&[1.0], [1.0].into_iter(), 0.1);
        close(tally.loss(), (0.5 * 3.0 + 0.1) / 4.0);
        close(tally.accuracy(), 0.75);
        assert_eq!((tally.rows(), tally.logits.len()), (4, 4));
    }
}

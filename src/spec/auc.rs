//! What depends on how the rows of two classes are ranked, or binned, by their logits.

use super::loss::probability;

/// Each positive's wins over negatives, and each negative's losses against positives; ties count half. In
/// the order of the rows, with the number of positives.
fn wins(logits: &[f32], labels: &[f32]) -> (Vec<f64>, f64) {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    let is_positive = |row: &usize| labels[*row] > 0.5;
    let positives = order.iter().filter(|row| is_positive(row)).count();
    let (mut below, mut won) = ([0usize; 2], vec![0.0; logits.len()]);
    #[expect(clippy::float_cmp, reason = "ties are equal logits")]
    for tied in order.chunk_by(|a, b| logits[*a] == logits[*b]) {
        let p = tied.iter().filter(|row| is_positive(row)).count();
        let n = tied.len() - p;
        for row in tied {
            won[*row] = match is_positive(row) {
                true => below[0] as f64 + n as f64 / 2.0,
                false => (positives - below[1] - p) as f64 + p as f64 / 2.0,
            };
        }
        below = [below[0] + n, below[1] + p];
    }
    (won, positives as f64)
}

/// `None` where all labels are alike.
pub(super) fn auc(logits: &[f32], labels: &[f32]) -> Option<f64> {
    of_wins(&wins(logits, labels), labels)
}

/// The share of all pairs that the positives won.
fn of_wins((won, positives): &(Vec<f64>, f64), labels: &[f32]) -> Option<f64> {
    let pairs = positives * (won.len() as f64 - positives);
    let of_positives = won.iter().zip(labels).filter(|(_, label)| **label > 0.5);
    (pairs > 0.0).then(|| of_positives.map(|(won, _)| won).sum::<f64>() / pairs)
}

/// The jackknife's pseudo-values, all at once: without a row, its wins and its pairs are missing.
pub(super) fn auc_row_values(logits: &[f32], labels: &[f32]) -> Option<Vec<f64>> {
    let wins = wins(logits, labels);
    let all = of_wins(&wins, labels)?;
    let (won, positives) = wins;
    let n = won.len() as f64;
    let negatives = n - positives;
    let of_row = |(won, label): (&f64, &f32)| {
        let pairs = match *label > 0.5 {
            true => (positives - 1.0) * negatives,
            false => positives * (negatives - 1.0),
        };
        let without = (all * positives * negatives - won) / pairs;
        (pairs > 0.0).then_some(n * all - (n - 1.0) * without)
    };
    won.iter().zip(labels).map(of_row).collect()
}

pub(super) fn calibration_error(logits: &[f32], labels: &[f32]) -> f64 {
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

//! Loss and accuracy from logits, for every engine alike, summed in f64.

use serde::{Deserialize, Serialize};

/// Running sums over rows; the mean of these is what Keras reports for an epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    loss: f64,
    correct: u64,
    rows: u64,
}

/// The metrics of one split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean binary cross-entropy in nats.
    pub loss: f64,
    /// Share of rows for which `p > 0.5` agrees with the label.
    pub accuracy: f64,
}

impl Tally {
    /// Adds one row.
    pub fn add(&mut self, logit: f32, label: f32) {
        self.loss += loss(logit, label);
        self.correct += u64::from(predicted(logit) == (label > 0.5));
        self.rows += 1;
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether every loss so far is finite.
    pub fn is_finite(&self) -> bool {
        self.loss.is_finite()
    }

    /// The means over all rows.
    pub fn metrics(&self) -> Metrics {
        let rows = self.rows as f64;
        Metrics { loss: self.loss / rows, accuracy: self.correct as f64 / rows }
    }
}

/// `-ln p` of the true label, from the logit, without overflow:
/// `max(z, 0) - z y + ln(1 + e^-|z|)`.
fn loss(logit: f32, label: f32) -> f64 {
    let (z, y) = (f64::from(logit), f64::from(label));
    z.max(0.0) - z * y + (-z.abs()).exp().ln_1p() + if z.is_nan() { f64::NAN } else { 0.0 }
}

/// `p > 0.5`, with p rounded to f32 as the model's sigmoid rounds it: for a logit of 1e-9, p is
/// 0.5.
fn predicted(logit: f32) -> bool {
    1.0 / (1.0 + (-logit).exp()) > 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rows: &[(f32, f32)]) -> Tally {
        let mut tally = Tally::default();
        rows.iter().for_each(|(logit, label)| tally.add(*logit, *label));
        tally
    }

    #[test]
    fn losses_agree_with_the_definition_and_do_not_overflow() {
        for (logit, label) in [(0.3f32, 1.0f32), (-2.0, 1.0), (1.5, 0.0)] {
            let p = 1.0 / (1.0 + (-f64::from(logit)).exp());
            let expected = if label > 0.5 { -p.ln() } else { -(1.0 - p).ln() };
            assert!((loss(logit, label) - expected).abs() < 1e-12);
        }
        assert!((loss(1e4, 0.0) - 1e4).abs() < 1e-9);
        assert!(loss(-1e4, 0.0) < 1e-9);
    }

    #[test]
    fn a_probability_of_exactly_one_half_counts_as_0() {
        let metrics = tally(&[(0.0, 0.0), (1e-9, 1.0), (1.0, 1.0), (-1.0, 1.0)]).metrics();
        assert!((metrics.accuracy - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_logit_that_is_not_finite_shows_in_the_tally() {
        assert!(tally(&[(100.0, 0.0)]).is_finite());
        assert!(!tally(&[(f32::NAN, 0.0)]).is_finite());
        assert!(!tally(&[(f32::INFINITY, 0.0)]).is_finite());
    }
}

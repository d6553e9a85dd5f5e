//! Which inputs and states a step drops.
//!
//! As Keras has it: each row of a batch has its own masks, the same at every time step; one mask
//! for the inputs, or one a gate as soon as states are dropped too; 1 / (1 - share) where something
//! is kept. Source: `keras/src/layers/rnn/{lstm,dropout_rnn_cell}.py` (3.15).
//!
//! A row's masks depend on the seed, the epoch and the row alone, so every batch size drops the
//! same.

use crate::config::LstmSection;
use crate::kernels::Masks;
use crate::rng::{Purpose, part};
use crate::spec::Shape;
use rand::Rng;

/// The masks of one step on these rows; `None` when nothing is dropped.
pub fn masks(
    lstm: &LstmSection,
    shape: &Shape,
    seed: u64,
    epoch: u64,
    rows: &[u32],
) -> Option<Masks> {
    let gates = if lstm.recurrent_dropout > 0.0 { 4 } else { 1 };
    let inputs = if lstm.dropout > 0.0 { gates * shape.features() } else { 0 };
    let states = if lstm.recurrent_dropout > 0.0 { 4 * shape.units } else { 0 };
    if inputs + states == 0 {
        return None;
    }
    let mut masks = Masks::default();
    for row in rows {
        let mut rng = part(seed, Purpose::Dropout, epoch, u64::from(*row), inputs + states);
        masks.input.extend((0..inputs).map(|_| draw(lstm.dropout, &mut rng)));
        masks.recurrent.extend((0..states).map(|_| draw(lstm.recurrent_dropout, &mut rng)));
    }
    Some(masks)
}

/// 0 with this probability, else what keeps the mean at 1.
fn draw(share: f64, rng: &mut impl Rng) -> f32 {
    let threshold = (share * f64::from(u32::MAX)) as u32;
    if rng.next_u32() < threshold { 0.0 } else { (1.0 / (1.0 - share)) as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Input;

    const SHAPE: Shape = Shape { input: Input::Features(10), units: 6, outputs: 1 };

    fn drawn(dropout: f64, recurrent_dropout: f64, epoch: u64, rows: &[u32]) -> Option<Masks> {
        let lstm = LstmSection { dropout, recurrent_dropout, ..LstmSection::default() };
        masks(&lstm, &SHAPE, 1, epoch, rows)
    }

    #[test]
    fn inputs_have_one_mask_a_row_and_one_a_gate_when_states_are_dropped_too() {
        let sizes = |dropout, recurrent| {
            drawn(dropout, recurrent, 0, &[0, 1]).map(|m| (m.input.len(), m.recurrent.len()))
        };
        assert_eq!(sizes(0.0, 0.0), None);
        assert_eq!(sizes(0.2, 0.0), Some((2 * 10, 0)));
        assert_eq!(sizes(0.0, 0.2), Some((0, 2 * 4 * 6)));
        assert_eq!(sizes(0.2, 0.2), Some((2 * 4 * 10, 2 * 4 * 6)));
    }

    #[test]
    fn a_row_drops_the_same_in_every_batch_and_something_else_in_every_epoch() {
        let together = drawn(0.5, 0.5, 3, &[4, 7]).unwrap();
        let alone = drawn(0.5, 0.5, 3, &[7]).unwrap();
        assert_eq!(together.input[40..], alone.input);
        assert_eq!(together.recurrent[24..], alone.recurrent);
        assert_ne!(drawn(0.5, 0.5, 4, &[7]).unwrap(), alone);
    }

    #[test]
    fn the_share_that_is_dropped_is_the_one_asked_for_and_the_mean_stays_one() {
        let rows: Vec<u32> = (0..2000).collect();
        let values = drawn(0.2, 0.0, 0, &rows).unwrap().input;
        let dropped = values.iter().filter(|value| **value <= 0.0).count() as f64;
        let n = values.len() as f64;
        // Five standard deviations of a binomial share.
        assert!((dropped / n - 0.2).abs() < 5.0 * (0.16 / n).sqrt(), "{dropped} of {n}");
        assert!(values.iter().all(|value| *value <= 0.0 || (value - 1.25).abs() < 1e-6));
    }
}

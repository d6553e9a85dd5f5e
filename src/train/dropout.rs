//! Which inputs and states a step drops.
//!
//! As Keras has it: each row of a batch has its own masks, the same at every time step; one mask
//! for the inputs, or one a gate as soon as states are dropped too (four of an LSTM, three of a GRU);
//! 1 / (1 - share) where something is kept. Each layer has masks of its own, and each direction of it.
//! Source: `keras/src/layers/rnn/{lstm,gru,bidirectional,dropout_rnn_cell}.py` (3.15).
//!
//! A row's masks depend on the seed, the epoch and the row alone, so every batch size drops the
//! same. They are drawn one direction after the other, of each the inputs' first.

use crate::config::{LayerSection, ModelSection};
use crate::kernels::Masks;
use crate::rng::{Purpose, part};
use crate::spec::{Direction, Shape};
use rand::Rng;

/// What the steps of a run drop.
pub struct Dropout {
    /// One entry each direction of the model's layers.
    directions: Vec<Drops>,
    /// How many values a row's masks have in all.
    count: usize,
}

/// What one direction of a layer drops.
struct Drops {
    /// The shares of inputs and states.
    shares: [f64; 2],
    /// How many values of each a row has a mask for.
    counts: [usize; 2],
}

impl Drops {
    fn of(layers: &[LayerSection], direction: &Direction) -> Self {
        let settings = layers[direction.index].settings();
        let shares = [settings.dropout, settings.recurrent_dropout];
        let all = direction.cell.gates();
        let gates = if settings.recurrent_dropout > 0.0 { all } else { 1 };
        let inputs = if settings.dropout > 0.0 { gates * direction.features } else { 0 };
        let states = if settings.recurrent_dropout > 0.0 { all * direction.units } else { 0 };
        Self { shares, counts: [inputs, states] }
    }
}

impl Dropout {
    /// Of a model of these sizes.
    pub fn of(model: &ModelSection, shape: &Shape) -> Self {
        let layers = model.recurrent();
        let directions: Vec<Drops> =
            shape.directions().iter().map(|direction| Drops::of(&layers, direction)).collect();
        let count = directions.iter().flat_map(|drops| drops.counts).sum();
        Self { directions, count }
    }

    /// The masks of one step on these rows, one each direction of the model's layers; `None` when nothing
    /// is dropped.
    pub fn masks(&self, seed: u64, epoch: u64, rows: &[u32]) -> Option<Vec<Masks>> {
        if self.count == 0 {
            return None;
        }
        let mut all = vec![Masks::default(); self.directions.len()];
        for row in rows {
            let mut rng = part(seed, Purpose::Dropout, epoch, u64::from(*row), self.count);
            for (masks, Drops { shares: [input, state], counts: [inputs, states] }) in
                all.iter_mut().zip(&self.directions)
            {
                masks.input.extend((0..*inputs).map(|_| draw(*input, &mut rng)));
                masks.recurrent.extend((0..*states).map(|_| draw(*state, &mut rng)));
            }
        }
        Some(all)
    }
}

/// 0 with this probability, else what keeps the mean at 1.
fn draw(share: f64, rng: &mut impl Rng) -> f32 {
    let threshold = (share * f64::from(u32::MAX)) as u32;
    if rng.next_u32() < threshold { 0.0 } else { (1.0 / (1.0 - share)) as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RecurrentSection;
    use crate::spec::{Input, Recurrent, Stack};

    const SHAPE: Shape = Shape { input: Input::Features(10), layers: Stack::lstm(6), outputs: 1 };

    fn drawn(dropout: f64, recurrent_dropout: f64, epoch: u64, rows: &[u32]) -> Option<Masks> {
        let lstm = RecurrentSection { dropout, recurrent_dropout, ..RecurrentSection::default() };
        let model = ModelSection { lstm: Some(lstm), ..ModelSection::default() };
        Dropout::of(&model, &SHAPE).masks(1, epoch, rows).map(|mut all| all.remove(0))
    }

    #[test]
    fn each_direction_has_masks_of_its_own_with_as_many_gates_as_its_cell() {
        let layers = "layers: [{ bidirectional: { gru: { units: 4, dropout: 0.5, recurrent_dropout: \
                      0.5 } } }, { lstm: { units: 3 } }, { lstm: { units: 2, dropout: 0.5 } }]";
        let model: ModelSection = serde_yaml::from_str(layers).unwrap();
        let sizes: Vec<Recurrent> = model.recurrent().iter().map(LayerSection::sizes).collect();
        let shape = Shape { layers: Stack::new(&sizes).unwrap(), ..SHAPE };
        let dropout = Dropout::of(&model, &shape);
        let found = dropout.masks(1, 0, &[5, 6]).unwrap();
        let counts: Vec<_> = found.iter().map(|m| (m.input.len(), m.recurrent.len())).collect();
        let way = (2 * 3 * 10, 2 * 3 * 4);
        assert_eq!(counts, [way, way, (0, 0), (2 * 3, 0)]);
        assert_ne!(found[0], found[1]);
        let alone = dropout.masks(1, 0, &[6]).unwrap();
        assert_eq!(found[1].recurrent[12..], alone[1].recurrent);
        assert_eq!(found[3].input[3..], alone[3].input);
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

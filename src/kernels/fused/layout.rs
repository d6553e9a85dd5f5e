//! How parameters lie in memory, and the way there and back.
//!
//! All parameters but the embedding lie in one vector, so that sums, norms and updates are one pass;
//! gradients and moments lie the same way. With P = ceil(H / 16) panels:
//!
//! ```text
//! weights     [P][F + H][64]   column k of weight_ih, then of weight_hh; 64 = 4 gates of 16 units
//! bias        [P][64]
//! dense       [K][16 P]
//! dense_bias  [K]              rounded up to whole groups
//! ```
//!
//! Units beyond H are 0 and stay 0: their gradients are 0.

use super::super::{Arrays, Shape};
use super::tile::{GROUP, PANEL};
use std::ops::Range;

/// The sizes of a model, and where its parameters lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// F
    pub(super) features: usize,
    /// H
    pub(super) units: usize,
    /// P
    pub(super) panels: usize,
    /// K
    pub(super) outputs: usize,
}

impl Layout {
    /// That of a model that is one LSTM; no other one has a layout here.
    pub(super) fn new(shape: &Shape) -> Option<Self> {
        let (units, outputs) = (shape.lstm()?, shape.outputs);
        let panels = units.div_ceil(GROUP);
        Some(Self { features: shape.features(), units, panels, outputs })
    }

    /// H, rounded up to whole groups.
    pub(super) fn width(&self) -> usize {
        self.panels * GROUP
    }

    /// F + H, the columns of a panel of weights.
    pub(super) fn columns(&self) -> usize {
        self.features + self.units
    }

    /// F, rounded up to whole groups.
    pub(super) fn input_width(&self) -> usize {
        self.features.next_multiple_of(GROUP)
    }

    pub(super) fn weights(&self) -> Range<usize> {
        0..self.panels * self.columns() * PANEL
    }

    pub(super) fn bias(&self) -> Range<usize> {
        let start = self.weights().end;
        start..start + self.panels * PANEL
    }

    pub(super) fn dense(&self) -> Range<usize> {
        let start = self.bias().end;
        start..start + self.outputs * self.width()
    }

    pub(super) fn dense_bias(&self) -> Range<usize> {
        let start = self.dense().end;
        start..start + self.outputs
    }

    /// The number of values in all.
    pub(super) fn len(&self) -> usize {
        self.dense_bias().start + self.outputs.next_multiple_of(GROUP)
    }

    /// The columns of weight_ih in a panel's weights.
    pub(super) fn input_weights(&self, panel: usize) -> Range<usize> {
        let start = panel * self.columns() * PANEL;
        start..start + self.features * PANEL
    }

    /// The columns of weight_hh in a panel's weights.
    pub(super) fn state_weights(&self, panel: usize) -> Range<usize> {
        self.input_weights(panel).end..(panel + 1) * self.columns() * PANEL
    }

    pub(super) fn panel_bias(&self, panel: usize) -> Range<usize> {
        let start = self.bias().start + panel * PANEL;
        start..start + PANEL
    }

    /// Where the canonical arrays (without the embedding) lie, value by value.
    fn places(&self) -> [Vec<usize>; 5] {
        let (f, h) = (self.features, self.units);
        let within = |row: usize| (row % h / GROUP, row / h * GROUP + row % h % GROUP);
        let matrix = |first: usize, columns: usize| {
            let place = move |at: usize| {
                let (panel, lane) = within(at / columns);
                (panel * (f + h) + first + at % columns) * PANEL + lane
            };
            (0..4 * h * columns).map(place).collect()
        };
        let bias = |row: usize| {
            let (panel, lane) = within(row);
            self.bias().start + panel * PANEL + lane
        };
        let dense = |at: usize| self.dense().start + at / h * self.width() + at % h;
        [
            matrix(0, f),
            matrix(f, h),
            (0..4 * h).map(bias).collect(),
            (0..self.outputs * h).map(dense).collect(),
            self.dense_bias().collect(),
        ]
    }

    /// The canonical arrays without the embedding -> one vector.
    pub(super) fn pack(&self, arrays: &[Vec<f32>]) -> Vec<f32> {
        let mut packed = vec![0.0; self.len()];
        for (array, places) in arrays.iter().zip(self.places()) {
            for (value, place) in array.iter().zip(places) {
                packed[place] = *value;
            }
        }
        packed
    }

    /// The way back.
    pub(super) fn unpack(&self, packed: &[f32]) -> Arrays {
        let take = |places: Vec<usize>| places.into_iter().map(|place| packed[place]).collect();
        self.places().into_iter().map(take).collect()
    }

    /// Turns columns `first .. first + count` of each panel of weights: `[P][64][width]`, zeros
    /// beyond `count`.
    pub(super) fn turn(&self, packed: &[f32], first: usize, count: usize, turned: &mut Vec<f32>) {
        let width = count.next_multiple_of(GROUP);
        turned.resize(self.panels * PANEL * width, 0.0);
        for (panel, turned) in turned.chunks_exact_mut(PANEL * width).enumerate() {
            let start = (panel * self.columns() + first) * PANEL;
            let weights = &packed[start..start + count * PANEL];
            // Blocks of 16 x 16 keep both sides in the cache.
            for lanes in (0..PANEL).step_by(GROUP) {
                for (column, weights) in weights.chunks_exact(PANEL).enumerate() {
                    for (lane, weight) in weights[lanes..lanes + GROUP].iter().enumerate() {
                        turned[(lanes + lane) * width + column] = *weight;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Input;
    use super::*;
    use crate::spec::Stack;

    #[test]
    fn what_is_packed_comes_back_and_no_place_is_used_twice() {
        for (features, units, outputs) in
            [(1, 1, 1), (3, 5, 2), (16, 16, 16), (17, 33, 40), (64, 64, 1)]
        {
            let shape =
                Shape { input: Input::Features(features), layers: Stack::lstm(units), outputs };
            let layout = Layout::new(&shape).unwrap();
            let mut next = 0f32;
            let arrays: Arrays = shape
                .parameters()
                .iter()
                .map(|parameter| {
                    (0..parameter.count())
                        .map(|_| {
                            next += 1.0;
                            next
                        })
                        .collect()
                })
                .collect();
            let packed = layout.pack(&arrays);
            assert_eq!(layout.unpack(&packed), arrays);
            let kept = packed.iter().filter(|value| **value > 0.0).count();
            assert_eq!(kept, shape.parameter_count());
        }
    }

    #[test]
    fn turned_weights_have_rows_and_columns_exchanged() {
        let layout = Layout { features: 3, units: 20, panels: 2, outputs: 1 };
        let packed: Vec<f32> = (0..layout.len()).map(|value| value as f32).collect();
        let mut turned = Vec::new();
        layout.turn(&packed, 3, 20, &mut turned);
        for panel in 0..2 {
            for q in 0..PANEL {
                for unit in 0..32 {
                    let found = turned[(panel * PANEL + q) * 32 + unit];
                    let weight = packed[(panel * 23 + 3 + unit.min(19)) * PANEL + q];
                    assert_eq!(found as usize, if unit < 20 { weight as usize } else { 0 });
                }
            }
        }
    }
}

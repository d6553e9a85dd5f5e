//! Dropout masks as a slab's rows see them.

use super::super::Masks;
use super::layout::Layout;
use super::products::Gates;

/// The masks of inputs, or of states.
#[derive(Clone, Copy)]
pub(super) struct RowMasks<'m> {
    /// `[B][gates][width]`
    values: &'m [f32],
    /// 0 for no masks, 1 for one that all gates share, 4 for one each.
    gates: usize,
    width: usize,
}

impl<'m> RowMasks<'m> {
    pub(super) fn inputs(masks: &'m Masks, layout: &Layout) -> Self {
        let gates = match (masks.input.is_empty(), masks.recurrent.is_empty()) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 4,
        };
        Self { values: &masks.input, gates, width: layout.features }
    }

    pub(super) fn states(masks: &'m Masks, layout: &Layout) -> Self {
        let gates = if masks.recurrent.is_empty() { 0 } else { 4 };
        Self { values: &masks.recurrent, gates, width: layout.units }
    }

    pub(super) fn is_none(&self) -> bool {
        self.gates == 0
    }

    /// All gates at once, or one after the other when each has masks of its own.
    pub(super) fn passes(&self) -> &'static [Gates] {
        const EACH: [Gates; 4] = [Gates::One(0), Gates::One(1), Gates::One(2), Gates::One(3)];
        if self.gates == 4 { &EACH } else { &[Gates::All] }
    }

    /// The mask of the row at a position of the step.
    fn of(&self, position: usize, gates: Gates) -> Option<&'m [f32]> {
        let gate = match gates {
            Gates::One(gate) if self.gates == 4 => gate,
            _ => 0,
        };
        let start = (position * self.gates + gate) * self.width;
        (self.gates > 0).then(|| &self.values[start..start + self.width])
    }

    /// Appends a vector of a row, masked.
    pub(super) fn push(&self, to: &mut Vec<f32>, from: &[f32], position: usize, gates: Gates) {
        match self.of(position, gates) {
            None => to.extend_from_slice(from),
            Some(mask) => to.extend(from.iter().zip(mask).map(|(value, mask)| value * mask)),
        }
    }

    /// `to += from`, masked.
    pub(super) fn add(&self, to: &mut [f32], from: &[f32], position: usize, gates: Gates) {
        match self.of(position, gates) {
            None => to.iter_mut().zip(from).for_each(|(to, from)| *to += from),
            Some(mask) => {
                let each = to.iter_mut().zip(from).zip(mask);
                each.for_each(|((to, from), mask)| *to += from * mask);
            }
        }
    }
}

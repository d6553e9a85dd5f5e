//! The rows of a step, cut into slabs.
//!
//! Rows are sorted by length, the longest first, and cut into slabs of sixteen. At time step t the
//! first `active(t)` rows of a slab still go on, so nothing is computed for padding and no masks are
//! needed. A slab's row-steps are numbered time step by time step.
//!
//! The order, and with it every bit, depends on the rows alone, not on threads.

use super::super::{Examples, Sequences};
use super::tile::GROUP;
use std::ops::Range;

/// Rows of a slab, at most.
pub(super) const SLAB: usize = GROUP;

/// Some rows that are computed together.
#[derive(Debug, Clone, Default)]
pub(super) struct Slab {
    /// The rows, as numbers in their split, the longest first.
    pub(super) rows: Vec<u32>,
    /// Where each row stands among the rows that were asked for.
    pub(super) positions: Vec<usize>,
    /// The number of steps of each row.
    pub(super) lengths: Vec<usize>,
    /// The first row-step of each time step, and the number of all.
    pub(super) offsets: Vec<usize>,
}

impl Slab {
    fn new(rows: &[(usize, usize, u32)]) -> Self {
        let lengths: Vec<usize> = rows.iter().map(|(length, ..)| *length).collect();
        let mut offsets = vec![0];
        let mut active = rows.len();
        for step in 0..lengths.first().copied().unwrap_or(0) {
            while lengths[active - 1] <= step {
                active -= 1;
            }
            offsets.push(offsets[step] + active);
        }
        Self {
            rows: rows.iter().map(|(.., row)| *row).collect(),
            positions: rows.iter().map(|(_, position, _)| *position).collect(),
            lengths,
            offsets,
        }
    }

    /// T: the steps of the longest row.
    pub(super) fn steps(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Rows that have this time step.
    pub(super) fn active(&self, step: usize) -> usize {
        if step >= self.steps() { 0 } else { self.offsets[step + 1] - self.offsets[step] }
    }

    /// All row-steps.
    pub(super) fn row_steps(&self) -> usize {
        self.offsets[self.steps()]
    }

    /// The row-steps in their order: time step and row of the slab.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, usize)> {
        self.within(0..self.steps())
    }

    /// The same of some time steps.
    pub(super) fn within(&self, steps: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
        steps.flat_map(|step| (0..self.active(step)).map(move |row| (step, row)))
    }
}

/// Cuts rows of a split into slabs of at most `most` rows.
pub(super) fn slabs(examples: &Examples<'_>, rows: &[u32], most: usize) -> Vec<Slab> {
    let mut sorted: Vec<(usize, usize, u32)> = rows
        .iter()
        .enumerate()
        .map(|(position, row)| (examples.steps(*row), position, *row))
        .collect();
    sorted.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
    sorted.chunks(most.clamp(1, SLAB)).map(Slab::new).collect()
}

/// The different tokens of a step, numbered in the order in which they first appear.
#[derive(Debug, Default)]
pub(super) struct Unique {
    /// The tokens.
    pub(super) tokens: Vec<u32>,
    /// For each slab, the number of each row-step's token.
    pub(super) numbers: Vec<Vec<u32>>,
    /// Of each token of the vocabulary, the last round in which it was seen, and its number there.
    seen: Vec<(u32, u32)>,
    round: u32,
}

impl Unique {
    /// Numbers the tokens of these slabs; nothing for features.
    pub(super) fn find(&mut self, vocabulary: usize, examples: &Examples<'_>, slabs: &[Slab]) {
        let Sequences::Tokens { tokens, offsets } = examples.sequences else { return };
        self.seen.resize(vocabulary, (0, 0));
        self.round += 1;
        self.tokens.clear();
        self.numbers.resize_with(slabs.len().max(self.numbers.len()), Vec::new);
        for (slab, numbers) in slabs.iter().zip(&mut self.numbers) {
            numbers.clear();
            let rows: Vec<&[i32]> =
                slab.rows.iter().map(|row| &tokens[offsets[*row as usize] as usize..]).collect();
            for (step, row) in slab.each() {
                let token = rows[row][step] as usize;
                let (round, number) = &mut self.seen[token];
                if *round != self.round {
                    (*round, *number) = (self.round, self.tokens.len() as u32);
                    self.tokens.push(token as u32);
                }
                numbers.push(*number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slab_knows_which_rows_go_on_at_each_step() {
        let tokens = [0, 1, 2, 3, 2, 1, 7, 7];
        let offsets = [0, 3, 3, 4, 8];
        let labels = [0.0; 4];
        let sequences = Sequences::Tokens { tokens: &tokens, offsets: &offsets };
        let examples = Examples { sequences, labels: &labels };
        let slabs = slabs(&examples, &[0, 1, 2, 3], 3);
        assert_eq!(slabs.len(), 2);
        assert_eq!(slabs[0].rows, [3, 0, 2]);
        assert_eq!(slabs[0].lengths, [4, 3, 1]);
        assert_eq!(slabs[0].offsets, [0, 3, 5, 7, 8]);
        assert_eq!(slabs[1].rows, [1]);
        assert_eq!((slabs[1].steps(), slabs[1].active(0), slabs[1].row_steps()), (0, 0, 0));
        let mut unique = Unique::default();
        for _ in 0..2 {
            unique.find(8, &examples, &slabs);
            assert_eq!(unique.tokens, [2, 0, 3, 1, 7]);
            assert_eq!(unique.numbers[0], [0, 1, 2, 3, 3, 4, 0, 4]);
        }
    }
}

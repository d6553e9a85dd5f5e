//! What the host tells the kernels of a step's rows: slabs, row-steps, tokens and their occurrences.

use super::super::batch::{SLAB, Slab};
use super::step::{Address, SlabEntry, StepArguments};

/// Lists of 32-bit words that travel to the GPU in one piece.
#[derive(Default)]
pub(super) struct Words(Vec<u32>);

/// Where a list begins in its piece, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Place(usize);

impl Place {
    /// Where it lies when the piece lies at `piece`.
    pub(super) fn at(self, piece: Address) -> Address {
        piece + self.0 as Address
    }
}

impl Words {
    /// Adds a list, on a multiple of sixteen bytes.
    pub(super) fn put(&mut self, list: impl IntoIterator<Item = u32>) -> Place {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let place = Place(self.0.len() * size_of::<u32>());
        self.0.extend(list);
        place
    }

    /// The same of numbers.
    pub(super) fn put_floats(&mut self, list: &[f32]) -> Place {
        self.put(list.iter().map(|value| value.to_bits()))
    }

    /// The piece.
    pub(super) fn all(&self) -> &[u32] {
        &self.0
    }
}

/// The slabs of one launch.
pub(super) struct Wave {
    pub(super) words: Words,
    pub(super) slabs: usize,
    pub(super) row_steps: usize,
    /// T of the longest row.
    pub(super) steps: usize,
    places: Places,
}

struct Places {
    slabs: Place,
    offsets: Place,
    rows: Place,
    positions: Place,
    targets: Place,
    shares: Place,
    /// For tokens: of each row-step's, and where each token occurs.
    tokens: Option<[Place; 3]>,
}

impl Wave {
    /// Of these slabs. `numbers` are those of each slab's row-steps among `tokens` different ones; none
    /// for features. `target` says of a row of the split what is wanted of it, and what it counts.
    pub(super) fn new(
        slabs: &[Slab],
        numbers: &[Vec<u32>],
        tokens: usize,
        target: impl Fn(u32) -> (f32, f32),
    ) -> Self {
        let mut words = Words::default();
        let (mut entries, mut offsets, mut row_steps) = (Vec::new(), Vec::new(), 0);
        for slab in slabs {
            entries.push(SlabEntry {
                first: row_steps as u32,
                steps: slab.steps() as u32,
                rows: slab.rows.len() as u32,
                offsets: offsets.len() as u32,
            });
            offsets.extend(slab.offsets.iter().map(|offset| *offset as u32));
            row_steps += slab.row_steps();
        }
        // Sixteen rows a slab, whether it has them or not.
        let mut each = |of: &dyn Fn(&Slab, usize) -> u32| {
            let row = |slab: &Slab, row| if row < slab.rows.len() { of(slab, row) } else { 0 };
            words.put(slabs.iter().flat_map(|slab| (0..SLAB).map(move |at| row(slab, at))))
        };
        let places = Places {
            rows: each(&|slab, row| slab.rows[row]),
            positions: each(&|slab, row| slab.positions[row] as u32),
            targets: each(&|slab, row| target(slab.rows[row]).0.to_bits()),
            shares: each(&|slab, row| target(slab.rows[row]).1.to_bits()),
            slabs: words.put(entries.iter().flat_map(|e| [e.first, e.steps, e.rows, e.offsets])),
            offsets: words.put(offsets),
            tokens: (tokens > 0).then(|| put_occurrences(&mut words, numbers, tokens)),
        };
        let steps = slabs.iter().map(Slab::steps).max().unwrap_or(0);
        Self { words, slabs: slabs.len(), row_steps, steps, places }
    }

    /// Tells a step where these lists are, when they lie at `piece`.
    pub(super) fn tell(&self, step: &mut StepArguments, piece: Address) {
        let Places { slabs, offsets, rows, positions, targets, shares, tokens } = &self.places;
        step.slab_count = self.slabs as u32;
        (step.slabs, step.offsets) = (slabs.at(piece), offsets.at(piece));
        (step.rows, step.positions) = (rows.at(piece), positions.at(piece));
        (step.targets, step.shares) = (targets.at(piece), shares.at(piece));
        if let Some([numbers, firsts, occurrences]) = tokens {
            step.numbers = numbers.at(piece);
            (step.firsts, step.occurrences) = (firsts.at(piece), occurrences.at(piece));
        }
    }
}

/// The number of each row-step's token, where each token's occurrences begin, and the row-steps at which
/// each occurs, ascending.
fn put_occurrences(words: &mut Words, numbers: &[Vec<u32>], tokens: usize) -> [Place; 3] {
    let all = || numbers.iter().flatten().copied();
    let mut firsts = vec![0u32; tokens + 1];
    all().for_each(|number| firsts[number as usize + 1] += 1);
    for token in 0..tokens {
        firsts[token + 1] += firsts[token];
    }
    let mut next = firsts.clone();
    let mut occurrences = vec![0u32; firsts[tokens] as usize];
    for (row_step, number) in all().enumerate() {
        let at = &mut next[number as usize];
        occurrences[*at as usize] = row_step as u32;
        *at += 1;
    }
    [words.put(all()), words.put(firsts), words.put(occurrences)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn occurrences_of_each_token_ascend_through_the_slabs() {
        let mut words = Words::default();
        let numbers = [vec![0, 1, 0, 2], vec![2, 0]];
        let [_, firsts, occurrences] = put_occurrences(&mut words, &numbers, 3);
        let at = |place: Place, count| &words.all()[place.0 / 4..place.0 / 4 + count];
        assert_eq!(at(firsts, 4), [0, 3, 4, 6]);
        assert_eq!(at(occurrences, 6), [0, 2, 5, 1, 3, 4]);
    }
}

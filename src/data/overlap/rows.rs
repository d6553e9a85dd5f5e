//! Rows of arrays as words of 32 bits, and whether rows are alike by chance.

use crate::kernels::Sequences;

/// Rows of words of 32 bits, some of which make a step.
#[derive(Clone, Copy)]
pub(super) struct Rows<'d> {
    pub(super) words: &'d [u32],
    /// Words of a step.
    pub(super) width: usize,
    pub(super) starts: Starts<'d>,
    pub(super) count: usize,
}

/// Where rows begin, in steps.
#[derive(Clone, Copy)]
pub(super) enum Starts<'d> {
    /// At each multiple of so many.
    Every(usize),
    /// Rows and their end.
    At(&'d [u64]),
}

pub(super) fn rows(sequences: Sequences<'_>) -> Rows<'_> {
    match sequences {
        Sequences::Tokens { tokens, offsets } => Rows {
            words: bytemuck::cast_slice(tokens),
            width: 1,
            starts: Starts::At(offsets),
            count: offsets.len().saturating_sub(1),
        },
        Sequences::Features { values, steps, features } => Rows {
            words: bytemuck::cast_slice(values),
            width: features.max(1),
            starts: Starts::Every(steps.max(1)),
            count: values.len() / (steps * features).max(1),
        },
    }
}

impl<'d> Rows<'d> {
    pub(super) fn row(&self, row: usize) -> &'d [u32] {
        let (from, to) = match self.starts {
            Starts::Every(steps) => (row * steps, (row + 1) * steps),
            Starts::At(offsets) => (offsets[row] as usize, offsets[row + 1] as usize),
        };
        &self.words[from * self.width..to * self.width]
    }

    pub(super) fn longest(&self) -> usize {
        (0..self.count).map(|row| self.row(row).len() / self.width).max().unwrap_or(0)
    }
}

/// One number for the words of a step.
pub(super) fn step_hash(step: &[u32]) -> u64 {
    let mix = |hash: u64, word: &u32| {
        let mixed = (hash ^ u64::from(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 29)
    };
    step.iter().fold(0x243f_6a88_85a3_08d3, mix)
}

/// Steps that differ from the one before.
pub(super) fn changes(row: &[u32], width: usize) -> usize {
    let steps = || row.chunks_exact(width);
    steps().zip(steps().skip(1)).filter(|(step, next)| step != next).count()
}

/// Whether steps are alike by chance.
#[derive(Clone, Copy)]
pub(super) struct Chance {
    /// Bits that tell one step from another.
    pub(super) bits: f64,
    /// Bits that it takes to tell all places in all rows apart.
    pub(super) needed: f64,
    pub(super) width: usize,
}

impl Chance {
    pub(super) fn of(parts: &[Rows<'_>; 3], steps: usize) -> Self {
        /// Steps that are compared with each other.
        const SAMPLE: usize = 4096;
        /// So many steps are too few to find steps alike that come more rarely.
        const MOST_BITS: f64 = 20.0;
        /// One case in 32 of a match by chance anywhere.
        const SURE: f64 = 5.0;
        let width = parts[0].width;
        let places: usize = parts.iter().map(|part| part.words.len() / width).sum();
        let every = places.div_ceil(SAMPLE).max(1);
        let all = parts.iter().flat_map(|part| part.words.chunks_exact(width).step_by(every));
        let mut hashes: Vec<u64> = all.map(step_hash).collect();
        hashes.sort_unstable();
        let alike: usize =
            hashes.chunk_by(|a, b| a == b).map(|same| same.len() * (same.len() - 1)).sum();
        let pairs = (hashes.len() * hashes.len().saturating_sub(1)).max(1);
        let bits = (-(alike as f64 / pairs as f64).log2()).min(MOST_BITS);
        let rows: usize = parts.iter().map(|part| part.count).sum();
        let needed = ((rows * steps).max(1) as f64).log2() + SURE;
        Self { bits, needed, width }
    }

    /// Whether two rows that share these steps share them for a reason.
    pub(super) fn excludes(&self, shared: &[u32]) -> bool {
        let changes = changes(shared, self.width);
        changes > 0 && (changes + 1) as f64 * self.bits >= self.needed
    }
}

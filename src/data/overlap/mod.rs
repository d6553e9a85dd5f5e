//! Rows that splits have in common, as a whole or in part.
//!
//! A series is often cut into windows whose distance is smaller than their length: then the window
//! X_i shares steps with X_(i+1), `X_i[s:] == X_(i+1)[:-s]` at stride s. Dealt out at random, nearly
//! each test row then has most of its steps in the training split, and the test measures memory. So
//! rows of two splits are compared here, also where they do not stand beside each other:
//!
//! ```text
//! repeated      a row that equals a training row, found by the hash of rows
//! overlapping   the first half of one row lies somewhere within the other: found by the hash of
//!               first halves and a rolling hash over all rows, then compared step by step
//! stride        s of neighbouring rows of the source, from a sample of them
//! ```
//!
//! A row whose steps are all alike is no evidence, and neither are a few steps with few values, which
//! are alike by chance: see [`Chance`]. Windows that were each scaled by themselves have no value in
//! common; where nothing else is found, [`rescaled`] looks for these.

mod rescaled;
mod rows;

use super::dataset::Dataset;
use super::facts::{Facts, InTraining, Overlap};
use super::{arrays, scale};
use crate::config::ArraysSection;
use crate::kernels::{Sequences, Split};
use anyhow::Result;
use rescaled::Rescaled;
use rows::{Chance, Rows, Starts, changes, rows, step_hash};

impl Facts {
    /// Looks for what rows of arrays share, and at the ranges of their features.
    pub(super) fn look(&mut self, dataset: &Dataset, section: &ArraysSection) -> Result<()> {
        let splits = dataset.splits()?;
        let parts = [splits.train, splits.validation, splits.test].map(|part| rows(part.sequences));
        // Splits that are cut from one array count their rows in common.
        let cut = section.x_val.is_none();
        let arrays = [0, usize::from(!cut), if cut && section.x_test.is_none() { 0 } else { 2 }];
        let mut places = Vec::new();
        for (at, split) in [Split::Train, Split::Validation, Split::Test].into_iter().enumerate() {
            places.push(dataset.rows(split)?);
            let Sequences::Features { values, features, .. } = splits.train.sequences else {
                continue;
            };
            if at == 0 {
                self.scale = scale::of(values, features);
            }
        }
        self.overlap = Some(find(&parts, [places[0], places[1], places[2]], arrays));
        Ok(())
    }
}

impl Facts {
    /// Windows of a series share steps with their neighbours and none with another split, as they were cut.
    pub(super) fn look_at_windows(&mut self, dataset: &Dataset) -> Result<()> {
        if let Sequences::Features { values, features, .. } = dataset.splits()?.train.sequences {
            self.scale = scale::of(values, features);
        }
        self.overlap = self.windows.as_ref().map(|windows| Overlap {
            steps: windows.steps,
            stride: Some(windows.stride),
            ..Overlap::default()
        });
        Ok(())
    }

    /// Looks for texts of validation and test that are in the training split: equal token by token. Those
    /// with words that the vocabulary does not have may differ, and are left out.
    pub(super) fn look_at_texts(&mut self, dataset: &Dataset, unknown: Option<i32>) -> Result<()> {
        let splits = dataset.splits()?;
        let train = rows(splits.train.sequences);
        let lines = dataset.rows(Split::Train)?;
        let of_split = |split: Split| -> Result<InTraining> {
            let other = rows(splits.get(split).sequences);
            let known = |row: &[u32]| row.iter().all(|token| Some(*token as i32) != unknown);
            let repeated = repeated(&train, &other, 1, known);
            let of = dataset.rows(split)?;
            let example = repeated.example.map(|[a, b]| [of[a as usize], lines[b as usize]]);
            Ok(InTraining { example, ..repeated })
        };
        let (validation, test) = (of_split(Split::Validation)?, of_split(Split::Test)?);
        let steps = train.longest();
        let test_pairs = pairs(&rows(splits.test.sequences));
        self.overlap = Some(Overlap { steps, validation, test, test_pairs, ..Overlap::default() });
        Ok(())
    }
}

/// How far neighbouring rows of an array lie apart, if they share steps.
pub(super) fn neighbours(sequences: &arrays::Sequences) -> Overlap {
    let (words, offsets): (Vec<u32>, Vec<u64>);
    let all = match sequences {
        arrays::Sequences::Features(block) => rows(Sequences::Features {
            values: &block.values,
            steps: block.steps,
            features: block.features,
        }),
        arrays::Sequences::Ids(ids) => {
            words = ids.iter().flatten().map(|id| *id as u32).collect();
            let length = ids.first().map_or(0, Vec::len);
            offsets = (0..=ids.len()).map(|row| (row * length) as u64).collect();
            Rows { words: &words, width: 1, starts: Starts::At(&offsets), count: ids.len() }
        }
    };
    let none = Rows { count: 0, ..all };
    let places: Vec<u64> = (0..all.count as u64).collect();
    find(&[all, none, none], [&places, &[], &[]], [0; 3])
}

/// The rows of three splits with their rows in the source; splits of one array of the source have the
/// same number in `arrays`.
fn find(parts: &[Rows<'_>; 3], places: [&[u64]; 3], arrays: [usize; 3]) -> Overlap {
    let steps = parts.iter().map(Rows::longest).max().unwrap_or(0);
    let chance = Chance::of(parts, steps);
    let in_training = |at: usize| {
        let mut found = in_training(&parts[0], &parts[at], steps, chance);
        let example =
            found.example.map(|[row, of]| [places[at][row as usize], places[0][of as usize]]);
        found.example = example;
        found
    };
    let found = Overlap {
        steps,
        stride: stride(parts, places, arrays, steps, chance),
        rescaled: false,
        validation: in_training(1),
        test: in_training(2),
        test_pairs: pairs(&parts[2]),
    };
    // Windows brought to 0 to 1 are equal where their extremes are: that finds a few of them.
    let overlapping = |[a, b]: [&InTraining; 2]| a.overlapping + b.overlapping;
    let exact = overlapping([&found.validation, &found.test]);
    let is_most = 2 * exact >= (parts[1].count + parts[2].count).max(1);
    let scaled = (!is_most).then(|| rescaled::find(parts, places, arrays, steps)).flatten();
    let more = scaled
        .filter(|of| found.stride.is_none() || overlapping([&of.validation, &of.test]) > exact);
    more.map_or(found, |Rescaled { stride, validation, test }| Overlap {
        stride: Some(stride),
        rescaled: true,
        validation: InTraining { repeated: found.validation.repeated, ..validation },
        test: InTraining { repeated: found.test.repeated, ..test },
        ..found
    })
}

/// The stride of most neighbouring rows that share steps, if enough of them do.
fn stride(
    parts: &[Rows<'_>; 3],
    places: [&[u64]; 3],
    arrays: [usize; 3],
    steps: usize,
    chance: Chance,
) -> Option<usize> {
    const PAIRS: usize = 512;
    /// Of the pairs looked at, this part must share steps; windows of many short recordings do at least.
    const PART: usize = 10;
    let mut counts = vec![0usize; steps / 2 + 1];
    let mut looked_at = 0;
    for [a, b] in neighbouring(parts, places, arrays, PAIRS) {
        if a.len() != steps * chance.width || a.len() != b.len() {
            continue;
        }
        looked_at += usize::from(changes(a, chance.width) > 0);
        if let Some(stride) = shift(a, b, steps, chance).or_else(|| shift(b, a, steps, chance)) {
            counts[stride] += 1;
        }
    }
    let (stride, _) = counts.iter().enumerate().rev().max_by_key(|(_, count)| **count)?;
    let sharing: usize = counts.iter().sum();
    (sharing >= 2 && sharing * PART >= looked_at).then_some(stride)
}

/// Rows that stand beside each other in an array of the source: a sample of at most about this many pairs.
fn neighbouring<'d>(
    parts: &[Rows<'d>; 3],
    places: [&[u64]; 3],
    arrays: [usize; 3],
    most: usize,
) -> Vec<[&'d [u32]; 2]> {
    let mut order: Vec<(usize, u64, usize, usize)> = Vec::new();
    for (at, places) in places.iter().enumerate() {
        order.extend(places.iter().enumerate().map(|(row, place)| (arrays[at], *place, at, row)));
    }
    order.sort_unstable();
    let every = order.len().div_ceil(most).max(1);
    let pairs = order.windows(2).step_by(every);
    let beside = pairs.filter(|pair| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1);
    let row = |(_, _, at, row): (usize, u64, usize, usize)| parts[at].row(row);
    beside.map(|pair| [row(pair[0]), row(pair[1])]).collect()
}

/// The smallest number of steps by which `b` begins later than `a`, where they share the rest.
fn shift(a: &[u32], b: &[u32], steps: usize, chance: Chance) -> Option<usize> {
    (1..=steps / 2).find(|stride| {
        let at = stride * chance.width;
        a[at..] == b[..b.len() - at] && chance.excludes(&a[at..])
    })
}

/// Hashes of rows or of their beginnings, with the rows.
struct Table {
    sorted: Vec<(u64, u32)>,
    /// A bit for each hash that is there, so that most of the others are not looked up.
    seen: Vec<u64>,
}

impl Table {
    fn of(hashes: impl Iterator<Item = (u64, u32)>) -> Self {
        let mut sorted: Vec<(u64, u32)> = hashes.collect();
        sorted.sort_unstable();
        let mut seen = vec![0u64; (sorted.len() / 4).next_power_of_two().max(16)];
        let size = seen.len();
        for (hash, _) in &sorted {
            seen[Self::word(*hash, size)] |= 1 << (hash & 63);
        }
        Self { sorted, seen }
    }

    fn word(hash: u64, size: usize) -> usize {
        (hash >> 6) as usize & (size - 1)
    }

    /// The first rows with this hash: where there are many, they are all alike.
    fn get(&self, hash: u64) -> impl Iterator<Item = usize> {
        const FIRST: usize = 8;
        let there = self.seen[Self::word(hash, self.seen.len())] & (1 << (hash & 63)) != 0;
        let from = match there {
            true => self.sorted.partition_point(|(other, _)| *other < hash),
            false => self.sorted.len(),
        };
        let alike = self.sorted[from..].iter().take_while(move |(other, _)| *other == hash);
        alike.take(FIRST).map(|(_, row)| *row as usize)
    }
}

/// Pairs of equal rows, each row with itself too.
fn pairs(of: &Rows<'_>) -> usize {
    let mut hashes: Vec<u64> = (0..of.count).map(|row| step_hash(of.row(row))).collect();
    hashes.sort_unstable();
    hashes.chunk_by(|a, b| a == b).map(|equal| equal.len().pow(2)).sum()
}

/// Rows of a split that equal a training row, of those that may count.
fn repeated(
    train: &Rows<'_>,
    other: &Rows<'_>,
    width: usize,
    counts: impl Fn(&[u32]) -> bool,
) -> InTraining {
    let mut found = InTraining::default();
    let all = |rows: &Rows<'_>| -> Vec<u64> {
        (0..rows.count).map(|row| step_hash(rows.row(row))).collect()
    };
    let table = Table::of(all(train).into_iter().zip(0..));
    for (row, hash) in all(other).into_iter().enumerate() {
        let words = other.row(row);
        // Of one step, the values must differ for the row to say anything.
        let width = if words.len() == width { 1 } else { width };
        let equal = table.get(hash).find(|of| train.row(*of) == words);
        if let Some(of) = equal.filter(|_| changes(words, width) > 0 && counts(words)) {
            found.repeated += 1;
            found.example = found.example.or(Some([row as u64, of as u64]));
        }
    }
    found
}

/// Rows of a split that are in the training split, as a whole or by half.
fn in_training(train: &Rows<'_>, other: &Rows<'_>, steps: usize, chance: Chance) -> InTraining {
    let mut shared = vec![0usize; other.count];
    let mut found = repeated(train, other, chance.width, |_| true);
    let mut note = |row: usize, of: usize, count: usize| {
        shared[row] = shared[row].max(count);
        if count > found.most_steps {
            found.most_steps = count;
            if found.repeated == 0 {
                found.example = Some([row as u64, of as u64]);
            }
        }
    };
    within(train, other, steps, chance, &mut |of, row, count| note(row, of, count));
    within(other, train, steps, chance, &mut |row, of, count| note(row, of, count));
    found.overlapping = shared.iter().filter(|count| **count > 0).count();
    found
}

/// Tells of rows of `early` and of `late` where the second begins within the first, at least half of
/// the steps before its end, and of how many steps they share.
fn within(
    early: &Rows<'_>,
    late: &Rows<'_>,
    steps: usize,
    chance: Chance,
    tell: &mut dyn FnMut(usize, usize, usize),
) {
    /// Odd, so that no step falls out of a sum.
    const BASE: u64 = 0x0000_0100_0000_01b3;
    /// About a second of work.
    const MOST_STEPS: usize = 1 << 26;
    let (half, width) = (steps.div_ceil(2), chance.width);
    if steps < 2 || early.count == 0 || late.count == 0 {
        return;
    }
    let is_whole = |row: &[u32]| row.len() == steps * width;
    let add = |hash: u64, step: u64| hash.wrapping_mul(BASE).wrapping_add(step);
    let begin = |row: &[u32]| row.chunks_exact(width).take(half).map(step_hash).fold(0, add);
    let says_something = |row: &[u32]| is_whole(row) && changes(&row[..half * width], width) > 0;
    let begins = (0..late.count).filter(|row| says_something(late.row(*row)));
    let table = Table::of(begins.map(|row| (begin(late.row(row)), row as u32)));
    let highest = (0..half).fold(1u64, |power, _| power.wrapping_mul(BASE));
    let mut hashes = Vec::with_capacity(steps);
    // Of very many rows a part tells enough: each row overlaps several others.
    let every = (early.count * steps).div_ceil(MOST_STEPS).max(1);
    for row in (0..early.count).step_by(every) {
        let words = early.row(row);
        if !is_whole(words) {
            continue;
        }
        hashes.clear();
        hashes.extend(words.chunks_exact(width).map(step_hash));
        let mut hash = hashes[..half].iter().fold(0, |hash, step| add(hash, *step));
        for stride in 1..=steps - half {
            let first = hashes[stride - 1].wrapping_mul(highest);
            hash = add(hash, hashes[stride + half - 1]).wrapping_sub(first);
            let rest = &words[stride * width..];
            for other in table.get(hash) {
                if late.row(other)[..rest.len()] == *rest && chance.excludes(rest) {
                    tell(row, other, steps - stride);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series that never repeats.
    fn series(count: usize) -> Vec<f32> {
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / 1e6
        };
        (0..count).map(|_| next()).collect()
    }

    /// Windows of these many steps of two features, cut at a stride.
    pub(super) fn windows(count: usize, steps: usize, stride: usize) -> Vec<Vec<f32>> {
        let series = series(2 * (count * stride + steps));
        (0..count).map(|at| series[2 * at * stride..2 * (at * stride + steps)].to_vec()).collect()
    }

    /// What is found in rows of two features, with these rows for training, validation and test.
    pub(super) fn found(rows: &[Vec<f32>], parts: [Vec<usize>; 3]) -> Overlap {
        let steps = rows[0].len() / 2;
        let values = parts
            .each_ref()
            .map(|part| -> Vec<f32> { part.iter().flat_map(|row| rows[*row].clone()).collect() });
        let places = parts.map(|part| part.into_iter().map(|row| row as u64).collect::<Vec<_>>());
        let sequences = values
            .each_ref()
            .map(|values| super::rows(Sequences::Features { values, steps, features: 2 }));
        find(&sequences, [&places[0], &places[1], &places[2]], [0; 3])
    }

    pub(super) fn every_fifth(count: usize) -> [Vec<usize>; 3] {
        let part = |keep: &dyn Fn(usize) -> bool| (0..count).filter(|row| keep(*row)).collect();
        [part(&|row| row % 5 < 3), part(&|row| row % 5 == 3), part(&|row| row % 5 == 4)]
    }

    pub(super) fn in_order(count: usize, gap: usize) -> [Vec<usize>; 3] {
        let (train, validation) = (count * 6 / 10, count * 8 / 10);
        [
            (0..train - gap).collect(),
            (train..validation - gap).collect(),
            (validation..count).collect(),
        ]
    }

    #[test]
    fn windows_dealt_out_at_random_share_steps_with_the_training_split() {
        // The last row has one neighbour, which is not in training, and at stride 10 no other.
        for (stride, most, rows) in [(1, 19, 40), (3, 17, 40), (10, 10, 39)] {
            let found = found(&windows(200, 20, stride), every_fifth(200));
            assert_eq!((found.steps, found.stride), (20, Some(stride)));
            assert_eq!(found.span(), Some(20usize.div_ceil(stride)));
            assert_eq!((found.test.overlapping, found.test.most_steps), (rows, most), "{stride}");
            let [row, of] = found.test.example.unwrap();
            assert_eq!(row.abs_diff(of) as usize * stride, 20 - most);
        }
    }

    #[test]
    fn a_gap_as_wide_as_a_window_parts_them_and_a_smaller_one_does_not() {
        let rows = windows(200, 20, 1);
        let apart = found(&rows, in_order(200, 20));
        assert_eq!(
            (apart.stride, apart.test, apart.validation),
            (Some(1), InTraining::default(), InTraining::default())
        );
        let near = found(&rows, in_order(200, 5));
        assert_eq!((near.validation.overlapping, near.validation.most_steps), (5, 14));
    }

    #[test]
    fn windows_that_were_shuffled_or_turned_around_are_found_too() {
        let mut rows = windows(100, 20, 1);
        rows.reverse();
        assert_eq!(found(&rows, every_fifth(100)).stride, Some(1));
        // 37 and 100 have no divisor in common.
        let shuffled: Vec<Vec<f32>> = (0..100).map(|at| rows[at * 37 % 100].clone()).collect();
        let found = found(&shuffled, in_order(100, 0));
        assert_eq!((found.stride, found.test.overlapping), (None, 20));
    }

    #[test]
    fn equal_test_rows_are_counted_in_pairs() {
        let mut rows = windows(100, 20, 20);
        assert_eq!(found(&rows, every_fifth(100)).test_pairs, 20);
        // Rows 4, 9 and 14 of the source are three of the twenty test rows.
        rows[9] = rows[4].clone();
        rows[14] = rows[4].clone();
        assert_eq!(found(&rows, every_fifth(100)).test_pairs, 17 + 9);
    }

    #[test]
    fn repeated_rows_are_counted_and_rows_of_one_value_are_not() {
        let mut rows = windows(50, 4, 4);
        rows[49] = rows[3].clone();
        rows[45] = vec![0.0; 8];
        rows[5] = vec![0.0; 8];
        let found = found(&rows, in_order(50, 0));
        assert_eq!((found.stride, found.test.repeated, found.test.overlapping), (None, 1, 0));
        assert_eq!(found.test.example, Some([49, 3]));
    }

    #[test]
    fn rows_that_are_alike_by_chance_are_none() {
        // Windows of another series each, of two values, and rows that are padded in front.
        let coin = |row: usize, steps: usize| -> Vec<f32> {
            let bits = series(row + steps + 1);
            (0..2 * steps).map(|at| f32::from(u8::from(bits[row + at / 2] > 8.0))).collect()
        };
        let coins: Vec<Vec<f32>> = (0..300).map(|row| coin(row * 31, 4)).collect();
        let of_coins = found(&coins, every_fifth(300));
        assert_eq!((of_coins.stride, of_coins.test.overlapping), (None, 0));
        let mut padded = windows(100, 20, 20);
        padded.iter_mut().enumerate().for_each(|(at, row)| row[..30 + at % 8].fill(0.0));
        assert_eq!(found(&padded, every_fifth(100)).test, InTraining::default());
        assert_eq!(found(&padded, every_fifth(100)).stride, None);
    }
}

//! Cut in order: the first examples train, then validation, the last test.
//!
//! Windows that overlap share time steps with their neighbours, so with a `gap` the last rows before
//! each cut are left out.

use super::super::moment::Moment;
use super::Rows;
use crate::config::SplitSection;

/// In the order of the source. Without a test split these are the rows of Keras's
/// `validation_split`, which takes those from `floor(n * (1 - fraction))` on.
pub(super) fn by_order(free: Vec<u32>, section: &SplitSection) -> Rows {
    let n = free.len() as f64;
    // Keras does not round; a sum of two fractions may fall short of a whole number by rounding.
    let slack = if section.test > 0.0 { 1e-9 * n } else { 0.0 };
    let from = |fraction: f64| (n * (1.0 - fraction) + slack).floor() as usize;
    let test = from(section.test);
    let validation = from(section.validation + section.test).min(test);
    let before = |cut: usize| match cut < free.len() {
        true => cut.saturating_sub(section.gap as usize),
        false => cut,
    };
    Rows {
        train: free[..before(validation)].to_vec(),
        validation: free[validation..before(test).max(validation)].to_vec(),
        test: free[test..].to_vec(),
    }
}

/// The earliest first; equal times stay in the order of the source.
pub(super) fn by_time(mut free: Vec<u32>, times: &[Moment], section: &SplitSection) -> Rows {
    free.sort_by_key(|row| times[*row as usize]);
    by_order(free, section)
}

/// Windows by what they span: training ends before validation begins, and that before the test. Where a
/// window lies on both sides of a cut it is in no split, so that no row is in two of them. The cuts are at
/// the targets of which the asked shares come later.
pub(super) fn by_span(free: Vec<u32>, spans: &[[Moment; 2]], section: &SplitSection) -> Rows {
    let mut ends: Vec<Moment> = free.iter().map(|row| spans[*row as usize][1]).collect();
    ends.sort_unstable();
    let n = ends.len() as f64;
    let cut = |fraction: f64| {
        let at = (n * (1.0 - fraction) + 1e-9 * n).floor() as usize;
        ends.get(at).copied().unwrap_or(Moment::MAX)
    };
    let (validation, test) = (cut(section.validation + section.test), cut(section.test));
    let mut rows = Rows::default();
    for row in free {
        let [first, last] = spans[row as usize];
        if last < validation {
            rows.train.push(row);
        } else if first >= validation && last < test {
            rows.validation.push(row);
        } else if first >= test {
            rows.test.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(validation: f64, test: f64) -> SplitSection {
        SplitSection { validation, test, ..SplitSection::default() }
    }

    #[test]
    fn validation_split_takes_the_rows_that_keras_takes() {
        // Keras: split_at = floor(n * (1 - validation_split)), validation = rows from there on.
        for (n, fraction, train) in [(10, 0.2, 8), (7, 0.2, 5), (3, 0.5, 1), (25_000, 0.1, 22_500)]
        {
            let rows = by_order((0..n).collect(), &section(fraction, 0.0));
            assert_eq!(rows.train, (0..train).collect::<Vec<u32>>());
            assert_eq!(rows.validation, (train..n).collect::<Vec<u32>>());
            assert!(rows.test.is_empty());
        }
        let rows = by_order((0..10).collect(), &section(0.2, 0.3));
        assert_eq!((rows.train.len(), rows.validation, rows.test), (5, vec![5, 6], vec![7, 8, 9]));
    }

    #[test]
    fn a_gap_leaves_out_the_rows_before_each_cut() {
        let gap = |gap, test| {
            let rows = by_order((0..20).collect(), &SplitSection { gap, ..section(0.2, test) });
            [rows.train, rows.validation, rows.test]
        };
        let range = |range: std::ops::Range<u32>| range.collect::<Vec<u32>>();
        assert_eq!(gap(0, 0.2), [range(0..12), range(12..16), range(16..20)]);
        assert_eq!(gap(3, 0.2), [range(0..9), range(12..13), range(16..20)]);
        assert_eq!(gap(3, 0.0), [range(0..13), range(16..20), vec![]]);
        assert_eq!(gap(99, 0.2), [vec![], vec![], range(16..20)]);
        let times: Vec<Moment> = (0..20).rev().collect();
        let rows =
            by_time((0..20).collect(), &times, &SplitSection { gap: 3, ..section(0.2, 0.2) });
        assert_eq!((rows.train.len(), rows.validation, rows.test), (9, vec![7], vec![3, 2, 1, 0]));
    }

    #[test]
    fn no_row_is_in_windows_of_two_splits_also_of_several_series() {
        // Two series of 30 rows, windows of 4 rows with the target in the last one.
        let spans: Vec<[Moment; 2]> = (0..54).map(|at| [at % 27, at % 27 + 3]).collect();
        let rows = by_span((0..54).collect(), &spans, &section(0.2, 0.2));
        let sizes = [rows.train.len(), rows.validation.len(), rows.test.len()];
        assert_eq!(sizes, [32, 4, 6]);
        let reach = |part: &[u32]| {
            let of = |end: usize| -> Vec<Moment> {
                part.iter().map(|row| spans[*row as usize][end]).collect()
            };
            (of(0).into_iter().min().unwrap(), of(1).into_iter().max().unwrap())
        };
        let (train, validation, test) =
            (reach(&rows.train), reach(&rows.validation), reach(&rows.test));
        assert!(train.1 < validation.0 && validation.1 < test.0);
        let two = by_span((0..54).collect(), &spans, &section(0.2, 0.0));
        assert!(two.test.is_empty() && !two.validation.is_empty());
    }

    #[test]
    fn the_latest_examples_test_and_equal_times_stay_in_order() {
        let rows = by_time(vec![0, 1, 2, 3, 4], &[9, 1, 5, 5, 5], &section(0.2, 0.4));
        assert_eq!((rows.train, rows.validation, rows.test), (vec![1, 2], vec![3], vec![4, 0]));
    }
}

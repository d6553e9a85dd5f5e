//! The training rows that are measured.

use crate::rng::{Purpose, stream};
use rand::seq::SliceRandom;

/// So many of `n` training rows in a random order, the same for all runs of a study; all of them if
/// there are fewer.
pub fn rows(n: usize, count: usize) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..n as u32).collect();
    rows.shuffle(&mut stream(0, Purpose::Probe, 0));
    rows.truncate(count);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_different_ones_and_more_begin_with_the_same() {
        let (few, more) = (rows(100, 20), rows(100, 200));
        assert_eq!((few.len(), more.len()), (20, 100));
        assert_eq!(few[..], more[..20]);
        let mut sorted = more.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(more, sorted);
    }
}

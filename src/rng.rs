//! Every random number of a study, drawn from named streams.
//!
//! A stream is a ChaCha8 generator whose 256-bit key *is* the triple (seed, purpose, epoch), so two
//! streams never overlap and none depends on what was drawn before. This is what makes common
//! random numbers possible: seed `s` fixes the initial weights and each epoch's permutation for
//! every batch size, device, worker count and resumption.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What a stream is for. The numbers are part of the results: never renumber them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Initialisation = 1,
    /// The order of the training examples in one epoch.
    Shuffle = 2,
    /// The assignment of examples to splits.
    Split = 3,
    /// What dropout drops in one epoch.
    Dropout = 4,
    /// What the statistics of a report resample.
    Report = 5,
    /// Which learning rates are tried.
    Tuning = 6,
    /// Rows and random vectors with which a solution is measured.
    Probe = 7,
}

/// A generator, the same for the same arguments on every machine.
pub fn stream(seed: u64, purpose: Purpose, epoch: u64) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&epoch.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Part `index` of a stream that is cut into parts of `length` words of 32 bits each.
pub fn part(seed: u64, purpose: Purpose, epoch: u64, index: u64, length: usize) -> ChaCha8Rng {
    let mut rng = stream(seed, purpose, epoch);
    rng.set_word_pos(u128::from(index) * length as u128);
    rng
}

/// The order in which epoch `epoch` of a run with this seed visits `n` training examples. Every
/// batch size cuts this one permutation.
pub fn permutation(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.shuffle(&mut stream(seed, Purpose::Shuffle, epoch));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    /// Printed by this function on 2026-11-22; a new version of `rand` that shuffles otherwise
    /// changes every result of every study and must be noticed here.
    #[test]
    fn the_permutation_is_the_one_that_published_results_used() {
        assert_eq!(permutation(0, 0, 10), PERMUTATION_OF_SEED_0);
        assert_eq!(permutation(7, 3, 10), PERMUTATION_OF_SEED_7_EPOCH_3);
    }
    const PERMUTATION_OF_SEED_0: [u32; 10] = [0, 7, 8, 4, 9, 2, 3, 5, 6, 1];
    const PERMUTATION_OF_SEED_7_EPOCH_3: [u32; 10] = [2, 1, 5, 3, 4, 6, 7, 8, 9, 0];

    #[test]
    fn a_part_of_a_stream_is_what_the_stream_gives_there() {
        let mut whole = stream(5, Purpose::Dropout, 2);
        let words: Vec<u32> = (0..60).map(|_| whole.next_u32()).collect();
        for index in 0..3 {
            let mut part = part(5, Purpose::Dropout, 2, index, 20);
            let found: Vec<u32> = (0..20).map(|_| part.next_u32()).collect();
            assert_eq!(found, words[index as usize * 20..][..20]);
        }
    }

    #[test]
    fn every_epoch_and_every_seed_visits_each_example_once_in_an_order_of_its_own() {
        let mut sorted = permutation(3, 5, 1000);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(permutation(3, 5, 1000), permutation(3, 6, 1000));
        assert_ne!(permutation(3, 5, 1000), permutation(4, 5, 1000));
    }
}

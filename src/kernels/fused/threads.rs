//! Work for several threads, each piece on one of them.

use anyhow::{Context, Result};
use rayon::prelude::*;

/// Some threads, or none but the caller's.
pub(super) struct Threads(Option<rayon::ThreadPool>);

impl Threads {
    pub(super) fn new(count: usize) -> Result<Self> {
        if count <= 1 {
            return Ok(Self(None));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
        Ok(Self(Some(pool.context("cannot start the engine's threads")?)))
    }

    pub(super) fn count(&self) -> usize {
        self.0.as_ref().map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// Does something with each piece and its number.
    pub(super) fn each<T: Send>(&self, pieces: &mut [T], work: impl Fn(usize, &mut T) + Sync) {
        match &self.0 {
            None => pieces.iter_mut().enumerate().for_each(|(index, piece)| work(index, piece)),
            Some(pool) => pool.install(|| {
                let pieces = pieces.par_iter_mut().with_max_len(1).enumerate();
                pieces.for_each(|(index, piece)| work(index, piece));
            }),
        }
    }
}

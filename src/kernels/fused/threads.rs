//! Work for several threads, each piece on one of them.

use anyhow::{Context, Result};
use rayon::prelude::*;
use std::sync::Arc;

/// Some threads, or none but the caller's.
#[derive(Clone)]
pub(super) struct Threads(Option<Arc<rayon::ThreadPool>>);

impl Threads {
    pub(super) fn new(count: usize) -> Result<Self> {
        if count <= 1 {
            return Ok(Self(None));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
        Ok(Self(Some(Arc::new(pool.context("cannot start the engine's threads")?))))
    }

    pub(super) fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Works on one of the threads. Pieces of it need not be handed over from outside then, which
    /// takes longer than many of them.
    pub(super) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            None => work(),
            Some(pool) => pool.install(work),
        }
    }

    /// Does something with each piece and its number. Pieces may have pieces of their own, which
    /// threads without work take.
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

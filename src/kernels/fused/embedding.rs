//! The vectors of tokens, updated when they are needed.
//!
//! A step's gradient is 0 for all tokens that are not in its batch, yet Adam moves their vectors
//! too, for as long as their moments last. Such updates are put off: each vector knows how many it
//! has had, and takes the missing ones, one after the other, when it is read the next time. So a
//! step costs what it touches, and every bit is that of updating all vectors in every step.

use super::elementwise::{Replay, Rule, Update};
use super::instructions::Instructions;
use super::threads::Threads;
use super::vector::prefetch;
use std::ops::{DerefMut, Range};

/// Vectors lie anywhere in memory: so many before its turn, one is asked for.
const AHEAD: usize = 4;

/// `[V, F]` with the optimizer's moments.
#[derive(Debug, Clone, Default)]
pub(super) struct Embedding {
    /// F
    dim: usize,
    /// `[V, F]`
    pub(super) vectors: Vec<f32>,
    /// As `vectors`, one for each moment of the optimizer.
    moments: Vec<Vec<f32>>,
    /// How many of the updates in `rules` each vector has had.
    had: Vec<u32>,
    /// The updates since all vectors were up to date.
    rules: Vec<Rule>,
}

impl Embedding {
    pub(super) fn new(dim: usize, vectors: Vec<f32>, moments: Vec<Vec<f32>>) -> Self {
        let had = vec![0; vectors.len() / dim.max(1)];
        Self { dim, vectors, moments, had, rules: Vec::new() }
    }

    /// Vectors and moments; all updates must have been made.
    pub(super) fn into_parts(self) -> (Vec<f32>, Vec<Vec<f32>>) {
        (self.vectors, self.moments)
    }

    /// Makes the updates that these vectors still miss.
    pub(super) fn apply_deferred_updates(
        &mut self,
        instructions: Instructions,
        threads: &Threads,
        tokens: &[u32],
    ) {
        let now = self.rules.len() as u32;
        let (rules, mut shards) = self.shards(threads);
        threads.each(&mut shards, |_, shard| {
            shard.each(tokens, |_, vector| {
                let had = std::mem::replace(vector.had, now);
                if had < now {
                    let (rules, weights) = (&rules[had as usize..], vector.weights);
                    let [first, second] = vector.moments;
                    instructions.replay(Replay { rules, weights, first, second });
                }
            });
        });
    }

    /// Makes all updates that are still missing.
    pub(super) fn apply_all_deferred_updates(
        &mut self,
        instructions: Instructions,
        threads: &Threads,
    ) {
        if self.rules.is_empty() {
            return;
        }
        let all: Vec<u32> = (0..self.had.len() as u32).collect();
        self.apply_deferred_updates(instructions, threads, &all);
        self.rules.clear();
        self.had.fill(0);
    }

    /// One update: of these vectors, which have had all before, by their gradients
    /// (`[tokens][stride]`); of all others later.
    pub(super) fn update(
        &mut self,
        instructions: Instructions,
        threads: &Threads,
        rule: &Rule,
        tokens: &[u32],
        (gradients, stride): (&[f32], usize),
    ) {
        self.rules.push(*rule);
        let now = self.rules.len() as u32;
        let dim = self.dim;
        threads.each(&mut self.shards(threads).1, |_, shard| {
            shard.each(tokens, |number, vector| {
                *vector.had = now;
                let [first, second] = vector.moments;
                let (weights, gradients) = (vector.weights, &gradients[number * stride..][..dim]);
                instructions.update(Update { rule, weights, gradients, first, second });
            });
        });
    }

    /// The rules, and the vectors in parts of which each thread can change some.
    fn shards(&mut self, threads: &Threads) -> (&[Rule], Vec<Shard<'_>>) {
        let dim = self.dim;
        // Tokens with low numbers are often the frequent ones: several parts a thread even that out.
        let parts = if threads.count() > 1 { threads.count() * 8 } else { 1 };
        let size = self.had.len().div_ceil(parts).max(1);
        let mut moments: Vec<_> =
            self.moments.iter_mut().map(|moments| moments.chunks_mut(size * dim)).collect();
        let parts = self.had.chunks_mut(size).zip(self.vectors.chunks_mut(size * dim));
        let shards = parts.enumerate().map(|(part, (had, vectors))| Shard {
            start: part * size,
            dim,
            had,
            vectors,
            moments: moments.iter_mut().filter_map(Iterator::next).collect(),
        });
        (&self.rules, shards.collect())
    }
}

/// The vectors of some tokens that follow each other.
struct Shard<'e> {
    /// The first of them.
    start: usize,
    dim: usize,
    had: &'e mut [u32],
    vectors: &'e mut [f32],
    moments: Vec<&'e mut [f32]>,
}

/// One token's vector.
struct Vector<'e> {
    had: &'e mut u32,
    weights: &'e mut [f32],
    moments: [&'e mut [f32]; 2],
}

impl Shard<'_> {
    /// Does something with those of these tokens that are in this part, and with their places in the
    /// list.
    fn each(&mut self, tokens: &[u32], mut work: impl FnMut(usize, Vector<'_>)) {
        let (dim, own) = (self.dim, self.start..self.start + self.had.len());
        let tokens = tokens.iter().map(|token| *token as usize).enumerate();
        let own: Vec<_> = tokens.filter(|(_, token)| own.contains(token)).collect();
        let range = |token: usize| (token - self.start) * dim..(token - self.start + 1) * dim;
        for (at, (number, token)) in own.iter().enumerate() {
            if let Some((_, soon)) = own.get(at + AHEAD) {
                prefetch(&self.vectors[range(*soon)]);
                self.moments.iter().for_each(|moments| prefetch(&moments[range(*soon)]));
            }
            let vector = Vector {
                had: &mut self.had[token - self.start],
                weights: &mut self.vectors[range(*token)],
                moments: moments(&mut self.moments, range(*token)),
            };
            work(*number, vector);
        }
    }
}

/// Part of each moment; nothing of those that the optimizer does not keep.
pub(super) fn moments<T: DerefMut<Target = [f32]>>(
    all: &mut [T],
    range: Range<usize>,
) -> [&mut [f32]; 2] {
    match all {
        [] => [&mut [], &mut []],
        [only] => [&mut only[range], &mut []],
        [first, second, ..] => [&mut first[range.clone()], &mut second[range]],
    }
}

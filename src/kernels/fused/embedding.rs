//! The vectors of tokens, updated when they are needed.
//!
//! A step's gradient is 0 for all tokens that are not in its batch, yet Adam moves their vectors
//! too, for as long as their moments last. Such updates are put off: each vector knows how many it
//! has had, and takes the missing ones, one after the other, when it is read the next time. So a
//! step costs what it touches, and every bit is that of updating all vectors in every step.

use super::elementwise::{Replay, Rule, Update};
use super::instructions::Instructions;
use std::ops::Range;

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
    pub(super) fn catch_up(&mut self, instructions: Instructions, tokens: &[u32]) {
        let now = self.rules.len() as u32;
        for token in tokens {
            let had = std::mem::replace(&mut self.had[*token as usize], now);
            if had < now {
                let range = *token as usize * self.dim..(*token as usize + 1) * self.dim;
                let [first, second] = moments(&mut self.moments, range.clone());
                let rules = &self.rules[had as usize..];
                let weights = &mut self.vectors[range];
                instructions.replay(Replay { rules, weights, first, second });
            }
        }
    }

    /// Makes all updates that are still missing.
    pub(super) fn catch_up_all(&mut self, instructions: Instructions) {
        if self.rules.is_empty() {
            return;
        }
        let all: Vec<u32> = (0..self.had.len() as u32).collect();
        self.catch_up(instructions, &all);
        self.rules.clear();
        self.had.fill(0);
    }

    /// One update: of these vectors, which have had all before, by their gradients
    /// (`[tokens][stride]`); of all others later.
    pub(super) fn update(
        &mut self,
        instructions: Instructions,
        rule: &Rule,
        tokens: &[u32],
        gradients: &[f32],
        stride: usize,
    ) {
        self.rules.push(*rule);
        let now = self.rules.len() as u32;
        for (token, gradient) in tokens.iter().zip(gradients.chunks_exact(stride)) {
            self.had[*token as usize] = now;
            let range = *token as usize * self.dim..(*token as usize + 1) * self.dim;
            let [first, second] = moments(&mut self.moments, range.clone());
            instructions.update(Update {
                rule,
                weights: &mut self.vectors[range],
                gradients: &gradient[..self.dim],
                first,
                second,
            });
        }
    }
}

/// Part of each moment; nothing of those that the optimizer does not keep.
pub(super) fn moments(all: &mut [Vec<f32>], range: Range<usize>) -> [&mut [f32]; 2] {
    match all {
        [] => [&mut [], &mut []],
        [only] => [&mut only[range], &mut []],
        [first, second, ..] => [&mut first[range.clone()], &mut second[range]],
    }
}

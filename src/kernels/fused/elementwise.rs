//! What is done to each value alone: sums, norms and updates of weights.
//!
//! Plain Rust, which the compiler turns into each set of instructions; it never contracts a product
//! and a sum, so all sets give the same bits.

use super::tile::{GROUP, PANEL};
use super::vector::prefetch;
use std::ops::Range;

/// `sum += other`
#[inline(always)]
pub(super) fn add((sum, other): (&mut [f32], &[f32])) {
    for (sum, other) in sum.iter_mut().zip(other) {
        *sum += other;
    }
}

/// Adds rows of 64 values to the rows of a table that they name, in their order.
pub(super) struct Scatter<'a> {
    /// `[..][64]`
    pub(super) table: &'a mut [f32],
    /// A row of the table for each row.
    pub(super) index: &'a [u32],
    /// `[rows][64]`
    pub(super) rows: &'a [f32],
}

/// So many rows before its turn, a row of a table is asked for.
const AHEAD: usize = 8;

/// See [`Scatter`].
#[inline(always)]
pub(super) fn scatter(p: Scatter<'_>) {
    for (number, (row, at)) in p.rows.chunks_exact(PANEL).zip(p.index).enumerate() {
        if let Some(soon) = p.index.get(number + AHEAD) {
            prefetch(&p.table[*soon as usize * PANEL..][..PANEL]);
        }
        let sum = &mut p.table[*at as usize * PANEL..][..PANEL];
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
    }
}

/// Values whose squares are summed together, before the sums of all blocks are added up.
const BLOCK: usize = 1024;
/// Chains of a block's sum: as many as a warp of a GPU has threads.
const LANES: usize = 32;

/// Adds the sum of squares, in f64: blocks of 1,024 values, one after the other; within a block 32 chains
/// of every 32nd value, whose sums are added pairwise, as a warp of a GPU does it.
#[inline(always)]
pub(super) fn squares((values, sum): (&[f32], &mut f64)) {
    for block in values.chunks(BLOCK) {
        let mut lanes = [0f64; LANES];
        for chunk in block.chunks(LANES) {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                *lane += f64::from(*value) * f64::from(*value);
            }
        }
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
            half /= 2;
        }
        *sum += lanes[0];
    }
}

/// An optimizer's rule with the numbers of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// `m = b1 m + (1-b1) g`, `v = b2 v + (1-b2) g^2`,
    /// `w = decay w - rate m / (root sqrt(v) + epsilon)`; b and 1-b in pairs.
    Adam { beta_1: [f32; 2], beta_2: [f32; 2], decay: f32, rate: f32, root: f32, epsilon: f32 },
    /// `w = w - rate g`
    Descent { rate: f32 },
    /// `v = momentum v + g`, `w = w - rate v`, or `w - rate (g + momentum v)`.
    Momentum { rate: f32, momentum: f32, nesterov: bool },
    /// `v = rho v + (1-rho) g^2`, `d = g / (sqrt(v) + epsilon)`, or `g / sqrt(v + epsilon)` as in Keras;
    /// `w = w - rate d`, with momentum `m = momentum m + d`, `w = w - rate m`, as in Keras
    /// `m = momentum m + rate d`, `w = w - m`. m comes first, v second; without momentum v alone.
    RootMeanSquare { rho: [f32; 2], rate: f32, epsilon: f32, momentum: Option<f32>, is_keras: bool },
}

/// One update of some values.
pub(super) struct Update<'a> {
    /// The rule.
    pub(super) rule: &'a Rule,
    /// w
    pub(super) weights: &'a mut [f32],
    /// g
    pub(super) gradients: &'a [f32],
    /// m, or the velocity; empty when the rule keeps none.
    pub(super) first: &'a mut [f32],
    /// v; empty when the rule keeps none.
    pub(super) second: &'a mut [f32],
}

/// Several updates of some values whose gradients are 0.
pub(super) struct Replay<'a> {
    /// The rules, in order; all of one kind.
    pub(super) rules: &'a [Rule],
    /// As [`Update`] has it.
    pub(super) weights: &'a mut [f32],
    /// As [`Update`] has it.
    pub(super) first: &'a mut [f32],
    /// As [`Update`] has it.
    pub(super) second: &'a mut [f32],
}

/// Subnormal numbers are 0, as in libtorch once it is told so.
#[inline(always)]
fn normal(value: f32) -> f32 {
    if value.abs() < f32::MIN_POSITIVE { 0.0 } else { value }
}

impl Rule {
    /// Whether weights stay to the bit while gradients are 0, the first moments 0, and the second
    /// ones numbers: nothing decays, and 0 is divided by more than 0.
    #[inline(always)]
    fn rests(&self) -> bool {
        match *self {
            Self::Adam { decay, rate, root, epsilon, .. } => {
                decay.to_bits() == 1f32.to_bits()
                    && (0.0..=f32::MAX).contains(&rate)
                    && (0.0..=f32::MAX).contains(&root)
                    && epsilon > 0.0
            }
            Self::Descent { rate } | Self::Momentum { rate, .. } => {
                (0.0..=f32::MAX).contains(&rate)
            }
            Self::RootMeanSquare { rate, epsilon, .. } => {
                (0.0..=f32::MAX).contains(&rate) && epsilon > 0.0
            }
        }
    }
}

/// What RMSprop divides by.
#[inline(always)]
fn root_of(v: f32, epsilon: f32, is_keras: bool) -> f32 {
    if is_keras { (v + epsilon).sqrt() } else { v.sqrt() + epsilon }
}

/// Up to sixteen values with what is kept of their gradients, in registers: the rest of the sixteen is
/// 0 and is not written back.
struct Lanes {
    weights: [f32; GROUP],
    first: [f32; GROUP],
    second: [f32; GROUP],
}

impl Lanes {
    #[inline(always)]
    fn load(weights: &[f32], first: &[f32], second: &[f32]) -> Self {
        Self { weights: group(weights), first: group(first), second: group(second) }
    }

    /// One update. The rule is looked at once for all values, so that each loop is one of plain arithmetic.
    #[inline(always)]
    fn apply(&mut self, rule: &Rule, gradients: &[f32; GROUP]) {
        match *rule {
            Rule::Adam { beta_1, beta_2, decay, rate, root, epsilon } => {
                self.each(gradients, |w, g, first, second| {
                    let m = normal(beta_1[0] * first + beta_1[1] * g);
                    let v = normal(beta_2[0] * second + beta_2[1] * (g * g));
                    (w * decay - rate * m / (v.sqrt() * root + epsilon), m, v)
                });
            }
            Rule::Descent { rate } => self.each(gradients, |w, g, _, _| (w - rate * g, 0.0, 0.0)),
            Rule::Momentum { rate, momentum, nesterov } => {
                self.each(gradients, |w, g, first, _| {
                    let velocity = normal(momentum * first + g);
                    let direction = if nesterov { g + momentum * velocity } else { velocity };
                    (w - rate * direction, velocity, 0.0)
                });
            }
            Rule::RootMeanSquare { rho, rate, epsilon, momentum: None, is_keras } => {
                self.each(gradients, |w, g, first, _| {
                    let v = normal(rho[0] * first + rho[1] * (g * g));
                    (w - rate * g / root_of(v, epsilon, is_keras), v, 0.0)
                });
            }
            Rule::RootMeanSquare { rho, rate, epsilon, momentum: Some(momentum), is_keras } => {
                self.each(gradients, |w, g, first, second| {
                    let v = normal(rho[0] * second + rho[1] * (g * g));
                    let step = g / root_of(v, epsilon, is_keras);
                    let m = normal(momentum * first + if is_keras { rate * step } else { step });
                    (w - if is_keras { m } else { rate * m }, m, v)
                });
            }
        }
    }

    /// Gives each value its new (w, m, v), (w, velocity, 0) or (w, v, 0).
    #[inline(always)]
    fn each(
        &mut self,
        gradients: &[f32; GROUP],
        new: impl Fn(f32, f32, f32, f32) -> (f32, f32, f32),
    ) {
        for lane in 0..GROUP {
            (self.weights[lane], self.first[lane], self.second[lane]) =
                new(self.weights[lane], gradients[lane], self.first[lane], self.second[lane]);
        }
    }

    #[inline(always)]
    fn store(&self, weights: &mut [f32], first: &mut [f32], second: &mut [f32]) {
        ungroup(&self.weights, weights);
        ungroup(&self.first, first);
        ungroup(&self.second, second);
    }
}

/// The first values of a group; whole ones, of a size that the compiler knows, are one instruction.
#[inline(always)]
fn group(values: &[f32]) -> [f32; GROUP] {
    let mut group = [0.0; GROUP];
    match <&[f32; GROUP]>::try_from(values) {
        Ok(whole) => group = *whole,
        Err(_) => group[..values.len()].copy_from_slice(values),
    }
    group
}

/// The way back.
#[inline(always)]
fn ungroup(group: &[f32; GROUP], values: &mut [f32]) {
    match <&mut [f32; GROUP]>::try_from(&mut *values) {
        Ok(whole) => *whole = *group,
        Err(_) => values.copy_from_slice(&group[..values.len()]),
    }
}

/// Part of what is kept, which may be nothing.
#[inline(always)]
fn part(values: &mut [f32], range: Range<usize>) -> &mut [f32] {
    if values.is_empty() { values } else { &mut values[range] }
}

/// See [`Update`].
#[inline(always)]
pub(super) fn update(p: Update<'_>) {
    // A copy, since the compiler cannot know that no weight lies in it.
    let Update { rule, weights, gradients, first, second } = p;
    let (rule, count) = (*rule, weights.len());
    for start in (0..count).step_by(GROUP) {
        let range = start..(start + GROUP).min(count);
        let weights = &mut weights[range.clone()];
        let (first, second) = (part(first, range.clone()), part(second, range.clone()));
        let mut lanes = Lanes::load(weights, first, second);
        lanes.apply(&rule, &group(&gradients[range]));
        lanes.store(weights, first, second);
    }
}

/// Rules after which [`replay`] looks whether anything still moves.
const ROUND: usize = 32;

/// See [`Replay`]. Sixteen values at a time go through all rules in registers. First moments become 0
/// after some hundred updates; from then on only the second ones change, until they are 0 too.
#[inline(always)]
pub(super) fn replay(p: Replay<'_>) {
    let Replay { rules, weights, first, second } = p;
    if matches!(rules.first(), None | Some(Rule::Descent { .. })) {
        return;
    }
    for start in (0..weights.len()).step_by(GROUP) {
        let range = start..(start + GROUP).min(weights.len());
        let weights = &mut weights[range.clone()];
        let (first, second) = (part(first, range.clone()), part(second, range));
        let mut lanes = Lanes::load(weights, first, second);
        for rules in rules.chunks(ROUND) {
            if matches!(rules[0], Rule::RootMeanSquare { momentum: None, .. })
                && lanes.first.iter().all(|v| *v >= 0.0)
                && rules.iter().all(Rule::rests)
            {
                fade(rules, &mut lanes.first);
                continue;
            }
            if lanes.first.iter().all(|m| m.to_bits() == 0)
                && lanes.second.iter().all(|v| *v >= 0.0)
                && rules.iter().all(Rule::rests)
            {
                fade(rules, &mut lanes.second);
                continue;
            }
            for rule in rules {
                lanes.apply(rule, &[0.0; GROUP]);
            }
        }
        lanes.store(weights, first, second);
    }
}

/// What rules do to second moments while gradients are 0.
#[inline(always)]
fn fade(rules: &[Rule], second: &mut [f32; GROUP]) {
    if second.iter().all(|v| v.to_bits() == 0) {
        return;
    }
    for rule in rules {
        let (Rule::Adam { beta_2: kept, .. } | Rule::RootMeanSquare { rho: kept, .. }) = rule
        else {
            continue;
        };
        for v in second.iter_mut() {
            *v = normal(kept[0] * *v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::UpdateRule;
    use super::super::instructions::Instructions;
    use super::super::instructions::tests::{assert_close, noise, on_each_set, same_bits, wide};
    use super::*;

    on_each_set! {
        sums_are_plain_sums,
        squares_are_summed_in_blocks,
        each_rule_is_its_formula,
        replaying_is_updating_with_gradients_of_0,
        what_becomes_subnormal_is_0
    }

    const COUNTS: [usize; 8] = [0, 1, 5, 15, 16, 17, 64, 77];

    /// The order of [`squares`], as plainly as it can be written.
    fn plain_squares(start: f64, values: &[f64]) -> f64 {
        fn pairwise(lanes: &[f64]) -> f64 {
            match lanes {
                [only] => *only,
                _ => {
                    let [even, odd] = [0, 1].map(|first| {
                        pairwise(&lanes.iter().skip(first).step_by(2).copied().collect::<Vec<_>>())
                    });
                    even + odd
                }
            }
        }
        let block = |block: &[f64]| {
            let lane = |lane| block.iter().skip(lane).step_by(32).fold(0.0, |sum, x| sum + x * x);
            pairwise(&(0..32).map(lane).collect::<Vec<_>>())
        };
        values.chunks(1024).map(block).fold(start, |sum, block| sum + block)
    }

    fn sums_are_plain_sums(set: Instructions) {
        for count in COUNTS {
            let (a, b) = (noise(count, 1), noise(count, 2));
            let found = same_bits(set, |set| {
                let mut sum = a.clone();
                set.add((&mut sum, &b));
                sum
            });
            let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
            assert_eq!(found, expected);
            let index: Vec<u32> = (0..count as u32).map(|row| row * 3 % 4).collect();
            let (table, rows) = (noise(4 * PANEL, 3), noise(count * PANEL, 4));
            let found = same_bits(set, |set| {
                let mut table = table.clone();
                set.scatter(Scatter { table: &mut table, index: &index, rows: &rows });
                table
            });
            let mut expected = wide(&table);
            for (row, at) in index.iter().enumerate() {
                for q in 0..PANEL {
                    expected[*at as usize * PANEL + q] += f64::from(rows[row * PANEL + q]);
                }
            }
            assert_close(&found, &expected, 2e-6);
        }
    }

    fn squares_are_summed_in_blocks(set: Instructions) {
        for count in COUNTS.into_iter().chain([1023, 1024, 1025, 5000]) {
            let a = noise(count, 1);
            let mut squares = [0.5; 2];
            set.squares((&a, &mut squares[0]));
            Instructions::new(super::super::InstructionSet::Portable)
                .unwrap()
                .squares((&a, &mut squares[1]));
            assert_eq!(squares[0].to_bits(), squares[1].to_bits());
            let expected = 0.5 + wide(&a).iter().map(|x| x * x).sum::<f64>();
            assert!((squares[0] - expected).abs() <= 1e-13 * expected);
            assert_eq!(squares[0].to_bits(), plain_squares(0.5, &wide(&a)).to_bits());
        }
    }

    const LR: f64 = 0.01;

    fn optimizers() -> Vec<UpdateRule> {
        let adam = |epsilon_hat, weight_decay| UpdateRule::Adam {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-7,
            epsilon_hat,
            weight_decay,
        };
        let sgd = |momentum, nesterov| UpdateRule::Sgd { momentum, nesterov };
        let sgd = [sgd(0.0, false), sgd(0.9, false), sgd(0.9, true)];
        let rms = |momentum, is_keras| UpdateRule::RmsProp {
            rho: 0.9,
            epsilon: 1e-7,
            momentum,
            is_keras,
        };
        let rms = [rms(0.0, false), rms(0.0, true), rms(0.9, false), rms(0.9, true)];
        [adam(false, 0.0), adam(true, 0.0), adam(false, 0.1)]
            .into_iter()
            .chain(sgd)
            .chain(rms)
            .collect()
    }

    /// Weights and the moments that the optimizer keeps, all in one.
    fn updated(
        set: Instructions,
        optimizer: &UpdateRule,
        [w, g, m, v]: &[Vec<f32>; 4],
        updates: Range<u64>,
    ) -> Vec<f32> {
        let mut moments = [m.clone(), v.clone()];
        moments[optimizer.moments()..].fill(Vec::new());
        let ([mut first, mut second], mut weights) = (moments, w.clone());
        for t in updates {
            set.update(Update {
                rule: &Rule::new(optimizer, t, LR),
                weights: &mut weights,
                gradients: g,
                first: &mut first,
                second: &mut second,
            });
        }
        [weights, first, second].concat()
    }

    /// Weights, gradients and what the optimizer keeps: averages of squares are no less than 0.
    fn arrays(count: usize, optimizer: &UpdateRule) -> [Vec<f32>; 4] {
        let squares = |of| noise(count, of).iter().map(|v| v * v + 1e-3).collect();
        let first = match (optimizer, optimizer.moments()) {
            (UpdateRule::RmsProp { .. }, 1) => squares(3),
            _ => noise(count, 3),
        };
        [noise(count, 1), noise(count, 2), first, squares(4)]
    }

    /// As [`UpdateRule`] states it, in f64: the new weight and moments.
    fn formula(optimizer: &UpdateRule, t: i32, [w, g, m, v]: [f64; 4]) -> [f64; 3] {
        match *optimizer {
            UpdateRule::Adam { beta_1, beta_2, epsilon, epsilon_hat, weight_decay } => {
                let (m, v) = (beta_1 * m + (1.0 - beta_1) * g, beta_2 * v + (1.0 - beta_2) * g * g);
                let (first, second) = (1.0 - beta_1.powi(t), 1.0 - beta_2.powi(t));
                let w = (1.0 - LR * weight_decay) * w;
                let change = match epsilon_hat {
                    true => LR * second.sqrt() / first * m / (v.sqrt() + epsilon),
                    false => LR / first * m / (v.sqrt() / second.sqrt() + epsilon),
                };
                [w - change, m, v]
            }
            UpdateRule::Sgd { momentum, nesterov } => {
                let velocity = momentum * m + g;
                let direction = if nesterov { g + momentum * velocity } else { velocity };
                [w - LR * direction, velocity, 0.0]
            }
            UpdateRule::RmsProp { rho, epsilon, momentum, is_keras } => {
                let of_squares = if momentum > 0.0 { v } else { m };
                let v = rho * of_squares + (1.0 - rho) * g * g;
                let d = if is_keras { g / (v + epsilon).sqrt() } else { g / (v.sqrt() + epsilon) };
                let m = momentum * m + if is_keras { LR * d } else { d };
                match momentum > 0.0 {
                    true => [w - if is_keras { m } else { LR * m }, m, v],
                    false => [w - LR * d, v, 0.0],
                }
            }
        }
    }

    fn each_rule_is_its_formula(set: Instructions) {
        for (optimizer, count) in optimizers().iter().flat_map(|o| COUNTS.map(|count| (o, count))) {
            for t in [1, 2, 1000] {
                let arrays = arrays(count, optimizer);
                let found = same_bits(set, |set| updated(set, optimizer, &arrays, t..t + 1));
                let none = Vec::new();
                let mut expected = [vec![], vec![], vec![]];
                for at in 0..count {
                    let mut values = arrays.each_ref().map(|array| f64::from(array[at]));
                    if optimizer.moments() == 0 {
                        values[2] = 0.0;
                    }
                    let new = formula(optimizer, t as i32, values);
                    expected.iter_mut().zip(new).for_each(|(list, value)| list.push(value));
                }
                expected[1 + optimizer.moments()..].fill(none);
                assert_close(&found, &expected.concat(), 1e-6);
            }
        }
    }

    fn replaying_is_updating_with_gradients_of_0(set: Instructions) {
        for (optimizer, count) in optimizers().iter().flat_map(|o| COUNTS.map(|count| (o, count))) {
            // Long enough for some moments to become subnormal, and then 0.
            let spans = [(1..2, 1.0), (5..12, 1.0), (3..1200, 1.0), (3..40, 1e-37), (3..200, 0.0)];
            for (updates, scale) in spans {
                let mut arrays = arrays(count, optimizer);
                arrays[1].fill(0.0);
                arrays[2..].iter_mut().flatten().for_each(|value| *value *= scale);
                let expected = updated(set, optimizer, &arrays, updates.clone());
                let rules: Vec<Rule> = updates.map(|t| Rule::new(optimizer, t, LR)).collect();
                let found = same_bits(set, |set| {
                    let [mut weights, _, m, v] = arrays.clone();
                    let mut moments = [m, v];
                    moments[optimizer.moments()..].fill(Vec::new());
                    let [mut first, mut second] = moments;
                    set.replay(Replay {
                        rules: &rules,
                        weights: &mut weights,
                        first: &mut first,
                        second: &mut second,
                    });
                    [weights, first, second].concat()
                });
                let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&found), bits(&expected), "{optimizer:?}");
            }
        }
    }

    fn what_becomes_subnormal_is_0(set: Instructions) {
        for optimizer in optimizers().iter().filter(|optimizer| optimizer.moments() > 0) {
            let tiny = vec![f32::MIN_POSITIVE; 5];
            let arrays = [vec![1.0; 5], vec![0.0; 5], tiny.clone(), tiny];
            let found = updated(set, optimizer, &arrays, 1..2);
            assert!(found[5..].iter().all(|moment| moment.to_bits() == 0), "{found:?}");
        }
    }
}

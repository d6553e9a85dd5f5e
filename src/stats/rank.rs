//! Rank correlation: do two quantities rise and fall together, whatever their scales?
//!
//! Kendall 1945, "The treatment of ties in ranking problems", Biometrika 33, tau-b:
//!
//! ```text
//! tau = (concordant - discordant pairs) / sqrt(pairs not tied in x * pairs not tied in y)
//! ```
//!
//! With strata, only pairs within one stratum count: what sets strata apart cannot be taken for a
//! relation.

/// One observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// One quantity.
    pub x: f64,
    /// The other.
    pub y: f64,
    /// Only observations of one stratum are compared.
    pub stratum: usize,
}

/// Observations in the order in which pairs are counted: each resample of them then takes n log n steps,
/// where going through all pairs takes n^2 (Knight 1966, J. Am. Stat. Assoc. 61).
pub struct Ranking(Vec<Placed>);

struct Placed {
    /// Among the observations.
    index: usize,
    stratum: usize,
    x: f64,
    /// The place of its y among those of its stratum.
    height: usize,
}

impl Ranking {
    /// Of these observations.
    pub fn of(observations: &[Ranked]) -> Self {
        let mut order: Vec<usize> = (0..observations.len()).collect();
        let of = |at: &usize| &observations[*at];
        order.sort_by(|a, b| of(a).stratum.cmp(&of(b).stratum).then(of(a).y.total_cmp(&of(b).y)));
        let mut placed: Vec<Placed> = Vec::with_capacity(order.len());
        for index in order {
            let Ranked { x, y, stratum } = observations[index];
            // Adding 0 makes -0 a 0, with which it ties.
            let x = x + 0.0;
            let height = match placed.last() {
                Some(last) if last.stratum == stratum => {
                    last.height + usize::from(observations[last.index].y < y)
                }
                _ => 0,
            };
            placed.push(Placed { index, stratum, x, height });
        }
        placed.sort_by(|a, b| a.stratum.cmp(&b.stratum).then(a.x.total_cmp(&b.x)));
        Self(placed)
    }

    /// tau-b where each observation counts as often as `times` says; `None` where no pair differs in x, or none
    /// in y.
    pub fn tau(&self, times: &[u64]) -> Option<f64> {
        let pairs = |count: u64| count * count.saturating_sub(1) / 2;
        let (mut balance, mut differ_in_x, mut differ_in_y) = (0i64, 0u64, 0u64);
        for stratum in self.0.chunk_by(|a, b| a.stratum == b.stratum) {
            let mut seen = Heights::new(stratum.iter().map(|of| of.height).max().unwrap_or(0) + 1);
            let mut tied_in_x = 0;
            for alike in stratum.chunk_by(|a, b| a.x.total_cmp(&b.x).is_eq()) {
                for of in alike {
                    let [below, above] = seen.beside(of.height);
                    balance += times[of.index] as i64 * (below as i64 - above as i64);
                }
                alike.iter().for_each(|of| seen.add(of.height, times[of.index]));
                tied_in_x += pairs(alike.iter().map(|of| times[of.index]).sum());
            }
            differ_in_x += pairs(seen.all) - tied_in_x;
            differ_in_y += pairs(seen.all) - seen.at.iter().copied().map(pairs).sum::<u64>();
        }
        let scale = (differ_in_x as f64 * differ_in_y as f64).sqrt();
        (scale > 0.0).then(|| balance as f64 / scale)
    }
}

/// How many observations stand at each height, and their sums in a binary indexed tree (Fenwick 1994).
struct Heights {
    at: Vec<u64>,
    sums: Vec<u64>,
    all: u64,
}

impl Heights {
    fn new(heights: usize) -> Self {
        Self { at: vec![0; heights], sums: vec![0; heights + 1], all: 0 }
    }

    fn add(&mut self, height: usize, times: u64) {
        self.at[height] += times;
        self.all += times;
        let mut node = height + 1;
        while let Some(sum) = self.sums.get_mut(node) {
            *sum += times;
            node += node & node.wrapping_neg();
        }
    }

    /// How many stand below a height, and how many above.
    fn beside(&self, height: usize) -> [u64; 2] {
        let (mut node, mut below) = (height, 0);
        while node > 0 {
            below += self.sums[node];
            node &= node - 1;
        }
        [below, self.all - below - self.at[height]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::{generator, near};
    use rand::RngExt;

    fn of_all(observations: &[Ranked]) -> Option<f64> {
        Ranking::of(observations).tau(&vec![1; observations.len()])
    }

    fn tau(x: &[f64], y: &[f64]) -> Option<f64> {
        let pairs = x.iter().zip(y);
        of_all(&pairs.map(|(x, y)| Ranked { x: *x, y: *y, stratum: 0 }).collect::<Vec<_>>())
    }

    /// The definition, pair by pair.
    fn by_pairs(observations: &[Ranked]) -> Option<f64> {
        let sign = |a: f64, b: f64| i64::from(a > b) - i64::from(a < b);
        let mut sums = [0i64; 3];
        for (at, a) in observations.iter().enumerate() {
            for b in observations[at + 1..].iter().filter(|b| b.stratum == a.stratum) {
                let (x, y) = (sign(a.x, b.x), sign(a.y, b.y));
                sums = [sums[0] + x * y, sums[1] + x.abs(), sums[2] + y.abs()];
            }
        }
        let scale = (sums[1] as f64 * sums[2] as f64).sqrt();
        (scale > 0.0).then(|| sums[0] as f64 / scale)
    }

    #[test]
    fn a_resample_has_the_bits_of_all_its_pairs() {
        let mut rng = generator(17);
        for strata in [1, 2, 5] {
            let mut observe = |_| Ranked {
                x: f64::from(rng.random_range(0..12)) - 4.0,
                y: f64::from(rng.random_range(0..9)) / 7.0,
                stratum: rng.random_range(0..strata),
            };
            let all: Vec<Ranked> = (0..40).map(&mut observe).collect();
            let ranking = Ranking::of(&all);
            for _ in 0..20 {
                let times: Vec<u64> = all.iter().map(|_| rng.random_range(0..4)).collect();
                let repeat = |(of, times): (&Ranked, &u64)| vec![*of; *times as usize];
                let drawn: Vec<Ranked> = all.iter().zip(&times).flat_map(repeat).collect();
                assert_eq!(
                    ranking.tau(&times).map(f64::to_bits),
                    by_pairs(&drawn).map(f64::to_bits)
                );
            }
        }
    }

    /// `scipy.stats.kendalltau(x, y).statistic`
    #[test]
    fn ties_count_as_in_scipy() {
        let x = [12.0, 2.0, 1.0, 12.0, 2.0];
        let y = [1.0, 4.0, 7.0, 1.0, 0.0];
        near(tau(&x, &y).unwrap(), SCIPY, 1e-12);
        near(tau(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 4.0, 3.0]).unwrap(), 2.0 / 3.0, 1e-12);
        assert_eq!(tau(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(tau(&[], &[]), None);
    }
    const SCIPY: f64 = -0.4714045207910316;

    #[test]
    fn what_sets_strata_apart_is_no_relation() {
        // Within each stratum y falls with x; over all it rises.
        let of = |stratum: usize, shift: f64| {
            let observe = move |index: i32| {
                let x = shift + f64::from(index);
                Ranked { x, y: 10.0 * shift - x, stratum }
            };
            (0..5).map(observe)
        };
        let apart: Vec<Ranked> = of(0, 0.0).chain(of(1, 100.0)).collect();
        near(of_all(&apart).unwrap(), -1.0, 1e-12);
        let together: Vec<Ranked> = apart.iter().map(|o| Ranked { stratum: 0, ..*o }).collect();
        assert!(of_all(&together).unwrap() > 0.0);
    }
}

//! Learning rates that were tried, and which of them is the best.
//!
//! The best has the highest mean validation score. Where runs end at a target, their scores say no
//! more than how far the last steps overshot it: there the best gets to it in the fewest steps, and
//! one whose runs all get there comes before one of which some do not.

use serde::Serialize;

/// More than any other part of a score.
const MISSED: f64 = 1e6;

/// One learning rate.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Trial {
    /// Before the schedule.
    pub learning_rate: f64,
    /// Validation scores of its finished runs, turned so that more is better, in the order of their seeds.
    pub validation: Vec<f64>,
    /// Where its runs end at a target, the steps of each finished one, and nothing for one that did not
    /// get there; empty where they do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps_to_target: Vec<Option<f64>>,
    /// Runs whose loss was not finite.
    pub diverged: usize,
}

/// A side of the rates that were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// The smallest was the best: a smaller one may be better.
    Lowest,
    /// The largest was the best: a larger one may be better.
    Highest,
}

impl Edge {
    /// That of a place among so many, if it is the first or the last.
    fn of(place: usize, count: usize) -> Option<Self> {
        match place {
            0 => Some(Self::Lowest),
            _ if place + 1 == count => Some(Self::Highest),
            _ => None,
        }
    }
}

impl Trial {
    /// Whether its runs end at a target.
    pub fn ends_at_target(&self) -> bool {
        !self.steps_to_target.is_empty()
    }

    /// Finished runs that did not get to their target.
    pub fn missed(&self) -> usize {
        self.steps_to_target.iter().filter(|steps| steps.is_none()).count()
    }

    /// What rates are compared by, run by run, the higher the better: scores, or -ln(steps to the
    /// target). `None` where a run diverged or did not get there.
    pub fn scores(&self) -> Option<Vec<f64>> {
        match (self.diverged, &self.steps_to_target[..]) {
            (0, []) => Some(self.validation.clone()),
            (0, steps) => steps.iter().map(|steps| Some(-(*steps)?.ln())).collect(),
            _ => None,
        }
    }

    /// The geometric mean of the steps to the target; `None` without one, or where a run did not get
    /// there.
    pub fn typical_steps(&self) -> Option<f64> {
        let scores = self.scores().filter(|_| self.ends_at_target())?;
        super::summarise(&scores).map(|of| (-of.mean).exp())
    }

    /// For [`best_trial`]; `None` where a run diverged or none is finished.
    fn score(&self) -> Option<f64> {
        let mean = |values: &[f64]| super::summarise(values).map(|of| of.mean);
        match self.scores() {
            Some(scores) => mean(&scores),
            None if self.diverged == 0 => {
                mean(&self.validation).map(|score| score - MISSED * self.missed() as f64)
            }
            None => None,
        }
    }
}

/// The place of the highest of these scores, in ascending order of their rates, and at which edge it
/// lies. Of neighbours that are equally good the middle one is taken, the smaller of two: where an
/// end is no better than its neighbour, nothing says that going on beyond it would help.
pub fn best_place(scores: &[Option<f64>]) -> Option<(usize, Option<Edge>)> {
    let best = scores.iter().flatten().copied().reduce(f64::max)?;
    let is_best = |score: &Option<f64>| score.is_some_and(|score| score >= best);
    let first = scores.iter().position(is_best)?;
    let equals = scores[first..].iter().take_while(|score| is_best(score)).count();
    let place = first + (equals - 1) / 2;
    Some((place, Edge::of(place, scores.len()).filter(|_| equals == 1)))
}

/// [`best_place`] of the mean scores of these trials, in ascending order of their rates.
pub fn best_trial(trials: &[Trial]) -> Option<(usize, Option<Edge>)> {
    best_place(&trials.iter().map(Trial::score).collect::<Vec<_>>())
}

/// The end of the rates up to which all are as good as the best, where several are.
pub fn tied_end(trials: &[Trial]) -> Option<Edge> {
    let scores: Vec<Option<f64>> = trials.iter().map(Trial::score).collect();
    let (place, _) = best_place(&scores)?;
    let ties = |at: usize| scores[at] == scores[place];
    let alone = (0..scores.len()).filter(|at| ties(*at)).count() == 1;
    match ((0..=place).all(ties), (place..scores.len()).all(ties)) {
        _ if alone => None,
        (true, _) => Some(Edge::Lowest),
        (_, true) => Some(Edge::Highest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equally_good_neighbours_the_middle_one_is_taken_and_none_is_an_edge() {
        let trial = |learning_rate, accuracy: f64| Trial {
            learning_rate,
            validation: vec![accuracy - 0.25, accuracy + 0.25],
            ..Trial::default()
        };
        let trials = [trial(0.1, 0.5), trial(0.2, 0.75), trial(0.4, 0.75), trial(0.8, 0.5)];
        assert_eq!(best_trial(&trials), Some((1, None)));
        assert_eq!(best_trial(&trials[1..]), Some((0, None)));
        assert_eq!(best_trial(&trials[2..]), Some((0, Some(Edge::Lowest))));
        assert_eq!(best_trial(&trials[..2]), Some((1, Some(Edge::Highest))));
        let easy: Vec<Trial> = (1..=5).map(|rate| trial(f64::from(rate), 0.75)).collect();
        assert_eq!(best_trial(&easy), Some((2, None)));
        assert_eq!(best_trial(&[]), None);
        let ends = [&trials[..], &trials[1..], &trials[2..], &trials[..3], &trials[..2], &[]];
        let none_but_ties = [None, Some(Edge::Lowest), None, Some(Edge::Highest), None, None];
        assert_eq!(ends.map(tied_end), none_but_ties);
        assert_eq!(tied_end(&easy), Some(Edge::Lowest));
        assert_eq!(best_place(&[None, Some(1.0), None, Some(1.0)]), Some((1, None)));
    }

    #[test]
    fn where_runs_end_at_a_target_the_fewest_steps_to_it_are_the_best() {
        let trial = |learning_rate, accuracy, steps: [Option<f64>; 2]| Trial {
            learning_rate,
            validation: vec![accuracy; 2],
            steps_to_target: steps.to_vec(),
            diverged: 0,
        };
        // The slow one never gets there, the next is the fastest, the last ones overshoot.
        let trials = [
            trial(0.01, 0.69, [None, None]),
            trial(0.1, 0.71, [Some(40.0), Some(90.0)]),
            trial(0.2, 0.79, [Some(70.0), Some(70.0)]),
            trial(0.4, 0.75, [Some(10.0), None]),
        ];
        assert_eq!(best_trial(&trials), Some((1, None)));
        assert_eq!(trials[1].typical_steps().map(f64::round), Some(60.0));
        assert_eq!((trials[3].missed(), trials[3].scores()), (1, None));
        // Where none gets there, the one that misses the fewest, then the most accurate.
        assert_eq!(best_trial(&[trials[0].clone(), trials[3].clone()]).unwrap().0, 1);
        let closer = trial(0.02, 0.695, [None, None]);
        assert_eq!(best_trial(&[trials[0].clone(), closer]).unwrap().0, 1);
        let wild = Trial { diverged: 1, ..trials[1].clone() };
        assert_eq!(best_trial(&[wild]), None);
    }
}

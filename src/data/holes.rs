//! Places of a series at which rows are missing: windows that reach over one take the rows on both sides for
//! neighbours.

use super::moment::Moment;
use crate::format::{count, counted};
use serde::{Deserialize, Serialize};

/// Places at which the time goes on by much more than the usual step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holes {
    /// How many there are in all series.
    pub count: usize,
    /// Usual steps that the widest one takes.
    pub steps: u64,
    /// The lines on both sides of that one.
    pub lines: [u64; 2],
    /// Windows that reach over one.
    pub windows: usize,
}

/// Fewer steps than these have no usual one.
const FEW: usize = 8;

/// For each row of a series, in the order of time, how many holes are before it; empty where there are none.
/// The widest one, too: the row behind it, and the usual steps that it takes.
pub(super) fn before(times: &[Moment]) -> (Vec<usize>, Option<(usize, u64)>) {
    let steps: Vec<Moment> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let mut sorted = steps.clone();
    sorted.sort_unstable();
    let usual = sorted.get(steps.len() / 2).copied().unwrap_or(0);
    if steps.len() < FEW || usual <= 0 {
        return (Vec::new(), None);
    }
    let share = |step: Moment| step as f64 / usual as f64;
    // Months are not of one length, and days of trade leave out the weekends.
    let near = steps.iter().filter(|step| (share(**step) - 1.0).abs() < 0.15).count();
    let most = if near * 10 >= steps.len() * 9 { 1.9 } else { 10.0 };
    let mut found = 0;
    let mut before = vec![0];
    before.extend(steps.iter().map(|step| {
        found += usize::from(share(*step) > most);
        found
    }));
    let widest = (0..steps.len()).max_by_key(|at| steps[*at]).filter(|_| found > 0);
    match widest {
        Some(at) => (before, Some((at + 1, share(steps[at]).round() as u64))),
        None => (Vec::new(), None),
    }
}

impl Holes {
    /// Takes in the holes of one more series, whose rows stand in these lines and whose windows span
    /// `needed` rows.
    pub(super) fn take_in(
        &mut self,
        times: &[Moment],
        lines: &dyn Fn(usize) -> u64,
        (needed, stride): (usize, usize),
    ) {
        let (before, Some((behind, steps))) = before(times) else { return };
        self.count += before.last().copied().unwrap_or(0);
        if steps > self.steps {
            (self.steps, self.lines) = (steps, [lines(behind - 1), lines(behind)]);
        }
        let firsts = (0..(times.len() + 1).saturating_sub(needed)).step_by(stride);
        self.windows += firsts.filter(|at| before[*at] < before[at + needed - 1]).count();
    }

    /// The warning; `unit` is `line` or `row`, which the file has.
    pub(super) fn warning(&self, unit: &str, windows: usize) -> String {
        let [before, behind] = self.lines;
        let place = format!("between {unit} {before} and {unit} {behind}");
        let steps = count(self.steps);
        let which = match self.count {
            1 => format!("{place} the time of the series goes on by {steps} usual steps"),
            more => format!(
                "at {} places the time of a series goes on by several usual steps, {place} by {steps}",
                count(more as u64)
            ),
        };
        format!(
            "{which}: {} of {} over it and take the rows on both sides for neighbours; fill in the missing \
             rows, or give the rows on each side a `data.series.group` of their own",
            count(self.windows as u64),
            counted(windows, "window") + if self.windows == 1 { " reaches" } else { " reach" },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(times: &[Moment], needed: usize) -> Holes {
        let mut holes = Holes::default();
        holes.take_in(times, &|row| row as u64 + 2, (needed, 1));
        holes
    }

    #[test]
    fn a_hole_in_regular_times_is_found_with_the_windows_that_reach_over_it() {
        let times: Vec<Moment> = (0..40).filter(|at| !(20..25).contains(at)).collect();
        let holes = found(&times, 4);
        assert_eq!(holes, Holes { count: 1, steps: 6, lines: [21, 22], windows: 3 });
        let said = holes.warning("line", 32);
        let expected = "between line 21 and line 22 the time of the series goes on by 6 usual steps: 3 of 32 \
                        windows reach over it";
        assert!(said.starts_with(expected), "{said}");
        assert_eq!(found(&times, 1).windows, 0);
        assert_eq!(found(&(0..40).collect::<Vec<_>>(), 4), Holes::default());
    }

    #[test]
    fn months_weekends_and_irregular_times_have_no_holes_but_where_much_is_missing() {
        let months = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut at = 0;
        let months: Vec<Moment> = months
            .iter()
            .map(|days| {
                at += days;
                at
            })
            .collect();
        assert_eq!(found(&months, 2).count, 0);
        let trade: Vec<Moment> = (0..100).filter(|day| day % 7 < 5).collect();
        assert_eq!(found(&trade, 2).count, 0);
        let mut torn = trade;
        torn.iter_mut().skip(40).for_each(|day| *day += 30);
        assert_eq!(found(&torn, 2).count, 1);
        assert_eq!(found(&[0, 1, 90], 2).count, 0, "too few to know");
        let far: Vec<Moment> =
            [Moment::MIN].into_iter().chain(0..20).chain([Moment::MAX]).collect();
        assert_eq!(found(&far, 2).count, 2);
    }
}

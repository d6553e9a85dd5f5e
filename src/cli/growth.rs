//! What is said of a study that adds seeds: before it begins, at each look, and at its end.

use super::format::{command, counted, list};
use crate::study::{Additions, Looked, Plan, Selection, Stop};

/// How far it goes at most; `None` where no seeds are added.
pub(super) fn before(plan: &Plan, selection: &Selection) -> Option<String> {
    let growth = plan.study.growth?;
    if !selection.only.is_empty() {
        return Some("until  `--only` trains what it names: no seeds are added".into());
    }
    let most = plan.at_most()?;
    let time = growth.time.map_or(String::new(), |time| format!(", for at most {time}"));
    Some(format!(
        "until  settled: seeds are added, up to {} in each arm ({}){time}; how many it takes can be told after the \
         first {}",
        growth.most,
        counted(most.runs.len(), "run"),
        growth.first
    ))
}

/// What was found at one number of seeds.
pub(super) fn looked(looked: &Looked) -> String {
    let found = match (looked.settled, looked.expected_seeds) {
        (true, _) => "settled".to_owned(),
        (false, Some(seeds)) => format!("not settled; {}", if_equal(seeds)),
        (false, None) if looked.seeds >= LEAST => {
            "not settled; if they are equally good, it takes more than 100 seeds or a day"
                .to_owned()
        }
        (false, None) => "not settled".to_owned(),
    };
    let out = match &looked.out[..] {
        [] => String::new(),
        out => format!("; no more seeds for {}", list(out)),
    };
    format!("{}: {found}{out}", counted(looked.seeds as usize, "seed"))
}

/// Of fewer seeds nothing is expected.
const LEAST: u64 = 3;

/// What the number of seeds is that is expected: those that equally good arms take. Others take fewer.
fn if_equal(seeds: usize) -> String {
    format!("if they are equally good, about {seeds} seeds settle it")
}

/// Why it ended; what the same command does where it was interrupted is told with the runs.
pub(super) fn after(additions: &Additions, words: &[String]) -> Option<String> {
    let last = additions.looks.last();
    let seeds = counted(additions.seeds as usize, "seed");
    let again = || format!("To resume, repeat:\n  {}", command(words));
    let said = match additions.stopped? {
        Stop::Interrupted => return None,
        Stop::Settled => format!("stopped after {seeds}: it is settled{}", left_out(additions)),
        Stop::MaxSeeds => {
            let expected = last.and_then(|look| look.expected_seeds);
            let expected = expected.filter(|n| *n as u64 > additions.seeds);
            let expected = expected.map_or(String::new(), |n| format!(" ({})", if_equal(n)));
            format!(
                "stopped after {seeds}, the most that were allowed: it is not settled{expected}{}. A \
                 larger `--max-seeds` goes on",
                left_out(additions)
            )
        }
        Stop::MaxTime if additions.looks.is_empty() => format!(
            "stopped, since {} is over, before the first {} were finished; everything so far is saved. \
             {}",
            time(additions),
            counted(additions.first as usize, "seed"),
            again()
        ),
        Stop::MaxTime => format!(
            "stopped after {seeds}, since {} is over{}. {}",
            time(additions),
            left_out(additions),
            again()
        ),
    };
    Some(said)
}

/// How a study stands that adds seeds.
pub(super) fn standing(additions: &Additions, in_use: bool) -> String {
    let seeds = counted(additions.seeds as usize, "seed");
    match additions.stopped {
        None if in_use => format!(
            "seeds are added until it is settled: {} so far, at most {}",
            additions.seeds, additions.max_seeds
        ),
        Some(Stop::Settled) => {
            format!("no more seeds are added: it was settled after {seeds}{}", left_out(additions))
        }
        Some(Stop::MaxSeeds) => format!(
            "no more seeds are added: {seeds} are the most that were allowed{}",
            left_out(additions)
        ),
        Some(Stop::MaxTime) => format!(
            "{} was over after {seeds}{}; the same command goes on",
            time(additions),
            left_out(additions)
        ),
        None | Some(Stop::Interrupted) => {
            format!("the same command goes on adding seeds, up to {}", additions.max_seeds)
        }
    }
}

fn time(additions: &Additions) -> String {
    additions.max_time.as_ref().map_or("the time".into(), |time| format!("the time of {time}"))
}

/// Which arms got no more seeds, and from when on.
fn left_out(additions: &Additions) -> String {
    let mut told: Vec<&String> = Vec::new();
    let mut parts = Vec::new();
    for look in &additions.looks {
        for arm in look.out.iter().filter(|arm| !told.contains(arm)).collect::<Vec<_>>() {
            told.push(arm);
            parts.push(format!("{arm} after {}", look.seeds));
        }
    }
    match parts.len() {
        0 => String::new(),
        _ => format!("; no more seeds for {}", list(&parts)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn additions(stopped: Stop, looks: &[u64]) -> Additions {
        let look = |seeds: &u64| Looked {
            seeds: *seeds,
            settled: false,
            out: Vec::new(),
            expected_seeds: Some(60),
        };
        Additions {
            first: 5,
            max_seeds: 6,
            max_time: Some("10m".into()),
            looks: looks.iter().map(look).collect(),
            seeds: looks.last().copied().unwrap_or(2),
            stopped: Some(stopped),
        }
    }

    #[test]
    fn a_look_says_how_it_stands_and_which_arms_get_no_more() {
        let look = |settled, expected_seeds, out: &[&str]| {
            let out = out.iter().map(|arm| (*arm).to_owned()).collect();
            looked(&Looked { seeds: 7, settled, out, expected_seeds })
        };
        assert_eq!(
            look(false, Some(12), &["batch-8", "batch-256"]),
            "7 seeds: not settled; if they are equally good, about 12 seeds settle it; no more seeds for batch-8 \
             and batch-256"
        );
        let beyond =
            looked(&Looked { seeds: 105, settled: false, out: vec![], expected_seeds: None });
        assert!(
            beyond.ends_with("if they are equally good, it takes more than 100 seeds or a day")
        );
        assert_eq!(look(true, Some(7), &[]), "7 seeds: settled");
    }

    #[test]
    fn the_end_says_why_and_how_to_go_on() {
        let words = ["batchscope", "quick", "a.csv"].map(String::from);
        let said = |stopped, looks: &[u64]| after(&additions(stopped, looks), &words).unwrap();
        assert_eq!(said(Stop::Settled, &[5, 6]), "stopped after 6 seeds: it is settled");
        assert_eq!(
            said(Stop::MaxSeeds, &[5, 6]),
            "stopped after 6 seeds, the most that were allowed: it is not settled (if they are equally good, \
             about 60 seeds settle it). A larger `--max-seeds` goes on"
        );
        assert_eq!(
            said(Stop::MaxTime, &[5]),
            "stopped after 5 seeds, since the time of 10m is over. To resume, repeat:\n  batchscope quick \
             a.csv"
        );
        assert!(said(Stop::MaxTime, &[]).contains("before the first 5 seeds were finished"));
        assert_eq!(after(&additions(Stop::Interrupted, &[5]), &words), None);
    }

    #[test]
    fn arms_that_got_no_more_seeds_are_named_once_with_the_look_at_which_they_went() {
        let mut found = additions(Stop::Settled, &[5, 6, 7]);
        for (look, out) in found.looks.iter_mut().zip([vec![], vec!["b"], vec!["b", "c"]]) {
            look.out = out.into_iter().map(String::from).collect();
        }
        let said = "no more seeds are added: it was settled after 7 seeds; no more seeds for b after 6 \
                    and c after 7";
        assert_eq!(standing(&found, false), said);
        found.stopped = None;
        let said = "seeds are added until it is settled: 7 so far, at most 6";
        assert_eq!(standing(&found, true), said);
    }
}

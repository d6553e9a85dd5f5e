//! What is said of a study that adds seeds: before it begins, at each look, and at its end.

use super::format::{command, counted};
use crate::analysis::list;
use crate::study::{Additions, Looked, Plan, Selection, Stop};

/// How far it goes at most; `None` where no seeds are added.
pub(super) fn before(plan: &Plan, selection: &Selection) -> Option<String> {
    let growth = plan.study.growth?;
    if !selection.only.is_empty() {
        return Some("until  `--only` trains what it names: no seeds are added".into());
    }
    let most = plan.at_most()?;
    let time = growth.time.map_or(String::new(), |time| format!(", begun within {time}"));
    Some(format!(
        "until  settled: seeds are added, up to {} in each arm ({}{time})",
        growth.most,
        counted(most.runs.len(), "run")
    ))
}

/// What was found at one number of seeds.
pub(super) fn looked(looked: &Looked) -> String {
    let found = match (looked.settled, looked.expected_seeds) {
        (true, _) => "settled".to_owned(),
        (false, Some(seeds)) => format!("not settled; about {seeds} are expected to settle it"),
        (false, None) => "not settled".to_owned(),
    };
    let out = match &looked.out[..] {
        [] => String::new(),
        out => format!("; no more seeds for {}", list(out)),
    };
    format!("{}: {found}{out}", counted(looked.seeds as usize, "seed"))
}

/// Why it ended; what the same command does where it was interrupted is told with the runs.
pub(super) fn after(additions: &Additions, words: &[String]) -> Option<String> {
    let last = additions.looks.last();
    let seeds = counted(additions.seeds as usize, "seed");
    let at: Vec<String> = additions.looks.iter().map(|look| look.seeds.to_string()).collect();
    let looks = match at.len() {
        0 | 1 => String::new(),
        _ => format!(" (looked at after {})", list(&at)),
    };
    let said = match additions.stopped? {
        Stop::Interrupted => return None,
        Stop::Settled => format!("stopped after {seeds}, since it is settled{looks}"),
        Stop::MaxSeeds => {
            let expected = last.and_then(|look| look.expected_seeds);
            let expected =
                expected.map_or(String::new(), |n| format!("; it is expected to take about {n}"));
            format!(
                "stopped after {seeds}, the most that were allowed, and not settled{looks}{expected}. A \
                 larger `--max-seeds` goes on"
            )
        }
        Stop::MaxTime if additions.looks.is_empty() => {
            let time = additions.max_time.as_deref().unwrap_or("the time");
            format!(
                "stopped, since {time} are over, before the first {} were finished; everything so far \
                 is saved. To go on, repeat:\n  {}",
                counted(additions.first as usize, "seed"),
                command(words)
            )
        }
        Stop::MaxTime => {
            let time = additions.max_time.as_deref().unwrap_or("the time");
            format!(
                "stopped after {seeds}, since {time} are over{looks}. To go on, repeat:\n  {}",
                command(words)
            )
        }
    };
    Some(said)
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
            "7 seeds: not settled; about 12 are expected to settle it; no more seeds for batch-8 and \
             batch-256"
        );
        assert_eq!(look(true, Some(7), &[]), "7 seeds: settled");
    }

    #[test]
    fn the_end_says_why_and_how_to_go_on() {
        let words = ["batchscope", "quick", "a.csv"].map(String::from);
        let said = |stopped, looks: &[u64]| after(&additions(stopped, looks), &words).unwrap();
        assert_eq!(
            said(Stop::Settled, &[5, 6]),
            "stopped after 6 seeds, since it is settled (looked at after 5 and 6)"
        );
        assert!(said(Stop::MaxSeeds, &[5, 6]).contains("about 60. A larger `--max-seeds` goes on"));
        assert!(
            said(Stop::MaxTime, &[5])
                .ends_with("10m are over. To go on, repeat:\n  batchscope quick a.csv")
        );
        assert!(said(Stop::MaxTime, &[]).contains("before the first 5 seeds were finished"));
        assert_eq!(after(&additions(Stop::Interrupted, &[5]), &words), None);
    }
}

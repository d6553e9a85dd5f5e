//! Rules of a study that goes on: `study.until`, how far it may go, and arms with fewer seeds.

use super::{Checked, MOST_SEEDS, broken, count};
use crate::config::{ArmSection, StudySection};

pub(super) fn check(study: &StudySection) -> Checked {
    let given = [("max_seeds", study.max_seeds.is_some()), ("max_time", study.max_time.is_some())];
    if let (None, Some((key, _))) = (study.until, given.iter().find(|(_, given)| *given)) {
        return Err(broken(
            &format!("study.{key}"),
            "limits a study that adds seeds, and this one adds none",
            "add `until: settled` to `study` (or `--until-settled`), or say `seeds` alone",
        ));
    }
    let Some(most) = study.max_seeds else { return Ok(()) };
    count("study.max_seeds", most, MOST_SEEDS)?;
    match most < study.seeds {
        false => Ok(()),
        true => Err(broken(
            "study.max_seeds",
            format!("must be at least `seeds`, which is {}, received {most}", study.seeds),
            "`seeds` is the number to begin with: lower it too",
        )),
    }
}

/// An arm's own number of seeds, which is not larger than that of the study.
pub(super) fn arm(study: &StudySection, arm: &ArmSection, path: &str) -> Checked {
    let Some(seeds) = arm.seeds else { return Ok(()) };
    count(path, seeds, MOST_SEEDS)?;
    match seeds > study.seeds {
        false => Ok(()),
        true => Err(broken(
            path,
            format!("must be at most `study.seeds`, which is {}, received {seeds}", study.seeds),
            "write the largest number in `study.seeds`, and smaller ones in their arms",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Source, Study};

    #[test]
    fn each_rule_names_the_line_the_key_and_what_was_received() {
        let cases = [
            ("max_seeds: 9,", "line 1: limits a study that adds seeds", "study.max_seeds"),
            ("max_time: 9m,", "limits a study that adds seeds", "study.max_time"),
            (
                "until: settled, max_seeds: 4,",
                "must be at least `seeds`, which is 5, received 4",
                "",
            ),
            ("until: settled, max_seeds: 0,", "must be from 1 to 10000, received 0", ""),
            (
                "until: settled, max_time: 10,",
                "wrong type: received integer `10`, expected a time",
                "",
            ),
            (
                "until: settled, max_time: 10 min,",
                "expected a time such as `90s`",
                "received `10 min`",
            ),
            ("until: done,", "unknown value `done`", "study.until"),
            (
                "until: settled, max_seeds: 10000,",
                "11 arms with 10000 seeds each are 110000 runs",
                "",
            ),
            (
                "until: settled, max_seeds: 1001, learning_rate: { tuned: {} },",
                "tuning has the seeds from 1000 on",
                "study.max_seeds",
            ),
        ];
        let rest = "data: { table: { path: a.csv } }\nmodel: { embedding: { dim: 8 } }";
        let said = |study: String| {
            let text = format!("study: {study}\n{rest}\n");
            let source = Source { name: "f.yaml".into(), text, overrides: vec![] };
            Study::from_source(&source, "f").map_or_else(|error| error.message, |_| "taken".into())
        };
        for (keys, rule, place) in cases {
            let sizes: Vec<u32> = (1..=11).collect();
            let said = said(format!("{{ {keys} grid: {{ batch_size: {sizes:?} }} }}"));
            assert!(said.contains(rule) && said.contains(place), "{said}\nlacks\n{rule} {place}");
        }
        let arm = said("{ arms: [{ batch_size: 8 }, { batch_size: 16, seeds: 6 }] }".into());
        assert!(arm.contains("`study.seeds`, which is 5, received 6 (at `study.arms[1].seeds`)"));
        assert_eq!(
            said("{ until: settled, seeds: 50, grid: { batch_size: [8] } }".into()),
            "taken"
        );
    }
}

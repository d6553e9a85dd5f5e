//! What labels are, in a few words.

use super::format::{count, in_line, number};
use crate::data::{Found, SplitFacts, TargetFacts};
use crate::format::first_few;

/// The examples of a split with what their labels are: `72 training (36 with label `yes`)`.
pub(super) fn of_split(name: &str, split: &SplitFacts, classes: &[String]) -> String {
    let examples = count(split.examples as u64);
    let inside = match (split.positives, split.targets) {
        (Some(positives), _) => {
            let class = classes.get(1).map_or("1", String::as_str);
            format!("{} with label `{}`", count(positives as u64), in_line(class))
        }
        (None, Some(TargetFacts { mean, least, most, .. })) => numbers(mean, least, most),
        _ if split.examples == 0 => return format!("{examples} {name}"),
        (None, None) => each(classes.iter().map(String::as_str).zip(split.counts.iter().copied())),
    };
    format!("{examples} {name} ({inside})")
}

/// What was found by `init`.
pub(super) fn of_found(found: &Found) -> String {
    match found {
        Found::Classes(classes) => {
            let counts = classes.iter().map(|(class, rows)| (class.as_str(), *rows));
            format!("{} classes ({})", count(classes.len() as u64), each(counts))
        }
        Found::Numbers { distinct, mean, least, most, .. } => format!(
            "numbers ({} different ones {})",
            count(*distinct as u64),
            numbers(*mean, *least, *most)
        ),
    }
}

/// The rows of the first classes.
fn each<'c>(counts: impl Iterator<Item = (&'c str, usize)>) -> String {
    const SHOWN: usize = 5;
    let one = |(class, rows): (&str, usize)| {
        let class: String = in_line(class).chars().take(40).collect();
        format!("`{class}` {}", count(rows as u64))
    };
    let all: Vec<String> = counts.map(one).collect();
    first_few(&all, SHOWN)
}

fn numbers(mean: f64, least: f32, most: f32) -> String {
    let [least, most] = [least, most].map(|end| number(f64::from(end)));
    format!("from {least} to {most}, mean {}", number(mean))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_told_with_its_positives_its_classes_or_its_range() {
        let classes = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let split = SplitFacts { examples: 1200, ..SplitFacts::default() };
        let two = SplitFacts { positives: Some(300), ..split.clone() };
        assert_eq!(
            of_split("training", &two, &classes("no yes")),
            "1,200 training (300 with label `yes`)"
        );
        let seven = SplitFacts { counts: vec![600, 100, 100, 100, 100, 100, 100], ..split.clone() };
        assert_eq!(
            of_split("test", &seven, &classes("a b c d e f g")),
            "1,200 test (`a` 600, `b` 100, `c` 100, `d` 100, `e` 100 and 2 more)"
        );
        let targets = Some(TargetFacts { mean: 4.0, sd: 2.0, least: -1.5, most: 9.0 });
        let numbers = SplitFacts { targets, ..split };
        assert_eq!(of_split("test", &numbers, &[]), "1,200 test (from -1.5 to 9, mean 4)");
        assert_eq!(of_split("test", &SplitFacts::default(), &[]), "0 test");
        let found = Found::Classes(vec![("a".into(), 2), ("b".into(), 1), ("c".into(), 1)]);
        assert_eq!(of_found(&found), "3 classes (`a` 2, `b` 1, `c` 1)");
    }
}

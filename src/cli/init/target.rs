//! Which column holds the labels, and whether they are two classes, several, or numbers.

use crate::data::{Column, FEW_NUMBERS, Found, are_with_commas, is_time};
use std::collections::BTreeMap;

/// Names that labels often have, the likeliest first.
const LABEL_NAMES: [&str; 8] =
    ["label", "target", "class", "y", "sentiment", "category", "outcome", "answer"];

/// The first names say so plainly: such a column is taken before one of two values with another name.
const PLAIN_NAMES: usize = 4;

/// Rows that a class has at least on average.
const ROWS_OF_A_CLASS: usize = 3;

/// A column that could hold the labels.
#[derive(Debug)]
pub(super) struct Target<'c> {
    pub(super) column: &'c Column,
    pub(super) found: Found,
}

impl Target<'_> {
    fn has_two_classes(&self) -> bool {
        matches!(&self.found, Found::Classes(classes) if classes.len() == 2)
    }

    /// Where its name stands among those that labels have.
    fn rank(&self) -> usize {
        let name = self.column.name.to_lowercase();
        LABEL_NAMES.iter().position(|known| *known == name).unwrap_or(LABEL_NAMES.len())
    }
}

/// What a column holds if it can be the label: a value in every row, of two classes, of several or
/// numbers. One that the user `named` may have more classes.
pub(super) fn look(column: &Column, named: bool) -> Option<Target<'_>> {
    let values: Vec<&str> = column.values.iter().map(|value| value.trim()).collect();
    if values.is_empty() || values.iter().any(|value| value.is_empty()) {
        return None;
    }
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    values.iter().for_each(|value| *rows.entry(value).or_default() += 1);
    let count = rows.len();
    let are_classes = values.len() >= ROWS_OF_A_CLASS * count;
    let found = match (count, numbers(&values)) {
        (0 | 1, _) => return None,
        (2, _) => classes(rows),
        (_, Some(numbers)) => {
            let are_whole = numbers.iter().all(|number| number.fract() == 0.0);
            if are_whole && count <= FEW_NUMBERS {
                let mut found = classes(rows);
                if let Found::Classes(classes) = &mut found {
                    let size = |class: &str| class.parse::<f64>().unwrap_or(0.0);
                    classes.sort_by(|(a, _), (b, _)| size(a).total_cmp(&size(b)));
                }
                are_classes.then_some(found)?
            } else {
                let narrow: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
                (named || !is_counting(&numbers)).then(|| Found::of_numbers(&narrow))?
            }
        }
        // Texts that are numbers elsewhere are no classes.
        (_, None) if are_with_commas(values.iter().copied()) => return None,
        (_, None) => {
            let most = if named { 1000 } else { 50 };
            let are_times = !named && values.iter().all(|value| is_time(value));
            (are_classes && count <= most && !are_times).then(|| classes(rows))?
        }
    };
    Some(Target { column, found })
}

fn classes(rows: BTreeMap<&str, usize>) -> Found {
    Found::Classes(rows.into_iter().map(|(value, rows)| (value.to_owned(), rows)).collect())
}

/// The values as numbers, where all of them are.
fn numbers(values: &[&str]) -> Option<Vec<f64>> {
    let fits = |number: &f64| (*number as f32).is_finite();
    let number = |value: &&str| value.parse().ok().filter(fits);
    values.iter().map(number).collect()
}

/// Whether they number the rows.
fn is_counting(numbers: &[f64]) -> bool {
    numbers.windows(2).all(|pair| (pair[1] - pair[0] - 1.0).abs() < 0.5)
}

/// The likeliest: a column that is plainly called so, then one of two classes, then by its name, classes
/// before numbers. Of columns that rank alike the last one: labels mostly stand behind what they label.
pub(super) fn likely<'t, 'c>(targets: &'t [Target<'c>]) -> Option<&'t Target<'c>> {
    let key = |target: &&Target<'c>| {
        let (rank, two) = (target.rank(), target.has_two_classes());
        (rank >= PLAIN_NAMES, !two, rank, matches!(target.found, Found::Numbers { .. }))
    };
    targets.iter().rev().min_by_key(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, value: impl Fn(usize) -> String) -> Column {
        Column { name: name.into(), values: (0..60).map(value).collect(), absent: None }
    }

    fn kind(column: &Column) -> String {
        match look(column, false).map(|target| target.found) {
            None => "none".to_owned(),
            Some(Found::Classes(classes)) => {
                classes.iter().map(|(class, _)| class.as_str()).collect::<Vec<_>>().join(" ")
            }
            Some(Found::Numbers { least, most, .. }) => format!("{least} to {most}"),
        }
    }

    #[test]
    fn few_values_are_classes_many_numbers_are_numbers_and_the_rest_is_neither() {
        assert_eq!(kind(&column("a", |at| ["no", "yes"][at % 2].into())), "no yes");
        assert_eq!(
            kind(&column("a", |at| ["red", "blue", "green"][at % 3].into())),
            "blue green red"
        );
        assert_eq!(kind(&column("a", |at| (8 + at % 4).to_string())), "8 9 10 11", "by size");
        assert_eq!(kind(&column("a", |at| format!("{}", at as f32 / 4.0))), "0 to 14.75");
        assert_eq!(kind(&column("a", |at| (at * 7 % 31).to_string())), "0 to 30");
        assert_eq!(kind(&column("a", |at| at.to_string())), "none", "it numbers the rows");
        assert_eq!(kind(&column("a", |at| format!("user {at}"))), "none");
        assert_eq!(
            kind(&column("a", |at| if at == 7 { "".into() } else { (at % 2).to_string() })),
            "none"
        );
        assert_eq!(kind(&column("a", |at| format!("2024-01-{:02}", 1 + at % 9))), "none");
        assert!(look(&column("a", |at| at.to_string()), true).is_some(), "who names it means it");
    }

    #[test]
    fn two_classes_are_taken_first_unless_another_column_is_plainly_called_label() {
        let taken = |names: [&str; 3]| {
            let columns = [
                column(names[0], |at| format!("{}", at as f32 / 4.0)),
                column(names[1], |at| ["red", "blue", "green"][at % 3].into()),
                column(names[2], |at| (at % 2).to_string()),
            ];
            let targets: Vec<Target<'_>> =
                columns.iter().filter_map(|column| look(column, false)).collect();
            likely(&targets).unwrap().column.name.clone()
        };
        assert_eq!(taken(["price", "color", "sold"]), "sold");
        assert_eq!(taken(["price", "category", "sold"]), "sold");
        assert_eq!(taken(["price", "label", "sold"]), "label");
        assert_eq!(taken(["target", "label", "y"]), "y", "two classes with a plain name");
        assert_eq!(taken(["target", "color", "sold"]), "target");
    }
}

//! Which batch sizes are compared, and whether there is time to tune learning rates.

use super::guess::Guess;
use crate::cli::format::{count, duration};
use crate::config::Tuned;

/// Three sizes that make at least a few steps an epoch with so many training rows.
pub(super) fn batch_sizes(rows: usize) -> [usize; 3] {
    match rows {
        2048.. => [32, 128, 256],
        256.. => [8, 32, 64],
        _ => [2, 4, 8],
    }
}

/// What a row costs: its time steps, where one of 64 numbers counts as one.
pub(super) fn cost_of_row(guess: &Guess) -> f64 {
    match guess {
        Guess::Table(table) => table.mean_words.min(table.length as f64),
        Guess::Arrays(known) => match known.arrays.train.0.dims[..] {
            [_, steps, features] => steps as f64 * (64 + features) as f64 / 128.0,
            [_, steps] => steps as f64,
            _ => 1.0,
        },
    }
}

/// Whether learning rates are tuned, and what that costs; `steps` are those of all rows in one epoch.
pub(super) fn tuning(steps: f64, sizes: usize) -> String {
    /// Of LSTM(64) on one core with small batches: docs/benchmarks.md has up to twice as many.
    const STEPS_A_SECOND: f64 = 700_000.0;
    const CORES: f64 = 2.0;
    const EPOCHS: f64 = 10.0;
    const AFFORDABLE: f64 = 600.0;
    let rule = Tuned::default();
    let runs = sizes * rule.count() * rule.seeds as usize;
    let seconds = runs as f64 * EPOCHS * steps / (CORES * STEPS_A_SECOND);
    let cost = format!("{runs} runs more, about {} on two cores", duration(seconds.max(1.0)));
    match seconds <= AFFORDABLE {
        true => format!("  # a learning rate for each batch size, found first: {cost}\n{TUNED}"),
        false => format!(
            "  # one learning rate may suit some batch sizes better than others. The next line finds one for\n  \
             # each, and is left out for its cost: {cost}\n  # learning_rate: {{ tuned: {{}} }}\n"
        ),
    }
}

const TUNED: &str = "  learning_rate: { tuned: {} }\n";

/// The text of an experiment file whose learning rates are not tuned, for lack of time.
pub(in crate::cli) fn untuned(yaml: &str) -> String {
    let given = format!(
        "  # There was no time for that: all sizes have the rate below. To tune the rates, take the next `#` away\n  \
         # and give the study another name (`name: tuned`), so that it has a folder of its own.\n  #{}",
        &TUNED[1..]
    );
    yaml.replace(TUNED, &given)
}

/// Why sizes are smaller than usual.
pub(super) fn why_small(rows: usize, sizes: [usize; 3]) -> String {
    match sizes[2] < 256 {
        true => format!("; small, since only about {} train", count(rows as u64)),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_rates_are_not_tuned_says_so_and_how_to_tune_them() {
        let text = untuned(&tuning(6_000.0, 3));
        assert!(text.ends_with("\n  # learning_rate: { tuned: {} }\n"), "{text}");
        assert!(
            text.contains("There was no time for that") && text.contains("another name"),
            "{text}"
        );
        let dear = tuning(15_000.0 * 230.0, 3);
        assert_eq!(untuned(&dear), dear);
    }
}

//! What else than the batch size can be behind a difference.

use super::size;
use crate::analysis::{At, Confounder, Given, Updates};
use crate::format::{count, counted, list};

/// A short name.
pub(in crate::report) fn name(found: &Confounder) -> &'static str {
    match found {
        Confounder::Updates { .. } => "updates",
        Confounder::TunedRates { .. } | Confounder::GivenRates { .. } => "learning rate",
        Confounder::Settings { .. } => "settings",
        Confounder::OptimizerMemory { .. } => "memory of the optimizer",
        Confounder::Penalties { .. } => "penalties",
        Confounder::Patience { .. } => "patience",
        Confounder::Schedule { .. } => "schedule",
        Confounder::WholeData { .. } | Confounder::MuchData { .. } => "batch and data",
        Confounder::ShortLastBatch { .. } | Confounder::LastBatch { .. } => "last batch",
        Confounder::Accumulation { .. } => "accumulation",
        Confounder::Hardware { .. } => "hardware",
        Confounder::SharedGpu { .. } => "shared GPU",
        Confounder::Padding { .. } => "padding",
        Confounder::RunningMeans { .. } => "training metrics",
    }
}

/// A clause without a stop.
pub(in crate::report) fn confounder(found: &Confounder) -> String {
    match found {
        Confounder::Updates { fewest, most } => updates(fewest, most),
        Confounder::TunedRates { trials: [fewest, most] } if fewest == most => {
            format!("learning rate tuned for each arm, {fewest} rates each, on separate seeds")
        }
        Confounder::TunedRates { trials: [fewest, most] } => format!(
            "learning rate tuned for each arm, {fewest} to {most} rates each (more where the best lay at \
             an end)"
        ),
        Confounder::GivenRates { rates, given } => given_rates(rates, *given),
        Confounder::Settings { paths } => format!("arms also differ in {}", list(paths)),
        Confounder::OptimizerMemory { small, large, rows } => memory(small, large, *rows),
        Confounder::Penalties { sizes: [small, large] } => format!(
            "penalties act once a step, {:.0} times as often in an epoch with {} as with {}",
            *large as f64 / (*small).max(1) as f64,
            size(*small),
            size(*large)
        ),
        Confounder::Patience { steps, some_without } => {
            let rest = if *some_without { "; other arms have none" } else { "" };
            format!("patience counts epochs: {}{rest}", each(steps, "step"))
        }
        Confounder::Schedule { small, large } => format!(
            "the schedule counts epochs ({}): the same rate at the same example, not at the same step",
            each(&[*small, *large], "step")
        ),
        Confounder::WholeData { sizes, rows } => format!(
            "all {} training examples fit into a batch of {}: an epoch is one step without sampling noise",
            size(*rows),
            sizes_of(sizes)
        ),
        Confounder::MuchData { sizes, rows } => format!(
            "more than a tenth of the {} training examples in a batch of {}: less gradient noise",
            size(*rows),
            sizes_of(sizes)
        ),
        Confounder::ShortLastBatch { rows } => {
            format!("few rows in the last step of an epoch, which weigh more: {}", last(rows))
        }
        Confounder::LastBatch { rows } => {
            format!("fewer rows in the last step of an epoch, at worst {}", last(&[*rows]))
        }
        Confounder::Accumulation { parts } => {
            let parts: Vec<String> =
                parts.iter().map(|[of, rows]| format!("{} by {rows}", size(*of))).collect();
            format!("gradients summed over parts of a batch ({}): the same step", list(&parts))
        }
        Confounder::Hardware { kinds } => hardware(kinds),
        Confounder::SharedGpu { runs } => shared_gpu(*runs),
        Confounder::Padding { is_read: true } => {
            "padding is read, to one length in all batches".into()
        }
        Confounder::Padding { is_read: false } => {
            "padding of token ids is masked; rows of numbers are read to their end".into()
        }
        Confounder::RunningMeans { drops } => {
            let drops = if *drops { ", with dropout on" } else { "" };
            format!("training metrics are means while the weights change{drops}; validation is not")
        }
    }
}

fn hardware(kinds: &[String]) -> String {
    format!(
        "arms were trained on different hardware ({}): their seconds cannot be compared",
        kinds.join("; ")
    )
}

fn shared_gpu(runs: usize) -> String {
    format!(
        "up to {runs} runs shared a GPU: times are those of their steps on a GPU of their own, from a few that \
         were timed alone"
    )
}

fn updates(fewest: &Updates, most: &Updates) -> String {
    if fewest.steps == most.steps {
        return format!("all runs made {} steps", count(most.steps));
    }
    let name = |of: &Updates| match most.batch_size == fewest.batch_size {
        true => of.arm.clone(),
        false => size(of.batch_size),
    };
    format!(
        "{} made {:.1} times as many steps as {}, {} against {}",
        name(most),
        most.steps as f64 / fewest.steps.max(1) as f64,
        name(fewest),
        count(most.steps),
        count(fewest.steps)
    )
}

fn given_rates(rates: &[f64], given: Given) -> String {
    let rates = list(&rates.iter().map(f64::to_string).collect::<Vec<_>>());
    match given {
        Given::ToAll => format!("the learning rate ({rates}) was not tuned"),
        Given::AsGrid => {
            format!("the best of {rates} was picked for each batch size on the same seeds")
        }
        Given::ByArm => format!("learning rates differ by arm ({rates}) and were not tuned"),
    }
}

fn memory(small: &At, large: &At, rows: Option<usize>) -> String {
    let examples = |at: &At| {
        let epochs = rows.map_or(String::new(), |rows| {
            format!(", {:.1} epochs", at.count as f64 / rows.max(1) as f64)
        });
        format!("{} examples with {}{epochs}", count(at.count), size(at.batch_size))
    };
    let [small, large] = [small, large].map(examples);
    format!("the optimizer averages squared gradients over {small}; {large}")
}

/// `188 steps with 32 and 6 steps with 1,024`
fn each(all: &[At], thing: &str) -> String {
    let one =
        |at: &At| format!("{} with {}", counted(at.count as usize, thing), size(at.batch_size));
    list(&all.iter().map(one).collect::<Vec<_>>())
}

/// `1 row with 32 (32 times the weight)`
fn last(rows: &[At]) -> String {
    let one = |at: &At| {
        let times = match at.batch_size as f64 / at.count.max(1) as f64 {
            few if few < 9.95 => format!("{few:.1}"),
            many => format!("{many:.0}"),
        };
        format!("{} ({times} times the weight)", each(&[*at], "row"))
    };
    list(&rows.iter().map(one).collect::<Vec<_>>())
}

fn sizes_of(sizes: &[usize]) -> String {
    list(&sizes.iter().map(|of| size(*of)).collect::<Vec<_>>())
}

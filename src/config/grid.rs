//! `study.grid`: all combinations of what it lists.

use super::{ArmSection, ModelSection, Rates, Schedule, TrainSection};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use serde_yaml::with::singleton_map_recursive;

/// `study.grid`: every batch size with everything else that is listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GridSection {
    /// Examples per step; with `accumulate`, those whose gradients are computed at a time.
    pub batch_size: Vec<u32>,
    /// Learning rates; as `study.learning_rate` says when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr: Option<Rates>,
    /// Schedules; that of `train` alone when left out.
    #[serde(default, with = "singleton_map_recursive", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Schedule>>")]
    pub schedule: Option<Vec<Schedule>>,
    /// Batches whose gradients are summed to one step: with `batch_size: [32]`, 8 is a batch of 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accumulate: Option<Vec<u32>>,
    /// Named sets of keys of `model` and `train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Vec<Variant>>,
}

/// A named set of keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// What the names of its arms end with, unless it changes nothing.
    pub name: String,
    /// Keys of `model` that differ in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ModelSection>")]
    pub model: Option<Value>,
    /// Keys of `train` that differ in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TrainSection>")]
    pub train: Option<Value>,
}

/// One combination, and which of the schedules and variants it has.
pub(super) struct Combination {
    pub(super) section: ArmSection,
    pub(super) schedule: Option<usize>,
    pub(super) variant: Option<usize>,
}

impl GridSection {
    /// How many combinations there are, told without making them.
    pub(super) fn count(&self) -> u64 {
        let rates = self.lr.as_ref().map_or(1, |rates| match rates {
            Rates::List(list) => list.len() as u64,
            Rates::Range(range) => u64::from(range.count),
        });
        let listed = |count: Option<usize>| count.map_or(1, |count| count as u64);
        let counts = [
            self.batch_size.len() as u64,
            rates,
            listed(self.schedule.as_ref().map(Vec::len)),
            listed(self.accumulate.as_ref().map(Vec::len)),
            listed(self.variants.as_ref().map(Vec::len)),
        ];
        counts.into_iter().fold(1, u64::saturating_mul)
    }

    /// All combinations, the last of the keys varying first. They are called
    /// `batch-32-lr-0.001-dropout-exponential`, with what the grid does not vary left out.
    pub(super) fn combinations(&self) -> Vec<Combination> {
        let rates = options(self.lr.as_ref().map(Rates::values));
        let parts = options(self.accumulate.clone());
        let labels = schedule_labels(self.schedule.as_deref().unwrap_or_default());
        let schedules = indices(self.schedule.as_ref().map(Vec::len));
        let variants = indices(self.variants.as_ref().map(Vec::len));
        let mut all = Vec::new();
        for batch_size in &self.batch_size {
            for accumulate in &parts {
                for lr in &rates {
                    for variant in &variants {
                        for schedule in &schedules {
                            let mut section = ArmSection::new(*batch_size);
                            section.accumulate = accumulate.filter(|parts| *parts != 1);
                            let mut name = section.plain_name();
                            if let Some(lr) = lr {
                                section.lr = Some(super::ArmRate::Value(*lr));
                                name += &format!("-lr-{lr}");
                            }
                            self.vary(&mut section, *variant, &mut name);
                            if let Some(index) = *schedule {
                                section.schedule =
                                    self.schedule.as_ref().map(|of| of[index].clone());
                                name += &labels[index];
                            }
                            section.name = Some(name);
                            let (schedule, variant) = (*schedule, *variant);
                            all.push(Combination { section, schedule, variant });
                        }
                    }
                }
            }
        }
        all
    }

    fn vary(&self, section: &mut ArmSection, variant: Option<usize>, name: &mut String) {
        let variants = self.variants.as_deref().unwrap_or_default();
        let Some(variant) = variant.and_then(|index| variants.get(index)) else { return };
        section.model = variant.model.clone();
        section.train = variant.train.clone();
        if variant.model.is_some() || variant.train.is_some() {
            *name += &format!("-{}", variant.name);
        }
    }
}

/// The values that a key takes: those listed, or none.
fn options<T>(listed: Option<Vec<T>>) -> Vec<Option<T>> {
    listed.map_or_else(|| vec![None], |values| values.into_iter().map(Some).collect())
}

fn indices(count: Option<usize>) -> Vec<Option<usize>> {
    options(count.map(|count| (0..count).collect()))
}

/// `-exponential` for a schedule, `-exponential-1` and `-exponential-2` for two of a kind, and
/// nothing for `constant`.
fn schedule_labels(schedules: &[Schedule]) -> Vec<String> {
    let kinds: Vec<&str> = schedules.iter().map(Schedule::name).collect();
    let label = |(index, kind): (usize, &&str)| {
        let same = |kinds: &[&str]| kinds.iter().filter(|other| *other == kind).count();
        match (*kind, same(&kinds)) {
            ("constant", _) => String::new(),
            (kind, 1) => format!("-{kind}"),
            (kind, _) => format!("-{kind}-{}", same(&kinds[..=index])),
        }
    };
    kinds.iter().enumerate().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(grid: &str) -> Vec<String> {
        let grid: GridSection = serde_yaml::from_str(grid).unwrap();
        grid.combinations().into_iter().filter_map(|found| found.section.name).collect()
    }

    #[test]
    fn arms_are_called_by_what_the_grid_varies() {
        assert_eq!(
            names("{ batch_size: [8], lr: { from: 0.001, to: 0.1, count: 3 } }"),
            ["batch-8-lr-0.001", "batch-8-lr-0.01", "batch-8-lr-0.1"]
        );
        assert_eq!(
            names(
                "{ batch_size: [32, 256], schedule: [constant, { exponential: { gamma: 0.9 } }] }"
            ),
            ["batch-32", "batch-32-exponential", "batch-256", "batch-256-exponential"]
        );
        assert_eq!(
            names(
                "{ batch_size: [32], accumulate: [1, 8], variants: [{ name: plain }, { name: \
                 dropout, model: { lstm: { dropout: 0.2 } } }] }"
            ),
            [
                "batch-32",
                "batch-32-dropout",
                "batch-256-accumulate-8",
                "batch-256-accumulate-8-dropout"
            ]
        );
        assert_eq!(
            names(
                "{ batch_size: [8], schedule: [{ exponential: { gamma: 0.9 } }, { exponential: \
                 { gamma: 0.8 } }, { cosine: {} }] }"
            ),
            ["batch-8-exponential-1", "batch-8-exponential-2", "batch-8-cosine"]
        );
    }
}

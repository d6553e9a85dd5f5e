//! When a run is measured, and what ends it before its budget is spent.

use crate::spec::Metric;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// `train.early_stopping`, with Keras's rules: it ends after `patience` epochs in a row, and never
/// after the first, in which the metric was not better than the best by more than `min_delta`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStopping {
    /// The metric that has to improve.
    pub monitor: Monitor,
    /// How much better counts as an improvement.
    pub min_delta: f64,
    /// Epochs without an improvement that are borne.
    pub patience: u64,
    /// Earlier epochs (the first is 0) are ignored.
    pub start_from_epoch: u64,
    /// Take the weights of the best epoch in the end, also when the run was not stopped.
    pub restore_best_weights: bool,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self {
            monitor: Monitor::VAL_LOSS,
            min_delta: 0.0,
            patience: 0,
            start_from_epoch: 0,
            restore_best_weights: false,
        }
    }
}

/// `train.evaluate_every`: when the validation split is measured, apart from the ends of epochs. It
/// changes nothing in the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluateEvery {
    /// After so many steps.
    Steps(u64),
    /// After the first step by which so many training rows more were seen: at comparable places for
    /// all batch sizes.
    Examples(u64),
}

/// `train.stop_at`: the metric and the value that end a run, written `{ val_accuracy: 0.84 }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<Monitor, f64>", into = "BTreeMap<Monitor, f64>")]
#[schemars(with = "BTreeMap<Monitor, f64>", transform = explain_targets)]
pub struct StopAt {
    /// Of a validation metric every measurement counts, of a training metric the ends of epochs.
    pub monitor: Monitor,
    /// To be reached from above by losses and errors, else from below.
    pub value: f64,
}

/// Editors show this at every metric.
fn explain_targets(schema: &mut Schema) {
    let properties = schema.get_mut("properties").and_then(|found| found.as_object_mut());
    for property in properties.into_iter().flat_map(|found| found.values_mut()) {
        if let Some(property) = property.as_object_mut() {
            let text = "The value of this metric at which the run ends.";
            property.insert("description".into(), text.into());
        }
    }
}

impl TryFrom<BTreeMap<Monitor, f64>> for StopAt {
    type Error = String;

    fn try_from(entries: BTreeMap<Monitor, f64>) -> Result<Self, String> {
        let one = entries.iter().next().filter(|_| entries.len() == 1);
        let one = one.map(|(monitor, value)| Self { monitor: *monitor, value: *value });
        one.ok_or(format!(
            "expected one metric: {{ val_accuracy: 0.84 }}, received {}",
            entries.len()
        ))
    }
}

impl From<StopAt> for BTreeMap<Monitor, f64> {
    fn from(stop: StopAt) -> Self {
        Self::from([(stop.monitor, stop.value)])
    }
}

/// A metric after an epoch, named as Keras names it: of the training split, or with `val_` of the
/// validation split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Monitor {
    /// Of which split.
    pub split: Watched,
    /// What of it; `None` for the loss.
    pub metric: Option<Metric>,
}

/// The split whose metric is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// While training.
    Train,
    /// After an epoch, or where it is measured within one.
    Validation,
}

/// What stands before the name of a metric of the validation split.
const OF_VALIDATION: &str = "val_";

impl Monitor {
    /// `val_loss`
    pub const VAL_LOSS: Self = Self { split: Watched::Validation, metric: None };

    /// A metric of the validation split.
    pub fn val(metric: Metric) -> Self {
        Self { split: Watched::Validation, metric: Some(metric) }
    }

    /// Whether less of it is better.
    pub fn should_fall(self) -> bool {
        self.metric.is_none_or(|metric| metric.info().falls())
    }

    /// All of them.
    fn all() -> impl Iterator<Item = Self> {
        [Watched::Train, Watched::Validation].into_iter().flat_map(|split| {
            let metrics = std::iter::once(None).chain(Metric::all().map(Some));
            metrics.map(move |metric| Self { split, metric })
        })
    }

    /// As it is written in experiment files.
    pub fn name(self) -> String {
        let before = if self.split == Watched::Validation { OF_VALIDATION } else { "" };
        format!("{before}{}", self.metric.map_or("loss", Metric::name))
    }
}

impl TryFrom<String> for Monitor {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let of_split = match written.strip_suffix("acc") {
            Some(before @ ("" | OF_VALIDATION)) => format!("{before}accuracy"),
            _ => written.clone(),
        };
        Self::all().find(|monitor| monitor.name() == of_split).ok_or_else(|| {
            let known: Vec<String> =
                Self::all().map(|known| format!("`{}`", known.name())).collect();
            format!("unknown variant `{written}`, expected one of {}", known.join(", "))
        })
    }
}

impl From<Monitor> for String {
    fn from(monitor: Monitor) -> Self {
        monitor.name()
    }
}

impl JsonSchema for Monitor {
    fn schema_name() -> Cow<'static, str> {
        "Monitor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<String> = Self::all().map(Self::name).collect();
        json_schema!({
            "type": "string",
            "description": "A metric after an epoch: of the training split, or with `val_` of the validation split.",
            "enum": names,
        })
    }
}

//! All metrics of one split, as the records hold them: `{"loss": ..., "accuracy": ..., ...}`.

use super::loss::Task;
use super::measured::Measured;
use super::metric::Metric;
use super::rows::Rows;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The metrics of one split: those that are recorded of every run of the task, and those that were asked
/// for beside them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metrics {
    /// The mean loss, weighted while training, with the penalties.
    pub loss: f64,
    /// Of each metric: whether it was measured, and its value unless it is not defined.
    values: [Option<Option<f64>>; Metric::COUNT],
}

impl Metrics {
    /// Of these rows, with a loss that was computed before.
    pub fn new(task: Task, asked: &[Metric], rows: &Rows<'_>, loss: f64) -> Self {
        let measured = Measured::new(*rows);
        let mut values = [None; Metric::COUNT];
        let asked = asked.iter().copied().filter(|metric| metric.judges(task));
        for metric in Metric::recorded(task).chain(asked) {
            let value = &mut values[metric as usize];
            if value.is_none() {
                *value = Some(metric.info().of_measured(&measured));
            }
        }
        Self { loss, values }
    }

    /// The value of a metric; `None` where it was not measured or is not defined.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.values[metric as usize].flatten()
    }

    /// Each metric that was measured, in the order of the records.
    pub fn each(&self) -> impl Iterator<Item = (Metric, Option<f64>)> {
        Metric::all().filter_map(|metric| Some((metric, self.values[metric as usize]?)))
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1 + self.each().count()))?;
        map.serialize_entry("loss", &self.loss)?;
        for (metric, value) in self.each() {
            map.serialize_entry(metric.name(), &value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(MetricsVisitor)
    }
}

struct MetricsVisitor;

impl<'de> Visitor<'de> for MetricsVisitor {
    type Value = Metrics;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the metrics of a split")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metrics, A::Error> {
        let (mut loss, mut values) = (None, [None; Metric::COUNT]);
        while let Some(name) = map.next_key::<String>()? {
            match (name.as_str(), Metric::all().find(|metric| metric.name() == name)) {
                ("loss", _) => loss = Some(map.next_value()?),
                (_, Some(metric)) => values[metric as usize] = Some(map.next_value()?),
                // Of a later version.
                (_, None) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let loss = loss.ok_or_else(|| serde::de::Error::missing_field("loss"))?;
        Ok(Metrics { loss, values })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::close;
    use super::*;

    fn binary(rows: &[(f32, f32)]) -> Metrics {
        let (logits, labels): (Vec<f32>, Vec<f32>) = rows.iter().copied().unzip();
        Metrics::new(Task::Binary, &[], &Rows::new(&logits, 1, &labels), 0.25)
    }

    #[test]
    fn records_of_two_classes_keep_the_keys_and_the_order_of_the_first_version() {
        let text = serde_json::to_string(&binary(&[(1.0, 1.0), (2.0, 1.0)])).unwrap();
        let keys = "{\"loss\":0.25,\"accuracy\":1.0,\"auc\":null,\"precision\":1.0,\"recall\":1.0,\"f1\":1.0,\"brier\":";
        assert!(text.starts_with(keys), "{text}");
        assert!(text.ends_with('}') && text.contains(",\"calibration_error\":"), "{text}");
        let read: Metrics = serde_json::from_str(&text).unwrap();
        assert_eq!(read, binary(&[(1.0, 1.0), (2.0, 1.0)]));
        let later = text.replace("\"loss\"", "\"novel\":[1],\"loss\"");
        assert_eq!(serde_json::from_str::<Metrics>(&later).unwrap(), read);
        assert!(serde_json::from_str::<Metrics>("{\"accuracy\":1}").is_err());
    }

    #[test]
    fn a_metric_that_is_asked_for_is_measured_too() {
        let rows = Rows::new(&[1.0, -1.0, 2.0], 1, &[1.0, 0.0, 0.0]);
        let asked = Metrics::new(Task::Binary, &[Metric::Mcc, Metric::Rmse], &rows, 0.0);
        close(asked.get(Metric::Mcc).unwrap(), 0.5);
        assert_eq!(asked.get(Metric::Rmse), None, "it judges numbers");
        assert!(asked.each().any(|(metric, _)| metric == Metric::Mcc));
    }

    #[test]
    fn a_probability_of_exactly_one_half_counts_as_0() {
        let found = binary(&[(0.0, 0.0), (1e-9, 1.0), (1.0, 1.0), (-1.0, 1.0)]);
        close(found.get(Metric::Accuracy).unwrap(), 0.5);
    }

    #[test]
    fn the_calibration_error_compares_probabilities_with_outcomes() {
        // p = 0.5 four times, two of them positive: calibrated.
        let found = binary(&[(0.0, 0.0), (0.0, 1.0), (0.0, 0.0), (0.0, 1.0)]);
        close(found.get(Metric::CalibrationError).unwrap(), 0.0);
        // Sure and wrong half of the time.
        let found = binary(&[(40.0, 1.0), (40.0, 0.0)]);
        close(found.get(Metric::CalibrationError).unwrap(), 0.5);
    }
}

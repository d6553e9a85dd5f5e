//! Histograms for TensorBoard's HISTOGRAMS and DISTRIBUTIONS tabs.
//!
//! A point is a tensor `[buckets, 3]` of left edge, right edge and count. All buckets but the last
//! are open on the right, as in `tf.summary.histogram`.

use super::{EventWriter, plugin_value, tensor};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use tensorboard_proto::types::DataType;

/// As many as `tf.summary.histogram` makes.
const BUCKETS: usize = 30;

/// How often values lie where: left edge, right edge and count of buckets of equal width. Equal
/// values all lie in the last bucket, which then has no width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram(Vec<[f64; 3]>);

impl Histogram {
    /// Counts values. Those that are not finite are left out, since they belong to no bucket; `None`
    /// if none is left.
    pub fn of(values: &[f32]) -> Option<Self> {
        let finite =
            || values.iter().filter(|value| value.is_finite()).map(|value| f64::from(*value));
        let least = finite().reduce(f64::min)?;
        let most = finite().reduce(f64::max)?;
        let width = (most - least) / BUCKETS as f64;
        let edge = |at: usize| if at == BUCKETS { most } else { least + width * at as f64 };
        let mut buckets: Vec<[f64; 3]> =
            (0..BUCKETS).map(|at| [edge(at), edge(at + 1), 0.0]).collect();
        for value in finite() {
            let at = if width > 0.0 { ((value - least) / width) as usize } else { BUCKETS };
            buckets[at.min(BUCKETS - 1)][2] += 1.0;
        }
        Some(Self(buckets))
    }
}

impl EventWriter {
    /// Adds one histogram to the named series, for example of a weight after an epoch.
    pub fn histogram(
        &mut self,
        tag: &str,
        histogram: &Histogram,
        step: i64,
        wall_time: f64,
    ) -> Result<()> {
        let mut tensor = tensor(DataType::DT_DOUBLE, &[histogram.0.len() as i64, 3]);
        tensor.set_double_val(histogram.0.iter().flatten().copied().collect());
        // An empty message of the plugin's data: version 0 is its default.
        let value = plugin_value(tag, "histograms", Vec::new(), tensor);
        self.summary(vec![value], step, wall_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown([left, right, count]: &[f64; 3]) -> String {
        format!("{left} {right} {count}")
    }

    #[test]
    fn every_finite_value_is_counted_in_the_bucket_whose_edges_hold_it() {
        let values: Vec<f32> = (0..=60).map(|value| value as f32).collect();
        let found = Histogram::of(&values).unwrap().0;
        assert_eq!(found.len(), BUCKETS);
        // The last bucket holds its right edge too.
        assert_eq!([shown(&found[0]), shown(&found[29])], ["0 2 2", "58 60 3"]);
        let total: f64 = found.iter().map(|bucket| bucket[2]).sum();
        assert_eq!(total as usize, values.len());
    }

    #[test]
    fn equal_values_and_values_that_are_not_finite_are_no_trouble() {
        let found = Histogram::of(&[2.5, f32::NAN, 2.5, f32::INFINITY]).unwrap().0;
        assert_eq!(shown(&found[29]), "2.5 2.5 2");
        assert!(found[..29].iter().all(|bucket| shown(bucket) == "2.5 2.5 0"));
        assert_eq!(Histogram::of(&[f32::NAN]), None);
        assert_eq!(Histogram::of(&[]), None);
    }
}

//! Charts of TensorBoard's CUSTOM SCALARS tab: lines with bands around them.
//!
//! A layout is a message in a tensor under one tag, which every run may have; TensorBoard puts the
//! layouts of all runs together and joins categories of the same title, so a title must be that of one
//! study alone. A chart shows the tags that its series name in whichever run has them.

use super::{EventWriter, plugin_value, tensor};
use anyhow::Result;
use protobuf::Message;
use tensorboard_proto::layout::{
    Category, Chart, Layout, MarginChartContent, MarginChartContent_Series,
};
use tensorboard_proto::types::DataType;

/// The tag and the plugin's name, as TensorBoard's `custom_scalar/metadata.py` has them.
const TAG: &str = "custom_scalars__config__";
const PLUGIN: &str = "custom_scalars";

/// Tags of scalars: a line and the ends of the band around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// The line.
    pub value: String,
    /// The lower end of its band.
    pub lower: String,
    /// The upper end.
    pub upper: String,
}

/// A chart of the bands of several runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BandChart {
    /// Above the chart.
    pub title: String,
    /// Drawn once for each run that has its tags.
    pub band: Band,
}

impl EventWriter {
    /// Says which charts the CUSTOM SCALARS tab shows in this category.
    pub fn charts(&mut self, category: &str, charts: &[BandChart], wall_time: f64) -> Result<()> {
        let mut described = Category::new();
        described.set_title(category.to_owned());
        described.set_chart(charts.iter().map(chart).collect());
        let mut layout = Layout::new();
        layout.mut_category().push(described);
        let mut message = tensor(DataType::DT_STRING, &[]);
        message.mut_string_val().push(layout.write_to_bytes()?);
        self.summary(vec![plugin_value(TAG, PLUGIN, Vec::new(), message)], 0, wall_time)
    }
}

fn chart(chart: &BandChart) -> Chart {
    let mut series = MarginChartContent_Series::new();
    series.set_value(chart.band.value.clone());
    series.set_lower(chart.band.lower.clone());
    series.set_upper(chart.band.upper.clone());
    let mut content = MarginChartContent::new();
    content.mut_series().push(series);
    let mut described = Chart::new();
    described.set_title(chart.title.clone());
    described.set_margin(content);
    described
}

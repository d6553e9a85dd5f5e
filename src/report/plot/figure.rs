//! Panels, a legend and a caption.

use super::{Mark, Panel, escaped};
use std::fmt::Write as _;

/// Colours and lines of all figures, light and dark; no variables, so that every program that draws
/// SVG knows them.
pub(in crate::report) const STYLE: &str = include_str!("figure.css");

const LEGEND_LINE: f64 = 20.0;
const GAP: f64 = 16.0;
/// The most panels side by side in a file.
const MAX_COLUMNS: usize = 3;

/// One figure of the report.
#[derive(Debug, Clone)]
pub(in crate::report) struct Figure {
    /// Of its file, without an ending.
    pub(in crate::report) name: &'static str,
    /// What it is about.
    pub(in crate::report) title: String,
    /// What one sees, what it means, how many seeds, and what kind of interval.
    pub(in crate::report) caption: String,
    /// In the order of reading.
    pub(in crate::report) panels: Vec<Panel>,
    /// What the marks stand for.
    pub(in crate::report) legend: Vec<(Mark, String)>,
}

impl Figure {
    /// The panels for the page, one SVG element each: they flow into as many columns as there is
    /// room for.
    pub(in crate::report) fn inline(&self) -> Vec<String> {
        let draw = |panel: &Panel| {
            let label = escaped(&format!("{}: {}", self.title, panel.title));
            let (width, height, caption) = (panel.width, panel.height, escaped(&self.caption));
            format!(
                "<svg class=\"plot\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {width} \
                 {height}\" xmlns=\"http://www.w3.org/2000/svg\"><desc>{caption}</desc>\n{}</svg>",
                panel.body
            )
        };
        self.panels.iter().map(draw).collect()
    }

    /// The legend for the page: swatches with their words.
    pub(in crate::report) fn inline_legend(&self) -> Vec<(String, String)> {
        let draw = |(mark, words): &(Mark, String)| {
            let swatch = mark.swatch(0.0, 0.0);
            let svg = format!(
                "<svg class=\"plot swatch\" aria-hidden=\"true\" viewBox=\"0 0 20 14\" \
                 xmlns=\"http://www.w3.org/2000/svg\">{swatch}</svg>"
            );
            (svg, words.clone())
        };
        self.legend.iter().map(draw).collect()
    }

    /// A file of its own.
    pub(in crate::report) fn file(&self) -> String {
        // Four stand as two and two.
        let columns =
            if self.panels.len() == 4 { 2 } else { self.panels.len().clamp(1, MAX_COLUMNS) };
        let (mut body, mut width, mut height) = (String::new(), 0f64, 30.0);
        for row in self.panels.chunks(columns) {
            let (mut x, mut tallest) = (0.0, 0f64);
            for panel in row {
                // Writing to a string does not fail.
                writeln!(body, "<g transform=\"translate({x} {height})\">{}</g>", panel.body).ok();
                x += panel.width + GAP;
                tallest = tallest.max(panel.height);
            }
            width = width.max(x - GAP);
            height += tallest + GAP;
        }
        // A letter of the heading is about 8 units wide.
        width = width.max(16.0 + 8.0 * self.title.chars().count() as f64);
        height += self.file_legend(&mut body, width, height);
        let (title, caption) = (escaped(&self.title), escaped(&self.caption));
        format!(
            "<svg class=\"plot\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \
             {width} {height}\" width=\"{width}\" height=\"{height}\">\n<title>{title}</title>\n\
             <desc>{caption}</desc>\n<style>\n{STYLE}</style>\n<rect class=\"paper\" \
             width=\"{width}\" height=\"{height}\"/>\n<text class=\"heading\" x=\"8\" \
             y=\"20\">{title}</text>\n{body}</svg>\n"
        )
    }

    /// The legend of the file, in lines; returns its height.
    fn file_legend(&self, body: &mut String, width: f64, top: f64) -> f64 {
        let (mut x, mut y) = (8.0, top);
        for (mark, words) in &self.legend {
            // A letter is about 7 units wide.
            let wide = 28.0 + 7.0 * words.chars().count() as f64 + GAP;
            if x > 8.0 && x + wide > width {
                (x, y) = (8.0, y + LEGEND_LINE);
            }
            let (text, base, words) = (x + 26.0, y + 11.5, escaped(words));
            let swatch = mark.swatch(x, y);
            // Writing to a string does not fail.
            writeln!(body, "{swatch}<text x=\"{text}\" y=\"{base}\">{words}</text>").ok();
            x += wide;
        }
        if self.legend.is_empty() { 0.0 } else { y - top + LEGEND_LINE + 4.0 }
    }
}

//! A small plotting layer: numbers -> SVG.
//!
//! Our own, since a chart library draws finished pixels of fixed colours, while these panels are part
//! of a page: they take their colours from its style sheet (light, dark, print), every mark says its
//! value when pointed at, and the same numbers give the same bytes.
//!
//! ```text
//! scale   a value -> its place along an axis; round ticks
//! chart   one panel: frame, ticks, dots, bars, bands, lines, texts
//! figure  panels with a legend and a caption; as part of the page, and as a file of its own
//! ```

mod chart;
mod figure;
mod raster;
mod scale;

pub(super) use chart::{Chart, Mark, Panel};
pub(super) use figure::{Figure, STYLE};
pub(super) use raster::{Picture, picture};
pub(super) use scale::{Axis, Spread, Unit, short};

/// A text inside XML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no other control characters.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

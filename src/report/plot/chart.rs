//! One panel.

use super::{Axis, escaped};
use std::fmt::Write as _;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;
/// Colours of the style sheet, from the smallest batch size to the largest.
const COLOURS: usize = 8;

/// How the marks of one series look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Mark {
    /// One of the style sheet's ordered colours; `None` for the colour of text.
    colour: Option<usize>,
    /// Circle, square, triangle, diamond.
    shape: usize,
    /// Whole, dashed, dotted.
    dash: usize,
}

impl Mark {
    /// That of the batch size at place `rank` of `of`; `twin` tells arms of the same size apart.
    pub(in crate::report) fn ranked(rank: usize, of: usize, twin: usize) -> Self {
        let colour = if of > 1 { rank * (COLOURS - 1) / (of - 1) } else { COLOURS / 2 };
        Self { colour: Some(colour), shape: (rank + twin) % 4, dash: twin % 3 }
    }

    /// In the colour of text.
    pub(in crate::report) fn plain() -> Self {
        Self { colour: None, shape: 0, dash: 0 }
    }

    /// In the colour of text, the line whole (0), dashed (1) or dotted (2).
    pub(in crate::report) fn dashed(dash: usize) -> Self {
        Self { dash, ..Self::plain() }
    }

    fn class(self) -> String {
        self.colour.map_or("ink".into(), |colour| format!("c{colour}"))
    }

    /// Its outline around a point.
    fn outline(self, x: f64, y: f64, r: f64) -> String {
        match self.shape {
            0 => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\"/>"),
            1 => {
                let (a, side) = (0.9 * r, 1.8 * r);
                let (left, top) = (x - a, y - a);
                format!(
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{side:.1}\" height=\"{side:.1}\"/>"
                )
            }
            2 => {
                let (a, b, c) = (y - 1.25 * r, y + 0.8 * r, 1.15 * r);
                let (left, right) = (x - c, x + c);
                format!("<path d=\"M{x:.1} {a:.1}L{right:.1} {b:.1}L{left:.1} {b:.1}Z\"/>")
            }
            _ => {
                let a = 1.25 * r;
                let (up, down, left, right) = (y - a, y + a, x - a, x + a);
                format!(
                    "<path d=\"M{x:.1} {up:.1}L{right:.1} {y:.1}L{x:.1} {down:.1}L{left:.1} {y:.1}Z\"/>"
                )
            }
        }
    }

    /// A swatch for a legend, about the point (10, 7) of a box of 20 x 14.
    pub(in crate::report) fn swatch(self, x: f64, y: f64) -> String {
        let outline = self.outline(x + 10.0, y + 7.0, 4.0);
        let (class, dash) = (self.class(), self.dash);
        let (from, to, at) = (x, x + 20.0, y + 7.0);
        format!(
            "<g class=\"{class}\"><path class=\"line d{dash}\" d=\"M{from:.1} {at:.1}H{to:.1}\"/>\
             <g class=\"mean\">{outline}</g></g>"
        )
    }
}

/// A panel that is drawn.
#[derive(Debug, Clone)]
pub(in crate::report) struct Panel {
    /// What it shows.
    pub(in crate::report) title: String,
    /// In units of the drawing.
    pub(in crate::report) width: f64,
    /// In units of the drawing.
    pub(in crate::report) height: f64,
    /// Elements of SVG.
    pub(in crate::report) body: String,
}

/// A panel that is being drawn; what comes later lies on top.
pub(in crate::report) struct Chart {
    title: String,
    x: Axis,
    y: Axis,
    body: String,
}

impl Chart {
    /// An empty one with its frame.
    pub(in crate::report) fn new(title: &str, x: Axis, y: Axis) -> Self {
        let mut chart = Self { title: title.to_owned(), x, y, body: String::new() };
        chart.frame();
        chart
    }

    fn px(&self, x: f64) -> f64 {
        LEFT + self.x.share(x) * (WIDTH - LEFT - RIGHT)
    }

    fn py(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.share(y) * (HEIGHT - TOP - BOTTOM)
    }

    fn put(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    fn frame(&mut self) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let title = escaped(&self.title);
        self.put(&format!("<text class=\"heading\" x=\"{LEFT}\" y=\"17\">{title}</text>"));
        for (value, label) in self.y.ticks() {
            let (y, label) = (self.py(value), escaped(&label));
            let (text, base) = (LEFT - 6.0, y + 4.0);
            self.put(&format!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>"));
            self.put(&format!("<text class=\"end\" x=\"{text}\" y=\"{base:.1}\">{label}</text>"));
        }
        for (value, label) in self.x.ticks() {
            let (x, label) = (self.px(value), escaped(&label));
            let (end, base) = (bottom + 4.0, bottom + 17.0);
            self.put(&format!("<path class=\"axis\" d=\"M{x:.1} {bottom}V{end}\"/>"));
            self.put(&format!("<text class=\"mid\" x=\"{x:.1}\" y=\"{base}\">{label}</text>"));
        }
        self.put(&format!("<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>"));
        let (x, y) = ((LEFT + right) / 2.0, HEIGHT - 8.0);
        let label = escaped(&self.x.label);
        self.put(&format!("<text class=\"mid\" x=\"{x}\" y=\"{y}\">{label}</text>"));
        let (y, label) = ((TOP + bottom) / 2.0, escaped(&self.y.label));
        self.put(&format!(
            "<text class=\"mid\" transform=\"translate(13 {y}) rotate(-90)\">{label}</text>"
        ));
    }

    /// One run, `shift` units of the drawing to the right of its place.
    pub(in crate::report) fn seed(&mut self, x: f64, y: f64, shift: f64, mark: Mark, says: &str) {
        let outline = mark.outline(self.px(x) + shift, self.py(y), 3.1);
        self.marked("seed", mark, &outline, says);
    }

    /// A mean.
    pub(in crate::report) fn mean(&mut self, x: f64, y: f64, shift: f64, mark: Mark, says: &str) {
        let outline = mark.outline(self.px(x) + shift, self.py(y), 5.0);
        self.marked("mean", mark, &outline, says);
    }

    fn marked(&mut self, class: &str, mark: Mark, outline: &str, says: &str) {
        let (colour, says) = (mark.class(), escaped(says));
        self.put(&format!("<g class=\"{class} {colour}\">{outline}<title>{says}</title></g>"));
    }

    /// An upright interval, with a foot at each end that the axis has room for.
    pub(in crate::report) fn interval(&mut self, x: f64, ends: [f64; 2], shift: f64, mark: Mark) {
        let (x, [from, to]) = (self.px(x) + shift, ends.map(|end| self.py(end)));
        let (left, width, class) = (x - 4.0, 8.0, mark.class());
        let [lowest, highest] = self.y.ends();
        let seen = ends.into_iter().filter(|end| (lowest..=highest).contains(end));
        let feet: String =
            seen.map(|end| format!("M{left:.1} {:.1}h{width}", self.py(end))).collect();
        self.put(&format!("<path class=\"line {class}\" d=\"{feet}M{x:.1} {from:.1}V{to:.1}\"/>"));
    }

    /// A level interval, with a cap at each end that lies between the lowest and the highest value that
    /// there is room for, and an arrow where it goes on.
    pub(in crate::report) fn interval_x(
        &mut self,
        y: f64,
        ends: [f64; 2],
        [lowest, highest]: [f64; 2],
        mark: Mark,
    ) {
        let (y, [from, to]) = (self.py(y), ends.map(|end| self.px(end.clamp(lowest, highest))));
        let (top, height, class) = (y - 4.0, 8.0, mark.class());
        let is_seen = |end: &f64| (lowest..=highest).contains(end);
        let caps = ends.into_iter().zip([(from, 5.0), (to, -5.0)]).map(|(end, (x, back))| {
            match is_seen(&end) {
                true => format!("M{x:.1} {top:.1}v{height}"),
                false => format!(
                    "M{:.1} {top:.1}L{x:.1} {y:.1}L{:.1} {:.1}",
                    x + back,
                    x + back,
                    y + 4.0
                ),
            }
        });
        let caps: String = caps.collect();
        self.put(&format!("<path class=\"line {class}\" d=\"{caps}M{from:.1} {y:.1}H{to:.1}\"/>"));
    }

    /// One run, below its place.
    pub(in crate::report) fn seed_below(&mut self, x: f64, y: f64, mark: Mark, says: &str) {
        let outline = mark.outline(self.px(x), self.py(y) + 11.0, 2.6);
        self.marked("seed", mark, &outline, says);
    }

    /// A word at the right end, at a height.
    pub(in crate::report) fn word_at_right(&mut self, y: f64, word: &str) {
        let (x, y, word) = (WIDTH - RIGHT - 2.0, self.py(y) + 4.0, escaped(word));
        self.put(&format!("<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\">{word}</text>"));
    }

    /// A line through points.
    pub(in crate::report) fn line(&mut self, points: &[[f64; 2]], mark: Mark, says: &str) {
        let path = self.path(points);
        let (class, dash, says) = (mark.class(), mark.dash, escaped(says));
        self.put(&format!(
            "<path class=\"line {class} d{dash}\" d=\"{path}\"><title>{says}</title></path>"
        ));
    }

    /// A thin dashed line for comparison.
    pub(in crate::report) fn reference(&mut self, points: &[[f64; 2]], says: &str) {
        let (path, says) = (self.path(points), escaped(says));
        self.put(&format!("<path class=\"ref\" d=\"{path}\"><title>{says}</title></path>"));
    }

    fn path(&self, points: &[[f64; 2]]) -> String {
        let mut path = String::new();
        for (at, [x, y]) in points.iter().enumerate() {
            let command = if at == 0 { 'M' } else { 'L' };
            // Writing to a string does not fail.
            write!(path, "{command}{:.1} {:.1}", self.px(*x), self.py(*y)).ok();
        }
        path
    }

    /// The area between a lower and an upper line: `[x, low, high]`.
    pub(in crate::report) fn band(&mut self, points: &[[f64; 3]], mark: Mark, says: &str) {
        let there = points.iter().map(|[x, low, _]| [*x, *low]);
        let back = points.iter().rev().map(|[x, _, high]| [*x, *high]);
        let path = self.path(&there.chain(back).collect::<Vec<_>>());
        let (class, says) = (mark.class(), escaped(says));
        self.put(&format!(
            "<path class=\"band {class}\" d=\"{path}Z\"><title>{says}</title></path>"
        ));
    }

    /// A rectangle `[from, to]` along x and y; `class` is one of the style sheet's.
    pub(in crate::report) fn area(&mut self, x: [f64; 2], y: [f64; 2], class: &str, says: &str) {
        let ([a, b], [c, d]) = (x.map(|x| self.px(x)), y.map(|y| self.py(y)));
        let (left, top, width, height) = (a.min(b), c.min(d), (b - a).abs(), (d - c).abs());
        let says = escaped(says);
        self.put(&format!(
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"><title>{says}</title></rect>"
        ));
    }

    /// A rectangle with lines across it.
    pub(in crate::report) fn hatched(&mut self, x: [f64; 2], y: [f64; 2], says: &str) {
        self.area(x, y, "hatch", says);
        let ([a, b], [c, d]) = (x.map(|x| self.px(x)), y.map(|y| self.py(y)));
        let (left, right, top, bottom) = (a.min(b), a.max(b), c.min(d), c.max(d));
        let mut path = String::new();
        // Lines x + y = constant, cut to the rectangle.
        let mut sum = left + top + 8.0;
        while sum < right + bottom {
            let (x1, x2) = ((sum - top).min(right), (sum - bottom).max(left));
            let (y1, y2) = (sum - x1, sum - x2);
            // Writing to a string does not fail.
            write!(path, "M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}").ok();
            sum += 8.0;
        }
        self.put(&format!("<path class=\"hatching\" d=\"{path}\"/>"));
    }

    /// Everything between two values of x.
    pub(in crate::report) fn between_x(&mut self, x: [f64; 2], says: &str) {
        self.area(x, self.y.ends(), "zone", says);
    }

    /// Everything between two values of y.
    pub(in crate::report) fn between_y(&mut self, y: [f64; 2], says: &str) {
        self.area(self.x.ends(), y, "zone", says);
    }

    /// An arrow up (`more`) or down from a point: the truth lies there.
    pub(in crate::report) fn arrow(
        &mut self,
        x: f64,
        y: f64,
        shift: f64,
        more: bool,
        mark: Mark,
        says: &str,
    ) {
        let (x, y) = (self.px(x) + shift, self.py(y));
        let (tip, barb) = if more { (y - 14.0, y - 8.0) } else { (y + 14.0, y + 8.0) };
        let (left, right) = (x - 4.0, x + 4.0);
        let (class, says) = (mark.class(), escaped(says));
        self.put(&format!(
            "<path class=\"line {class}\" d=\"M{x:.1} {y:.1}V{tip:.1}M{left:.1} {barb:.1}L{x:.1} \
             {tip:.1}L{right:.1} {barb:.1}\"><title>{says}</title></path>"
        ));
    }

    /// A text at a point; `class` says how it is aligned: `start`, `mid`, `end`.
    pub(in crate::report) fn text(
        &mut self,
        x: f64,
        y: f64,
        shift: [f64; 2],
        class: &str,
        text: &str,
    ) {
        let (x, y, text) = (self.px(x) + shift[0], self.py(y) + shift[1], escaped(text));
        self.put(&format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"));
    }

    /// The panel.
    pub(in crate::report) fn finish(self) -> Panel {
        Panel { title: self.title, width: WIDTH, height: HEIGHT, body: self.body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::{Spread, Unit};

    #[test]
    fn a_bar_has_a_foot_at_each_end_that_the_axis_has_room_for() {
        let feet = |ends: [f64; 2]| {
            let axis = || Axis::over("", Spread::Linear, Unit::Plain, [0.0, 1.0]).within(0.0, 1.0);
            let mut chart = Chart::new("", axis(), axis());
            chart.interval(0.5, ends, 0.0, Mark::plain());
            chart.body.matches("h8").count()
        };
        let counts = [[0.2, 0.8], [0.0, 1.0], [-0.1, 0.8], [0.2, 1.1], [-0.1, 1.1]].map(feet);
        assert_eq!(counts, [2, 2, 1, 1, 0]);
    }
}

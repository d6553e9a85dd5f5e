//! SVG -> PNG, for places that show no SVG: TensorBoard's IMAGES tab.
//!
//! Text is set in the DejaVu Sans that the program carries, so that pictures are the same on every
//! machine; the figures' rules for dark screens are left out.

use anyhow::{Context, Result, ensure};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// Pixels of a picture for each of the figure's own.
const SCALE: f32 = 1.5;

/// A picture.
pub(in crate::report) struct Picture {
    /// The file's bytes.
    pub(in crate::report) png: Vec<u8>,
    /// In pixels.
    pub(in crate::report) size: [u32; 2],
}

/// The picture of a figure's file.
pub(in crate::report) fn picture(svg: &str) -> Result<Picture> {
    let mut options = Options { font_family: FAMILY.into(), ..Options::default() };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family(FAMILY);
    let tree = Tree::from_str(&on_paper(svg), &options)?;
    let size = [tree.size().width(), tree.size().height()].map(|side| (side * SCALE).ceil() as u32);
    ensure!(size.iter().all(|side| *side > 0), "a figure without size");
    let mut pixels = Pixmap::new(size[0], size[1]).context("a figure too large for a picture")?;
    pixels.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    Ok(Picture { png: pixels.encode_png()?, size })
}

const FAMILY: &str = "DejaVu Sans";

/// The figure without its rules for screens.
fn on_paper(svg: &str) -> String {
    match (svg.find("@media"), svg.find("</style>")) {
        (Some(from), Some(to)) if from < to => [&svg[..from], &svg[to..]].concat(),
        _ => svg.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_figures_size_and_its_colours_and_text_in_light() {
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\">\
                   <style>.a { fill: #ff0000; } @media screen { .a { fill: #00ff00; } }</style>\
                   <rect class=\"a\" x=\"20\" width=\"20\" height=\"20\"/>\
                   <text y=\"15\" font-size=\"14\">xx</text></svg>";
        let found = picture(svg).unwrap();
        assert_eq!(found.size, [60, 30]);
        let pixels = Pixmap::decode_png(&found.png).unwrap();
        let at = |x: u32, y: u32| {
            let color = pixels.pixel(x, y).unwrap();
            [color.red(), color.green(), color.blue()]
        };
        assert_eq!(at(45, 15), [255, 0, 0]);
        assert_eq!(at(1, 1), [255; 3]);
        let dark = (0..30).flat_map(|x| (0..30).map(move |y| at(x, y))).filter(|c| c[0] < 128);
        assert!(dark.count() > 10, "there is no text");
        assert!(picture("<svg").is_err());
    }
}

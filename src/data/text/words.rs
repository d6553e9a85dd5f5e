//! Text -> words, as Keras's `TextVectorization` standardises and splits by default.
//!
//! Its two steps: `tf.strings.lower`, which lowers ASCII letters only, and the *deletion* (no space
//! is left) of ASCII punctuation; then a split at ASCII white space. Replacements of the user's
//! come first, so that `<br />` can become a space before its letters would stay behind as `br`.

use super::replaced;
use crate::config::TextSection;

const PUNCTUATION: &[u8] = br##"!"#$%&()*+,-./:;<=>?@[\]^_`{|}~'"##;

/// The words of a text in order; or why its replacements cannot be made.
pub(in crate::data) fn words(text: &str, section: &TextSection) -> Result<Vec<String>, String> {
    let kept = |c: &char| !(c.is_ascii() && PUNCTUATION.contains(&(*c as u8)));
    let standard: String =
        replaced(text, section)?.chars().map(|c| c.to_ascii_lowercase()).filter(kept).collect();
    // tf.strings.split uses C's isspace, which counts the vertical tab; Rust's ASCII test does not.
    let is_space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let words = standard.split(is_space).filter(|word| !word.is_empty());
    Ok(words.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        words(text, &TextSection::default()).unwrap()
    }

    #[test]
    fn punctuation_is_deleted_and_ascii_lowered() {
        assert_eq!(split("Don't  STOP: it's well-made!\n"), ["dont", "stop", "its", "wellmade"]);
        assert_eq!(split(r##"a!"#$%&()*+,-./:;<=>?@[\]^_`{|}~'b"##), ["ab"]);
    }

    #[test]
    fn other_letters_and_other_spaces_stay_as_they_are() {
        assert_eq!(split("ÉTÉ naïve\u{a0}x y\u{b}z"), ["ÉtÉ", "naïve\u{a0}x", "y", "z"]);
        assert_eq!(split(" \t "), Vec::<String>::new());
    }

    #[test]
    fn replacements_come_before_everything_else() {
        let mut section = TextSection::default();
        assert_eq!(words("good.<br />Bad", &section).unwrap(), ["goodbr", "bad"]);
        section.replace.insert("<br />".into(), " ".into());
        assert_eq!(words("good.<br />Bad", &section).unwrap(), ["good", "bad"]);
    }
}

//! Text -> token ids of a length that the section asks for.

mod hugging_face;
mod vocabulary;
mod words;

pub(super) use hugging_face::HuggingFace;
pub(super) use vocabulary::{FIRST_WORD, UNKNOWN, Vocabulary};
pub(super) use words::words;

use crate::config::{End, TextSection};

/// Token 0 stands for padding.
pub(super) const PADDING: i32 = 0;

/// The user's replacements, in the alphabetical order of what is replaced.
fn replaced(text: &str, section: &TextSection) -> String {
    let replace = section.replace.iter();
    replace.fold(text.to_owned(), |text, (from, to)| text.replace(from.as_str(), to))
}

/// Cuts ids to the length asked for and, without a mask, pads them to it.
pub(super) fn sequence(mut ids: Vec<i32>, text: &TextSection, masked: bool) -> Vec<i32> {
    let length = text.length as usize;
    match text.truncate {
        End::Pre => drop(ids.drain(..ids.len().saturating_sub(length))),
        End::Post => ids.truncate(length),
    }
    if masked {
        return unpadded(ids);
    }
    let padding = vec![PADDING; length - ids.len()];
    match text.pad {
        End::Pre => [padding, ids].concat(),
        End::Post => [ids, padding].concat(),
    }
}

/// The row as a masked model reads it. Keras's mask skips every token 0, also between others: the
/// state is held there, so leaving all of them out computes the same.
pub(super) fn unpadded(mut ids: Vec<i32>) -> Vec<i32> {
    ids.retain(|id| *id != PADDING);
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: u32, pad: End, truncate: End) -> TextSection {
        TextSection { length, pad, truncate, ..TextSection::default() }
    }

    #[test]
    fn sequences_are_cut_and_padded_at_the_ends_asked_for() {
        use End::{Post, Pre};
        let ids = || vec![5, 6, 7];
        assert_eq!(sequence(ids(), &text(2, Pre, Pre), false), [6, 7]);
        assert_eq!(sequence(ids(), &text(2, Pre, Post), false), [5, 6]);
        assert_eq!(sequence(ids(), &text(5, Pre, Pre), false), [0, 0, 5, 6, 7]);
        assert_eq!(sequence(ids(), &text(5, Post, Pre), false), [5, 6, 7, 0, 0]);
        assert_eq!(sequence(ids(), &text(5, Post, Pre), true), [5, 6, 7]);
        assert_eq!(sequence(vec![0, 5, 0, 6], &text(3, Pre, Pre), true), [5, 6]);
    }
}

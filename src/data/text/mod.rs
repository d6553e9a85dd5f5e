//! Text -> token ids of a length that the section asks for.

mod hugging_face;
mod vocabulary;
mod words;

pub(super) use hugging_face::HuggingFace;
pub(super) use vocabulary::{FIRST_WORD, UNKNOWN, Vocabulary};
pub(super) use words::words;

use crate::config::{End, TextSection};
use crate::error::UserError;
use crate::format::count;

/// Token 0 stands for padding.
pub(super) const PADDING: i32 = 0;

/// A text may grow to so many times its size while it is made ready.
const TIMES: usize = 100;

/// Bytes that a text of this size may grow to: replacements of replacements could fill the memory.
fn most_bytes(text: usize) -> usize {
    const ALWAYS: usize = 1 << 20;
    text.saturating_mul(TIMES).max(ALWAYS)
}

/// The user's replacements, in the alphabetical order of what is replaced; or what is wrong with them.
fn replaced(text: &str, section: &TextSection) -> Result<String, String> {
    let most = most_bytes(text.len());
    let mut now = text.to_owned();
    for (from, to) in &section.replace {
        let longer = to.len().saturating_sub(from.len());
        let size = match longer {
            0 => 0,
            _ => {
                now.matches(from.as_str()).count().saturating_mul(longer).saturating_add(now.len())
            }
        };
        if size > most {
            return Err(format!(
                "`data.text.replace` makes {} bytes of its {}, and at most {} are taken",
                count(size as u64),
                count(text.len() as u64),
                count(most as u64)
            ));
        }
        now = now.replace(from.as_str(), to);
    }
    Ok(now)
}

/// The error for a text that cannot be made ready.
pub(super) fn overgrown(place: &str, why: &str) -> UserError {
    UserError::new(
        format!("{place}: {why}"),
        "they are applied one after the other, in alphabetical order: let none bring back what another \
         replaces",
    )
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
    fn replacements_that_multiply_a_text_are_refused_before_they_fill_the_memory() {
        let mut section = TextSection::default();
        section.replace.insert("<br />".into(), " ".into());
        assert_eq!(replaced("a<br />b", &section).unwrap(), "a b");
        for letter in 'a'..='y' {
            let next = char::from(letter as u8 + 1);
            section.replace.insert(letter.into(), String::from_iter([next; 16]));
        }
        let why = replaced("a film", &section).unwrap_err();
        assert!(why.contains("bytes of its 6, and at most 1,048,576 are taken"), "{why}");
        assert_eq!(replaced("xyz", &section).unwrap(), format!("{}z", "z".repeat(272)));
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

//! Words -> token ids, fitted on the training split alone, by the rules of Keras's
//! `TextVectorization`: 0 is padding, 1 an unknown word, then words from the most frequent on,
//! those of equal frequency in reverse alphabetical order of their bytes.

use std::collections::BTreeMap;

/// The words of ids 2, 3, ...
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct Vocabulary {
    words: Vec<String>,
    ids: BTreeMap<String, i32>,
}

pub(in crate::data) const UNKNOWN: i32 = 1;
pub(in crate::data) const FIRST_WORD: usize = 2;

impl Vocabulary {
    /// The most frequent words of these texts; `max_tokens` counts padding and unknown words too.
    pub(in crate::data) fn fit<'t>(
        texts: impl Iterator<Item = &'t Vec<String>>,
        max_tokens: usize,
    ) -> Self {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for word in texts.flatten() {
            *counts.entry(word).or_default() += 1;
        }
        let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
        ranked.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| b.cmp(a)));
        ranked.truncate(max_tokens - FIRST_WORD);
        Self::of(ranked.into_iter().map(|(word, _)| word.to_owned()).collect())
    }

    /// A vocabulary that was fitted before.
    pub(in crate::data) fn of(words: Vec<String>) -> Self {
        let numbered = words.iter().enumerate();
        let ids = numbered.map(|(at, word)| (word.clone(), (at + FIRST_WORD) as i32)).collect();
        Self { words, ids }
    }

    /// V, padding and unknown words included.
    pub(in crate::data) fn len(&self) -> usize {
        self.words.len() + FIRST_WORD
    }

    pub(in crate::data) fn words(&self) -> &[String] {
        &self.words
    }

    pub(in crate::data) fn id(&self, word: &str) -> i32 {
        self.ids.get(word).copied().unwrap_or(UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(text: &str, max_tokens: usize) -> Vocabulary {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Vocabulary::fit([words].iter(), max_tokens)
    }

    #[test]
    fn frequent_words_come_first_and_ties_in_reverse_order() {
        let vocabulary = fit("b a c a b a d", 100);
        assert_eq!(vocabulary.words(), ["a", "b", "d", "c"]);
        assert_eq!((vocabulary.id("a"), vocabulary.id("c"), vocabulary.id("zebra")), (2, 5, 1));
        assert_eq!(vocabulary.len(), 6);
    }

    #[test]
    fn max_tokens_counts_padding_and_unknown_words() {
        assert_eq!(fit("b a c a b a d", 4).words(), ["a", "b"]);
    }
}

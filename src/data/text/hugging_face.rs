//! A tokenizer from Hugging Face's `tokenizer.json`.

use super::replaced;
use crate::config::TextSection;
use crate::error::UserError;
use anyhow::Result;
use tokenizers::{EncodeInput, Tokenizer};

/// A tokenizer whose ids leave 0 to padding.
pub(in crate::data) struct HuggingFace {
    tokenizer: Tokenizer,
    /// What is added to each id: 0 where its id 0 is padding already, else 1.
    shift: i32,
    vocabulary: usize,
}

/// What padding is called where `padding` is not set in the file.
const PADDING_NAMES: [&str; 5] = ["[PAD]", "<pad>", "<PAD>", "<|pad|>", "<|padding|>"];
/// So many texts are tokenised at a time, by all cores.
const CHUNK: usize = 1024;

impl HuggingFace {
    /// Reads the content of a file that messages call `name`.
    pub(in crate::data) fn parse(name: &str, json: &[u8]) -> Result<Self, UserError> {
        let wrong = |why: String| {
            UserError::new(
                format!("{name} is not a tokenizer: {why}"),
                "`tokenizer.save(\"tokenizer.json\")` of Hugging Face's `tokenizers` writes one",
            )
        };
        let mut tokenizer =
            Tokenizer::from_bytes(json).map_err(|error| wrong(error.to_string()))?;
        let padding = tokenizer.get_padding().map(|padding| padding.pad_id);
        let named = tokenizer.id_to_token(0).is_some_and(|t| PADDING_NAMES.contains(&t.as_str()));
        let shift = i32::from(!(padding == Some(0) || named));
        let largest = tokenizer.get_vocab(true).into_values().max();
        let largest = largest.ok_or_else(|| wrong("its vocabulary is empty".into()))?;
        let vocabulary = largest as usize + 1 + shift as usize;
        if vocabulary > i32::MAX as usize {
            return Err(wrong(format!("its largest id is {largest}")));
        }
        // Length and padding are this program's to decide.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { tokenizer, shift, vocabulary })
    }

    /// V
    pub(in crate::data) fn len(&self) -> usize {
        self.vocabulary
    }

    /// The ids of each text; `place` names the row of a text that cannot be tokenised.
    pub(in crate::data) fn ids(
        &self,
        texts: &[String],
        section: &TextSection,
        place: &dyn Fn(usize) -> String,
    ) -> Result<Vec<Vec<i32>>, UserError> {
        let mut all = Vec::with_capacity(texts.len());
        for (chunk, texts) in texts.chunks(CHUNK).enumerate() {
            let inputs: Vec<EncodeInput<'_>> =
                texts.iter().map(|text| EncodeInput::from(replaced(text, section))).collect();
            let encoded = self.tokenizer.encode_batch_fast(inputs, true).map_err(|error| {
                // The batch does not tell which of its texts it is.
                let first = chunk * CHUNK;
                let at = texts
                    .iter()
                    .position(|text| self.tokenizer.encode(text.as_str(), true).is_err());
                UserError::new(
                    format!("{}: the tokenizer fails: {error}", place(first + at.unwrap_or(0))),
                    "try the text with the library that made the tokenizer",
                )
            })?;
            let shifted = |id: &u32| *id as i32 + self.shift;
            all.extend(encoded.iter().map(|text| text.get_ids().iter().map(shifted).collect()));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word-level tokenizer as the library writes it, with these words from id 0 on.
    pub(in crate::data) fn json(words: &[&str]) -> String {
        let vocab: serde_json::Map<String, serde_json::Value> =
            words.iter().enumerate().map(|(id, word)| (word.to_string(), id.into())).collect();
        serde_json::json!({
            "version": "1.0",
            "truncation": { "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0 },
            "padding": null,
            "added_tokens": [],
            "normalizer": { "type": "Lowercase" },
            "pre_tokenizer": { "type": "Whitespace" },
            "post_processor": null,
            "decoder": null,
            "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" }
        })
        .to_string()
    }

    fn ids(words: &[&str], text: &str) -> (Vec<i32>, usize) {
        let tokenizer = HuggingFace::parse("t.json", json(words).as_bytes()).unwrap();
        let section = TextSection::default();
        let ids = tokenizer.ids(&[text.to_owned()], &section, &|_| "line 2".into()).unwrap();
        (ids.concat(), tokenizer.len())
    }

    #[test]
    fn ids_stay_where_0_is_padding_and_are_raised_by_one_where_it_is_not() {
        let text = "Good film, bad";
        assert_eq!(ids(&["[PAD]", "[UNK]", "good", "film"], text), (vec![2, 3, 1, 1], 4));
        assert_eq!(ids(&["[UNK]", "good", "film"], text), (vec![2, 3, 1, 1], 4));
        let padded = json(&["nothing", "[UNK]", "good"]).replace(
            "\"padding\":null",
            r#""padding":{"strategy":{"Fixed":9},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"nothing"}"#,
        );
        let tokenizer = HuggingFace::parse("t.json", padded.as_bytes()).unwrap();
        let section = TextSection::default();
        let ids = tokenizer.ids(&["good good good".into()], &section, &|_| String::new()).unwrap();
        assert_eq!((ids.concat(), tokenizer.len()), (vec![2, 2, 2], 3), "neither cut nor padded");
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_refused() {
        let error = HuggingFace::parse("t.json", b"{}").err().unwrap();
        assert!(error.message.starts_with("t.json is not a tokenizer: "), "{}", error.message);
    }
}

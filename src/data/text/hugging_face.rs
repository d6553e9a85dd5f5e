//! A tokenizer from Hugging Face's `tokenizer.json`.

use super::{TIMES, most_bytes, replaced};
use crate::config::TextSection;
use crate::data::guard::caught;
use crate::error::UserError;
use anyhow::Result;
use rayon::prelude::*;
use serde_json::Value;
use tokenizers::normalizers::Replace;
use tokenizers::{NormalizedString, Normalizer, NormalizerWrapper, Tokenizer};

/// A tokenizer whose ids leave 0 to padding.
pub(in crate::data) struct HuggingFace {
    name: String,
    tokenizer: Tokenizer,
    /// What is added to each id: 0 where its id 0 is padding already, else 1.
    shift: i32,
    vocabulary: usize,
    /// The id of unknown words, raised as all ids are.
    unknown: Option<i32>,
    /// Whether its normalizer may make very much of a text, so that each is looked at first.
    grows: bool,
}

/// What padding is called where `padding` is not set in the file.
const PADDING_NAMES: [&str; 5] = ["[PAD]", "<pad>", "<PAD>", "<|pad|>", "<|padding|>"];

/// Ids may have gaps, but a table of vectors is made for all up to the largest.
fn most_id(tokens: usize) -> usize {
    10 * tokens + 100_000
}

impl HuggingFace {
    /// Reads the content of a file that messages call `name`.
    pub(in crate::data) fn parse(name: &str, json: &[u8]) -> Result<Self, UserError> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let read = caught(|| Self::read(name, json));
        read.unwrap_or_else(|panic| Err(wrong(name, &format!("it is damaged: {panic}"))))
    }

    fn read(name: &str, json: &[u8]) -> Result<Self, UserError> {
        let mut tokenizer =
            Tokenizer::from_bytes(json).map_err(|error| wrong(name, &error.to_string()))?;
        let padding = tokenizer.get_padding().map(|padding| padding.pad_id);
        let named = tokenizer.id_to_token(0).is_some_and(|t| PADDING_NAMES.contains(&t.as_str()));
        let shift = i32::from(!(padding == Some(0) || named));
        let tokens = tokenizer.get_vocab(true);
        let most = most_id(tokens.len()).min(i32::MAX as usize - 2);
        let largest = tokens.iter().max_by_key(|(_, id)| **id);
        let (token, id) = largest.ok_or_else(|| wrong(name, "its vocabulary is empty"))?;
        if *id as usize > most {
            let count = tokens.len();
            let why = format!("its token `{token}` has the id {id}, and there are {count} tokens");
            return Err(wrong(name, &why));
        }
        let vocabulary = *id as usize + 1 + shift as usize;
        let unknown = unknown(&tokenizer, json).map(|id| id as i32 + shift);
        // Length and padding are this program's to decide.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| wrong(name, &error.to_string()))?;
        let grows = tokenizer.get_normalizer().is_some_and(|of| growth(of) > TIMES);
        Ok(Self { name: name.to_owned(), tokenizer, shift, vocabulary, unknown, grows })
    }

    /// V
    pub(in crate::data) fn len(&self) -> usize {
        self.vocabulary
    }

    /// The token that stands for unknown words, if there is one.
    pub(in crate::data) fn unknown(&self) -> Option<i32> {
        self.unknown
    }

    /// The ids of each text, computed by all cores; `place` names the row of a text that cannot be
    /// tokenised.
    pub(in crate::data) fn ids(
        &self,
        texts: &[String],
        section: &TextSection,
        place: &dyn Fn(usize) -> String,
    ) -> Result<Vec<Vec<i32>>, UserError> {
        let all: Vec<Result<Vec<i32>, String>> =
            texts.par_iter().map(|text| self.of_text(replaced(text, section)?)).collect();
        let named = |(row, ids): (usize, Result<Vec<i32>, String>)| {
            ids.map_err(|why| {
                UserError::new(
                    format!("{}: the tokenizer {} fails: {why}", place(row), self.name),
                    "try the text with the library that made the tokenizer",
                )
            })
        };
        all.into_iter().enumerate().map(named).collect()
    }

    fn of_text(&self, text: String) -> Result<Vec<i32>, String> {
        if self.grows {
            self.refuse_overgrown(&text)?;
        }
        let encoded = caught(|| self.tokenizer.encode_fast(text, true))
            .map_err(|panic| format!("it is damaged: {panic}"))?
            .map_err(|error| error.to_string())?;
        let most = self.vocabulary - self.shift as usize;
        let raised = |id: &u32| match (*id as usize) < most {
            true => Ok(*id as i32 + self.shift),
            false => Err(format!("it gives the id {id}, which its vocabulary does not have")),
        };
        encoded.get_ids().iter().map(raised).collect()
    }
}

impl HuggingFace {
    /// Normalises a text step by step, and stops before it fills the memory.
    fn refuse_overgrown(&self, text: &str) -> Result<(), String> {
        let Some(normalizer) = self.tokenizer.get_normalizer() else { return Ok(()) };
        let mut normalised = NormalizedString::from(text);
        let most = most_bytes(text.len());
        caught(|| normalise(normalizer, &mut normalised, most))
            .map_err(|panic| format!("it is damaged: {panic}"))?
            .map_err(|why| format!("its normalizer makes {why} of the {} of the text", text.len()))
    }
}

/// Applies a normalizer, or says how many bytes it would make.
fn normalise(
    normalizer: &NormalizerWrapper,
    text: &mut NormalizedString,
    most: usize,
) -> Result<(), String> {
    let more = |size: usize| match size > most {
        true => Err(format!("{size} bytes, more than {most},")),
        false => Ok(()),
    };
    match normalizer {
        NormalizerWrapper::Sequence(steps) => {
            return steps.as_ref().iter().try_for_each(|step| normalise(step, text, most));
        }
        NormalizerWrapper::Replace(replace) => {
            let now = text.get();
            let matches = pattern(replace).map_or(now.len() + 1, |of| now.matches(&*of).count());
            more(matches.saturating_mul(replace.content.len()))?;
        }
        _ => {}
    }
    normalizer.normalize(text).map_err(|error| error.to_string())?;
    more(text.get().len())
}

/// What is replaced, unless it is a regular expression.
fn pattern(replace: &Replace) -> Option<String> {
    let value = serde_json::to_value(replace).ok()?;
    Some(value["pattern"]["String"].as_str()?.to_owned())
}

/// How many times as many bytes a normalizer makes of a text at most.
fn growth(normalizer: &NormalizerWrapper) -> usize {
    /// Of Unicode's longest decomposition, with blanks around it.
    const UNICODE: usize = 20;
    match normalizer {
        NormalizerWrapper::Sequence(steps) => {
            steps.as_ref().iter().map(growth).fold(1, usize::saturating_mul)
        }
        NormalizerWrapper::Replace(replace) => match pattern(replace) {
            Some(of) => replace.content.len().div_ceil(of.len().max(1)).max(1),
            None => replace.content.len() + 1,
        },
        NormalizerWrapper::Prepend(prepend) => prepend.prepend.len().max(1),
        NormalizerWrapper::StripNormalizer(_) | NormalizerWrapper::StripAccents(_) => 1,
        NormalizerWrapper::Lowercase(_) | NormalizerWrapper::ByteLevel(_) => 3,
        _ => UNICODE,
    }
}

fn wrong(name: &str, why: &str) -> UserError {
    UserError::new(
        format!("{name} is not a tokenizer: {why}"),
        "`tokenizer.save(\"tokenizer.json\")` of Hugging Face's `tokenizers` writes one",
    )
}

/// The id of unknown words, as the file's model names it.
fn unknown(tokenizer: &Tokenizer, json: &[u8]) -> Option<u32> {
    let file: Value = serde_json::from_slice(json).ok()?;
    let model = &file["model"];
    let by_name = model["unk_token"].as_str().and_then(|token| tokenizer.token_to_id(token));
    by_name.or_else(|| u32::try_from(model["unk_id"].as_u64()?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word-level tokenizer as the library writes it, with these words from id 0 on.
    pub(in crate::data) fn json(words: &[&str]) -> String {
        let vocab: serde_json::Map<String, Value> =
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

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_file_and_unknown_words_are_known() {
        let marked = format!("\u{feff}{}", json(&["[PAD]", "[UNK]", "good"]));
        let tokenizer = HuggingFace::parse("t.json", marked.as_bytes()).unwrap();
        assert_eq!((tokenizer.len(), tokenizer.unknown()), (3, Some(1)));
    }

    fn refusal(json: &str) -> String {
        HuggingFace::parse("t.json", json.as_bytes()).err().unwrap().message
    }

    #[test]
    fn what_the_library_panics_at_is_an_error_that_names_the_file() {
        let empty = json(&["[PAD]", "[UNK]"]).replace(
            r#"{"type":"Lowercase"}"#,
            r#"{"type":"Precompiled","precompiled_charsmap":""}"#,
        );
        let said = refusal(&empty);
        assert!(said.starts_with("t.json is not a tokenizer: "), "{said}");
    }

    #[test]
    fn an_absurd_id_is_refused_with_its_token() {
        let absurd =
            json(&["[PAD]", "[UNK]", "good"]).replace(r#""good":2"#, r#""good":481000002"#);
        assert_eq!(
            refusal(&absurd),
            "t.json is not a tokenizer: its token `good` has the id 481000002, and there are 3 tokens"
        );
    }

    /// Steps of replacements, in place of the normalizer of [`json`].
    fn replacing(steps: &[(&str, String)]) -> Result<Vec<Vec<i32>>, UserError> {
        let step = |(pattern, content): &(&str, String)| serde_json::json!({ "type": "Replace", "pattern": { "String": pattern }, "content": content });
        let steps: Vec<Value> = steps.iter().map(step).collect();
        let all = serde_json::json!({ "type": "Sequence", "normalizers": steps }).to_string();
        let json = json(&["[PAD]", "[UNK]", "good"]).replace(r#"{"type":"Lowercase"}"#, &all);
        let tokenizer = HuggingFace::parse("t.json", json.as_bytes()).unwrap();
        let texts = ["good".to_owned(), "a good film".to_owned()];
        tokenizer.ids(&texts, &TextSection::default(), &|row| format!("line {}", row + 2))
    }

    #[test]
    fn a_normalizer_that_multiplies_a_text_is_stopped_and_told_with_the_row() {
        let doubling: Vec<(&str, String)> = vec![("a", "aa".into()); 60];
        let error = replacing(&doubling).unwrap_err();
        let said = "line 3: the tokenizer t.json fails: its normalizer makes 1048576 bytes";
        assert!(error.message.starts_with("line 3: the tokenizer t.json fails: its"), "{error}");
        assert!(
            error.message.contains("bytes, more than 1048576, of the 11 of the text"),
            "{said}"
        );
        let error = replacing(&[("a", "x".repeat(2 << 20))]).unwrap_err();
        assert!(error.message.contains("makes 2097152 bytes"), "{error}");
        assert_eq!(
            replacing(&[("film", "good".into()), ("a", "b".repeat(300))]).unwrap()[1][1..],
            [2, 2]
        );
    }

    #[test]
    fn ids_that_the_vocabulary_does_not_have_are_refused_with_the_row() {
        let special = r#"{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[X]","type_id":0}},
            {"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},
            {"Sequence":{"id":"B","type_id":1}}],
            "special_tokens":{"[X]":{"id":"[X]","ids":[70000],"tokens":["[X]"]}}}"#;
        let template = json(&["[PAD]", "[UNK]", "good"])
            .replace("\"post_processor\":null", &format!("\"post_processor\":{special}"));
        let tokenizer = HuggingFace::parse("t.json", template.as_bytes()).unwrap();
        let error = tokenizer
            .ids(&["good".into()], &TextSection::default(), &|row| format!("line {}", row + 2))
            .unwrap_err();
        assert_eq!(
            error.message,
            "line 2: the tokenizer t.json fails: it gives the id 70000, which its vocabulary does not \
             have"
        );
    }
}

//! Small readable copies of what the data decided, kept with a study: they outlive the cache, can be
//! read without this program, and are all that [`super::Encoder`] needs on another machine.
//!
//! | file | holds |
//! |---|---|
//! | `facts.json` | counts of each split, sizes, and the hash of the data |
//! | `labels.json` | for classes: what the labels 0, 1, ... are called in the source |
//! | `splits.csv` | for each example, its split and its line or row in the source |
//! | `vocabulary.txt` | for words: line n holds the word of id n - 1, as Keras's `get_vocabulary()` |
//! | `tokenizer.json` | the tokenizer file, when there is one |
//! | `checksums.json` | of these files: what was changed or damaged is not used |

use super::dataset::Dataset;
use super::facts::Facts;
use super::prepare::Prepared;
use super::text::{FIRST_WORD, HuggingFace, Vocabulary};
use crate::error::UserError;
use crate::files;
use crate::kernels::Split;
use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

pub(super) const FACTS: &str = "facts.json";
const LABELS: &str = "labels.json";
const SPLITS: &str = "splits.csv";
const VOCABULARY: &str = "vocabulary.txt";
const TOKENIZER: &str = "tokenizer.json";
const CHECKSUMS: &str = "checksums.json";

/// The hash of the data that a study keeps facts of; `None` where these are missing or damaged, which is
/// told where they are needed.
pub fn kept_hash(folder: &Path) -> Option<String> {
    Some(kept_facts(folder)?.hash)
}

/// The facts that a study keeps of its data; `None` as for the hash.
pub fn kept_facts(folder: &Path) -> Option<Facts> {
    json(folder, FACTS).ok()
}

/// What `facts.json` holds.
#[derive(Serialize)]
struct Kept<'f> {
    #[serde(flatten)]
    facts: &'f Facts,
    /// Always true: `checksums.json` was written too. Earlier versions wrote neither.
    checksums: bool,
}

impl Prepared {
    /// Writes the copies into this folder, which is made if need be.
    pub fn keep(&self, folder: &Path) -> Result<()> {
        files::refuse_link(folder)?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        // Without it nothing is compared: it does not speak of files that are replaced meanwhile.
        match fs::remove_file(folder.join(CHECKSUMS)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let place = folder.join(CHECKSUMS);
                return Err(error).with_context(|| format!("cannot remove {}", place.display()));
            }
            _ => {}
        }
        let dataset = Dataset::open(&self.path)?;
        let facts = &self.facts;
        files::write_json(&folder.join(FACTS), &Kept { facts, checksums: true })?;
        if !facts.are_numbers() {
            let classes: BTreeMap<usize, &String> = facts.classes.iter().enumerate().collect();
            files::write_json(&folder.join(LABELS), &classes)?;
        }
        files::write_text(&folder.join(SPLITS), &splits(&dataset)?)?;
        if let Some(tokenizer) = dataset.tokenizer()? {
            files::write_atomic(&folder.join(TOKENIZER), |file| Ok(file.write_all(tokenizer)?))?;
        }
        if !dataset.vocabulary().is_empty() {
            let words = dataset.vocabulary().iter().map(String::as_str);
            let lines: Vec<&str> = ["", "[UNK]"].into_iter().chain(words).collect();
            files::write_text(&folder.join(VOCABULARY), &(lines.join("\n") + "\n"))?;
        }
        let mut checksums = BTreeMap::new();
        for name in [FACTS, LABELS, VOCABULARY, TOKENIZER] {
            match files::read(&folder.join(name)) {
                Ok(bytes) => drop(checksums.insert(name, files::checksum(&bytes))),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let place = folder.join(name);
                    return Err(error).with_context(|| format!("cannot read {}", place.display()));
                }
            }
        }
        files::write_sealed_json(&folder.join(CHECKSUMS), &checksums)
    }
}

fn splits(dataset: &Dataset) -> Result<String> {
    let mut text = String::from("split,row\n");
    for (name, split) in
        [("train", Split::Train), ("validation", Split::Validation), ("test", Split::Test)]
    {
        for row in dataset.rows(split)? {
            writeln!(text, "{name},{row}")?;
        }
    }
    Ok(text)
}

/// The file that numbers the words of a kept copy, and its bytes.
pub fn kept_vocabulary(folder: &Path) -> Result<(&'static str, Vec<u8>)> {
    let has_tokenizer = fs::symlink_metadata(folder.join(TOKENIZER)).is_ok();
    let name = if has_tokenizer { TOKENIZER } else { VOCABULARY };
    Ok((name, read(folder, name)?))
}

/// The vocabulary of a kept copy.
pub(super) fn vocabulary(folder: &Path) -> Result<Vocabulary> {
    let text = String::from_utf8_lossy(&read(folder, VOCABULARY)?).into_owned();
    let words = text.strip_suffix('\n').unwrap_or(&text).split('\n');
    Ok(Vocabulary::of(words.skip(FIRST_WORD).map(str::to_owned).collect()))
}

/// The tokenizer of a kept copy.
pub(super) fn tokenizer(folder: &Path) -> Result<HuggingFace> {
    let path = folder.join(TOKENIZER);
    Ok(HuggingFace::parse(&path.display().to_string(), &read(folder, TOKENIZER)?)?)
}

/// A kept JSON file.
pub(super) fn json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T> {
    let path = folder.join(name);
    let value = serde_json::from_slice(&read(folder, name)?);
    Ok(value.map_err(|error| damaged(&path, &error.to_string()))?)
}

/// The bytes of a kept file, which must be those that were written.
fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    let bytes = files::read(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => missing(&path, &error.to_string()),
        _ => rewritten(format!("cannot read {}: {error}", path.display())),
    })?;
    let list = folder.join(CHECKSUMS);
    let said = files::read_sealed_json::<BTreeMap<String, String>>(&list)
        .map_err(|error| rewritten(error.to_string()))?;
    if said.is_none() && has_checksums(folder) {
        let why = format!("{} is missing, so it cannot be told whether", list.display());
        return Err(rewritten(format!("{why} {} is as it was written", path.display())).into());
    }
    match said.as_ref().and_then(|said| said.get(name)) {
        Some(said) if *said != files::checksum(&bytes) => {
            Err(damaged(&path, "its content does not fit its checksum").into())
        }
        _ => Ok(bytes),
    }
}

/// Whether `checksums.json` was written, as the facts say.
fn has_checksums(folder: &Path) -> bool {
    let facts = files::read(&folder.join(FACTS)).ok();
    let facts = facts.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    facts.is_some_and(|facts| facts["checksums"] == true)
}

fn damaged(path: &Path, why: &str) -> UserError {
    rewritten(format!("{} is damaged: {why}", path.display()))
}

/// What is wrong with a kept file, and how to write it again.
fn rewritten(what: String) -> UserError {
    UserError::new(
        what,
        "the same `batchscope run` writes the study's folder `data` again, and trains nothing anew",
    )
}

fn missing(path: &Path, why: &str) -> UserError {
    UserError::new(
        format!("cannot read {}: {why}", path.display()),
        "a study's folder holds it from its first run on; copy the whole folder",
    )
}

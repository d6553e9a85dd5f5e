//! The user's file -> a prepared file, made once for each content and settings.

use super::arrays::{self, Block};
use super::dataset::{self, Facts, Part, TokenRows};
use super::split::{Rows, split};
use super::table::{self, Table};
use super::tokenizer::words;
use super::vocabulary::Vocabulary;
use crate::config::{DataSection, End, TextSection};
use crate::error::UserError;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Part of every hash: raise it when the meaning or the layout of prepared files changes.
const FORMAT: u32 = 1;

/// A prepared file and what is known of it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The mapped file that workers open.
    pub path: PathBuf,
    /// What is known of it.
    pub facts: Facts,
}

/// Reads, tokenises and splits the examples, or finds that this was done before. `masked` leaves
/// padding out; `report` hears what is being done.
pub fn prepare(
    section: &DataSection,
    masked: bool,
    cache: &Path,
    report: &mut dyn FnMut(&str),
) -> Result<Prepared> {
    let source = source_path(section);
    report(&format!("reading {}", source.display()));
    let bytes = fs::read(source).map_err(|error| {
        let here = fs::canonicalize(".").unwrap_or_default();
        let reviews = match source.ends_with("movie_reviews.csv") {
            true => "; `scripts/setup` fetches the movie reviews",
            false => "",
        };
        UserError::new(
            format!("cannot read the data file {}: {error}", source.display()),
            format!("the path is taken from {}{reviews}", here.display()),
        )
    })?;
    let hash = content_hash(section, masked, &bytes)?;
    let path = cache.join(format!("{hash}.safetensors"));
    if !path.exists() {
        fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
        write(section, masked, &bytes, &hash, &path, report)?;
    }
    let facts = dataset::Dataset::open(&path)?.facts().clone();
    Ok(Prepared { path, facts })
}

/// The examples with this hash, if they are in the cache: the source is not read.
pub fn find(cache: &Path, hash: &str) -> Result<Option<Prepared>> {
    let path = cache.join(format!("{hash}.safetensors"));
    if !path.exists() {
        return Ok(None);
    }
    let facts = dataset::Dataset::open(&path)?.facts().clone();
    Ok(Some(Prepared { path, facts }))
}

fn source_path(section: &DataSection) -> &Path {
    match (&section.table, &section.arrays) {
        (Some(table), _) => &table.path,
        (None, Some(arrays)) => &arrays.path,
        (None, None) => Path::new(""),
    }
}

/// Depends on the bytes of the source and on every setting, but not on the file's name.
fn content_hash(section: &DataSection, masked: bool, bytes: &[u8]) -> Result<String> {
    let mut settings = section.clone();
    if let Some(table) = &mut settings.table {
        table.path = PathBuf::new();
    }
    if let Some(arrays) = &mut settings.arrays {
        arrays.path = PathBuf::new();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(serde_json::to_string(&(FORMAT, masked, settings))?.as_bytes());
    hasher.update(blake3::hash(bytes).as_bytes());
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

fn write(
    section: &DataSection,
    masked: bool,
    bytes: &[u8],
    hash: &str,
    path: &Path,
    report: &mut dyn FnMut(&str),
) -> Result<()> {
    let (parts, vocabulary, features, classes) = match (&section.table, &section.arrays) {
        (Some(columns), _) => {
            let table = table::read(columns, bytes)?;
            report(&format!("tokenising {} texts", table.texts.len()));
            let text = section.text.clone().unwrap_or_default();
            let tokens: Vec<Vec<String>> =
                table.texts.iter().map(|raw| words(raw, &text)).collect();
            let rows = split(&tokens, &table.labels, &section.split);
            let (parts, vocabulary) = number(&table, &tokens, &rows, &text, masked);
            (parts, Some(vocabulary), None, table.classes)
        }
        (None, Some(columns)) => {
            let parts = divide(arrays::read(columns, bytes)?, section);
            let Part::Features { block, .. } = &parts[0] else {
                unreachable!("arrays hold features")
            };
            let features = block.features;
            (parts, None, Some(features), ["0".to_owned(), "1".to_owned()])
        }
        (None, None) => unreachable!("config::rules asks for one source"),
    };
    let [train, validation, test] = parts.each_ref().map(Part::facts);
    let size = vocabulary.as_ref().map(Vocabulary::len);
    let facts = Facts {
        hash: hash.to_owned(),
        vocabulary: size,
        features,
        classes,
        train,
        validation,
        test,
    };
    check_splits(&facts)?;
    let words = vocabulary.as_ref().map_or(&[][..], Vocabulary::words);
    dataset::write(path, &facts, words, &parts)
}

/// Training needs examples of both labels, validation at least one example.
fn check_splits(facts: &Facts) -> Result<(), UserError> {
    let train = &facts.train;
    if train.examples == 0 {
        return Err(UserError::new(
            "the training split is empty",
            "lower `data.split.validation` and `data.split.test`, or use more data",
        ));
    }
    if train.positives == 0 || train.positives == train.examples {
        return Err(UserError::new(
            format!("the training split has {} examples, all of one label", train.examples),
            "a classifier needs both",
        ));
    }
    match facts.validation.examples {
        0 => Err(UserError::new(
            "the validation split is empty",
            "raise `data.split.validation` or use more data",
        )),
        _ => Ok(()),
    }
}

/// Words -> ids, with a vocabulary that knows the training split alone.
fn number(
    table: &Table,
    tokens: &[Vec<String>],
    rows: &Rows,
    text: &TextSection,
    masked: bool,
) -> ([Part; 3], Vocabulary) {
    let training = rows.train.iter().map(|row| &tokens[*row as usize]);
    let vocabulary = Vocabulary::fit(training, text.max_tokens as usize);
    let part = |rows: &[u32]| {
        let mut sequences = TokenRows { tokens: Vec::new(), offsets: vec![0] };
        for row in rows {
            let ids = tokens[*row as usize].iter().map(|word| vocabulary.id(word)).collect();
            sequences.push(&sequence(ids, text, masked));
        }
        Part::Tokens {
            rows: sequences,
            labels: rows.iter().map(|row| table.labels[*row as usize]).collect(),
            source: rows.iter().map(|row| table.lines[*row as usize]).collect(),
        }
    };
    ([part(&rows.train), part(&rows.validation), part(&rows.test)], vocabulary)
}

/// Cuts ids to the length asked for and, without a mask, pads them to it with 0.
pub(super) fn sequence(mut ids: Vec<i32>, text: &TextSection, masked: bool) -> Vec<i32> {
    let length = text.length as usize;
    match text.truncate {
        End::Pre => drop(ids.drain(..ids.len().saturating_sub(length))),
        End::Post => ids.truncate(length),
    }
    if masked {
        return ids;
    }
    let padding = vec![0; length - ids.len()];
    match text.pad {
        End::Pre => [padding, ids].concat(),
        End::Post => [ids, padding].concat(),
    }
}

/// Splits that the file does not have are cut from its training arrays; a file that brings its own
/// validation arrays is left as it is.
fn divide(arrays: arrays::Arrays, section: &DataSection) -> [Part; 3] {
    let whole = |block: Block| {
        let source = (0..block.len() as u64).collect();
        Part::Features { block, source }
    };
    let none = |like: &Block| like.select(&[]);
    if let Some(validation) = arrays.validation {
        let test = arrays.test.unwrap_or_else(|| none(&arrays.train));
        return [whole(arrays.train), whole(validation), whole(test)];
    }
    let all = arrays.train;
    let keys: Vec<&[u8]> = (0..all.len()).map(|row| bytemuck::cast_slice(all.row(row))).collect();
    let mut fractions = section.split.clone();
    if arrays.test.is_some() {
        fractions.test = 0.0;
    }
    let rows = split(&keys, &all.labels, &fractions);
    let part = |rows: &[u32]| Part::Features {
        block: all.select(rows),
        source: rows.iter().map(|row| u64::from(*row)).collect(),
    };
    let test = arrays.test.map_or_else(|| part(&rows.test), whole);
    [part(&rows.train), part(&rows.validation), test]
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
    }

    const CSV: &str = "text,label\ngood film,1\nbad film,0\ngood good,1\nbad bad,0\nfine,1\nawful,0\n\
                       nice one,1\nno,0\nyes,1\nhm,0\n";

    fn section(folder: &Path) -> DataSection {
        let path = folder.join("t.csv");
        fs::write(&path, CSV).unwrap();
        let yaml = format!("table: {{ path: {} }}\ntext: {{ length: 4 }}\n", path.display());
        serde_yaml::from_str(&yaml).unwrap()
    }

    #[test]
    fn the_vocabulary_knows_the_training_split_only() {
        let folder = tempfile::tempdir().unwrap();
        let prepared = prepare(&section(folder.path()), true, folder.path(), &mut |_| ()).unwrap();
        let facts = &prepared.facts;
        assert_eq!(
            (facts.train.examples, facts.validation.examples, facts.test.examples),
            (6, 2, 2)
        );
        let dataset = dataset::Dataset::open(&prepared.path).unwrap();
        let splits = dataset.splits().unwrap();
        let ids = |examples: crate::kernels::Examples<'_>| match examples.sequences {
            crate::kernels::Sequences::Tokens { tokens, .. } => tokens.to_vec(),
            crate::kernels::Sequences::Features { .. } => unreachable!(),
        };
        assert!(ids(splits.train).iter().all(|id| *id >= 2), "a training word is unknown");
        let largest = ids(splits.train).into_iter().max().unwrap() as usize;
        assert_eq!(Some(largest + 1), facts.vocabulary);
        assert!([ids(splits.validation), ids(splits.test)].concat().contains(&1));
    }

    /// Printed by this test on 2026-11-22. When it fails, prepared files of earlier versions are
    /// stale: raise `FORMAT`, then put the new hash here.
    #[test]
    fn prepared_examples_change_only_with_the_format() {
        let folder = tempfile::tempdir().unwrap();
        let prepared = prepare(&section(folder.path()), false, folder.path(), &mut |_| ()).unwrap();
        let dataset = dataset::Dataset::open(&prepared.path).unwrap();
        let splits = dataset.splits().unwrap();
        let mut hasher = blake3::Hasher::new();
        for examples in [splits.train, splits.validation, splits.test] {
            let crate::kernels::Sequences::Tokens { tokens, offsets } = examples.sequences else {
                panic!("text becomes tokens");
            };
            hasher.update(bytemuck::cast_slice(tokens));
            hasher.update(bytemuck::cast_slice(offsets));
            hasher.update(bytemuck::cast_slice(examples.labels));
        }
        assert_eq!((FORMAT, &hasher.finalize().to_hex()[..16]), (1, "c3cd1006e26a0376"));
    }

    #[test]
    fn equal_content_and_settings_are_prepared_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut said = Vec::new();
        let mut section = section(folder.path());
        for _ in 0..2 {
            prepare(&section, true, folder.path(), &mut |what| said.push(what.to_owned())).unwrap();
        }
        assert_eq!(said.iter().filter(|what| what.starts_with("tokenising")).count(), 1);
        section.split.seed = 1;
        prepare(&section, true, folder.path(), &mut |what| said.push(what.to_owned())).unwrap();
        assert_eq!(said.iter().filter(|what| what.starts_with("tokenising")).count(), 2);
    }

    #[test]
    fn arrays_with_their_own_validation_are_left_whole() {
        let block = |n: usize| Block {
            values: (0..n).map(|value| value as f32).collect(),
            steps: 1,
            features: 1,
            labels: (0..n).map(|row| (row % 2) as f32).collect(),
        };
        let section: DataSection = serde_yaml::from_str("arrays: { path: a.npz }").unwrap();
        let sizes = |arrays| divide(arrays, &section).map(|part| part.facts().examples);
        let arrays = |v: Option<usize>, t: Option<usize>| arrays::Arrays {
            train: block(20),
            validation: v.map(block),
            test: t.map(block),
        };
        assert_eq!(sizes(arrays(Some(6), None)), [20, 6, 0]);
        assert_eq!(sizes(arrays(Some(6), Some(4))), [20, 6, 4]);
        assert_eq!(sizes(arrays(None, Some(4))), [16, 4, 4]);
        assert_eq!(sizes(arrays(None, None)), [12, 4, 4]);
    }
}

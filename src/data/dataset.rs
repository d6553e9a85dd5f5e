//! Prepared examples in one mapped file, shared by all processes that read it.
//!
//! The file is a safetensors file. For each split it holds `<split>.labels` f32 `[N]` and
//! `<split>.rows` u64 `[N]` (the line or row in the user's file), and the sequences: for text
//! `<split>.tokens` i32 and `<split>.offsets` u64 `[N + 1]`, for arrays `<split>.values` f32
//! `[N, T, F]`. Its metadata holds [`Header`] as JSON, with a checksum over all of it.

use super::account::Account;
use super::arrays::Block;
use super::facts::{Facts, SplitFacts, TargetFacts};
use super::found::is_sorted;
use super::scaling::Scaling;
use super::text::PADDING;
use crate::files::{self, Damaged};
use crate::kernels::{Examples, Sequences, Split, Splits};
use crate::spec::Affine;
use anyhow::{Context, Result, ensure};
use bytemuck::Pod;
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

pub(super) const SPLITS: [&str; 3] = ["train", "validation", "test"];

/// What the file says of itself, in one entry: several would stand in the order of a hash map.
#[derive(Serialize, Deserialize)]
struct Header {
    facts: Facts,
    /// The words of token ids 2, 3, ...; empty unless text is split into words.
    vocabulary: Vec<String>,
}

/// What the prepared sequences are, beside the sequences.
#[derive(Default)]
pub(super) struct Contents {
    /// V for token ids.
    pub(super) vocabulary: Option<usize>,
    /// F for arrays of floats.
    pub(super) features: Option<usize>,
    /// The words of token ids 2, 3, ...
    pub(super) words: Vec<String>,
    /// The bytes of a `tokenizer.json`.
    pub(super) tokenizer: Vec<u8>,
    /// For texts.
    pub(super) text: Option<TextTokens>,
    /// What became of the lines and rows of each table.
    pub(super) accounts: Vec<Account>,
}

/// What is counted of texts.
#[derive(Clone, Copy)]
pub(super) struct TextTokens {
    /// The token of words that the vocabulary does not have, if there is one.
    pub(super) unknown: Option<i32>,
}

impl Facts {
    /// Counts `parts`, which are train, validation, test.
    pub(super) fn of(
        hash: String,
        contents: &Contents,
        classes: Vec<String>,
        parts: &[Part; 3],
    ) -> Self {
        let count = classes.len();
        let sorted_by_label = is_sorted(parts[0].labels(), count > 0);
        let [train, validation, test] =
            parts.each_ref().map(|part| part.facts(contents.text, count));
        Self {
            hash,
            vocabulary: contents.vocabulary,
            features: contents.features,
            classes,
            sorted_by_label,
            accounts: contents.accounts.clone(),
            train,
            validation,
            test,
            ..Self::default()
        }
    }
}

const HEADER: &str = "batchscope";
const TOKENIZER: &str = "tokenizer";

/// Rows of token ids, one after the other.
pub(super) struct TokenRows {
    pub(super) tokens: Vec<i32>,
    pub(super) offsets: Vec<u64>,
}

impl TokenRows {
    pub(super) fn push(&mut self, row: &[i32]) {
        self.tokens.extend(row);
        self.offsets.push(self.tokens.len() as u64);
    }

    /// Tokens without padding, unknown ones among them, and rows without any.
    fn counted(&self, text: TextTokens) -> (u64, u64, usize) {
        let is_token = |token: &&i32| **token != PADDING;
        let tokens = self.tokens.iter().filter(is_token).count() as u64;
        let unknown = self.tokens.iter().filter(|token| Some(**token) == text.unknown).count();
        let row = |pair: &[u64]| &self.tokens[pair[0] as usize..pair[1] as usize];
        let rows = self.offsets.windows(2).map(row);
        let empty = rows.filter(|row| row.iter().all(|token| *token == PADDING)).count();
        (tokens, unknown as u64, empty)
    }
}

/// One split before it is written.
pub(super) enum Part {
    Tokens { rows: TokenRows, labels: Vec<f32>, source: Vec<u64> },
    Features { block: Block, labels: Vec<f32>, source: Vec<u64> },
}

impl Part {
    pub(super) fn labels(&self) -> &[f32] {
        match self {
            Self::Tokens { labels, .. } | Self::Features { labels, .. } => labels,
        }
    }

    /// Values `[..., F]`, of which tokens have none.
    pub(super) fn values(&self) -> (&[f32], usize) {
        match self {
            Self::Tokens { .. } => (&[], 0),
            Self::Features { block, .. } => (&block.values, block.features),
        }
    }

    pub(super) fn scale(&mut self, scaling: &Scaling) {
        if let Self::Features { block, .. } = self {
            scaling.scale_features(&mut block.values);
        }
        let (Self::Tokens { labels, .. } | Self::Features { labels, .. }) = self;
        scaling.scale_targets(labels);
    }

    fn facts(&self, text: Option<TextTokens>, classes: usize) -> SplitFacts {
        let labels = self.labels();
        let (steps, longest) = match self {
            Self::Tokens { rows, .. } => {
                let lengths = rows.offsets.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
                (rows.tokens.len(), lengths.max().unwrap_or(0))
            }
            Self::Features { block, .. } => (labels.len() * block.steps, block.steps),
        };
        let mut counts = vec![0; classes];
        if classes > 0 {
            labels.iter().for_each(|label| counts[*label as usize] += 1);
        }
        let positives = (classes == 2).then(|| counts[1]);
        if classes == 2 {
            counts.clear();
        }
        let targets = TargetFacts::of(labels).filter(|_| classes == 0);
        let (tokens, unknown, empty) = match (self, text) {
            (Self::Tokens { rows, .. }, Some(text)) => rows.counted(text),
            _ => (0, 0, 0),
        };
        let (examples, steps) = (labels.len(), steps as u64);
        SplitFacts { examples, positives, counts, targets, steps, longest, tokens, unknown, empty }
    }

    fn views(&self, split: &str) -> Result<Vec<(String, TensorView<'_>)>> {
        let (Self::Tokens { labels, source, .. } | Self::Features { labels, source, .. }) = self;
        let n = labels.len();
        let mut views = vec![
            view(split, "labels", Dtype::F32, vec![n], labels)?,
            view(split, "rows", Dtype::U64, vec![n], source)?,
        ];
        match self {
            Self::Tokens { rows, .. } => {
                views.push(view(
                    split,
                    "tokens",
                    Dtype::I32,
                    vec![rows.tokens.len()],
                    &rows.tokens,
                )?);
                views.push(view(split, "offsets", Dtype::U64, vec![n + 1], &rows.offsets)?);
            }
            Self::Features { block, .. } => {
                let dims = vec![n, block.steps, block.features];
                views.push(view(split, "values", Dtype::F32, dims, &block.values)?);
            }
        }
        Ok(views)
    }
}

fn view<'v, T: Pod>(
    split: &str,
    name: &str,
    kind: Dtype,
    dims: Vec<usize>,
    values: &'v [T],
) -> Result<(String, TensorView<'v>)> {
    Ok((format!("{split}.{name}"), TensorView::new(kind, dims, bytemuck::cast_slice(values))?))
}

/// Writes the prepared examples; `parts` are train, validation, test.
pub(super) fn write(
    path: &Path,
    facts: &Facts,
    contents: &Contents,
    parts: &[Part; 3],
) -> Result<()> {
    let mut views = Vec::new();
    for (split, part) in SPLITS.iter().zip(parts) {
        views.extend(part.views(split)?);
    }
    let tokenizer = &contents.tokenizer;
    if !tokenizer.is_empty() {
        let view = TensorView::new(Dtype::U8, vec![tokenizer.len()], tokenizer)?;
        views.push((TOKENIZER.to_owned(), view));
    }
    let header = Header { facts: facts.clone(), vocabulary: contents.words.clone() };
    let bytes = files::seal_tensors(views, HEADER, serde_json::to_value(&header)?)?;
    files::write_atomic(path, |file| Ok(file.write_all(&bytes)?))
}

/// Prepared examples, mapped.
pub struct Dataset {
    map: Mmap,
    facts: Facts,
    vocabulary: Vec<String>,
}

impl Dataset {
    /// Maps a prepared file, whose sizes and offsets must fit each other.
    ///
    /// # Errors
    /// [`Damaged`] where the file is cut short or its parts do not fit together.
    pub fn open(path: &Path) -> Result<Self> {
        Self::map(path, false)
    }

    /// As [`Dataset::open`], where all of the content must fit its checksum too. A damaged file is
    /// refused as [`Damaged`].
    pub fn open_checked(path: &Path) -> Result<Self> {
        let dataset = Self::map(path, true)?;
        dataset.check_values().map_err(|error| Damaged::new(path, error.to_string()))?;
        Ok(dataset)
    }

    fn map(path: &Path, all: bool) -> Result<Self> {
        let place = || format!("cannot open the prepared data {}", path.display());
        let file = files::open(path).with_context(place)?;
        if file.metadata().with_context(place)?.len() == 0 {
            return Err(Damaged::new(path, "it is empty").into());
        }
        // SAFETY: prepared files are written under another name, renamed into place and never
        // changed afterwards, so the mapped bytes stay as they are.
        let map = unsafe { Mmap::map(&file) }.with_context(place)?;
        let header = files::sealed_entry(path, &map, HEADER, all)?;
        let header = header.ok_or_else(|| Damaged::new(path, "it has no header"))?;
        let damaged = |why: String| Damaged::new(path, why);
        let Header { facts, vocabulary } =
            serde_json::from_value(header).map_err(|error| damaged(error.to_string()))?;
        let dataset = Self { map, facts, vocabulary };
        dataset.check_sizes().map_err(|error| damaged(error.to_string()))?;
        Ok(dataset)
    }

    /// What engines take for granted: whatever they allocate follows from these numbers.
    fn check_sizes(&self) -> Result<()> {
        let tensors = SafeTensors::deserialize(&self.map)?;
        let all = [&self.facts.train, &self.facts.validation, &self.facts.test];
        for (split, facts) in SPLITS.iter().zip(all) {
            let Examples { sequences, labels } = examples(&tensors, split)?;
            let rows = values::<u64>(&tensors, split, "rows")?.len();
            let (steps, longest) = match sequences {
                Sequences::Tokens { tokens, offsets } => {
                    let ends = [offsets.first().copied(), offsets.last().copied()];
                    let fits = ends == [Some(0), Some(tokens.len() as u64)]
                        && offsets.len() == labels.len() + 1
                        && offsets.is_sorted();
                    ensure!(fits, "the offsets of `{split}` do not fit its tokens");
                    let lengths = offsets.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
                    (tokens.len(), lengths.max().unwrap_or(0))
                }
                Sequences::Features { values, steps, features } => {
                    let size =
                        labels.len().checked_mul(steps).and_then(|n| n.checked_mul(features));
                    let fits = size == Some(values.len()) && self.facts.features == Some(features);
                    ensure!(fits, "the sizes of `{split}` do not fit its values");
                    (labels.len().saturating_mul(steps), steps)
                }
            };
            let found = (labels.len(), labels.len(), steps as u64, longest);
            let said = (facts.examples, rows, facts.steps, facts.longest);
            ensure!(found == said, "the counts of `{split}` do not fit it");
        }
        Ok(())
    }

    /// Whether labels and token ids are possible ones.
    fn check_values(&self) -> Result<()> {
        let words = self.vocabulary.len();
        let size = self.facts.vocabulary.unwrap_or(0);
        ensure!(words == 0 || words + 2 == size, "its vocabulary does not fit its words");
        let Splits { train, validation, test } = self.splits()?;
        for examples in [train, validation, test] {
            let classes = self.facts.classes.len();
            let known = |label: &f32| match classes {
                0 => label.is_finite(),
                _ => label.fract() == 0.0 && (0.0..classes as f32).contains(label),
            };
            ensure!(examples.labels.iter().all(known), "it holds labels that cannot be");
            if let Sequences::Tokens { tokens, .. } = examples.sequences {
                let known = |id: &i32| usize::try_from(*id).is_ok_and(|id| id < size);
                ensure!(tokens.iter().all(known), "it holds ids outside its vocabulary");
            }
        }
        Ok(())
    }

    /// The bytes of the `tokenizer.json`, if text was tokenised by one.
    pub(super) fn tokenizer(&self) -> Result<Option<&[u8]>> {
        let tensors = SafeTensors::deserialize(&self.map)?;
        Ok(tensors.tensor(TOKENIZER).ok().map(|found| found.data()))
    }

    /// The words of token ids 2, 3, ...; empty unless text was split into words.
    pub(super) fn vocabulary(&self) -> &[String] {
        &self.vocabulary
    }

    /// For each example of a split, its line or row in the user's file.
    pub fn rows(&self, split: Split) -> Result<&[u64]> {
        let tensors = SafeTensors::deserialize(&self.map)?;
        values(&tensors, SPLITS[split as usize], "rows")
    }

    /// What is known of the examples.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// From targets as they are trained to those that they stand for.
    pub fn unit(&self) -> Affine {
        self.facts.unit()
    }

    /// The examples, where they lie in the file.
    pub fn splits(&self) -> Result<Splits<'_>> {
        let tensors = SafeTensors::deserialize(&self.map)?;
        let [train, validation, test] = SPLITS.map(|split| examples(&tensors, split));
        Ok(Splits { train: train?, validation: validation?, test: test? })
    }
}

fn examples<'d>(tensors: &SafeTensors<'d>, split: &str) -> Result<Examples<'d>> {
    let labels = values::<f32>(tensors, split, "labels")?;
    let sequences = match tensors.tensor(&format!("{split}.values")) {
        Ok(found) => {
            let [_, steps, features] = found.shape() else {
                anyhow::bail!("features have three axes")
            };
            let (steps, features) = (*steps, *features);
            Sequences::Features { values: values(tensors, split, "values")?, steps, features }
        }
        Err(_) => Sequences::Tokens {
            tokens: values(tensors, split, "tokens")?,
            offsets: values(tensors, split, "offsets")?,
        },
    };
    Ok(Examples { sequences, labels })
}

fn values<'d, T: Pod>(tensors: &SafeTensors<'d>, split: &str, name: &str) -> Result<&'d [T]> {
    let data = tensors.tensor(&format!("{split}.{name}"))?.data();
    let cast = bytemuck::try_cast_slice(data);
    ensure!(cast.is_ok(), "`{split}.{name}` of the prepared data is not aligned");
    Ok(cast.unwrap_or_default())
}

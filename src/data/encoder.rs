//! New texts and arrays -> sequences, by the rules under which a study's examples were prepared.

use super::account::Account;
use super::arrays::{self, Block};
use super::dataset::{Dataset, TokenRows};
use super::facts::Facts;
use super::keep;
use super::series::{self, NewWindows};
use super::source::SourceFile;
use super::table::{self, Kept, Texts};
use super::text::{HuggingFace, Vocabulary, overgrown, sequence, unpadded, words};
use crate::config::{DataSection, TextSection, Tokenizer};
use crate::error::UserError;
use crate::format::counted;
use crate::kernels::Sequences;
use anyhow::{Context, Result};
use std::path::Path;

/// Turns new inputs into what the study's models read.
pub struct Encoder {
    section: DataSection,
    text: TextSection,
    masked: bool,
    facts: Facts,
    rules: Rules,
}

enum Rules {
    Words(Vocabulary),
    Tokenizer(Box<HuggingFace>),
    /// V
    Ids(usize),
    /// F
    Features(usize),
}

/// Examples without labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    values: Values,
    rows: Vec<u64>,
    /// For each column to keep, the cell of each example.
    kept: Kept,
    account: Option<Account>,
    too_short: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    Texts(Vec<String>),
    Arrays(arrays::Sequences),
}

impl Inputs {
    /// Texts that stand in no file.
    pub fn texts(texts: Vec<String>) -> Self {
        let rows = (0..texts.len() as u64).collect();
        let values = Values::Texts(texts);
        Self { values, rows, kept: Vec::new(), account: None, too_short: None }
    }

    /// What became of the lines of a table; `None` for arrays and for texts that stand in no file.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Which series are too short for a window, so that nothing is predicted of them.
    pub fn too_short(&self) -> Option<&str> {
        self.too_short.as_deref()
    }

    /// The cells of the columns that were to be kept, one list a column.
    pub fn kept(&self) -> &[Vec<Option<String>>] {
        &self.kept
    }

    /// For each example, its line in a table, or its row (from 0) in an array.
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }
}

/// Sequences that a model can read.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded(EncodedValues);

#[derive(Debug, Clone, PartialEq)]
enum EncodedValues {
    Tokens { tokens: Vec<i32>, offsets: Vec<u64> },
    Features { values: Vec<f32>, steps: usize, features: usize },
}

impl Encoded {
    /// The sequences, as an engine takes them.
    pub fn sequences(&self) -> Sequences<'_> {
        match &self.0 {
            EncodedValues::Tokens { tokens, offsets } => Sequences::Tokens { tokens, offsets },
            EncodedValues::Features { values, steps, features } => {
                Sequences::Features { values, steps: *steps, features: *features }
            }
        }
    }

    /// N
    pub fn len(&self) -> usize {
        match &self.0 {
            EncodedValues::Tokens { offsets, .. } => offsets.len() - 1,
            EncodedValues::Features { values, steps, features } => {
                values.len() / (steps * features).max(1)
            }
        }
    }

    /// Whether there are no examples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Encoder {
    /// The rules of a prepared data set; `masked` as it was prepared.
    pub fn of(dataset: &Dataset, section: &DataSection, masked: bool) -> Result<Self> {
        let vocabulary = || Ok(Vocabulary::of(dataset.vocabulary().to_vec()));
        let tokenizer = || {
            let json = dataset.tokenizer()?.context("the prepared data has no tokenizer")?;
            Ok(HuggingFace::parse("the study's tokenizer", json)?)
        };
        Self::new(dataset.facts().clone(), section, masked, vocabulary, tokenizer)
    }

    /// The rules of the copies that a study keeps in its `data` folder; `section` is that of the
    /// study's `study.yaml`.
    pub fn open(folder: &Path, section: &DataSection, masked: bool) -> Result<Self> {
        let facts = keep::json(folder, keep::FACTS)?;
        let (vocabulary, tokenizer) = (|| keep::vocabulary(folder), || keep::tokenizer(folder));
        Self::new(facts, section, masked, vocabulary, tokenizer)
    }

    fn new(
        facts: Facts,
        section: &DataSection,
        masked: bool,
        vocabulary: impl FnOnce() -> Result<Vocabulary>,
        tokenizer: impl FnOnce() -> Result<HuggingFace>,
    ) -> Result<Self> {
        let text = section.text.clone().unwrap_or_default();
        let rules = match (facts.features, &section.table, &text.tokenizer) {
            (Some(features), _, _) => Rules::Features(features),
            (None, None, _) => Rules::Ids(facts.vocabulary.unwrap_or_default()),
            (None, Some(_), Tokenizer::Words) => Rules::Words(vocabulary()?),
            (None, Some(_), Tokenizer::File(_)) => Rules::Tokenizer(Box::new(tokenizer()?)),
        };
        Ok(Self { section: section.clone(), text, masked, facts, rules })
    }

    /// What is known of the study's data: its sizes, and what its classes are called.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Reads examples without labels. For text `path` is a table in any format with the study's
    /// text column; for arrays an npy file, or an npz file in which the sequences are called as the
    /// study's training sequences or are the only array. `where` is not applied: every row is
    /// read.
    ///
    /// Columns to `keep` are read beside the texts of a table.
    pub fn read(&self, path: &Path, keep: &[String]) -> Result<Inputs> {
        let is_array = matches!(self.rules, Rules::Ids(_) | Rules::Features(_));
        if !keep.is_empty() && is_array && self.section.series.is_none() {
            return Err(UserError::new(
                "`--keep` names columns of a table, and this study reads arrays",
                "leave it out; `index` is the place of each row in the array",
            )
            .into());
        }
        let file = SourceFile::read(path)?;
        let arrays = self.section.arrays.clone().unwrap_or_default();
        let sequences = match &self.rules {
            Rules::Words(_) | Rules::Tokenizer(_) => {
                let columns = self.section.table.clone().unwrap_or_default();
                let Texts { texts, rows, kept, account } =
                    table::read_texts(&columns, &file, keep)?;
                let (values, account) = (Values::Texts(texts), Some(account));
                return Ok(Inputs { values, rows, kept, account, too_short: None });
            }
            Rules::Ids(vocabulary) => {
                arrays::read_inputs(&arrays, file, true, Some(*vocabulary as u32))?
            }
            Rules::Features(_) if self.section.series.is_some() => {
                let series = self.section.series.as_ref().context("there is a series")?;
                let NewWindows { block, lines, kept, too_short } =
                    series::read_inputs(series, &file, keep)?;
                let values = Values::Arrays(arrays::Sequences::Features(block));
                return Ok(Inputs { values, rows: lines, kept, account: None, too_short });
            }
            Rules::Features(_) => arrays::read_inputs(&arrays, file, false, None)?,
        };
        let rows = (0..sequences.len() as u64).collect();
        let (values, kept) = (Values::Arrays(sequences), Vec::new());
        Ok(Inputs { values, rows, kept, account: None, too_short: None })
    }

    /// Where new arrays have another number of time steps than those of the study: a model reads any
    /// number, but was trained with one.
    pub fn other_steps(&self, inputs: &Inputs) -> Option<String> {
        let Values::Arrays(sequences) = &inputs.values else { return None };
        let trained = self.facts.train.longest;
        let (steps, differ) = match sequences {
            arrays::Sequences::Features(block) => (block.steps, block.steps != trained),
            // Padding is left out, so shorter rows may have been as long.
            arrays::Sequences::Ids(rows) if self.masked => {
                let lengths = rows.iter().map(|row| unpadded(row.clone()).len());
                let most = lengths.max().unwrap_or(0);
                (most, most > trained)
            }
            arrays::Sequences::Ids(rows) => {
                let steps = rows.first().map_or(0, Vec::len);
                (steps, steps != trained)
            }
        };
        differ.then(|| {
            let at_most = if self.masked { " at most" } else { "" };
            format!(
                "the new rows have {}, and the study's models were trained with {trained}{at_most}: predictions \
                 may be worse than the study says",
                counted(steps, "time step")
            )
        })
    }

    /// The sequences of these examples, in their order.
    pub fn encode(&self, inputs: &Inputs) -> Result<Encoded> {
        let text = |ids: Vec<i32>| sequence(ids, &self.text, self.masked);
        match (&self.rules, &inputs.values) {
            (Rules::Words(vocabulary), Values::Texts(texts)) => {
                let ids = |(row, raw): (usize, &String)| {
                    let place = || format!("line or row {}", inputs.rows[row]);
                    let words = words(raw, &self.text).map_err(|why| overgrown(&place(), &why))?;
                    Ok(text(words.iter().map(|word| vocabulary.id(word)).collect()))
                };
                let rows: Result<Vec<Vec<i32>>, UserError> =
                    texts.iter().enumerate().map(ids).collect();
                Ok(tokens(rows?.into_iter()))
            }
            (Rules::Tokenizer(tokenizer), Values::Texts(texts)) => {
                let place = |row: usize| format!("line or row {}", inputs.rows[row]);
                let ids = tokenizer.ids(texts, &self.text, &place)?;
                Ok(tokens(ids.into_iter().map(text)))
            }
            (Rules::Ids(_), Values::Arrays(arrays::Sequences::Ids(rows))) => {
                let rows = rows.iter().cloned();
                Ok(match self.masked {
                    true => tokens(rows.map(unpadded)),
                    false => tokens(rows),
                })
            }
            (Rules::Features(wanted), Values::Arrays(arrays::Sequences::Features(block))) => {
                let Block { mut values, steps, features } = block.clone();
                match features == *wanted {
                    true => {
                        if let Some(scaling) = &self.facts.scaling {
                            scaling.scale_features(&mut values);
                        }
                        Ok(Encoded(EncodedValues::Features { values, steps, features }))
                    }
                    false => Err(other_width(features, *wanted)),
                }
            }
            (rules, _) => Err(other_kind(rules)),
        }
    }
}

fn tokens(rows: impl Iterator<Item = Vec<i32>>) -> Encoded {
    let mut all = TokenRows { tokens: Vec::new(), offsets: vec![0] };
    rows.for_each(|row| all.push(&row));
    Encoded(EncodedValues::Tokens { tokens: all.tokens, offsets: all.offsets })
}

fn other_width(received: usize, wanted: usize) -> anyhow::Error {
    UserError::new(
        format!(
            "the arrays have {received} features a time step, the study's models read {wanted}"
        ),
        "give arrays made as those of the study",
    )
    .into()
}

fn other_kind(rules: &Rules) -> anyhow::Error {
    let wanted = match rules {
        Rules::Words(_) | Rules::Tokenizer(_) => "texts",
        Rules::Ids(_) => "arrays of token ids",
        Rules::Features(_) => "arrays of floats",
    };
    UserError::new(
        format!("the study's models read {wanted}, and these inputs are something else"),
        "give inputs of the same kind as those of the study",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::super::prepare;
    use super::*;
    use crate::config::EmbeddingSection;
    use crate::spec::Task;
    use std::fs;

    const CSV: &str = "text,label\ngood film,1\nbad film,0\ngood good,1\nbad bad,0\nfine,1\nawful,0\n\
                       nice one,1\nno,0\nyes,1\nhm,0\n";

    #[test]
    fn kept_copies_encode_new_inputs_as_the_study_did_without_its_cache() {
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("t.csv");
        fs::write(&csv, CSV).unwrap();
        let yaml = format!("table: {{ path: {} }}\ntext: {{ length: 4 }}\n", csv.display());
        let section: DataSection = serde_yaml::from_str(&yaml).unwrap();
        let cache = folder.path().join("cache");
        let embedding = EmbeddingSection { dim: 8, mask_zero: false };
        let prepared =
            prepare(&section, Some(&embedding), Task::Binary, &cache, &mut |_| ()).unwrap();
        let kept = folder.path().join("data");
        prepared.keep(&kept).unwrap();
        let train = {
            let dataset = Dataset::open(&prepared.path).unwrap();
            let from_cache = Encoder::of(&dataset, &section, false).unwrap();
            let inputs = from_cache.read(&csv, &[]).unwrap();
            assert_eq!(inputs.rows(), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
            from_cache.encode(&inputs).unwrap()
        };
        fs::remove_dir_all(&cache).unwrap();

        let encoder = Encoder::open(&kept, &section, false).unwrap();
        let inputs = encoder.read(&csv, &[]).unwrap();
        assert_eq!(encoder.encode(&inputs).unwrap(), train);
        assert_eq!(train.len(), 10);
        let unknown = encoder.encode(&Inputs::texts(vec!["zebra!".into()])).unwrap();
        let Sequences::Tokens { tokens, .. } = unknown.sequences() else { panic!("text") };
        assert_eq!(tokens, [0, 0, 0, 1]);
        assert_eq!(
            fs::read_to_string(kept.join("labels.json")).unwrap().matches("\"1\"").count(),
            2
        );
        assert_eq!(fs::read_to_string(kept.join("splits.csv")).unwrap().lines().count(), 11);

        fs::remove_file(kept.join("checksums.json")).unwrap();
        let said = Encoder::open(&kept, &section, false).err().unwrap().to_string();
        assert!(said.contains("checksums.json is missing"), "{said}");
        // Earlier versions wrote none.
        let facts = fs::read_to_string(kept.join("facts.json")).unwrap();
        let earlier = facts.replace("\"checksums\": true", "\"checksums\": false");
        fs::write(kept.join("facts.json"), earlier).unwrap();
        assert!(Encoder::open(&kept, &section, false).is_ok());
    }
}

//! New texts and arrays -> sequences, by the rules under which a study's examples were prepared.

use super::arrays;
use super::dataset::{Dataset, Facts, TokenRows};
use super::keep;
use super::prepare::sequence;
use super::table;
use super::tokenizer::words;
use super::vocabulary::Vocabulary;
use crate::config::{DataSection, TextSection};
use crate::error::UserError;
use crate::kernels::Sequences;
use anyhow::Result;
use std::fs;
use std::path::Path;

/// Turns new inputs into what the study's models read.
pub struct Encoder {
    section: DataSection,
    masked: bool,
    facts: Facts,
    rules: Rules,
}

enum Rules {
    Words { text: TextSection, vocabulary: Vocabulary },
    Features { features: usize },
}

/// Examples without labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    values: Values,
    rows: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    Texts(Vec<String>),
    Features { values: Vec<f32>, steps: usize, features: usize },
}

impl Inputs {
    /// Texts that stand in no file.
    pub fn texts(texts: Vec<String>) -> Self {
        let rows = (0..texts.len() as u64).collect();
        Self { values: Values::Texts(texts), rows }
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
        Self::new(dataset.facts().clone(), section, masked, vocabulary)
    }

    /// The rules of the copies that a study keeps in its `data` folder; `section` is that of the
    /// study's `study.yaml`.
    pub fn open(folder: &Path, section: &DataSection, masked: bool) -> Result<Self> {
        let facts = keep::json(folder, keep::FACTS)?;
        Self::new(facts, section, masked, || keep::vocabulary(folder))
    }

    fn new(
        facts: Facts,
        section: &DataSection,
        masked: bool,
        vocabulary: impl FnOnce() -> Result<Vocabulary>,
    ) -> Result<Self> {
        let rules = match facts.features {
            Some(features) => Rules::Features { features },
            None => {
                let text = section.text.clone().unwrap_or_default();
                Rules::Words { text, vocabulary: vocabulary()? }
            }
        };
        Ok(Self { section: section.clone(), masked, facts, rules })
    }

    /// What is known of the study's data: its sizes, and what its labels are called.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Reads examples without labels from a file of a kind that studies are made of: for text a
    /// table with the study's text column, for arrays an npz file. `where` is not applied: every
    /// row is read.
    pub fn read(&self, path: &Path) -> Result<Inputs> {
        let bytes = fs::read(path).map_err(|error| {
            UserError::new(
                format!("cannot read {}: {error}", path.display()),
                "name a file of the same kind as that of the study",
            )
        })?;
        match &self.rules {
            Rules::Words { .. } => {
                let columns = self.section.table.clone().unwrap_or_default();
                let (texts, rows) = table::read_texts(path, &columns, &bytes)?;
                Ok(Inputs { values: Values::Texts(texts), rows })
            }
            Rules::Features { .. } => {
                let columns = self.section.arrays.clone().unwrap_or_default();
                let (values, steps, features) = arrays::read_inputs(path, &columns, &bytes)?;
                let rows = (0..(values.len() / (steps * features)) as u64).collect();
                Ok(Inputs { values: Values::Features { values, steps, features }, rows })
            }
        }
    }

    /// The sequences of these examples, in their order.
    pub fn encode(&self, inputs: &Inputs) -> Result<Encoded> {
        match (&self.rules, &inputs.values) {
            (Rules::Words { text, vocabulary }, Values::Texts(texts)) => {
                let mut rows = TokenRows { tokens: Vec::new(), offsets: vec![0] };
                for raw in texts {
                    let ids = words(raw, text).iter().map(|word| vocabulary.id(word)).collect();
                    rows.push(&sequence(ids, text, self.masked));
                }
                let TokenRows { tokens, offsets } = rows;
                Ok(Encoded(EncodedValues::Tokens { tokens, offsets }))
            }
            (
                Rules::Features { features: wanted },
                Values::Features { values, steps, features },
            ) => {
                if wanted != features {
                    return Err(UserError::new(
                        format!(
                            "the arrays have {features} features a time step and the study's \
                             models read {wanted}"
                        ),
                        "give arrays made as those of the study",
                    )
                    .into());
                }
                let (steps, features) = (*steps, *features);
                Ok(Encoded(EncodedValues::Features { values: values.clone(), steps, features }))
            }
            (Rules::Words { .. }, _) => Err(wrong_kind("texts", "arrays")),
            (Rules::Features { .. }, _) => Err(wrong_kind("arrays", "texts")),
        }
    }
}

fn wrong_kind(wanted: &str, received: &str) -> anyhow::Error {
    UserError::new(
        format!("the study's models read {wanted}, received {received}"),
        "give inputs of the same kind as those of the study",
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::super::prepare;
    use super::*;

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
        let prepared = prepare(&section, false, &cache, &mut |_| ()).unwrap();
        let kept = folder.path().join("data");
        prepared.keep(&kept).unwrap();
        let train = {
            let dataset = Dataset::open(&prepared.path).unwrap();
            let from_cache = Encoder::of(&dataset, &section, false).unwrap();
            let inputs = from_cache.read(&csv).unwrap();
            assert_eq!(inputs.rows(), [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
            from_cache.encode(&inputs).unwrap()
        };
        fs::remove_dir_all(&cache).unwrap();

        let encoder = Encoder::open(&kept, &section, false).unwrap();
        let inputs = encoder.read(&csv).unwrap();
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
    }
}

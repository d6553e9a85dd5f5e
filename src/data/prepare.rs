//! The user's file -> a prepared file, made once for each content and settings.

use super::arrays;
use super::dataset::{self, Contents, Part, TextTokens, TokenRows};
use super::facts::Facts;
use super::pool::{self, Pool, Raw};
use super::scaling::Scaling;
use super::series::Windows;
use super::source::{SourceFile, without_paths};
use super::split::{Rows, split};
use super::split_rules::check_splits;
use super::table;
use super::text::{HuggingFace, UNKNOWN, Vocabulary, overgrown, sequence, unpadded, words};
use crate::config::{DataSection, EmbeddingSection, SplitBy, TextSection, Tokenizer};
use crate::error::UserError;
use crate::files;
use crate::spec::Task;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Part of every hash: raise it when the meaning or the layout of prepared files changes.
const FORMAT: u32 = 2;

/// A prepared file and what is known of it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The mapped file that workers open.
    pub path: PathBuf,
    /// What is known of it.
    pub facts: Facts,
    /// That an earlier file was damaged, so that it was prepared again.
    pub repaired: Option<String>,
}

/// Reads, tokenises and splits the examples, or finds that this was done before. The `embedding`
/// says whether sequences are token ids, and whether padding is left out; `report` hears what is
/// being done. The `task` says what labels are.
///
/// # Errors
/// A [`UserError`] for what is wrong with a file, with its labels or with the splits; [`files::no_room`]
/// knows the ones of a full disk.
pub fn prepare(
    section: &DataSection,
    embedding: Option<&EmbeddingSection>,
    task: Task,
    cache: &Path,
    report: &mut dyn FnMut(&str),
) -> Result<Prepared> {
    refuse_file(cache)?;
    for path in super::source::paths(section) {
        report(&format!("reading {}", path.display()));
    }
    let files = pool::files(section)?;
    let section = &settled(section, &files)?;
    let source = Source {
        section,
        text: section.text.clone().unwrap_or_default(),
        tokens: embedding.is_some(),
        masked: embedding.is_some_and(|embedding| embedding.mask_zero),
        task,
        files,
        tokenizer: tokenizer_file(section)?,
    };
    let hash = source.hash()?;
    // Files of earlier versions have no account of lines and rows: the examples are prepared again.
    let has_accounts =
        |found: &Prepared| section.table.is_none() || !found.facts.accounts.is_empty();
    // Earlier versions let the rows of one example fill a split.
    let is_random = section.split_by() == SplitBy::Random;
    let is_current =
        |found: &Prepared| has_accounts(found) && (!is_random || found.facts.heavy.is_some());
    let cached = match read_cache(cache, &of_heavy(&hash))? {
        Cached::None => read_cache(cache, &hash)?,
        found => found,
    };
    let (found, repaired) = match cached {
        Cached::Found(found) if is_current(&found) => (Some(*found), None),
        Cached::Found(_) | Cached::None => (None, None),
        Cached::Damaged(why) => {
            (None, Some(format!("{why}; they were prepared again from their source")))
        }
    };
    let swept = files::remove_temporary(cache);
    let mut prepared = match found {
        // A cache that this user may only read serves as it is.
        Some(found) => found,
        None => {
            swept?;
            let hash = source.write(hash, cache, report)?;
            find(cache, &hash)?.context("the prepared data are gone")?
        }
    };
    source.look(&mut prepared)?;
    Ok(source.named(Prepared { repaired, ..prepared }))
}

/// Prepared data stand in a folder, of which no part may be a file.
fn refuse_file(cache: &Path) -> Result<(), UserError> {
    let there = cache.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?)));
    match there {
        Some((path, found)) if !found.is_dir() => Err(UserError::new(
            format!(
                "{} is a file, and prepared data are kept in the folder {}",
                path.display(),
                cache.display()
            ),
            "move the file away, or name another folder for the study with `--out`",
        )),
        _ => Ok(()),
    }
}

/// The hash of examples of which some come so often that a random split trains on all of them: earlier
/// versions divided the same source otherwise.
fn of_heavy(hash: &str) -> String {
    let text = format!("{hash}, and examples of many rows are trained on");
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

/// The section with the values of `positive` and `where` that the columns hold.
fn settled(section: &DataSection, files: &[SourceFile]) -> Result<DataSection> {
    let mut settled = section.clone();
    if let Some(table) = &mut settled.table {
        *table = table::settle(table, files)?;
    }
    Ok(settled)
}

/// The examples with this hash, if they are in the cache undamaged: the source is not read.
pub fn find(cache: &Path, hash: &str) -> Result<Option<Prepared>> {
    Ok(match read_cache(cache, hash)? {
        Cached::Found(found) => Some(*found),
        Cached::None | Cached::Damaged(_) => None,
    })
}

/// What the cache has for a hash.
enum Cached {
    None,
    Found(Box<Prepared>),
    /// With the reason.
    Damaged(String),
}

fn read_cache(cache: &Path, hash: &str) -> Result<Cached> {
    let path = prepared_file(cache, hash);
    if fs::symlink_metadata(&path).is_err() {
        return Ok(Cached::None);
    }
    let of_prepared = |why: String| Cached::Damaged(format!("the prepared data {why}"));
    match dataset::Dataset::open_checked(&path) {
        Ok(dataset) if dataset.facts().hash == hash => {
            let facts = dataset.facts().clone();
            Ok(Cached::Found(Box::new(Prepared { path, facts, repaired: None })))
        }
        Ok(_) => Ok(of_prepared(format!("{} are those of another source", path.display()))),
        Err(error) if files::is_damage(&error) => Ok(of_prepared(error.to_string())),
        Err(error) => Err(error),
    }
}

fn prepared_file(cache: &Path, hash: &str) -> PathBuf {
    cache.join(format!("{hash}.safetensors"))
}

fn tokenizer_file(section: &DataSection) -> Result<Option<SourceFile>, UserError> {
    match section.text.as_ref().map(|text| &text.tokenizer) {
        Some(Tokenizer::File(path)) => Ok(Some(SourceFile::read(path)?)),
        Some(Tokenizer::Words) | None => Ok(None),
    }
}

/// Everything that prepared examples are made from.
struct Source<'s> {
    section: &'s DataSection,
    text: TextSection,
    tokens: bool,
    masked: bool,
    task: Task,
    files: Vec<SourceFile>,
    tokenizer: Option<SourceFile>,
}

impl Source<'_> {
    /// Looks at what was prepared; each time, so that what was prepared before this was known is looked at too.
    fn look(&self, prepared: &mut Prepared) -> Result<()> {
        let dataset = dataset::Dataset::open(&prepared.path)?;
        let facts = &mut prepared.facts;
        facts.look_for_baseline(&dataset, self.task)?;
        match (&self.section.arrays, &self.section.series) {
            (Some(arrays), _) => {
                facts.look(&dataset, arrays)?;
                facts.look_for_untrained(&dataset)?;
                let name = |feature| format!("feature {feature} (from 0)");
                facts.look_for_constant_features(&dataset, name)?;
                facts.unnamed = arrays::unnamed(arrays, &self.files)?;
            }
            (None, Some(series)) => {
                facts.look_at_windows(&dataset)?;
                let name = |feature: usize| format!("`{}`", series.inputs[feature]);
                facts.look_for_constant_features(&dataset, name)?;
                facts.look_for_last_value(&dataset, series, self.task)?;
            }
            (None, None) => {
                let unknown = self.tokenizer.is_none().then_some(UNKNOWN);
                facts.look_at_texts(&dataset, unknown)?;
            }
        }
        Ok(())
    }

    /// Depends on the bytes of the files and on every setting, but not on the names of files.
    fn hash(&self) -> Result<String> {
        let settings = (FORMAT, self.tokens, self.masked, without_paths(self.section));
        let mut hasher = blake3::Hasher::new();
        hasher.update(serde_json::to_string(&settings)?.as_bytes());
        // Two classes came first, and their hashes stay.
        hasher.update(match self.task {
            Task::Binary => b"",
            Task::Multiclass => b"labels are classes",
            Task::Regression => b"labels are numbers",
        });
        for file in self.files.iter().chain(&self.tokenizer) {
            hasher.update(blake3::hash(file.bytes()).as_bytes());
        }
        if let Some(table) = &self.section.table {
            for file in &self.files {
                // Earlier versions read such files otherwise.
                if table::finds_text_in_quotes(table, file)? {
                    hasher.update(b"quotes are text");
                }
                if table::keeps_cells_with_blanks(table, file)? {
                    hasher.update(b"blanks around cells do not count");
                }
            }
        }
        Ok(hasher.finalize().to_hex()[..16].to_owned())
    }

    /// With the names that the files have now: prepared data may come from copies of them.
    fn named(&self, mut found: Prepared) -> Prepared {
        for (account, file) in found.facts.accounts.iter_mut().zip(&self.files) {
            account.file = file.name();
        }
        found
    }

    /// Prepares the examples of this hash and writes them; gives the hash under which they stand.
    fn write(&self, hash: String, cache: &Path, report: &mut dyn FnMut(&str)) -> Result<String> {
        let pool = pool::read(self.section, &self.files, self.tokens, self.task)?;
        let Pool { sequences, examples, classes, places, accounts, windows, .. } = pool;
        let mut heavy = 0;
        let mut divide = |rows: Rows| {
            heavy = rows.heavy;
            Divided { rows, labels: &examples.labels, source: &examples.rows }
        };
        let (settings, by) = (&self.section.split, self.section.split_by());
        let mut contents = Contents { accounts, ..Contents::default() };
        let mut parts = match sequences {
            Raw::Texts(texts) => {
                report(&format!("tokenising {} texts", texts.len()));
                match &self.tokenizer {
                    Some(file) => {
                        let tokenizer = HuggingFace::parse(&file.name(), file.bytes())?;
                        let place = |example: usize| places.of(example);
                        let ids = tokenizer.ids(&texts, &self.text, &place)?;
                        let divided = divide(split(&ids, &examples, settings, by)?);
                        contents.vocabulary = Some(tokenizer.len());
                        contents.text = Some(TextTokens { unknown: tokenizer.unknown() });
                        contents.tokenizer = file.bytes().to_vec();
                        divided.tokens(|row| sequence(ids[row].clone(), &self.text, self.masked))
                    }
                    None => {
                        let words = self.words(&texts, &places)?;
                        let divided = divide(split(&words, &examples, settings, by)?);
                        let (parts, vocabulary) = self.number(&words, &divided);
                        contents.vocabulary = Some(vocabulary.len());
                        contents.text = Some(TextTokens { unknown: Some(UNKNOWN) });
                        contents.words = vocabulary.words().to_vec();
                        parts
                    }
                }
            }
            Raw::Ids(ids, vocabulary) => {
                let divided = divide(split(&ids, &examples, settings, by)?);
                contents.vocabulary = Some(vocabulary);
                divided.tokens(|row| match self.masked {
                    true => unpadded(ids[row].clone()),
                    false => ids[row].clone(),
                })
            }
            Raw::Features(block) => {
                let keys: Vec<&[u8]> =
                    (0..block.len()).map(|row| bytemuck::cast_slice(block.row(row))).collect();
                let divided = divide(split(&keys, &examples, settings, by)?);
                contents.features = Some(block.features);
                divided.features(&block)
            }
        };
        let hash = if heavy > 0 { of_heavy(&hash) } else { hash };
        let mut facts = Facts::of(hash.clone(), &contents, classes, &parts);
        (facts.alike_groups, facts.doubtful) = (pool.alike_groups, pool.doubtful);
        facts.heavy = (by == SplitBy::Random).then_some(heavy);
        check_splits(&facts, self.section)?;
        let kept = facts.train.examples + facts.validation.examples + facts.test.examples;
        facts.windows = windows.map(|found| Windows { left_out: found.windows - kept, ..found });
        facts.scaling = self.scale(&mut parts)?;
        dataset::write(&prepared_file(cache, &hash), &facts, &contents, &parts)?;
        Ok(hash)
    }

    /// The words of each text.
    fn words(
        &self,
        texts: &[String],
        places: &pool::Places,
    ) -> Result<Vec<Vec<String>>, UserError> {
        let of_text = |(row, raw): (usize, &String)| {
            words(raw, &self.text).map_err(|why| overgrown(&places.of(row), &why))
        };
        texts.iter().enumerate().map(of_text).collect()
    }

    /// Scales all parts by what the first, the training split, has.
    fn scale(&self, parts: &mut [Part; 3]) -> Result<Option<Scaling>, UserError> {
        let Some(rule) = self.section.scale else { return Ok(None) };
        let scaling = Scaling::fit(rule, parts[0].values(), parts[0].labels(), self.task);
        if scaling.features.is_empty() && scaling.target.is_none() {
            return Err(UserError::new(
                "`data.scale` has nothing to scale: tokens are no numbers, and labels are classes",
                "remove `scale`",
            ));
        }
        parts.iter_mut().for_each(|part| part.scale(&scaling));
        Ok(Some(scaling))
    }

    /// Words -> ids, with a vocabulary that knows the training split alone.
    fn number(&self, words: &[Vec<String>], divided: &Divided<'_>) -> ([Part; 3], Vocabulary) {
        let training = divided.rows.train.iter().map(|row| &words[*row as usize]);
        let vocabulary = Vocabulary::fit(training, self.text.max_tokens as usize);
        let parts = divided.tokens(|row| {
            let ids = words[row].iter().map(|word| vocabulary.id(word)).collect();
            sequence(ids, &self.text, self.masked)
        });
        (parts, vocabulary)
    }
}

/// Examples whose splits are known.
struct Divided<'e> {
    rows: Rows,
    labels: &'e [f32],
    source: &'e [u64],
}

impl Divided<'_> {
    fn each(&self, part: impl Fn(&[u32], Vec<f32>, Vec<u64>) -> Part) -> [Part; 3] {
        [&self.rows.train, &self.rows.validation, &self.rows.test].map(|rows| {
            let labels = rows.iter().map(|row| self.labels[*row as usize]).collect();
            let source = rows.iter().map(|row| self.source[*row as usize]).collect();
            part(rows, labels, source)
        })
    }

    fn tokens(&self, ids: impl Fn(usize) -> Vec<i32>) -> [Part; 3] {
        self.each(|rows, labels, source| {
            let mut sequences = TokenRows { tokens: Vec::new(), offsets: vec![0] };
            rows.iter().for_each(|row| sequences.push(&ids(*row as usize)));
            Part::Tokens { rows: sequences, labels, source }
        })
    }

    fn features(&self, block: &arrays::Block) -> [Part; 3] {
        self.each(|rows, labels, source| Part::Features {
            block: block.select(rows),
            labels,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An embedding that masks padding or does not.
    fn masked(mask_zero: bool) -> Option<&'static EmbeddingSection> {
        match mask_zero {
            true => Some(&EmbeddingSection { dim: 8, mask_zero: true }),
            false => Some(&EmbeddingSection { dim: 8, mask_zero: false }),
        }
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
    fn a_scale_of_texts_with_classes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let scale = Some(crate::config::ScaleRule::Standard);
        let section = DataSection { scale, ..section(folder.path()) };
        let found = prepare(&section, masked(true), Task::Binary, folder.path(), &mut |_| ());
        let said = found.unwrap_err().to_string();
        assert!(said.contains("`data.scale` has nothing to scale"), "{said}");
    }

    #[test]
    fn a_file_in_place_of_the_cache_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let section = section(folder.path());
        let runs = folder.path().join("runs");
        fs::write(&runs, "").unwrap();
        for cache in [runs.clone(), runs.join(".cache")] {
            let found = prepare(&section, masked(true), Task::Binary, &cache, &mut |_| ());
            let said = found.unwrap_err().to_string();
            let expected = "runs is a file, and prepared data are kept in the folder";
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn the_vocabulary_knows_the_training_split_only() {
        let folder = tempfile::tempdir().unwrap();
        let prepared = prepare(
            &section(folder.path()),
            masked(true),
            Task::Binary,
            folder.path(),
            &mut |_| (),
        )
        .unwrap();
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
        let prepared = prepare(
            &section(folder.path()),
            masked(false),
            Task::Binary,
            folder.path(),
            &mut |_| (),
        )
        .unwrap();
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
        assert_eq!((FORMAT, &hasher.finalize().to_hex()[..16]), (2, "c3cd1006e26a0376"));
    }

    #[test]
    fn rows_that_earlier_versions_left_out_for_a_blank_make_other_data() {
        let folder = tempfile::tempdir().unwrap();
        let hash = |cell: &str| {
            let path = folder.path().join("w.csv");
            let rows = (0..20).map(|at| format!("a{at} b,{},{cell}\n", at % 2));
            fs::write(&path, format!("text,label,lang\n{}", rows.collect::<String>())).unwrap();
            let table = format!("path: {}, where: {{ lang: en }}", path.display());
            let yaml = format!("table: {{ {table} }}\ntext: {{ length: 4 }}\n");
            let section: DataSection = serde_yaml::from_str(&yaml).unwrap();
            let files = [SourceFile::read(&path).unwrap()];
            let marked = table::keeps_cells_with_blanks(section.table.as_ref().unwrap(), &files[0]);
            (
                prepare(&section, masked(true), Task::Binary, folder.path(), &mut |_| ()).unwrap(),
                marked.unwrap(),
            )
        };
        let ((plain, unmarked), (blank, marked)) = (hash("en"), hash(" en"));
        assert_eq!((unmarked, marked), (false, true));
        assert_eq!(plain.facts.train.examples, blank.facts.train.examples);
        assert_ne!(plain.facts.hash, blank.facts.hash);
    }

    #[test]
    fn equal_content_and_settings_are_prepared_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut said = Vec::new();
        let mut section = section(folder.path());
        for _ in 0..2 {
            prepare(&section, masked(true), Task::Binary, folder.path(), &mut |what| {
                said.push(what.to_owned())
            })
            .unwrap();
        }
        assert_eq!(said.iter().filter(|what| what.starts_with("tokenising")).count(), 1);
        section.split.seed = 1;
        prepare(&section, masked(true), Task::Binary, folder.path(), &mut |what| {
            said.push(what.to_owned())
        })
        .unwrap();
        assert_eq!(said.iter().filter(|what| what.starts_with("tokenising")).count(), 2);
    }

    /// What engines see of a prepared file.
    fn seen(prepared: &Prepared) -> String {
        let dataset = dataset::Dataset::open(&prepared.path).unwrap();
        let splits = dataset.splits().unwrap();
        let all = [splits.train, splits.validation, splits.test];
        let rows = [0, 1, 2].map(|split| {
            let split = [
                crate::kernels::Split::Train,
                crate::kernels::Split::Validation,
                crate::kernels::Split::Test,
            ][split];
            dataset.rows(split).unwrap().to_vec()
        });
        let of = |examples: crate::kernels::Examples<'_>| match examples.sequences {
            crate::kernels::Sequences::Tokens { tokens, offsets } => {
                format!("{tokens:?} {offsets:?} {:?}", examples.labels)
            }
            crate::kernels::Sequences::Features { .. } => unreachable!(),
        };
        format!("{:?} {:?} {rows:?} {:?}", all.map(of), dataset.facts(), dataset.vocabulary())
    }

    #[test]
    fn a_cache_that_is_damaged_anywhere_is_prepared_again_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let section = section(folder.path());
        let again =
            || prepare(&section, masked(true), Task::Binary, folder.path(), &mut |_| ()).unwrap();
        let first = again();
        let (whole, written) = (seen(&first), fs::read(&first.path).unwrap());
        let mut repaired = 0;
        for at in (0..written.len()).step_by(7) {
            let mut bytes = written.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&first.path, &bytes).unwrap();
            let found = again();
            assert_eq!(seen(&found), whole, "byte {at}");
            if let Some(why) = found.repaired {
                assert!(why.contains(&first.path.display().to_string()), "{why}");
                assert!(why.contains("prepared again"), "{why}");
                repaired += 1;
            }
        }
        // Where a name is hit, the file reads as one of an earlier version, and its examples are the same.
        assert!(repaired * 7 > written.len() - 21, "{repaired} of {}", written.len() / 7);
        // Cut short, and empty.
        for length in [0, 5, 100, written.len() / 2, written.len() - 1] {
            fs::write(&first.path, &written[..length]).unwrap();
            assert!(again().repaired.is_some());
            assert_eq!(fs::read(&first.path).unwrap(), written);
        }
    }

    /// As the version before checksums wrote it, with these offsets of the training split.
    fn without_checksum(written: &[u8], offsets: impl Fn(&mut [u64])) -> Vec<u8> {
        use safetensors::tensor::{Dtype, SafeTensors, TensorView};
        let tensors = SafeTensors::deserialize(written).unwrap();
        let metadata = SafeTensors::read_metadata(written).unwrap().1;
        let text = &metadata.metadata().as_ref().unwrap()["batchscope"];
        let mut header: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).unwrap();
        header.retain(|key, _| ["facts", "vocabulary"].contains(&key.as_str()));
        let data = tensors.tensor("train.offsets").unwrap();
        let mut changed: Vec<u64> = bytemuck::allocation::pod_collect_to_vec(data.data());
        offsets(&mut changed);
        let mut views: Vec<(String, TensorView<'_>)> =
            tensors.iter().map(|(name, view)| (name.to_owned(), view)).collect();
        views.retain(|(name, _)| name != "train.offsets");
        let bytes = bytemuck::cast_slice(&changed);
        let view = TensorView::new(Dtype::U64, vec![changed.len()], bytes).unwrap();
        views.push(("train.offsets".into(), view));
        let header = serde_json::to_string(&header).unwrap();
        let metadata = [("batchscope".to_owned(), header)].into_iter().collect();
        safetensors::serialize(views, Some(metadata)).unwrap()
    }

    #[test]
    fn a_cache_without_a_checksum_is_read_unless_its_offsets_are_impossible() {
        let folder = tempfile::tempdir().unwrap();
        let section = section(folder.path());
        let again =
            || prepare(&section, masked(true), Task::Binary, folder.path(), &mut |_| ()).unwrap();
        let first = again();
        let (whole, written) = (seen(&first), fs::read(&first.path).unwrap());
        let old = without_checksum(&written, |_| ());
        fs::write(&first.path, &old).unwrap();
        assert_eq!((seen(&again()), again().repaired), (whole.clone(), None));
        assert_eq!(fs::read(&first.path).unwrap(), old, "it is left as it is");
        for (at, value) in [(1, 1 << 62), (0, 1), (2, u64::MAX), (6, 5), (6, 1 << 62), (3, 0)] {
            let changed = without_checksum(&written, |offsets| offsets[at] = value);
            fs::write(&first.path, changed).unwrap();
            // A worker, too, refuses it before it allocates anything.
            let refused = dataset::Dataset::open(&first.path).err().unwrap();
            assert!(refused.to_string().contains("do not fit"), "{refused:#}");
            let found = again();
            assert!(found.repaired.is_some(), "offset {at}");
            assert_eq!(seen(&found), whole);
        }
    }
}

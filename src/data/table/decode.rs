//! The bytes of a table -> UTF-8 without a byte order mark, and its lines as an editor counts them.

use crate::data::source::SourceFile;
use crate::error::UserError;
use std::borrow::Cow;

/// The text of a file, unpacked. UTF-16 becomes UTF-8, and a byte order mark is left out; whether
/// the rest is UTF-8 is not checked here.
pub(super) fn text(file: &SourceFile) -> Result<Cow<'_, [u8]>, UserError> {
    decoded(&file.name(), file.unpacked()?)
}

/// The lines of a text without labels, as standard input gives it; `name` is for messages.
pub fn text_lines(name: &str, bytes: Vec<u8>) -> Result<Vec<String>, UserError> {
    let bytes = decoded(name, Cow::Owned(bytes))?;
    let line = |(at, line): (usize, &[u8])| match str::from_utf8(line) {
        Ok(line) => Ok(line.to_owned()),
        Err(_) => Err(not_utf8(&format!("{name}, line {}", at + 1))),
    };
    lines(&bytes).enumerate().map(line).collect()
}

/// What is said of a text in another encoding that cannot be told.
pub(super) fn not_utf8(place: &str) -> UserError {
    UserError::new(
        format!("{place}: the text is not UTF-8"),
        "convert the file to UTF-8; if it is in the old encoding of Western Europe: `iconv -f cp1252 -t utf-8`",
    )
}

const UTF_8: &[u8] = b"\xef\xbb\xbf";
/// Of UTF-16 and UTF-32, which begins with the mark of UTF-16.
const UTF_32: [&[u8]; 2] = [b"\xff\xfe\0\0", b"\0\0\xfe\xff"];
/// Zero bytes are looked for in so many at the beginning.
const LOOKED_AT: usize = 4096;

fn decoded<'b>(name: &str, bytes: Cow<'b, [u8]>) -> Result<Cow<'b, [u8]>, UserError> {
    if let Some((what, hint)) = other_kind(&bytes) {
        return Err(UserError::new(format!("{name} is {what}"), hint));
    }
    let utf_16 = match bytes[..] {
        [0xff, 0xfe, ..] => Some(from_utf_16(&bytes[2..], u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Some(from_utf_16(&bytes[2..], u16::from_be_bytes)),
        _ => None,
    };
    match (utf_16, bytes) {
        (Some(Some(text)), _) => Ok(Cow::Owned(text.into_bytes())),
        (Some(None), _) => Err(UserError::new(
            format!("{name} is damaged: it begins as UTF-16 and is none"),
            "save it again, best as UTF-8",
        )),
        (None, Cow::Borrowed(bytes)) => {
            Ok(Cow::Borrowed(bytes.strip_prefix(UTF_8).unwrap_or(bytes)))
        }
        (None, Cow::Owned(mut bytes)) => {
            if bytes.starts_with(UTF_8) {
                bytes.drain(..UTF_8.len());
            }
            Ok(Cow::Owned(bytes))
        }
    }
}

fn from_utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text = char::decode_utf16(units).collect::<Result<String, _>>().ok()?;
    rest.is_empty().then_some(text)
}

/// What a file is that is no text, and what to do about it.
fn other_kind(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if begins(b"\x1f\x8b") {
        return Some(("compressed with gzip", "let its name end in .gz"));
    }
    if begins(b"PK\x03\x04") {
        let hint = "unpack an archive; save a workbook as CSV UTF-8";
        return Some(("a zip archive, as Excel's workbooks are, and no text", hint));
    }
    if begins(b"PAR1") {
        return Some(("a Parquet file", "let its name end in .parquet, or add `format: parquet`"));
    }
    if UTF_32.iter().any(|mark| begins(mark)) {
        return Some(("UTF-32", "convert it: `iconv -f utf-32 -t utf-8`"));
    }
    let is_utf_16 = begins(b"\xff\xfe") || begins(b"\xfe\xff");
    let beginning = &bytes[..bytes.len().min(LOOKED_AT)];
    if is_utf_16 || !beginning.contains(&0) {
        return None;
    }
    // Of ASCII letters in UTF-16, each second byte is zero.
    let even = beginning.iter().step_by(2).filter(|byte| **byte == 0).count();
    let odd = beginning.iter().skip(1).step_by(2).filter(|byte| **byte == 0).count();
    let unmarked = "UTF-16 without a byte order mark";
    match (even * 4 > beginning.len(), odd * 4 > beginning.len()) {
        (false, true) => Some((unmarked, "convert it: `iconv -f utf-16le -t utf-8`")),
        (true, false) => Some((unmarked, "convert it: `iconv -f utf-16be -t utf-8`")),
        _ => None,
    }
}

/// Whether a carriage return alone ends a line: in a text without line feeds, as old Macs wrote it.
fn returns_end_lines(bytes: &[u8]) -> bool {
    !bytes.contains(&b'\n')
}

/// The lines without what ends them.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = if returns_end_lines(bytes) { b'\r' } else { b'\n' };
    let whole = bytes.strip_suffix(&[end]).unwrap_or(bytes);
    let lines = (!bytes.is_empty()).then(|| whole.split(move |byte| *byte == end));
    lines.into_iter().flatten().map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Counts lines as an editor does while a parser goes through the text.
pub(super) struct LineCounter<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
    returns: bool,
}

impl<'b> LineCounter<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0, line: 1, returns: returns_end_lines(bytes) }
    }

    /// The byte that comes next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes over line ends that stand between rows, then says the line of what comes next. There, a
    /// carriage return alone ends a line too, since it ends a row.
    pub(super) fn line_at(&mut self, byte: usize) -> u64 {
        loop {
            self.skip_ends();
            if self.at >= byte.min(self.bytes.len()) {
                return self.line;
            }
            self.at += 1;
        }
    }

    fn skip_ends(&mut self) {
        loop {
            let rest = &self.bytes[self.at.min(self.bytes.len())..];
            let returns = rest.iter().take_while(|byte| **byte == b'\r').count();
            let feed = rest.get(returns) == Some(&b'\n');
            if returns == 0 && !feed {
                return;
            }
            self.line += if feed { 1 } else { returns as u64 };
            self.at += returns + usize::from(feed);
        }
    }

    /// Line breaks from here to `end`, which is the end of the row that begins here.
    pub(super) fn breaks_to(&mut self, end: usize) -> u64 {
        let row = &self.bytes[self.at.min(end)..end];
        let content =
            row.len() - row.iter().rev().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let before = self.line;
        self.go_to(self.at + content);
        self.line - before
    }

    /// Lines of the whole text.
    pub(super) fn total(mut self) -> u64 {
        let ended = matches!(self.bytes.last(), Some(b'\r' | b'\n'));
        self.line_at(self.bytes.len()) - u64::from(ended)
    }

    /// `byte` may only grow from call to call.
    fn go_to(&mut self, byte: usize) {
        while self.at < byte.min(self.bytes.len()) {
            let end = if self.returns { b'\r' } else { b'\n' };
            self.line += u64::from(self.bytes[self.at] == end);
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(unit).collect()
    }

    #[test]
    fn utf_16_is_read_and_byte_order_marks_are_left_out() {
        let text = "text\tlabel\nschön 🎬\t1\n";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf_16(text, u16::to_le_bytes),
            utf_16(text, u16::to_be_bytes),
        ] {
            assert_eq!(&*decoded("t", Cow::Borrowed(&bytes)).unwrap(), text.as_bytes());
            assert_eq!(&*decoded("t", Cow::Owned(bytes)).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn what_is_no_text_is_named_with_what_to_do() {
        let unmarked = &utf_16("text,label\n", u16::to_le_bytes)[2..];
        let reversed = &utf_16("text,label\n", u16::to_be_bytes)[2..];
        let odd = &utf_16("ab", u16::to_le_bytes)[..5];
        for (bytes, what, advice) in [
            (&b"\x1f\x8b\x08"[..], "gzip", ".gz"),
            (b"PK\x03\x04", "zip", "CSV UTF-8"),
            (b"PAR1", "Parquet", "format: parquet"),
            (b"\xff\xfe\0\0a\0\0\0", "UTF-32", "utf-32"),
            (unmarked, "UTF-16", "utf-16le"),
            (reversed, "UTF-16", "utf-16be"),
            (odd, "damaged", "UTF-8"),
        ] {
            let error = decoded("t.csv", Cow::Borrowed(bytes)).unwrap_err();
            assert!(error.message.contains(what), "{error}");
            assert!(error.hint.as_ref().unwrap().contains(advice), "{error}");
            assert!(!error.hint.unwrap().contains("latin1"));
        }
    }

    #[test]
    fn lines_of_standard_input_end_in_any_way_and_begin_without_a_mark() {
        let read = |text: &str| text_lines("standard input", text.as_bytes().to_vec()).unwrap();
        for text in ["a\n\nb\n", "a\r\n\r\nb\r\n", "a\r\rb\r", "\u{feff}a\n\nb"] {
            assert_eq!(read(text), ["a", "", "b"], "{text:?}");
        }
        assert_eq!(read("a\rb\nc"), ["a\rb", "c"]);
        assert_eq!(read(""), Vec::<String>::new());
        let error = text_lines("standard input", b"a\n\xff".to_vec()).unwrap_err();
        assert_eq!(error.message, "standard input, line 2: the text is not UTF-8");
    }
}

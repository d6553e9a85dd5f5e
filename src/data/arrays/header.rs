//! The header of an npy file, looked at before a parser sees it.
//!
//! A header is a Python literal: `{'descr': '<f4', 'fortran_order': False, 'shape': (60, 4, 2), }`.
//! The parser takes exponential time in nested brackets, and trusts the length that the file gives. So
//! both are checked here first. Limits are far above what numpy writes.

use std::io::Read;

/// Bytes of the longest header; numpy reads none above 10,000 either.
const MOST_BYTES: u64 = 10_000;

/// Brackets within brackets: a record with a field of several axes has four.
const MOST_DEPTH: usize = 5;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Takes the header off the front of an npy file, with what precedes its text, or says what is wrong
/// with it.
pub(super) fn take(file: &mut impl Read) -> Result<Vec<u8>, String> {
    let mut start = [0; 8];
    let torn = || "it ends before its header does".to_owned();
    file.read_exact(&mut start).map_err(|_| torn())?;
    if &start[..6] != MAGIC {
        return Err("it does not begin as an npy file does".into());
    }
    let width = match start[6] {
        1 => 2,
        2 | 3 => 4,
        version => return Err(format!("npy files of version {version} are not known")),
    };
    let mut length = [0; 4];
    file.read_exact(&mut length[..width]).map_err(|_| torn())?;
    let count = u64::from(u32::from_le_bytes(length));
    if count > MOST_BYTES {
        return Err(format!("its header claims {count} bytes, and one has at most {MOST_BYTES}"));
    }
    let mut header = [&start[..], &length[..width]].concat();
    let text = header.len();
    file.take(count).read_to_end(&mut header).map_err(|error| error.to_string())?;
    if (header.len() - text) as u64 != count {
        return Err(torn());
    }
    match depth(&header[text..]) > MOST_DEPTH {
        true => Err(format!("its header has more than {MOST_DEPTH} brackets within each other")),
        false => Ok(header),
    }
}

/// What is said of a header whose sizes no file can have.
pub(super) fn absurd_shape(header: &str) -> String {
    let shape = header.split_once("'shape':").and_then(|(_, rest)| rest.split_once(')'));
    match shape {
        Some((shape, _)) => format!("no file can hold the shape {}) of its header", shape.trim()),
        None => "its header is damaged".into(),
    }
}

/// How many brackets are open at a time. Those in names count too, which does no harm.
fn depth(text: &[u8]) -> usize {
    let (mut open, mut most) = (0usize, 0);
    for byte in text {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: u8, length: u32, text: &str) -> Vec<u8> {
        let width = if version == 1 { 2 } else { 4 };
        [MAGIC, &[version, 0][..], &length.to_le_bytes()[..width], text.as_bytes()].concat()
    }

    fn refusal(bytes: &[u8]) -> String {
        take(&mut &bytes[..]).unwrap_err()
    }

    #[test]
    fn a_header_is_taken_and_what_follows_is_left() {
        let text = "{'descr': '<f4', 'shape': (1,)}";
        for version in 1..=3 {
            let bytes = [header(version, text.len() as u32, text), vec![7; 4]].concat();
            let mut rest = &bytes[..];
            assert_eq!(take(&mut rest).unwrap(), bytes[..bytes.len() - 4]);
            assert_eq!(rest, [7; 4]);
        }
    }

    #[test]
    fn a_header_that_a_parser_should_not_see_is_refused() {
        let nested = format!("{}{}", "[".repeat(24), "]".repeat(24));
        assert!(refusal(&header(1, 48, &nested)).contains("more than 5 brackets"));
        assert!(refusal(&header(2, u32::MAX, "{}")).contains("claims 4294967295 bytes"));
        assert!(refusal(&header(2, 9000, "{}")).contains("ends before its header"));
        assert!(refusal(&header(9, 2, "{}")).contains("version 9"));
        assert!(refusal(b"\x93NUM").contains("ends before"));
        assert!(refusal(b"text,label\n").contains("does not begin"));
    }
}

//! What the pages of a Parquet column unpack to, before a reader takes memory for it.
//!
//! The library believes a page's header and takes up to 2 GB for a page of a few bytes; and where a
//! column is compressed with gzip, brotli or lz4 in frames it unpacks whatever there is, beyond what the
//! header says. So sizes are summed up as pages say them, and such pages are unpacked once to count.
//!
//! Of a header (Thrift's compact protocol) only the sizes matter here; other fields are skipped.

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use parquet::basic::Compression;
use std::io::Read;

/// Bytes that the pages of a column chunk unpack to, as they say themselves or more. What is not a page
/// ends the sum: the library will say what is wrong there. Beyond `most` nothing is counted.
pub(super) fn unpacked(
    file: &[u8],
    from: u64,
    length: u64,
    compression: Compression,
    most: u64,
) -> u64 {
    let end = from.saturating_add(length).min(file.len() as u64);
    let (Ok(from), Ok(end)) = (usize::try_from(from), usize::try_from(end)) else { return 0 };
    let mut rest = file.get(from..end).unwrap_or_default();
    let mut sum = 0_u64;
    while !rest.is_empty() && sum <= most {
        let mut header = Header { bytes: rest };
        let Some(Sizes { full, packed, levels }) = header.sizes() else { break };
        let Some((page, next)) = header.bytes.split_at_checked(packed) else {
            sum = sum.saturating_add(full);
            break;
        };
        let content = page.get(levels..).unwrap_or_default();
        let really = match compression {
            Compression::GZIP(_) => counted(MultiGzDecoder::new(content), most),
            Compression::BROTLI(_) => counted(brotli::Decompressor::new(content, 4096), most),
            // Of what is no frame, the reader says so at once: then the header's sizes are held to.
            Compression::LZ4 => counted(FrameDecoder::new(content), most),
            _ => 0,
        };
        sum = sum.saturating_add(full.max(really));
        rest = next;
    }
    sum
}

/// Bytes that come from a reader, which may end in an error.
fn counted(mut from: impl Read, most: u64) -> u64 {
    let (mut sum, mut part) = (0, vec![0; 1 << 16]);
    loop {
        match from.read(&mut part) {
            Ok(0) | Err(_) => return sum,
            Ok(_) if sum > most => return sum,
            Ok(read) => sum += read as u64,
        }
    }
}

/// What a page's header says.
#[derive(Debug, PartialEq, Eq)]
struct Sizes {
    full: u64,
    packed: usize,
    /// Bytes before the compressed ones, in pages of the second version.
    levels: usize,
}

struct Header<'b> {
    bytes: &'b [u8],
}

/// Structures in a header are nested once or twice.
const DEEPEST: usize = 8;

impl Header<'_> {
    /// Afterwards the page's content comes next.
    fn sizes(&mut self) -> Option<Sizes> {
        let (mut full, mut packed, mut levels, mut id) = (None, None, 0, 0);
        loop {
            let (next, kind) = self.field(id)?;
            id = next;
            match (kind, id) {
                (0, _) => return Some(Sizes { full: full?, packed: packed?, levels }),
                (5, 2) => full = u64::try_from(self.signed()?).ok(),
                (5, 3) => packed = usize::try_from(self.signed()?).ok(),
                (12, 8) => levels = self.levels()?,
                _ => self.skip(kind, DEEPEST)?,
            }
        }
    }

    /// Of the header of a page of the second version: what its levels take.
    fn levels(&mut self) -> Option<usize> {
        let (mut sum, mut id) = (0_usize, 0);
        loop {
            let (next, kind) = self.field(id)?;
            id = next;
            match (kind, id) {
                (0, _) => return Some(sum),
                (5, 5 | 6) => sum = sum.saturating_add(usize::try_from(self.signed()?).ok()?),
                _ => self.skip(kind, DEEPEST)?,
            }
        }
    }

    /// The number and the type of the next field; type 0 ends a structure.
    fn field(&mut self, before: i64) -> Option<(i64, u8)> {
        let head = self.byte()?;
        let (step, kind) = (head >> 4, head & 0x0f);
        let id = match (step, kind) {
            (_, 0) => before,
            (0, _) => self.signed()?,
            (step, _) => before.checked_add(i64::from(step))?,
        };
        Some((id, kind))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            8 => {
                let length = self.varint()?;
                self.take(usize::try_from(length).ok()?)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                (0..count).try_for_each(|_| match head & 0x0f {
                    1 | 2 => self.byte().map(drop),
                    kind => self.skip(kind, depth),
                })
            }
            12 => {
                let mut id = 0;
                loop {
                    let (next, kind) = self.field(id)?;
                    id = next;
                    if kind == 0 {
                        return Some(());
                    }
                    self.skip(kind, depth)?;
                }
            }
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<()> {
        self.bytes = self.bytes.get(count..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Signed numbers are folded: 0, -1, 1, -2, ...
    fn signed(&mut self) -> Option<i64> {
        let folded = self.varint()?;
        Some((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type 0, unpacked to 150, packed into 3, and a structure; then the content.
    const PAGE: [u8; 15] =
        [0x15, 0, 0x15, 0xac, 0x02, 0x15, 6, 0x2c, 0x15, 4, 0x11, 0, 0, b'x', b'y'];

    #[test]
    fn pages_are_summed_up_as_they_say() {
        let page = [&PAGE[..], b"z"].concat();
        let two = [b"PAR1", &page[..], &page, b"rest"].concat();
        let said = |from, length| unpacked(&two, from, length, Compression::SNAPPY, u64::MAX);
        assert_eq!(said(4, 2 * page.len() as u64), 300);
        assert_eq!(said(4, page.len() as u64), 150);
        assert_eq!(said(4, u64::MAX), 300);
        assert_eq!(said(1 << 62, 9), 0);
    }
}

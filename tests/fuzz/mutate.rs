//! How a file is damaged: bits, bytes, pieces, and numbers that are out of all proportion.

use rand::RngExt;
use rand::rngs::StdRng;

/// What is put in somewhere.
const PIECES: [&[u8]; 18] = [
    b"\0",
    b"\"",
    b"\n",
    b"\r",
    b"\r\n",
    b",",
    b"\t",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xff",
    b"\x1b[31m",
    b"[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{",
    b"'",
    b"&a [*a, *a]",
    b"=1+1",
    b"\xe2\x80\xae",
    b": ",
];

/// What takes the place of a number.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1e308",
    "1e-310",
    "NaN",
    "inf",
    "4294967296",
    "9223372036854775807",
    "18446744073709551615",
    "99999999999999999999999",
    "536870911",
    "0.1",
    "1_000",
    "0x7fffffff",
];

/// Changes a file in one to four ways.
pub(super) fn mutate(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..=4) {
        once(bytes, rng);
    }
}

fn once(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    if bytes.is_empty() {
        bytes.push(rng.random());
        return;
    }
    let at = rng.random_range(0..bytes.len());
    let length = rng.random_range(1..=16.min(bytes.len() - at).max(1));
    match rng.random_range(0..10) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.random_range(0..5)],
        3 => drop(bytes.drain(at..at + length)),
        4 => {
            let piece = bytes[at..at + length].to_vec();
            let to = rng.random_range(0..=bytes.len());
            bytes.splice(to..to, piece);
        }
        5 => bytes.truncate(at),
        6 => {
            let piece = PIECES[rng.random_range(0..PIECES.len())];
            bytes.splice(at..at, piece.iter().copied());
        }
        // Numbers matter most where they are lengths, shapes and ids.
        7 | 8 => number(bytes, at, NUMBERS[rng.random_range(0..NUMBERS.len())].as_bytes()),
        _ => {
            let value = [u64::MAX, 1 << 62, 1 << 40, 1 << 31, 0][rng.random_range(0..5)];
            for (byte, new) in bytes[at..].iter_mut().zip(value.to_le_bytes()) {
                *byte = new;
            }
        }
    }
}

/// Puts another number in the place of the next one.
fn number(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|ahead| at + ahead)
    else {
        return;
    };
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.splice(start..start + digits, new.iter().copied());
}

//! Hostile bytes: good inputs, damaged a little. Where coverage-guided fuzzing (`fuzz/`) is not at hand, this is what feeds
//! the same targets, from the same corpus.

use crate::random::Rng;

/// Longest input.
pub const MAX: usize = 1 << 16;

/// Bytes and words at which things go wrong.
const BYTES: [u8; 12] = [0, 1, 0x7f, 0x80, 0xff, b'0', b'9', b'\n', b' ', b'"', b'(', b'\\'];
const NUMBERS: [&str; 13] = [
    "0",
    "1",
    "-1",
    "2",
    "63",
    "64",
    "65",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "nan",
];

/// An input made of one of the corpus, and perhaps parts of another. `corpus` is not empty.
pub fn mutate(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[rng.below(corpus.len())].clone();
    for _ in 0..1 + rng.below(6) {
        once(rng, &mut bytes, corpus);
    }
    bytes.truncate(MAX);
    bytes
}

fn once(rng: &mut Rng, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    if bytes.is_empty() {
        bytes.push(rng.next() as u8);
        return;
    }
    let at = rng.below(bytes.len());
    let len = 1 + rng.below(16.min(bytes.len() - at));
    match rng.below(12) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = rng.next() as u8,
        2 => bytes[at] = rng.of(&BYTES),
        3 => bytes[at] = bytes[at].wrapping_add(if rng.chance(2) { 1 } else { 255 }),
        4 => bytes.insert(at, rng.of(&BYTES)),
        5 => drop(bytes.drain(at..at + len)),
        6 => bytes.truncate(at),
        7 => {
            let part: Vec<u8> = bytes[at..at + len].to_vec();
            let to = rng.below(bytes.len());
            bytes.splice(to..to, part.repeat(1 + rng.below(4)));
        }
        8 => {
            let other = &corpus[rng.below(corpus.len())];
            if !other.is_empty() {
                let from = rng.below(other.len());
                let to = (from + 1 + rng.below(64)).min(other.len());
                bytes.splice(at..at + len, other[from..to].iter().copied());
            }
        }
        9 => number(rng, bytes, at),
        10 => line(rng, bytes, corpus),
        _ => {
            // A little-endian number somewhere in a header.
            let value = rng.of(&[0u64, 1, 7, 8, 255, 65535, u64::from(u32::MAX), 1 << 40, u64::MAX, u64::MAX >> 1]);
            let width = rng.of(&[2, 4, 8]);
            let value = if rng.chance(3) {
                value.to_be_bytes()[8 - width..].to_vec()
            } else {
                value.to_le_bytes()[..width].to_vec()
            };
            bytes.iter_mut().skip(at).zip(value).for_each(|(b, v)| *b = v);
        }
    }
}

/// Replaces the first decimal number from some place on.
fn number(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    let Some(start) = (at..bytes.len()).find(|&i| bytes[i].is_ascii_digit()) else { return };
    let end = (start..bytes.len()).find(|&i| !bytes[i].is_ascii_digit()).unwrap_or(bytes.len());
    bytes.splice(start..end, rng.of(&NUMBERS).bytes());
}

/// Copies, drops or borrows a line.
fn line(rng: &mut Rng, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let mut lines: Vec<Vec<u8>> = bytes.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    let at = rng.below(lines.len());
    match rng.below(3) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[rng.below(lines.len())].clone()),
        _ => {
            let other: Vec<&[u8]> = corpus[rng.below(corpus.len())].split(|&b| b == b'\n').collect();
            lines.insert(at, other[rng.below(other.len())].to_vec());
        }
    }
    *bytes = lines.join(&b'\n');
}

//! SHA-256 (FIPS 180-4) in the form in which files name it: `sha256:` and 64 lower-case hexadecimal digits.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::json;
use crate::value::Value;

/// The digest of some bytes, as bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The digest of some bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    named(&sha256(bytes))
}

/// A digest's bytes in the form in which files name it.
pub fn named(digest: &[u8; 32]) -> String {
    let mut out = String::with_capacity(71);
    out.push_str("sha256:");
    for byte in digest {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The digest of a value's canonical JSON.
pub fn of_value(value: &Value) -> String {
    of_bytes(json::to_string(value).as_bytes())
}

/// SHA-256 over parts of which each is told apart from its neighbours by its length.
pub fn of_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The first `digits` digits of the bytes in base 32 (RFC 4648 section 6), lower case, not padded.
pub fn base32(bytes: &[u8], digits: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    (0..digits)
        .map(|digit| {
            let value = (0..5).fold(0, |value, at| value << 1 | bit(digit * 5 + at));
            char::from(ALPHABET[usize::from(value)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn base32_is_that_of_the_rfc() {
        assert_eq!(super::base32(b"foobar", 9), "mzxw6ytbo");
    }

    #[test]
    fn the_empty_text_has_its_known_digest() {
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(super::of_bytes(b""), known);
    }
}

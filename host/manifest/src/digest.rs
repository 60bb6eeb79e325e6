//! SHA-256 (FIPS 180-4) in the form in which files name it: `sha256:` and 64 lower-case hexadecimal digits.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::json;
use crate::value::Value;

/// The digest of some bytes.
pub fn of_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(71);
    out.push_str("sha256:");
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The digest of a value's canonical JSON.
pub fn of_value(value: &Value) -> String {
    of_bytes(json::to_string(value).as_bytes())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_empty_text_has_its_known_digest() {
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(super::of_bytes(b""), known);
    }
}

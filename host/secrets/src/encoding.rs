//! The encodings that a token may stand in.

use std::fmt::Write as _;

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD};
use base64::{Engine as _, alphabet};
use lathe_manifest::json;

use crate::bytes::SecretBytes;

/// How a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 4648 section 4, padded.
    Base64,
    /// RFC 4648 section 5, not padded.
    Base64Url,
    /// RFC 3986: all but unreserved characters as `%XX`.
    Percent,
    /// The inside of a JSON string.
    Json,
}

impl Encoding {
    /// A name that tells the encodings apart, for deriving tokens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base64Url => "base64url",
            Self::Percent => "percent",
            Self::Json => "json",
        }
    }

    /// The text in this encoding.
    pub(crate) fn encode(self, text: &str) -> String {
        match self {
            Self::Base64 => STANDARD.encode(text),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(text),
            Self::Percent => percent(text.as_bytes()),
            Self::Json => {
                let mut out = String::with_capacity(text.len() + 2);
                json::write_string(&mut out, text);
                out[1..out.len() - 1].to_owned()
            }
        }
    }

    /// The bytes in this encoding. JSON takes text alone.
    pub(crate) fn encode_bytes(self, bytes: &[u8]) -> SecretBytes {
        match self {
            Self::Base64 => STANDARD.encode(bytes).into(),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(bytes).into(),
            Self::Percent => percent(bytes).into(),
            Self::Json => self.encode(&String::from_utf8_lossy(bytes)).into(),
        }
    }
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut out, &byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// As lenient as Go's decoder, which kubectl and the API server use: line feeds and leftover bits do not matter.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The bytes that the base64 of a Secret's `data` holds; `None` where it is none.
pub(crate) fn decode(encoded: &str) -> Option<Vec<u8>> {
    let compact: String = encoded.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    LENIENT.decode(compact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded() {
        assert_eq!(Encoding::Base64.encode("a?>"), "YT8+");
        assert_eq!(Encoding::Base64Url.encode("a?>a"), "YT8-YQ");
        assert_eq!(Encoding::Percent.encode("a b/ü~"), "a%20b%2F%C3%BC~");
        assert_eq!(Encoding::Json.encode("a\"\n"), "a\\\"\\n");
    }
}

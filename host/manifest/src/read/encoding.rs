//! Bytes as text: UTF-8, or UTF-16 that says so.

use std::borrow::Cow;

use crate::error::{Position, ReadErrorKind};

/// The text, owned where it had to be decoded; a byte order mark is left in it.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, (Position, ReadErrorKind)> {
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(text.into()),
        Err(error) => error,
    };
    if let Some(decoded) = utf16(bytes) {
        return decoded.map(Into::into).map_err(|kind| (Position { line: 1, column: 1 }, kind));
    }
    let sound = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
    Err((Position::of(&sound, sound.len()), ReadErrorKind::Encoding))
}

/// UTF-16 text that says so by its byte order mark, which is left in it. kubectl looks for line breaks before it decodes, so
/// that a character with one of their bytes would be cut.
fn utf16(bytes: &[u8]) -> Option<Result<String, ReadErrorKind>> {
    let (mark, rest) = bytes.split_first_chunk::<2>()?;
    let unit: fn([u8; 2]) -> u16 = match mark {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    if rest.len() % 2 != 0 {
        return None;
    }
    let units = || rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let cut = |unit: u16| {
        !matches!(unit, 0x0a | 0x0d) && unit.to_be_bytes().iter().any(|byte| matches!(byte, 0x0a | 0x0d))
    };
    let text: String = char::decode_utf16(units()).collect::<Result<_, _>>().ok()?;
    Some(if units().any(cut) { Err(ReadErrorKind::Utf16) } else { Ok(format!("\u{feff}{text}")) })
}

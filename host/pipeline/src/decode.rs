//! Text as it may be read by whoever uses it: percent and backslash escapes undone, base64 of Secrets decoded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The text with `%XX`, `\n`, `\/`, `\uXXXX` and escaped dots undone; `None` where there are none.
pub(crate) fn unescape(text: &str) -> Option<String> {
    if !text.contains(['%', '\\']) {
        return None;
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let (decoded, length) = match byte {
            b'%' => hex(bytes.get(at + 1..at + 3)).map_or((*byte, 1), |code| (code_byte(code), 3)),
            b'\\' => match bytes.get(at + 1) {
                Some(b'n' | b't' | b'r') => (b' ', 2),
                Some(b'u') => hex(bytes.get(at + 2..at + 6)).map_or((*byte, 1), |code| (code_byte(code), 6)),
                // `\\` before anything is the escape of an escape: look at what follows.
                Some(b'\\') => (b'\\', usize::from(bytes.get(at + 2) != Some(&b'.')) + 1),
                Some(next @ (b'.' | b'/' | b'"' | b'-')) => (*next, 2),
                _ => (*byte, 1),
            },
            byte => (*byte, 1),
        };
        out.push(decoded);
        at += length;
    }
    // A lone backslash before a dot is what is left of `\\.`.
    Some(String::from_utf8_lossy(&out).replace("\\.", "."))
}

/// The text that base64 holds, whatever bytes beside it do.
pub(crate) fn base64(text: &str) -> Option<String> {
    let compact: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    STANDARD.decode(compact).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits?).ok()?, 16).ok()
}

/// An ASCII character as it is; anything else as a byte that no host name holds.
fn code_byte(code: u32) -> u8 {
    u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        for (text, want) in [
            ("https%3A%2F%2Fa.example.org", "https://a.example.org"),
            (r"^a\.example\.org$", "^a.example.org$"),
            (r"a\\.example\\.org", "a.example.org"),
            (r"x\na.example.org", "x a.example.org"),
            (r"https:\/\/a.example.org", "https://a.example.org"),
            (r"\u0061.example.org", "a.example.org"),
            ("100% %zz", "100% %zz"),
            (r"\", r"\"),
        ] {
            assert_eq!(unescape(text).as_deref(), Some(want));
        }
        assert_eq!(unescape("plain"), None);
    }
}

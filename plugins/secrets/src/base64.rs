//! Base64 (RFC 4648 section 4) of the `data` of Secrets, decoded only to look for references.

/// The text that the base64 holds; `None` where it holds none.
pub(crate) fn decode_text(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in encoded.bytes().filter(|b| !matches!(b, b'\n' | b'\r' | b'=')) {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::decode_text;

    #[test]
    fn text_comes_out() {
        assert_eq!(decode_text("cm9vdA==").as_deref(), Some("root"));
        assert_eq!(decode_text("not base64!"), None);
        assert_eq!(decode_text("/w=="), None);
    }
}

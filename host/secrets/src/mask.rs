//! Values taken out of texts that others wrote, such as a server's error.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::bytes::SecretBytes;
use crate::encoding::Encoding;

/// Shorter values stand in any text.
const SHORTEST: usize = 4;

/// Takes values out of texts, in every form that they may stand in: as they are, in base64 at any offset, escaped for URLs, JSON and Go.
#[derive(Default)]
pub struct Mask(Vec<SecretBytes>);

impl Mask {
    /// Takes these values out.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a SecretBytes>) -> Self {
        let mut forms = Vec::new();
        for value in values.into_iter().filter(|value| value.expose().len() >= SHORTEST) {
            forms.push(value.clone());
            forms.extend(
                [Encoding::Percent, Encoding::Json].map(|encoding| encoding.encode_bytes(value.expose())),
            );
            forms.extend((0..3).filter_map(|offset| in_base64(value, offset)));
            let lines = value.text().into_iter().flat_map(str::lines).filter(|line| line.len() >= SHORTEST);
            forms.extend(lines.map(SecretBytes::from));
        }
        // The longest first, or what is left of one would stay.
        forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
        Self(forms)
    }

    /// The text without the values.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in self.0.iter().filter_map(SecretBytes::text) {
            if text.contains(form) {
                text = text.replace(form, "(secret)");
            }
        }
        text
    }
}

/// The digits of base64 that stand for the value and nothing else, where so many bytes stand before it.
fn in_base64(value: &SecretBytes, offset: usize) -> Option<SecretBytes> {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(value.expose());
    let text = STANDARD_NO_PAD.encode(&bytes);
    // The first digits hold bits of what stands before, the last ones of what comes behind.
    let start = (offset * 8).div_ceil(6);
    let end = bytes.len() * 8 / 6;
    text.get(start..end).filter(|digits| digits.len() >= SHORTEST).map(SecretBytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_hidden() {
        let value = SecretBytes::from("pa\"ss word/9");
        let mask = Mask::new([&value]);
        for text in ["x pa\"ss word/9 y", "pa\\\"ss word/9", "pa%22ss%20word%2F9"] {
            assert!(mask.hide(text).contains("(secret)"), "{text}");
        }
        for before in ["", "a", "ab", "abc"] {
            let text = STANDARD_NO_PAD.encode(format!("{before}pa\"ss word/9tail"));
            assert!(mask.hide(&text).contains("(secret)"), "{text}");
        }
        assert_eq!(Mask::new([&SecretBytes::from("abc")]).hide("abc"), "abc");
    }
}

//! Which value a YAML scalar is, as kubectl resolves it.
//!
//! The rules are those of sigs.k8s.io/yaml v1.6.0 (its copy of go-yaml v2, YAML 1.1 flavoured), not those of any YAML
//! specification: `yes` and `y` are booleans, `0644` is octal, dates stay strings.

use std::borrow::Cow;

use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};

use crate::time;
use crate::value::{Number, Value};

/// Namespace of YAML's own tags.
const CORE: &str = "tag:yaml.org,2002:";

/// Base64 as Go takes it, with whatever bits behind the last byte.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// A scalar's value before it becomes part of a tree: as a map key, an integral float prints otherwise than as a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    String(Cow<'a, str>),
}

/// Why a scalar has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScalarError {
    /// An explicit tag that the text does not satisfy, such as `!!int abc`.
    #[error("the text does not fit its tag")]
    Tag,
    /// `!!binary` without valid base64 of UTF-8 text in it.
    #[error("`!!binary` holds no base64 of UTF-8 text")]
    Binary,
    /// `.inf` and `.nan` have no JSON form.
    #[error("infinity and not-a-number have no place in a manifest")]
    NotFinite,
    /// A map key that kubectl has no text for.
    #[error("a map key must be a string, a boolean or a number that fits")]
    Key,
}

impl<'a> Scalar<'a> {
    /// As a value in the tree.
    pub(crate) fn into_value(self) -> Result<Value, ScalarError> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => Value::Bool(bool),
            Self::Int(int) => Value::Number(Number::Int(int)),
            Self::Uint(uint) => Value::Number(Number::from_u64(uint)),
            Self::Float(float) => Value::Number(Number::from_f64(float).ok_or(ScalarError::NotFinite)?),
            Self::String(text) => Value::String(text.into()),
        })
    }

    /// As a map key, which sigs.k8s.io/yaml turns into text.
    pub(crate) fn into_key(self) -> Result<Cow<'a, str>, ScalarError> {
        match self {
            Self::String(text) => Ok(text),
            Self::Bool(bool) => Ok(if bool { "true" } else { "false" }.into()),
            Self::Int(int) => Ok(int.to_string().into()),
            Self::Float(float) => go_g32(float).map(Into::into).ok_or(ScalarError::Key),
            Self::Null | Self::Uint(_) => Err(ScalarError::Key),
        }
    }
}

/// Go's `strconv.FormatFloat(v, 'g', -1, 32)`: shortest digits of the single-precision value, exponent form below 1e-4
/// and from 1e6. `None` where single precision overflows.
fn go_g32(value: f64) -> Option<String> {
    #[allow(clippy::cast_possible_truncation, reason = "kubectl prints float keys in single precision")]
    let single = value as f32;
    let scientific = format!("{single:e}");
    let (digits, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    if (-4..6).contains(&exponent) {
        return Some(single.to_string());
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    Some(format!("{digits}e{sign}{:02}", exponent.abs()))
}

/// Resolves a scalar. `plain` says that it stood without quotes and not as a block; `tag` is its resolved tag, where
/// `!` alone is the tag that makes plain text a string.
pub(crate) fn resolve<'a>(
    text: Cow<'a, str>,
    plain: bool,
    tag: Option<&str>,
) -> Result<Scalar<'a>, ScalarError> {
    let Some(tag) = tag else {
        let scalar = if plain { plain_scalar(&text, true) } else { None };
        return Ok(scalar.unwrap_or(Scalar::String(text)));
    };
    let kind = tag.strip_prefix(CORE);
    match kind {
        Some("binary") => {
            let compact: String = text.chars().filter(|c| *c != '\n' && *c != '\r').collect();
            let bytes = LENIENT.decode(compact).map_err(|_| ScalarError::Binary)?;
            // Go writes invalid UTF-8 as U+FFFD into its JSON: a silent loss, so it is refused here.
            String::from_utf8(bytes).map(|text| Scalar::String(text.into())).map_err(|_| ScalarError::Binary)
        }
        Some("timestamp") => {
            if time::is_time(&text) {
                Ok(Scalar::String(text))
            } else {
                Err(ScalarError::Tag)
            }
        }
        Some(kind @ ("bool" | "int" | "float" | "null")) => match (kind, plain_scalar(&text, false)) {
            ("bool", Some(value @ Scalar::Bool(_)))
            | ("int", Some(value @ (Scalar::Int(_) | Scalar::Uint(_))))
            | ("float", Some(value @ Scalar::Float(_)))
            | ("null", Some(value @ Scalar::Null)) => Ok(value),
            #[allow(clippy::cast_precision_loss, reason = "kubectl turns a tagged integer into a double")]
            ("float", Some(Scalar::Int(int))) => Ok(Scalar::Float(int as f64)),
            _ => Err(ScalarError::Tag),
        },
        _ => Ok(Scalar::String(text)),
    }
}

/// What plain text is, where it is no text.
fn plain_scalar(text: &str, dates: bool) -> Option<Scalar<'static>> {
    let Some(first) = text.bytes().next() else { return Some(Scalar::Null) };
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Some(Scalar::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(Scalar::Bool(false));
        }
        "~" | "null" | "Null" | "NULL" => return Some(Scalar::Null),
        ".nan" | ".NaN" | ".NAN" => return Some(Scalar::Float(f64::NAN)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(Scalar::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Scalar::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    match first {
        b'0'..=b'9' | b'+' | b'-' if !(dates && time::may_be_time(text)) => number(text),
        b'.' if underscores_separate(text) => float(&text.replace('_', "")),
        _ => None,
    }
}

/// Whether each underscore stands between digits, as Go's `ParseFloat` wants it; behind a digit or sign at the front,
/// go-yaml takes them all away instead.
fn underscores_separate(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    bytes.iter().enumerate().all(|(at, b)| *b != b'_' || (digit(at.checked_sub(1)) && digit(Some(at + 1))))
}

fn number(text: &str) -> Option<Scalar<'static>> {
    let digits = text.replace('_', "");
    if let Some(value) = integer(&digits) {
        return Some(value);
    }
    float(&digits)
}

/// Go's `ParseInt(text, 0, 64)`, then `ParseUint(text, 0, 64)`, which takes no sign.
fn integer(text: &str) -> Option<Scalar<'static>> {
    let (negative, signed, body) = match text.as_bytes().first()? {
        b'-' => (true, true, &text[1..]),
        b'+' => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let bytes = body.as_bytes();
    let (radix, digits) = match (bytes.first()?, bytes.get(1)) {
        (b'0', Some(b'x' | b'X')) => (16, &body[2..]),
        (b'0', Some(b'b' | b'B')) => (2, &body[2..]),
        (b'0', Some(b'o' | b'O')) => (8, &body[2..]),
        (b'0', Some(_)) => (8, &body[1..]),
        _ => (10, body),
    };
    // go-yaml tries once more without the prefix, and then a sign may stand behind it.
    if let Some(digits) = text.strip_prefix("0b").filter(|digits| digits.starts_with(['-', '+'])) {
        return i64::from_str_radix(digits, 2).ok().map(Scalar::Int);
    }
    // Rust's parsers take a sign of their own, which has been dealt with.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0_i64.checked_sub_unsigned(magnitude).map(Scalar::Int);
    }
    match i64::try_from(magnitude) {
        Ok(int) => Some(Scalar::Int(int)),
        Err(_) if signed => None,
        Err(_) => Some(Scalar::Uint(magnitude)),
    }
}

/// Text of the form `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` that fits a double.
fn float(text: &str) -> Option<Scalar<'static>> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(at);
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if whole == 0 && fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    } else if whole == 0 {
        return None;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    if at != bytes.len() {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Scalar::Float)
}

/// Whether a key of this text may have been something else than text before it became a key.
pub(crate) fn may_be_typed(key: &str) -> bool {
    plain_scalar(key, false).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar<'_> {
        resolve(text.into(), true, None).unwrap()
    }

    #[test]
    fn plain_scalars_resolve_as_kubectl_resolves_them() {
        for (text, want) in [
            ("yes", Scalar::Bool(true)),
            ("y", Scalar::Bool(true)),
            ("off", Scalar::Bool(false)),
            ("tRue", Scalar::String("tRue".into())),
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("0644", Scalar::Int(420)),
            ("0o644", Scalar::Int(420)),
            ("0x1F", Scalar::Int(31)),
            ("-0x1F", Scalar::Int(-31)),
            ("0b101", Scalar::Int(5)),
            ("+0b11", Scalar::Int(3)),
            ("0b102", Scalar::String("0b102".into())),
            ("08", Scalar::Float(8.0)),
            ("1_000", Scalar::Int(1000)),
            ("0_", Scalar::Int(0)),
            ("-_", Scalar::String("-_".into())),
            ("_1", Scalar::String("_1".into())),
            ("1:20", Scalar::String("1:20".into())),
            ("2001-01-01", Scalar::String("2001-01-01".into())),
            ("9007199254740993", Scalar::Int(9_007_199_254_740_993)),
            ("-9223372036854775808", Scalar::Int(i64::MIN)),
            ("18446744073709551615", Scalar::Uint(u64::MAX)),
            ("18446744073709551616", Scalar::Float(18_446_744_073_709_551_616.0)),
            ("1e3", Scalar::Float(1000.0)),
            ("1e400", Scalar::String("1e400".into())),
            (".1_0", Scalar::Float(0.1)),
            ("._5", Scalar::String("._5".into())),
            (".5_", Scalar::String(".5_".into())),
            (".5", Scalar::Float(0.5)),
            ("0b-101", Scalar::Int(-5)),
            ("0b+1", Scalar::Int(1)),
            ("-0b-1", Scalar::String("-0b-1".into())),
            ("5.", Scalar::Float(5.0)),
            ("-", Scalar::String("-".into())),
            ("1.2.3", Scalar::String("1.2.3".into())),
            ("=", Scalar::String("=".into())),
        ] {
            assert_eq!(plain(text), want, "{text}");
        }
    }

    #[test]
    fn tags_decide_where_they_stand() {
        let tagged = |text, tag: &str| resolve(Cow::Borrowed(text), true, Some(&format!("{CORE}{tag}")));
        assert_eq!(tagged("12", "str"), Ok(Scalar::String("12".into())));
        assert_eq!(tagged("1", "float"), Ok(Scalar::Float(1.0)));
        assert_eq!(tagged("abc", "int"), Err(ScalarError::Tag));
        assert_eq!(tagged("YR==", "binary"), Ok(Scalar::String("a".into())));
        assert_eq!(tagged("aGVs", "binary"), Ok(Scalar::String("hel".into())));
        assert_eq!(tagged("a", "binary"), Err(ScalarError::Binary));
        assert_eq!(resolve("12".into(), true, Some("!foo")), Ok(Scalar::String("12".into())));
        assert_eq!(resolve("12".into(), true, Some("!")), Ok(Scalar::String("12".into())));
        assert_eq!(resolve("12".into(), false, Some("tag:yaml.org,2002:int")), Ok(Scalar::Int(12)));
    }

    #[test]
    fn keys_become_text_as_kubectl_makes_it() {
        for (text, key) in
            [("on", "true"), ("1", "1"), ("1.5", "1.5"), ("1e6", "1e+06"), ("0x10", "16"), ("1e5", "100000")]
        {
            assert_eq!(plain(text).into_key().unwrap().as_ref(), key);
        }
        assert_eq!(Scalar::Null.into_key(), Err(ScalarError::Key));
        assert_eq!(Scalar::Uint(u64::MAX).into_key(), Err(ScalarError::Key));
    }
}

//! Scalars as sops reads them: YAML's by the rules of go-yaml v3.

use crate::bytes::SecretBytes;

/// A leaf's value, in the spelling that the MAC goes over, but for booleans.
#[derive(Clone)]
pub(crate) struct Scalar {
    pub(super) text: SecretBytes,
    pub(super) kind: Kind,
}

/// What a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Float,
    Bool,
    Time,
    Null,
}

impl Scalar {
    pub(super) fn text(text: impl Into<SecretBytes>) -> Self {
        Self { text: text.into(), kind: Kind::Text }
    }

    /// A scalar of YAML without quotes and without a tag.
    pub(super) fn plain(text: &str) -> Self {
        let of = |kind, text: String| Self { text: text.into(), kind };
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return of(Kind::Null, String::new()),
            "true" | "True" | "TRUE" => return of(Kind::Bool, "true".to_owned()),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
                return of(Kind::Float, "+Inf".to_owned());
            }
            "-.inf" | "-.Inf" | "-.INF" => return of(Kind::Float, "-Inf".to_owned()),
            ".nan" | ".NaN" | ".NAN" => return of(Kind::Float, "NaN".to_owned()),
            "false" | "False" | "FALSE" => return of(Kind::Bool, "false".to_owned()),
            _ => {}
        }
        let first = text.as_bytes().first().copied().unwrap_or_default();
        if !matches!(first, b'0'..=b'9' | b'+' | b'-' | b'.') {
            return Self::text(text);
        }
        if let Some(time) = time(text) {
            return of(Kind::Time, time);
        }
        let compact = text.replace('_', "");
        if let Some(int) = int(&compact) {
            return of(Kind::Int, int);
        }
        if let Some(float) = float(&compact) {
            return of(Kind::Float, float);
        }
        Self::text(text)
    }

    /// A number as JSON has it.
    pub(super) fn number(text: &str) -> Self {
        let float = text.contains(['.', 'e', 'E']);
        let kind = if float { Kind::Float } else { Kind::Int };
        let text = if float {
            text.parse().map_or_else(|_| text.to_owned(), |float: f64| format!("{float}"))
        } else {
            text.to_owned()
        };
        Self { text: text.into(), kind }
    }
}

/// The decimal digits of a whole number: of Go's `ParseInt` with base 0, and YAML's `0o`.
fn int(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = |prefix: [&str; 2], radix| {
        let digits = prefix.iter().find_map(|prefix| digits.strip_prefix(prefix))?;
        let sound = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        sound.then(|| u64::from_str_radix(digits, radix).ok())?
    };
    let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let value = radix(["0x", "0X"], 16)
        .or_else(|| radix(["0b", "0B"], 2))
        .or_else(|| radix(["0o", "0O"], 8))
        .or_else(|| {
            if decimal && digits.len() > 1 && digits.starts_with('0') {
                u64::from_str_radix(digits, 8).ok()
            } else if decimal {
                digits.parse().ok()
            } else {
                None
            }
        })?;
    let fits = sign.is_empty() || value <= 1 << 63;
    fits.then(|| if value == 0 { "0".to_owned() } else { format!("{sign}{value}") })
}

/// A float by YAML 1.2's core schema, with the shortest digits and no exponent.
fn float(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sound = unsigned.bytes().any(|b| b.is_ascii_digit())
        && unsigned.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let value: f64 = text.parse().ok().filter(|value: &f64| sound && value.is_finite())?;
    Some(format!("{value}"))
}

/// A date, or a date and time, as RFC 3339 has it.
fn time(text: &str) -> Option<String> {
    let digits = |text: &str, least: usize, most: usize| {
        let sound = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| text.parse::<u32>().ok())?
    };
    let (date, rest) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((&text[at..=at], &text[at + 1..]))),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4, 4)?;
    let (month, day) = (digits(parts.next()?, 1, 2)?, digits(parts.next()?, 1, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=days).contains(&day) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some((separator, clock)) = rest else { return Some(format!("{date}T00:00:00Z")) };
    let zone_at = clock.find(['Z', '+', '-']);
    let (clock, zone) = clock.split_at(zone_at.unwrap_or(clock.len()));
    let zone = match (separator, zone) {
        (" ", "") => "Z".to_owned(),
        (" ", _) | (_, "") => return None,
        (_, "Z") => "Z".to_owned(),
        (_, zone) => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let (hours, minutes) = (digits(hours, 2, 2)?, digits(minutes, 2, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            if hours == 0 && minutes == 0 {
                "Z".to_owned()
            } else {
                format!("{}{hours:02}:{minutes:02}", &zone[..1])
            }
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 1, 2)?;
    let (minute, second) = (digits(parts.next()?, 1, 2)?, digits(parts.next()?, 1, 2)?);
    if parts.next().is_some()
        || hour > 23
        || minute > 59
        || second > 59
        || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let fraction = fraction.get(..9.min(fraction.len()))?.trim_end_matches('0');
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    Some(format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_go_yamls() {
        for (text, kind, want) in [
            ("012", Kind::Int, "10"),
            ("089", Kind::Float, "89"),
            ("1_000", Kind::Int, "1000"),
            ("0o12", Kind::Int, "10"),
            ("0x1F", Kind::Int, "31"),
            ("-0b11", Kind::Int, "-3"),
            ("1.50", Kind::Float, "1.5"),
            ("1e3", Kind::Float, "1000"),
            (".5", Kind::Float, "0.5"),
            ("2026-11-26", Kind::Time, "2026-11-26T00:00:00Z"),
            ("2026-1-2T3:04:05.120+02:00", Kind::Time, "2026-01-02T03:04:05.12+02:00"),
            ("2026-01-02 03:04:05", Kind::Time, "2026-01-02T03:04:05Z"),
            ("yes", Kind::Text, "yes"),
            ("True", Kind::Bool, "true"),
            ("~", Kind::Null, ""),
            ("2026-02-30", Kind::Text, "2026-02-30"),
            ("1.2.3", Kind::Text, "1.2.3"),
            ("-", Kind::Text, "-"),
            ("0x", Kind::Text, "0x"),
        ] {
            let scalar = Scalar::plain(text);
            assert_eq!((scalar.kind, scalar.text.text()), (kind, Some(want)), "{text}");
        }
    }
}

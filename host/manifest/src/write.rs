//! Canonical text out: block YAML that YAML 1.1 and 1.2 readers read back the same, or one JSON List.
//!
//! One style: members sorted, two spaces, lists at their key's column, no anchors, no folding. Text stands plain only
//! where every reader takes it for text; several lines stand as a literal block where that is exact; all else stands
//! in double quotes with JSON's escapes.

use std::fmt::Write as _;

use crate::json;
use crate::object::Object;
use crate::value::{Number, Value};

/// A YAML stream, one document per object, each below the comment that names its template, if it had one.
pub fn yaml<'a>(objects: impl IntoIterator<Item = &'a Object>) -> String {
    let mut out = String::new();
    for object in objects {
        if !out.is_empty() {
            out.push_str("---\n");
        }
        if let Some(template) = object.template() {
            out.push_str("# Source: ");
            out.push_str(template);
            out.push('\n');
        }
        yaml_document(&mut out, &object.value);
    }
    out
}

/// JSON lines: each object as canonical JSON, with a line feed.
pub fn json_lines<'a>(objects: impl IntoIterator<Item = &'a Object>) -> String {
    let mut out = String::new();
    for object in objects {
        json::write_value(&mut out, &object.value);
        out.push('\n');
    }
    escape_for_yaml(out)
}

/// One `v1/List` as canonical JSON, with a line feed.
pub fn json_list<'a>(objects: impl IntoIterator<Item = &'a Object>) -> String {
    let mut out = String::from("{\"apiVersion\":\"v1\",\"items\":[");
    for (index, object) in objects.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        json::write_value(&mut out, &object.value);
    }
    out.push_str("],\"kind\":\"List\"}\n");
    escape_for_yaml(out)
}

/// JSON may hold characters that YAML readers, which JSON is often given to, refuse or fold; they only stand in text.
fn escape_for_yaml(json: String) -> String {
    let special = |c: char| {
        matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    if json.is_ascii() && !json.contains('\u{7f}') || !json.contains(special) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if special(c) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Appends one value as a YAML document, with a line feed.
pub fn yaml_document(out: &mut String, value: &Value) {
    match value {
        Value::Object(map) if !map.is_empty() => collection(out, value, 0),
        Value::Array(items) if !items.is_empty() => collection(out, value, 0),
        _ => {
            scalar(out, value, 0);
            out.push('\n');
        }
    }
}

/// A map or list that is not empty, each entry on lines of its own. The first line's indentation is there already.
fn collection(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) => {
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                write_key(out, key, indent);
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        out.push('\n');
                        pad(out, indent + 2);
                        collection(out, value, indent + 2);
                    }
                    Value::Array(inner) if !inner.is_empty() => {
                        out.push('\n');
                        pad(out, indent);
                        collection(out, value, indent);
                    }
                    _ => {
                        out.push(' ');
                        scalar(out, value, indent);
                        out.push('\n');
                    }
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                match item {
                    Value::Object(inner) if !inner.is_empty() => collection(out, item, indent + 2),
                    Value::Array(inner) if !inner.is_empty() => collection(out, item, indent + 2),
                    _ => {
                        scalar(out, item, indent);
                        out.push('\n');
                    }
                }
            }
        }
        _ => {}
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// `key:`; readers bound how far they look for the colon, so a long key is marked as one.
fn write_key(out: &mut String, key: &str, indent: usize) {
    const SIMPLE: usize = 120;
    if key.len() > SIMPLE {
        out.push_str("? ");
        quote(out, key);
        out.push('\n');
        pad(out, indent);
    } else if is_plain(key) {
        out.push_str(key);
    } else {
        quote(out, key);
    }
    out.push(':');
}

fn scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, *number),
        Value::String(text) => write_text(out, text, indent),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// As in JSON; with a point before the exponent, without which YAML 1.1 readers see text.
fn write_number(out: &mut String, number: Number) {
    let text = number.to_string();
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{digits}.0e{exponent}");
        }
        _ if text == "-0" => out.push_str("-0.0"),
        _ => out.push_str(&text),
    }
}

fn write_text(out: &mut String, text: &str, indent: usize) {
    if is_plain(text) {
        out.push_str(text);
    } else if is_literal(text) {
        literal(out, text, indent);
    } else {
        quote(out, text);
    }
}

/// A literal block: `|-` without a final line feed, `|` with one, `|+` with more.
fn literal(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    out.push_str(match text.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(out, indent + 2);
            out.push_str(line);
        }
    }
}

/// Whether a literal block holds the text exactly for every reader: several lines, the first of them not blank and not
/// indented, nothing that readers normalise.
fn is_literal(text: &str) -> bool {
    let blank = |line: &str| !line.is_empty() && line.trim_matches([' ', '\t']).is_empty();
    text.contains('\n')
        && !text.starts_with(['\n', ' ', '\t'])
        && text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
        && !text.split('\n').any(blank)
}

/// Printable in YAML 1.1 and 1.2 and left as it is by readers of either.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a1}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// Text that every reader takes for text without quotes.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.bytes().next() else { return false };
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_./@+=,()~*&%$!^;<>|?".contains(&b);
    let starts = first.is_ascii_alphabetic() || first == b'/' || first == b'_';
    let bytes = text.as_bytes();
    let all = bytes.iter().enumerate().all(|(at, b)| match b {
        b' ' => bytes.get(at + 1).is_some_and(|next| *next != b' ' && *next != b'#' && *next != b':'),
        b':' => bytes.get(at + 1).is_some_and(|next| *next != b' ' && *next != b':'),
        b'#' => false,
        b => inner(*b),
    });
    if !all || text.len() > 4096 {
        return false;
    }
    if starts { !is_reserved(text) } else { is_quantity(bytes) }
}

/// Words that some reader takes for a boolean, null or number, in any case.
fn is_reserved(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity", "nil", "none",
    ];
    text.len() <= 8 && WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        // `_1`, `_0x1` and kin are numbers to lax readers.
        || text.starts_with('_') && text.as_bytes().get(1).is_some_and(|b| !b.is_ascii_alphabetic())
}

/// `250m`, `1.5Gi`, `30s`: digits with a unit that no number syntax knows, the everyday case of Kubernetes.
fn is_quantity(bytes: &[u8]) -> bool {
    const UNITS: &[&[u8]] =
        &[b"m", b"k", b"M", b"G", b"T", b"P", b"Ki", b"Mi", b"Gi", b"Ti", b"Pi", b"s", b"h", b"ms"];
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = digits;
    if bytes.get(at) == Some(&b'.') {
        let fraction = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if fraction == 0 {
            return false;
        }
        at += 1 + fraction;
    }
    digits > 0 && UNITS.contains(&&bytes[at..])
}

/// Double quotes with escapes that YAML and JSON share, but for the characters beyond the 16-bit plane that need one.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            // Writing to a String cannot fail.
            c => drop(write!(out, "\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml_of(json: &str) -> String {
        let mut out = String::new();
        yaml_document(&mut out, &json::parse(json).unwrap());
        out
    }

    #[test]
    fn one_style() {
        let json = r#"{"a":{"b":[1,[2,[]],{"c":{},"d":null}]},"e":"x\ny\n","f":["p\nq","r\n\n"]}"#;
        let want = "a:\n  b:\n  - 1\n  - - 2\n    - []\n  - c: {}\n    d: null\ne: |\n  x\n  y\nf:\n- |-\n  p\n  q\n- |+\n  r\n\n";
        assert_eq!(yaml_of(json), want);
    }

    #[test]
    fn text_is_quoted_where_a_reader_could_err() {
        for (text, want) in [
            ("on", "\"on\""),
            ("NO", "\"NO\""),
            ("000123", "\"000123\""),
            ("1:20", "\"1:20\""),
            ("1e3", "\"1e3\""),
            ("<<", "\"<<\""),
            ("=", "\"=\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("a ", "\"a \""),
            ("~", "\"~\""),
            ("2001-01-01", "\"2001-01-01\""),
            ("- a", "\"- a\""),
            ("250m", "250m"),
            ("1.5Gi", "1.5Gi"),
            ("https://a.example/b?c=d", "https://a.example/b?c=d"),
            ("registry.example.org/a:2.10", "registry.example.org/a:2.10"),
            ("two words", "two words"),
            ("Grüße", "\"Grüße\""),
            ("\u{85}\u{2028}\u{feff}", "\"\\u0085\\u2028\\ufeff\""),
            (" lead\nx", "\" lead\\nx\""),
            ("\n", "\"\\n\""),
        ] {
            let mut out = String::new();
            write_text(&mut out, text, 0);
            assert_eq!(out, want);
        }
    }

    #[test]
    fn numbers_stay_numbers() {
        assert_eq!(
            yaml_of("[1e21, 0.5, 18446744073709551615, 1e-7, -0.0]"),
            "- 1.0e+21\n- 0.5\n- 18446744073709551615\n- 1.0e-7\n- -0.0\n"
        );
    }
}

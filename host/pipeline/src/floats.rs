//! Integers that a plugin's language has put through floating point: `9007199254740993` that comes back as `…992`.
//!
//! A language whose only numbers are doubles (JavaScript, Go's `interface{}`) rounds integers beyond 2^53 without a word, and
//! prints what is left either exactly or by its shortest digits and zeros. A plugin cannot mean that, so a number that is either of
//! these for an integer that it was given is refused.

use std::collections::HashSet;

use lathe_manifest::{Number, Value};

/// Integers below this are doubles, and no other integer is rounded to them.
const EXACT: u64 = 1 << 53;

/// The integers beyond doubles that a plugin was given.
#[derive(Debug, Default)]
pub(crate) struct Integers {
    /// As they are.
    known: HashSet<i128>,
    /// What doubles make of those that no double holds.
    rounded: HashSet<i128>,
}

impl Integers {
    /// Adds the integers of a value.
    pub(crate) fn add(&mut self, value: &Value) {
        each(value, &mut |exact| {
            self.known.insert(exact);
            self.rounded.extend(roundings(exact).into_iter().flatten());
        });
    }

    /// Whether a value holds a number that one of these is rounded to, and that is none of them as it is.
    pub(crate) fn rounded_in(&self, value: &Value) -> bool {
        let mut found = false;
        each(value, &mut |exact| found |= self.rounded.contains(&exact) && !self.known.contains(&exact));
        found
    }
}

/// Whether a value holds an integer that could be a rounded one.
pub(crate) fn holds_large(value: &Value) -> bool {
    let mut found = false;
    each(value, &mut |_| found = true);
    found
}

/// Whether a number in the place of another is what doubles make of that.
pub(crate) fn is_rounded(before: &Value, after: &Value) -> bool {
    let number = |value: &Value| if let Value::Number(number) = value { large(*number) } else { None };
    match (number(before), number(after)) {
        (Some(before), Some(after)) => roundings(before).into_iter().flatten().any(|made| made == after),
        _ => false,
    }
}

fn each(value: &Value, visit: &mut impl FnMut(i128)) {
    match value {
        Value::Number(number) => {
            if let Some(exact) = large(*number) {
                visit(exact);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each(item, visit)),
        Value::Object(map) => map.iter().for_each(|(_, value)| each(value, visit)),
        _ => {}
    }
}

/// An integer from 2^53 on. One that fits no 64 bits is none that was given.
#[allow(clippy::cast_possible_truncation, reason = "a double without a fraction below 2^70")]
fn large(number: Number) -> Option<i128> {
    match number {
        Number::Int(int) if int.unsigned_abs() >= EXACT => Some(int.into()),
        Number::Uint(uint) if uint >= EXACT => Some(uint.into()),
        Number::Float(double) if double.fract() == 0.0 && double.abs() < 1e21 => Some(double as i128),
        _ => None,
    }
}

/// The nearest double of an integer that is none: its exact value, and its shortest digits with zeros.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "that loss is what is looked for"
)]
fn roundings(exact: i128) -> [Option<i128>; 2] {
    let double = exact as f64;
    if double as i128 == exact {
        return [None, None];
    }
    // Rust prints an integral double exactly, and by its shortest digits in exponent form.
    let shortest = format!("{double:e}");
    [Some(double as i128), expanded(&shortest)]
}

/// `9.223372036854776e18` as an integer.
fn expanded(text: &str) -> Option<i128> {
    let (digits, exponent) = text.split_once('e')?;
    let exponent: usize = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = exponent.checked_sub(fraction.len())?;
    format!("{whole}{fraction}{}", "0".repeat(zeros)).parse().ok()
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;

    #[test]
    fn what_doubles_make_of_an_integer_is_known() {
        let mut integers = Integers::default();
        let given = "[9007199254740993,9223372036854775807,-9223372036854775807,18446744073709551615,9007199254740994,5]";
        integers.add(&json::parse(given).unwrap());
        for (text, rounded) in [
            ("9007199254740992", true),
            ("9007199254740993", false),
            ("9007199254740994", false),
            ("9007199254740995", false),
            ("9223372036854775807", false),
            ("9223372036854775806", false),
            ("9223372036854775296", false),
            ("9223372036854775808", true),
            ("9223372036854776000", true),
            ("-9223372036854776000", true),
            ("18446744073709552000", true),
            ("18446744073709551616", true),
            ("18446744073709551615", false),
            ("5", false),
            ("6.5", false),
            ("\"x\"", false),
            (r#"{"a":[9007199254740992]}"#, true),
        ] {
            assert_eq!(integers.rounded_in(&json::parse(text).unwrap()), rounded, "{text}");
        }
        assert!(!Integers::default().rounded_in(&json::parse("9007199254740992").unwrap()));
    }

    #[test]
    fn a_number_is_held_against_the_one_in_whose_place_it_stands() {
        let value = |text| json::parse(text).unwrap();
        assert!(is_rounded(&value("9007199254740993"), &value("9007199254740992")));
        assert!(is_rounded(&value("1234567890123456789"), &value("1234567890123456800")));
        assert!(is_rounded(&value("1234567890123456789"), &value("1234567890123456768")));
        assert!(!is_rounded(&value("1234567890123456789"), &value("1234567890123456790")));
        assert!(!is_rounded(&value("9007199254740992"), &value("9007199254740993")));
    }
}

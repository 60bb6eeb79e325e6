//! Integers that a plugin's language has put through floating point: `9007199254740993` that comes back as `…992`.
//!
//! A language whose only numbers are doubles (JavaScript, Go's `interface{}`) rounds integers beyond 2^53 without a word. A
//! plugin cannot mean that, so a number that is what a double makes of one that it was given is refused.

use std::collections::{HashMap, HashSet};

use lathe_manifest::{Number, Value};

/// Integers below this are doubles, and no other integer is rounded to them.
const EXACT: u64 = 1 << 53;

/// The integers beyond doubles that a plugin was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Integers {
    /// As they are.
    known: HashSet<i128>,
    /// Those that no double holds, by the bits of the double that is nearest.
    rounded: HashMap<u64, i128>,
}

impl Integers {
    /// Adds the integers of a value.
    pub(crate) fn add(&mut self, value: &Value) {
        match value {
            Value::Number(number) => {
                let Some((exact, double)) = large(*number) else { return };
                self.known.insert(exact);
                #[allow(clippy::cast_possible_truncation, reason = "below 2^65, where it is exact")]
                if double as i128 != exact {
                    self.rounded.insert(double.to_bits(), exact);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(map) => map.iter().for_each(|(_, value)| self.add(value)),
            _ => {}
        }
    }

    /// Whether a number that a plugin gives is one of these after rounding, and none of them as it is.
    pub(crate) fn rounds_to(&self, value: &Value) -> bool {
        if self.rounded.is_empty() {
            return false;
        }
        let Value::Number(number) = value else { return false };
        match (large(*number), number) {
            (Some((exact, double)), _) => {
                !self.known.contains(&exact) && self.rounded.contains_key(&double.to_bits())
            }
            (None, Number::Float(double)) => self.rounded.contains_key(&double.to_bits()),
            (None, _) => false,
        }
    }
}

/// An integer from 2^53 on and the double nearest to it.
#[allow(clippy::cast_precision_loss, reason = "that loss is what is looked for")]
fn large(number: Number) -> Option<(i128, f64)> {
    match number {
        Number::Int(int) if int.unsigned_abs() >= EXACT => Some((int.into(), int as f64)),
        Number::Uint(uint) if uint >= EXACT => Some((uint.into(), uint as f64)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;

    #[test]
    fn what_doubles_make_of_an_integer_is_known() {
        let mut integers = Integers::default();
        let given = "[9007199254740993,9223372036854775807,18446744073709551615,9007199254740994,5]";
        integers.add(&json::parse(given).unwrap());
        for (text, rounded) in [
            ("9007199254740992", true),
            ("9007199254740993", false),
            ("9007199254740994", false),
            ("9007199254740995", false),
            ("9223372036854775807", false),
            ("9223372036854776000", true),
            ("18446744073709552000", true),
            ("18446744073709551615", false),
            ("5", false),
            ("6.5", false),
            ("\"x\"", false),
        ] {
            assert_eq!(integers.rounds_to(&json::parse(text).unwrap()), rounded, "{text}");
        }
        assert!(!Integers::default().rounds_to(&json::parse("9007199254740992").unwrap()));
    }
}

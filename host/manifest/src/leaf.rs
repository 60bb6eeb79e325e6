//! What differs between two trees, leaf by leaf: the unit in which changes are attributed and judged.

use crate::pointer::escape;
use crate::value::{Map, Value};

/// One place where two trees differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<'a> {
    /// The place, as a JSON pointer's text.
    pub pointer: String,
    /// What stood there; `None` where the place is new.
    pub before: Option<&'a Value>,
    /// What stands there now; `None` where the place is gone.
    pub after: Option<&'a Value>,
}

/// All places where `after` differs from `before`. Maps are compared member by member, lists item by item from both
/// ends, so that one insertion does not count as a change of everything behind it.
pub fn changes<'a>(before: &'a Value, after: &'a Value) -> Vec<Change<'a>> {
    let mut out = Vec::new();
    compare(before, after, &mut String::new(), &mut out);
    out
}

fn compare<'a>(before: &'a Value, after: &'a Value, at: &mut String, out: &mut Vec<Change<'a>>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) if !old.is_empty() && !new.is_empty() => {
            maps(old, new, at, out);
        }
        (Value::Array(old), Value::Array(new)) if !old.is_empty() && !new.is_empty() => {
            lists(old, new, at, out);
        }
        _ if before == after => {}
        _ => {
            leaves(Some(before), at, out, |leaf| (Some(leaf), None));
            leaves(Some(after), at, out, |leaf| (None, Some(leaf)));
        }
    }
}

fn maps<'a>(old: &'a Map, new: &'a Map, at: &mut String, out: &mut Vec<Change<'a>>) {
    let mut old = old.iter().peekable();
    let mut new = new.iter().peekable();
    let length = at.len();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        let Some((key, _)) = before.or(after) else { return };
        at.push('/');
        at.push_str(&escape(key));
        match (before, after) {
            (Some((_, before)), Some((_, after))) => compare(before, after, at, out),
            (before, after) => {
                leaves(before.map(|(_, value)| value), at, out, |leaf| (Some(leaf), None));
                leaves(after.map(|(_, value)| value), at, out, |leaf| (None, Some(leaf)));
            }
        }
        at.truncate(length);
    }
}

fn lists<'a>(old: &'a [Value], new: &'a [Value], at: &mut String, out: &mut Vec<Change<'a>>) {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let length = at.len();
    for index in 0..old.len().max(new.len()) {
        at.push('/');
        at.push_str(&(head + index).to_string());
        match (old.get(index), new.get(index)) {
            (Some(before), Some(after)) => compare(before, after, at, out),
            (before, after) => {
                leaves(before, at, out, |leaf| (Some(leaf), None));
                leaves(after, at, out, |leaf| (None, Some(leaf)));
            }
        }
        at.truncate(length);
    }
}

type Sides<'a> = (Option<&'a Value>, Option<&'a Value>);

/// Adds each leaf below `value`; a leaf that both sides have becomes one change.
fn leaves<'a>(
    value: Option<&'a Value>,
    at: &mut String,
    out: &mut Vec<Change<'a>>,
    side: impl Fn(&'a Value) -> Sides<'a> + Copy,
) {
    let Some(value) = value else { return };
    let length = at.len();
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map.iter() {
                at.push('/');
                at.push_str(&escape(key));
                leaves(Some(value), at, out, side);
                at.truncate(length);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                at.push('/');
                at.push_str(&index.to_string());
                leaves(Some(item), at, out, side);
                at.truncate(length);
            }
        }
        leaf => {
            let (before, after) = side(leaf);
            match out.last_mut() {
                Some(last) if last.pointer == *at && last.after.is_none() && after.is_some() => {
                    last.after = after;
                }
                _ => out.push(Change { pointer: at.clone(), before, after }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn told(before: &str, after: &str) -> Vec<String> {
        let (before, after) = (json::parse(before).unwrap(), json::parse(after).unwrap());
        let text = |value: Option<&Value>| value.map_or("-".into(), json::to_string);
        changes(&before, &after)
            .iter()
            .map(|c| format!("{} {} {}", c.pointer, text(c.before), text(c.after)))
            .collect()
    }

    #[test]
    fn only_leaves_that_differ_are_told() {
        assert_eq!(told(r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"b":1,"c":3,"d":4}}"#), ["/a/c 2 3", "/a/d - 4"]);
        assert_eq!(told(r#"{"a":[1,2,3]}"#, r#"{"a":[0,1,2,3]}"#), ["/a/0 - 0"]);
        assert_eq!(told(r#"{"a":{"b":1}}"#, r#"{"a":"x"}"#), ["/a/b 1 -", "/a - \"x\""]);
        assert_eq!(told(r#"{"a/b":"x","c":1}"#, r#"{"c":1}"#), ["/a~1b \"x\" -"]);
        assert_eq!(told(r#"{"a":{"b":1}}"#, r#"{"a":{}}"#), ["/a/b 1 -", "/a - {}"]);
        assert!(told(r#"{"a":[]}"#, r#"{"a":[]}"#).is_empty());
    }
}

//! JSON pointers (RFC 6901): one place in one object.

use std::borrow::Cow;
use std::fmt;

use crate::value::Value;

/// A parsed pointer; the empty one is the whole object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(Vec<Box<str>>);

/// Text that is no pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a JSON pointer is empty or starts with `/`, and `~` is followed by 0 or 1")]
pub struct PointerError;

impl Pointer {
    /// Reads a pointer's text.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let rest = text.strip_prefix('/').ok_or(PointerError)?;
        rest.split('/').map(unescape).collect::<Result<_, _>>().map(Self)
    }

    /// Its tokens, unescaped.
    pub fn tokens(&self) -> &[Box<str>] {
        &self.0
    }

    /// The pointer without its last token, and that token; `None` for the whole object.
    pub fn split_last(&self) -> Option<(Pointer, &str)> {
        let (last, head) = self.0.split_last()?;
        Some((Self(head.to_vec()), last))
    }

    /// This place's member or item `token`.
    #[must_use]
    pub fn join(&self, token: &str) -> Self {
        let mut tokens = self.0.clone();
        tokens.push(token.into());
        Self(tokens)
    }

    /// What stands at this place.
    pub fn get<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, token| match value {
            Value::Object(map) => map.get(token),
            Value::Array(items) => items.get(index(token)?),
            _ => None,
        })
    }

    /// What stands at this place, to change.
    pub fn get_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(value, |value, token| match value {
            Value::Object(map) => map.get_mut(token),
            Value::Array(items) => items.get_mut(index(token)?),
            _ => None,
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(f, "/{}", escape(token)))
    }
}

/// A list index: digits without a leading zero.
pub(crate) fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || (!token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit()));
    if canonical { token.parse().ok() } else { None }
}

/// A token as it stands in a pointer's text.
pub fn escape(token: &str) -> Cow<'_, str> {
    if token.contains(['~', '/']) {
        Cow::Owned(token.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(token)
    }
}

fn unescape(token: &str) -> Result<Box<str>, PointerError> {
    let mut out = String::with_capacity(token.len());
    let mut parts = token.split('~');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (sign, rest) = match part.as_bytes().first() {
            Some(b'0') => ('~', &part[1..]),
            Some(b'1') => ('/', &part[1..]),
            _ => return Err(PointerError),
        };
        out.push(sign);
        out.push_str(rest);
    }
    Ok(out.into())
}

/// Calls `visit` for each string in the tree with its pointer's text, values only, in canonical order.
pub fn each_string<'a>(value: &'a Value, visit: &mut impl FnMut(&str, &'a str)) {
    fn walk<'a>(value: &'a Value, at: &mut String, visit: &mut impl FnMut(&str, &'a str)) {
        let length = at.len();
        match value {
            Value::String(text) => visit(at, text),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    at.push('/');
                    at.push_str(&index.to_string());
                    walk(item, at, visit);
                    at.truncate(length);
                }
            }
            Value::Object(map) => {
                for (key, value) in map.iter() {
                    at.push('/');
                    at.push_str(&escape(key));
                    walk(value, at, visit);
                    at.truncate(length);
                }
            }
            _ => {}
        }
    }
    walk(value, &mut String::new(), visit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_tokens_are_the_same_thing() {
        for text in ["", "/", "/a~1b/~0", "/metadata/annotations/nginx.ingress.kubernetes.io~1x", "/0/-"] {
            assert_eq!(Pointer::parse(text).unwrap().to_string(), text);
        }
        for text in ["a", "/~", "/~2"] {
            assert_eq!(Pointer::parse(text), Err(PointerError));
        }
    }

    #[test]
    fn indexes_have_one_spelling() {
        assert_eq!(index("10"), Some(10));
        for token in ["01", "-1", "+1", "", "1x", "99999999999999999999999"] {
            assert_eq!(index(token), None, "{token}");
        }
    }
}

//! The closing check: nothing of what wiring took away may stand anywhere else.

use lathe_sdk::{Outcome, Value, escape};

use crate::literal::Literals;
use crate::needle::{Needles, is_part};
use crate::secret;
use crate::set::Set;

/// Looks once through all strings of all objects as they are now.
pub(crate) fn check(set: &Set<'_>, literals: &Literals, outcome: &mut Outcome) {
    if literals.is_empty() {
        return;
    }
    let (ids, secrets) = (Needles::new(&literals.ids), Needles::new(&literals.secrets));
    let mut found = Vec::new();
    for (index, object, value) in set.staying() {
        let is_secret = object.is("", "Secret");
        let mut visit = |at: &str, place: Place<'_>, text: &str| {
            let decoded =
                if is_secret && at.starts_with("/data/") { secret::view("data", text) } else { None };
            let text = decoded.as_deref().unwrap_or(text);
            if secrets.find(text).next().is_some() {
                found.push((index, at.to_owned(), "a secret"));
            }
            let whole = literals.ids.contains(text.trim()) && place.names_id();
            if whole || ids.find(text).any(|(start, end)| is_value_of_id(text, start, end)) {
                found.push((index, at.to_owned(), "the client id"));
            }
            if place.variable
                && literals.callback_variables.contains(place.key)
                && literals.callbacks.contains(text)
                && !literals.redirects.contains(text)
            {
                found.push((index, at.to_owned(), "a callback"));
            }
        };
        walk(value, &mut String::new(), Place::default(), &mut visit);
    }
    for (index, at, what) in found {
        let told = format!("{what} of the input is still here; it belongs to another client, so take it out");
        outcome.error("foreign-client", told, Some(set.place(index, at)));
    }
}

/// What a string stands under.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    parent: &'a str,
    key: &'a str,
    /// Whether the key is the name of a container's variable.
    variable: bool,
}

impl Place<'_> {
    fn names_id(self) -> bool {
        names_id(self.key) || plain(self.key) == "id" && plain(self.parent).ends_with("client")
    }
}

fn walk<'v>(
    value: &'v Value,
    at: &mut String,
    place: Place<'v>,
    visit: &mut impl FnMut(&str, Place<'v>, &str),
) {
    let length = at.len();
    match value {
        Value::String(text) => visit(at, place, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push('/');
                at.push_str(&index.to_string());
                walk(item, at, place, visit);
                at.truncate(length);
            }
        }
        Value::Object(map) => {
            let name = map.get("name").and_then(Value::as_str);
            for (key, value) in map {
                at.push('/');
                at.push_str(&escape(key));
                let below = match name {
                    Some(name) if key == "value" => Place { parent: place.key, key: name, variable: true },
                    _ => Place { parent: place.key, key, variable: false },
                };
                walk(value, at, below, visit);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

/// Whether a key is one of a client's id: `client_id`, `clientId`, `OAUTH_CLIENT_ID`, …
fn names_id(key: &str) -> bool {
    plain(key).contains("clientid")
}

fn plain(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether what stands between two places of a text is the whole value of a client's id: `client-id: x`,
/// `"clientId": "x"`, `--client-id=x`.
fn is_value_of_id(text: &str, start: usize, end: usize) -> bool {
    const QUOTES: [char; 3] = ['"', '\'', '\\'];
    let before = text[..start].trim_end_matches(QUOTES).trim_end_matches([' ', '\t']);
    let Some(before) = before.strip_suffix([':', '=']) else { return false };
    let before = before.trim_end_matches([' ', '\t']).trim_end_matches(QUOTES);
    let key = before.rfind(|c| !is_part(c)).map_or(before, |at| {
        let width = before[at..].chars().next().map_or(1, char::len_utf8);
        &before[at + width..]
    });
    let after = text[end..].trim_start_matches(QUOTES);
    let ends =
        after.is_empty() || after.starts_with([' ', '\t', '\r', '\n', ',', ';', '}', ']', ')', '&', '#']);
    ends && names_id(key)
}

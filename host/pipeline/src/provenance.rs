//! Which plugin wrote which field, and what stood there before.

use std::collections::BTreeMap;

use lathe_manifest::leaf::Change;
use lathe_manifest::{Object, Value, json};
use lathe_secrets::TOKEN_PREFIX;
use serde::Serialize;

/// What stands in for text that may be a secret.
const HIDDEN: &str = "(secret)";

/// One write of one plugin to one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    /// The plugin, as the pipeline names it.
    pub plugin: String,
    /// What stood there, as JSON; `None` for nothing. Never a secret.
    pub before: Option<String>,
    /// What it put there, as JSON; `None` where it took the field away. Never a secret.
    pub after: Option<String>,
}

impl Write {
    /// Whether this is about the object as a whole: it was added or dropped.
    pub(crate) fn is_whole(&self) -> bool {
        [&self.before, &self.after].into_iter().flatten().all(|text| text == WHOLE)
    }
}

/// Stands for an object as a whole; no JSON.
const WHOLE: &str = "the object";

/// Per object key, per field, the writes in order.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    fields: BTreeMap<u32, BTreeMap<String, Vec<Write>>>,
}

impl Provenance {
    /// Notes what differs between two states of one object, leaf by leaf; tells how many leaves do.
    pub(crate) fn note(&mut self, key: u32, plugin: &str, changes: Vec<Change<'_>>, after: &Object) -> usize {
        let count = changes.len();
        let secret = after.is_secret();
        for change in changes {
            let text = |value: Option<&Value>| value.map(|value| shown(secret, &change.pointer, value));
            let mut write =
                Write { plugin: plugin.to_owned(), before: text(change.before), after: text(change.after) };
            if is_replaced_variable(&change.pointer) && change.after.is_none() {
                write.before = write.before.map(|_| HIDDEN.to_owned());
            }
            self.fields.entry(key).or_default().entry(change.pointer.clone()).or_default().push(write);
        }
        count
    }

    /// Notes that a plugin added or dropped the object as a whole.
    pub(crate) fn note_object(&mut self, key: u32, plugin: &str, added: bool) {
        let there = || Some(WHOLE.to_owned());
        let (before, after) = if added { (None, there()) } else { (there(), None) };
        let write = Write { plugin: plugin.to_owned(), before, after };
        self.fields.entry(key).or_default().entry(String::new()).or_default().push(write);
    }

    /// Fields of the object with their writes, in order of their pointers.
    pub fn of(&self, key: u32) -> impl Iterator<Item = (&str, &[Write])> {
        let fields = self.fields.get(&key).into_iter().flatten();
        fields.map(|(pointer, writes)| (pointer.as_str(), writes.as_slice()))
    }
}

/// The value as JSON where nobody minds it being seen. Of a Secret that is little: annotations may hold a copy of it.
fn shown(secret: bool, pointer: &str, value: &Value) -> String {
    let open = [
        "/apiVersion",
        "/kind",
        "/type",
        "/metadata/name",
        "/metadata/namespace",
        "/metadata/labels",
        "/metadata/generateName",
    ];
    let below = |prefix: &str| {
        pointer.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let hidden = secret && !open.into_iter().any(below);
    let text = json::to_string(value);
    if hidden || text.contains(TOKEN_PREFIX) { HIDDEN.to_owned() } else { text }
}

/// A container's variable whose literal value a plugin took away, as for a reference to a Secret: it may have been one.
fn is_replaced_variable(pointer: &str) -> bool {
    let Some(rest) = pointer.strip_suffix("/value") else { return false };
    rest.rsplit_once('/')
        .is_some_and(|(list, index)| list.ends_with("/env") && index.bytes().all(|b| b.is_ascii_digit()))
}

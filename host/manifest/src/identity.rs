//! Which object is which: group, kind, namespace, name. The version is no part of it.

use std::fmt;

use crate::digest;
use crate::object::{Object, Source};

/// What tells one object from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// API group, empty for the core group.
    pub group: Box<str>,
    /// Kind.
    pub kind: Box<str>,
    /// Namespace, empty where the manifest names none.
    pub namespace: Box<str>,
    /// Name; for an object without one (generateName), the digest of its content.
    pub name: Box<str>,
}

impl Identity {
    /// The identity of an object.
    pub fn of(object: &Object) -> Self {
        let name = match object.name() {
            "" => digest::of_value(&object.value),
            name => name.to_owned(),
        };
        Self {
            group: object.group().into(),
            kind: object.kind().into(),
            namespace: object.namespace().into(),
            name: name.into(),
        }
    }
}

/// `Kind.group/namespace/name`, without the parts that are empty.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if !self.namespace.is_empty() {
            write!(f, "/{}", self.namespace)?;
        }
        write!(f, "/{}", self.name)
    }
}

/// Two different objects that claim to be the same one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{identity} stands there twice with different content: {} and {}", place(first.as_ref()), place(second.as_ref()))]
pub struct IdentityConflict {
    /// Which object.
    pub identity: Identity,
    /// Where it was read first; `None` for a plugin's.
    pub first: Option<Source>,
    /// Where it was read again.
    pub second: Option<Source>,
}

/// Where an object came from, for messages: its file and line, or that a plugin added it.
pub fn place(source: Option<&Source>) -> String {
    source.map_or_else(|| "added by a plugin".to_owned(), ToString::to_string)
}

//! One Kubernetes object and where it was read.

use std::fmt;
use std::sync::Arc;

use crate::error::Position;
use crate::value::Value;

/// Where an object was read. It serves messages; but for the template it never reaches the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file as it was named.
    pub file: Arc<str>,
    /// Which document of the file, from 1.
    pub document: usize,
    /// Where the document's content starts.
    pub at: Position,
    /// The template that Helm's comment above it names.
    pub template: Option<Arc<str>>,
}

/// `file:line`, as editors take it.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.at.line)
    }
}

/// One Kubernetes object: always a map with text in `apiVersion` and `kind`.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The whole of it.
    pub value: Value,
    /// Where it was read; `None` for one that a plugin added.
    pub source: Option<Source>,
}

impl Object {
    pub(crate) fn new(value: Value, source: Source) -> Self {
        Self { value, source: Some(source) }
    }

    /// An object that no file holds. `None` where `value` is no map with `apiVersion` and `kind`.
    pub fn added(value: Value) -> Option<Self> {
        let object = Self { value, source: None };
        object.is_typed().then_some(object)
    }

    /// The template that Helm rendered it from, as the comment `# Source: …` above it said.
    pub fn template(&self) -> Option<&str> {
        self.source.as_ref()?.template.as_deref()
    }

    /// Whether `apiVersion` and `kind` are there; edits may take them away.
    pub fn is_typed(&self) -> bool {
        let named = |field| self.value.str_at(&[field]).is_some_and(|text| !text.is_empty());
        named("apiVersion") && named("kind")
    }

    /// `v1`, `apps/v1`, …
    pub fn api_version(&self) -> &str {
        self.value.str_at(&["apiVersion"]).unwrap_or_default()
    }

    /// The group of `apiVersion`; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version().rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// `Deployment`, …
    pub fn kind(&self) -> &str {
        self.value.str_at(&["kind"]).unwrap_or_default()
    }

    /// `metadata.namespace`; empty where there is none.
    pub fn namespace(&self) -> &str {
        self.value.str_at(&["metadata", "namespace"]).unwrap_or_default()
    }

    /// `metadata.name`; empty where there is none, as with `generateName`.
    pub fn name(&self) -> &str {
        self.value.str_at(&["metadata", "name"]).unwrap_or_default()
    }

    /// Whether this is a Secret of the core group, whose values nobody may see.
    pub fn is_secret(&self) -> bool {
        self.kind() == "Secret" && self.group().is_empty()
    }

    /// Whether the object can only be created, never applied: it has no name, only a prefix for one.
    pub fn is_create_only(&self) -> bool {
        self.name().is_empty() && self.value.str_at(&["metadata", "generateName"]).is_some()
    }

    /// `Kind/name`, or `Kind/namespace/name`, for messages.
    pub fn label(&self) -> String {
        let name = match self.name() {
            "" => self
                .value
                .str_at(&["metadata", "generateName"])
                .map_or("?".to_owned(), |prefix| format!("{prefix}*")),
            name => name.to_owned(),
        };
        match self.namespace() {
            "" => format!("{}/{name}", self.kind()),
            namespace => format!("{}/{namespace}/{name}", self.kind()),
        }
    }
}

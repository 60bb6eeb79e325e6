//! One thing that keeps a run from its output, told so that the user can act on it.

use std::fmt;

use lathe_runtime::PluginError;
use lathe_secrets::SecretError;
use schemars::JsonSchema;
use serde::Serialize;

/// One problem at one place. Sorts by object, place and code, so that every run tells them in the same order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The object, as `Kind/namespace/name`; empty where none is meant.
    pub object: String,
    /// JSON pointer within the object; empty for the whole.
    pub pointer: String,
    /// Stable name of the kind of problem.
    pub code: String,
    /// What is wrong; never a secret's value.
    pub message: String,
    /// The plugin that found or caused it.
    pub plugin: Option<String>,
}

impl Problem {
    /// A problem of the run as a whole.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            object: String::new(),
            pointer: String::new(),
            code: code.to_owned(),
            message: message.into(),
            plugin: None,
        }
    }

    /// The same problem, at a place.
    #[must_use]
    pub fn at(self, object: impl Into<String>, pointer: impl Into<String>) -> Self {
        Self { object: object.into(), pointer: pointer.into(), ..self }
    }

    /// The same problem, found or caused by a plugin.
    #[must_use]
    pub fn by(self, plugin: &str) -> Self {
        Self { plugin: Some(plugin.to_owned()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.object.is_empty() {
            f.write_str(&self.object)?;
            if !self.pointer.is_empty() {
                write!(f, " {}", self.pointer)?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        match &self.plugin {
            Some(plugin) => write!(f, " [{plugin}]"),
            None => Ok(()),
        }
    }
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        Self::new(error.kind.code(), error.kind.to_string()).at(error.object, error.pointer)
    }
}

impl From<PluginError> for Problem {
    fn from(error: PluginError) -> Self {
        Self::new("plugin", error.to_string())
    }
}

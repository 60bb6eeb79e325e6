//! What a transform answers: edits that apply in order, and findings for the user.

use serde_json::Value;

use crate::bindings::lathe::transform::types::{self, Edit, Finding, Location, Severity, Write};
use crate::derive::derive;
use crate::request::Object;

/// One call's answer.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    edits: Vec<Edit>,
    findings: Vec<Finding>,
}

impl Outcome {
    /// Puts a value at a place; missing maps on the way are made.
    pub fn set(&mut self, object: u32, pointer: impl Into<String>, value: impl Into<Value>) {
        self.edits.push(Edit::Set(write(object, pointer, value)));
    }

    /// Inserts before the list index that the pointer ends in; `-` appends.
    pub fn insert(&mut self, object: u32, pointer: impl Into<String>, value: impl Into<Value>) {
        self.edits.push(Edit::Insert(write(object, pointer, value)));
    }

    /// Takes a member or item away.
    pub fn remove(&mut self, object: u32, pointer: impl Into<String>) {
        self.edits.push(Edit::Remove(Location { object, pointer: pointer.into() }));
    }

    /// Changes an object in place: the edits follow from how the value is left. Once for each object, for a second change would
    /// begin from the object as it was as well.
    pub fn edit(&mut self, object: &Object, change: impl FnOnce(&mut Value)) {
        let mut value = object.value.clone();
        change(&mut value);
        derive(object.key, &object.value, &value, &mut self.edits);
    }

    /// Adds an object.
    pub fn add_object(&mut self, object: &Value) {
        self.edits.push(Edit::AddObject(object.to_string()));
    }

    /// Takes an object out of the set.
    pub fn drop_object(&mut self, object: u32) {
        self.edits.push(Edit::DropObject(object));
    }

    /// A problem that refuses the run once all transforms have been heard.
    pub fn error(&mut self, code: &str, message: impl Into<String>, at: Option<Location>) {
        self.find(Severity::Error, code, message.into(), at);
    }

    /// Something the user should look at.
    pub fn warning(&mut self, code: &str, message: impl Into<String>, at: Option<Location>) {
        self.find(Severity::Warning, code, message.into(), at);
    }

    /// Something the user may want to know.
    pub fn info(&mut self, code: &str, message: impl Into<String>, at: Option<Location>) {
        self.find(Severity::Info, code, message.into(), at);
    }

    /// Codes and messages of the findings, for tests.
    pub fn findings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.findings.iter().map(|finding| (finding.code.as_str(), finding.message.as_str()))
    }

    /// Pointer and JSON text of the places set, for tests.
    pub fn sets(&self) -> impl Iterator<Item = (u32, &str, &str)> {
        self.edits.iter().filter_map(|edit| match edit {
            Edit::Set(write) => Some((write.at.object, write.at.pointer.as_str(), write.value.as_str())),
            _ => None,
        })
    }

    /// The edits as text, for tests: `pointer = value`, `pointer + value` for an insertion, `- pointer`, `dropped N`, `+ object`.
    pub fn edits(&self) -> impl Iterator<Item = String> {
        self.edits.iter().map(|edit| match edit {
            Edit::Set(write) => format!("{} = {}", write.at.pointer, write.value),
            Edit::Insert(write) => format!("{} + {}", write.at.pointer, write.value),
            Edit::Remove(at) => format!("- {}", at.pointer),
            Edit::DropObject(object) => format!("dropped {object}"),
            Edit::AddObject(text) => format!("+ {text}"),
        })
    }

    fn find(&mut self, severity: Severity, code: &str, message: String, at: Option<Location>) {
        self.findings.push(Finding { severity, code: code.to_owned(), message, at });
    }
}

impl From<Outcome> for types::Outcome {
    fn from(outcome: Outcome) -> Self {
        Self { edits: outcome.edits, findings: outcome.findings }
    }
}

fn write(object: u32, pointer: impl Into<String>, value: impl Into<Value>) -> Write {
    Write { at: Location { object, pointer: pointer.into() }, value: value.into().to_string() }
}

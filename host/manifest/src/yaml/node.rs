//! One node of a document.

use super::cursor::Mark;
use crate::scalar::{Scalar, ScalarError};
use crate::value::Value;

/// A rough count of the bytes that a node takes in memory, beside its text.
const WEIGHT: usize = 48;

/// What is counted of a node and all below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// A rough count of the bytes that it takes in memory.
    pub(super) weight: usize,
    /// How many levels of lists and maps it has.
    pub(super) height: usize,
    /// How many nodes go-yaml counts when it decodes it.
    pub(super) nodes: usize,
    /// Whether a map's key, at its top or in a list of maps, was something else than text.
    pub(super) typed: bool,
}

impl Size {
    /// Of a list or map that holds nothing yet.
    pub(super) fn collection() -> Self {
        Self { weight: WEIGHT, nodes: 1, ..Self::default() }
    }

    /// Of a scalar.
    pub(super) fn scalar(length: usize) -> Self {
        Self { weight: WEIGHT + length, nodes: 1, ..Self::default() }
    }

    /// Takes in what a node below has.
    pub(super) fn add(&mut self, below: Self) {
        self.weight = self.weight.saturating_add(below.weight);
        self.height = self.height.max(below.height);
        self.nodes = self.nodes.saturating_add(below.nodes);
    }
}

/// A node that was read to its end.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) content: Content<'a>,
    pub(super) at: Mark,
    /// What is counted of it.
    pub(super) size: Size,
    /// `<<` as the key that merges, written here and no alias.
    pub(super) merges: bool,
    /// An alias of a node elsewhere.
    pub(super) is_alias: bool,
}

/// A scalar that may yet become a key, or a list or map.
#[derive(Clone, Debug)]
pub(super) enum Content<'a> {
    Scalar(Scalar<'a>),
    Collection(Value),
}

impl Content<'_> {
    pub(super) fn into_value(self) -> Result<Value, ScalarError> {
        match self {
            Self::Scalar(scalar) => scalar.into_value(),
            Self::Collection(value) => Ok(value),
        }
    }
}

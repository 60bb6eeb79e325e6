//! One node of a document.

use super::cursor::Mark;
use crate::scalar::{Scalar, ScalarError};
use crate::value::Value;

/// A rough count of the bytes that a node takes in memory, beside its text.
pub(super) const WEIGHT: usize = 48;

/// A node that was read to its end.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) content: Content<'a>,
    pub(super) at: Mark,
    /// A rough count of the bytes that it takes in memory.
    pub(super) weight: usize,
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

impl Node<'_> {
    /// A node that is left out.
    pub(super) fn null(at: Mark) -> Self {
        Self { content: Content::Scalar(Scalar::Null), at, weight: WEIGHT, merges: false, is_alias: false }
    }
}

impl Content<'_> {
    pub(super) fn into_value(self) -> Result<Value, ScalarError> {
        match self {
            Self::Scalar(scalar) => scalar.into_value(),
            Self::Collection(value) => Ok(value),
        }
    }
}

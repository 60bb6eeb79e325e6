//! What can be wrong with a secret. Messages name object, field and reference, never a value.

use std::fmt;

/// One problem at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{object}{}: {kind}", Place(pointer))]
pub struct SecretError {
    /// The object, as `Kind/namespace/name`.
    pub object: String,
    /// JSON pointer of the field; empty where the object as a whole is meant.
    pub pointer: String,
    /// What is wrong.
    pub kind: SecretErrorKind,
}

struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " {}", self.0) }
    }
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum SecretErrorKind {
    /// Token-shaped text in the input.
    #[error("the input holds text that looks like a secret token")]
    TokenInInput,
    /// A reference that is none. Its text is not told: it may be anything, a password as well.
    #[error("a reference here is malformed: {why}")]
    Syntax {
        /// What is wrong with it.
        why: String,
    },
    /// A plugin asked for a reference that does not stand there in the input.
    #[error("a plugin asked for a reference that does not stand here in the input")]
    NotInInput,
    /// A reference outside of the fields where secrets may go.
    #[error("a secret may stand in `data` and `stringData` of a Secret only, and a reference stands here")]
    Sink,
    /// A reference among bytes that are no text.
    #[error("a reference stands in data that is no UTF-8 text")]
    Binary,
    /// A value of a Secret that is no text.
    #[error("the values of a Secret are text; put this in quotes")]
    NotText,
    /// A reference that a plugin wrote.
    #[error("a plugin wrote a reference; references count only where the input holds them")]
    Invented,
    /// A reference that no plugin opened.
    #[error("a reference stands here that was not resolved")]
    Unresolved,
    /// A token outside of the field it was opened for.
    #[error("a secret token was moved here from {from}")]
    Moved {
        /// The place it belongs to.
        from: String,
    },
    /// Token-shaped text that the host never issued, or a piece of one.
    #[error("a secret token here is not one that was issued, or only a piece of it")]
    Forged,
    /// The text around a token changed, or the token is gone while its field is there.
    #[error("a plugin changed or lost the secret that stands here")]
    Altered,
    /// Text to encode whose tokens belong to several places, or to none.
    #[error("a plugin asked to encode text that is bound to no one place")]
    Unbound,
    /// No value could be read.
    #[error("`{reference}`: {why}")]
    Resolve {
        /// The reference.
        reference: String,
        /// Why there is no value.
        why: String,
    },
}

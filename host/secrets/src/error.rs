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

/// Why a reference has no value, or none that can be used. Holds no value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{}", self.told())]
#[non_exhaustive]
pub enum Why {
    /// The pipeline, its environment or a policy does not let it be read.
    Policy(String),
    /// There is no such document.
    NotFound(String),
    /// The document has no such key.
    KeyMissing(String),
    /// The document, or this version of it, was deleted.
    Deleted(String),
    /// Nobody could log in.
    Auth(String),
    /// The login may not read it.
    Forbidden(String),
    /// The store asks for fewer requests.
    RateLimit(String),
    /// The store cannot be reached, or fails.
    Unavailable(String),
    /// The store answers, and not with what was asked for.
    Answer(String),
    /// The store's certificate is not trusted.
    Tls(String),
    /// The value is not of a kind that can stand there.
    Type(String),
    /// The value cannot be decrypted.
    Decrypt(String),
    /// What was encrypted is not what it was then.
    Mac(String),
    /// It is larger than anything that a cluster takes.
    Size(String),
}

impl Why {
    /// A name that stays: what reports and scripts go by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Policy(_) => "secret-policy",
            Self::NotFound(_) => "secret-not-found",
            Self::KeyMissing(_) => "secret-key-missing",
            Self::Deleted(_) => "secret-deleted",
            Self::Auth(_) => "secret-auth",
            Self::Forbidden(_) => "secret-forbidden",
            Self::RateLimit(_) => "secret-rate-limit",
            Self::Unavailable(_) | Self::Answer(_) => "secret-unavailable",
            Self::Tls(_) => "secret-tls",
            Self::Type(_) => "secret-type",
            Self::Decrypt(_) => "secret-decrypt",
            Self::Mac(_) => "secret-mac",
            Self::Size(_) => "secret-size",
        }
    }

    /// Whether a reference that may be missing is content.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::KeyMissing(_))
    }

    /// Whether the backend is what failed, and another time it may not.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::RateLimit(_))
    }

    fn told(&self) -> &str {
        match self {
            Self::Policy(told)
            | Self::NotFound(told)
            | Self::KeyMissing(told)
            | Self::Deleted(told)
            | Self::Auth(told)
            | Self::Forbidden(told)
            | Self::RateLimit(told)
            | Self::Unavailable(told)
            | Self::Answer(told)
            | Self::Tls(told)
            | Self::Type(told)
            | Self::Decrypt(told)
            | Self::Mac(told)
            | Self::Size(told) => told,
        }
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
    #[error(
        "a secret may stand in `data` and `stringData` of a Secret, and where `secrets.sinks` says, and a reference stands here"
    )]
    Sink,
    /// A reference among bytes that are no text.
    #[error("a reference stands in data that is no UTF-8 text")]
    Binary,
    /// A value of a Secret that is no text.
    #[error("the values of a Secret are text; put this in quotes")]
    NotText,
    /// Text that looks like a reference or an encrypted value, and is neither.
    #[error(
        "`{what}` stands here and begins nothing that can be read; mend it, or annotate the object `lathe.dev/ignore: secrets`"
    )]
    Residue {
        /// What it begins with.
        what: &'static str,
    },
    /// A reference that a plugin wrote.
    #[error("a plugin wrote a reference; references count only where the input holds them")]
    Invented,
    /// A reference that no plugin opened.
    #[error("a reference stands here that was not resolved")]
    Unresolved,
    /// A reference that a review is not let have.
    #[error(
        "`{reference}`: this environment does not map it, or not this version of it; a review opens no secret of others"
    )]
    Unmapped {
        /// The reference.
        reference: String,
    },
    /// A secret token outside of the field it was opened for.
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
    /// A token that nothing was put in the place of.
    #[error("a secret token is left here, which is a fault of Lathe's; nothing is written")]
    Left,
    /// No value could be read.
    #[error("`{reference}`: {why}")]
    Resolve {
        /// The reference.
        reference: String,
        /// Why there is no value.
        why: Why,
    },
    /// What the field would hold cannot stand there.
    #[error("{0}")]
    Unfit(Why),
}

impl SecretErrorKind {
    /// A name that stays: what reports and scripts go by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TokenInInput => "secret-token",
            Self::Syntax { .. } => "secret-syntax",
            Self::Sink => "secret-sink",
            Self::Binary | Self::NotText => "secret-type",
            Self::Residue { .. } => "secret-residue",
            Self::NotInInput | Self::Invented => "secret-invented",
            Self::Unresolved => "secret-unresolved",
            Self::Unmapped { .. } => "secret-policy",
            Self::Moved { .. } => "secret-moved",
            Self::Forged | Self::Left => "secret-forged",
            Self::Altered => "secret-altered",
            Self::Unbound => "secret-unbound",
            Self::Resolve { why, .. } | Self::Unfit(why) => why.code(),
        }
    }
}

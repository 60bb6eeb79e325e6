//! Why a client could not be registered, changed or taken back.

/// What went wrong with an identity provider or with what is kept of a client. No message holds a token or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AaiError {
    /// The provider cannot be reached, is too busy, or does not answer: nothing was changed there.
    #[error("{issuer} is not available: {why}")]
    Unavailable {
        /// The issuer.
        issuer: String,
        /// Why.
        why: String,
    },
    /// A change was sent, and nobody can tell whether it took effect.
    #[error("{issuer}: whether {what} took effect is unknown: {why}")]
    Unknown {
        /// The issuer.
        issuer: String,
        /// What was asked.
        what: &'static str,
        /// Why it is not known.
        why: String,
    },
    /// The provider refuses (RFC 7591 section 3.2.2).
    #[error("{issuer} refuses {what} ({status}): {told}")]
    Refused {
        /// The issuer.
        issuer: String,
        /// What was asked.
        what: &'static str,
        /// The HTTP status.
        status: u16,
        /// What it says, shortened, without tokens.
        told: String,
    },
    /// The provider does not accept the client's registration access token: the client is gone, or the token is another by now.
    #[error("{issuer} does not accept the registration access token of client `{client}`")]
    Lost {
        /// The issuer.
        issuer: String,
        /// The client's id there.
        client: String,
    },
    /// What the provider answers must not be used.
    #[error("{issuer}: {why}")]
    Untrusted {
        /// The issuer.
        issuer: String,
        /// Why.
        why: String,
    },
    /// A client is there that may be somebody else's.
    #[error("{issuer}: {why}")]
    Claimed {
        /// The issuer.
        issuer: String,
        /// Why.
        why: String,
    },
    /// The provider gave less than was asked for, or something else.
    #[error("{issuer} gave client `{client}` other than asked: {differences}")]
    Weaker {
        /// The issuer.
        issuer: String,
        /// The client's id there.
        client: String,
        /// What differs, by field.
        differences: String,
    },
    /// The pipeline's settings, or what they need, do not suffice.
    #[error("{0}")]
    Settings(String),
    /// The credential that the pipeline names is not there.
    #[error("{0}")]
    NoCredential(String),
    /// The client waits for somebody's approval.
    #[error("client `{0}` waits for approval")]
    Pending(String),
    /// What is kept of the client cannot be read or written.
    #[error("what is kept of client `{client}`: {why}")]
    Store {
        /// The client's name, or its key.
        client: String,
        /// Why.
        why: String,
    },
    /// The Secret that applications read is somebody else's.
    #[error("Secret {namespace}/{name} is there, and not of this client")]
    Foreign {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A registered client is out of reach, and making another one was not asked for.
    #[error("client `{client}` at {issuer} is out of reach: {why}")]
    OutOfReach {
        /// The issuer.
        issuer: String,
        /// The client's id there.
        client: String,
        /// Why.
        why: String,
    },
}

impl AaiError {
    /// Whether the provider is away, so that what is there already may do.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

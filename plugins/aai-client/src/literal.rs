//! What the input held of another client: values that wiring took away, to be looked for in all that stays.

use std::collections::BTreeSet;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A client's id.
    Id,
    /// A client's secret.
    Secret,
    /// Where the provider sends the user back to.
    Callback,
    /// Something that is the same for all clients of a provider.
    Other,
}

impl What {
    /// What a field of a client holds.
    pub(crate) fn of_field(field: &str) -> Self {
        match field {
            "client-id" => Self::Id,
            "client-secret" => Self::Secret,
            _ => Self::Other,
        }
    }
}

/// The values that were taken away, and what came in place of callbacks.
#[derive(Default)]
pub(crate) struct Literals {
    /// Ids of clients.
    pub(crate) ids: BTreeSet<String>,
    /// Secrets of clients.
    pub(crate) secrets: BTreeSet<String>,
    /// Callbacks.
    pub(crate) callbacks: BTreeSet<String>,
    /// Redirect URIs of this environment's clients.
    pub(crate) redirects: BTreeSet<String>,
    /// Kind, name and key of what held ids and secrets.
    pub(crate) references: BTreeSet<(&'static str, String, String)>,
    /// Variables that applications read their callbacks from.
    pub(crate) callback_variables: BTreeSet<String>,
}

impl Literals {
    /// Notes a value, if it is one: what is shorter or says yes or no stands everywhere, and tokens, references and
    /// variables are no values.
    pub(crate) fn note(&mut self, what: What, text: &str) {
        let text = text.trim();
        let plain = !["lathe1x", "$(", "${", "ref+", "<path:"].iter().any(|other| text.contains(other));
        if text.len() < 4
            || !plain
            || ["true", "false", "null", "none"].contains(&text.to_ascii_lowercase().as_str())
        {
            return;
        }
        match what {
            What::Id => self.ids.insert(text.to_owned()),
            What::Secret => self.secrets.insert(text.to_owned()),
            What::Callback => self.callbacks.insert(text.to_owned()),
            What::Other => false,
        };
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.secrets.is_empty() && self.callbacks.is_empty()
    }
}

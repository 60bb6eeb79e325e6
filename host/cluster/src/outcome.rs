//! What came of an apply: for each object what was done, what failed, and what ended the run.

use crate::later::Later;
use crate::request::RequestError;

/// What an apply did with an object, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was not there.
    Created,
    /// It was there and is another now.
    Changed,
    /// A field of it may not change, and its annotation lets it be deleted and created anew.
    Replaced,
    /// It was as it should be.
    Unchanged,
    /// It left the set, and the cluster with it.
    Deleted,
    /// It left the set, and stays on the cluster.
    Left,
    /// Its annotation says that it is left alone.
    Ignored,
    /// A hook that did its work.
    Ran,
    /// A hook that has no part in this apply.
    NoHook,
    /// It could not be tried: it needs what comes into being with this run.
    Planned,
    /// The run ended before its turn.
    NotApplied,
    /// It was sent, and the answer does not say whether it took effect.
    Unknown,
}

/// One object and what was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `Kind/name` or `Kind/namespace/name`.
    pub object: String,
    /// What was done.
    pub action: Action,
}

/// Of what kind a failure is, for hints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Something else.
    #[default]
    Other,
    /// Fields belong to another field manager.
    Conflict,
    /// A field may not change.
    Immutable,
    /// The object belongs to another set or another tool.
    Foreign,
    /// Who asks lacks a right.
    Rights,
    /// It waits for somebody's approval.
    Pending,
    /// What the objects were made from has changed meanwhile: making them anew helps.
    Stale,
}

/// One object that the server, or its own manifest, keeps from being applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// `Kind/name` or `Kind/namespace/name`.
    pub object: String,
    /// Why, without values; may have several lines.
    pub message: String,
    /// Of what kind.
    pub cause: Cause,
    /// What has to come before the server may take the object after all.
    pub(crate) later: Option<Later>,
}

impl Failure {
    /// A failure of no special kind.
    pub fn new(object: String, message: String) -> Self {
        Self { object, message, cause: Cause::Other, later: None }
    }

    /// The same, of this kind.
    #[must_use]
    pub fn of(self, cause: Cause) -> Self {
        Self { cause, ..self }
    }
}

/// What came of an apply.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The objects in the order in which they were given, but for those that failed; then those that left the set.
    pub entries: Vec<Entry>,
    /// What failed, sorted.
    pub failures: Vec<Failure>,
    /// What ended the run before its end.
    pub lost: Option<RequestError>,
    /// Whether anything on the cluster was changed.
    pub changed: bool,
    /// What the user should look at, sorted.
    pub warnings: Vec<String>,
    /// Live and wanted objects, where they were asked for.
    pub differences: Vec<Difference>,
    /// Digest of what would be deleted, to agree to; empty where nothing would.
    pub plan: String,
    /// Whether what was to be taken down stays: it was changed meanwhile.
    pub stays: bool,
    /// Rights that are missing where failures are about rights, a line for each place.
    pub missing: Vec<String>,
}

/// One object as it is and as it would be, as the server's JSON.
#[derive(Clone, Debug)]
pub struct Difference {
    /// `Kind/name` or `Kind/namespace/name`.
    pub object: String,
    /// API group, kind, namespace and name.
    pub identity: [String; 4],
    /// What would be done.
    pub action: Action,
    /// As it is; `None` where there is none.
    pub before: Option<String>,
    /// As it would be; `None` where there would be none, or the server cannot tell yet.
    pub after: Option<String>,
}

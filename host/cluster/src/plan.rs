//! What would happen to one object: a look at the live one, and a dry run of the apply on the server.

use std::sync::OnceLock;

use lathe_manifest::{Object, Value, json};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::FIELD_MANAGER;
use crate::answer::Refusal;
use crate::apply::{Action, Apply, Failure};
use crate::body::body;
use crate::discovery::Resource;
use crate::later::Later;
use crate::request::{RequestError, Requests};
use crate::stage::Stage;

const NOT_THIS: &str = "the server's answer is not this object";

/// How often an object is looked at that others write at the same time.
const LOOKS: u32 = 5;

/// An object and where it goes.
pub(crate) struct Target<'a> {
    pub(crate) object: &'a Object,
    pub(crate) stage: Stage,
    /// Empty for objects that are in no namespace.
    pub(crate) namespace: String,
    path: String,
    body: String,
    /// The Secret that is there now, whose values an answer may quote as well.
    secret: OnceLock<Value>,
}

/// What an apply would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Create,
    /// Of the live object at this version.
    Change {
        version: String,
    },
    Unchanged,
}

impl Verdict {
    /// What is told of an object for which the verdict came true.
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Create => Action::Created,
            Self::Change { .. } => Action::Changed,
            Self::Unchanged => Action::Unchanged,
        }
    }
}

/// What an apply would do, and what it could not do.
pub(crate) struct Planned {
    pub(crate) verdict: Verdict,
    /// Whether `kubectl apply` without `--server-side` made the object: it owns its fields in a way of its own, so those
    /// that leave the manifest stay on the cluster.
    pub(crate) client_side: bool,
}

impl Planned {
    fn new(verdict: Verdict, live: Option<String>) -> Self {
        let mark = "\"manager\":\"kubectl-client-side-apply\"";
        Self { verdict, client_side: live.is_some_and(|live| live.contains(mark)) }
    }
}

/// Whether a run goes on after a request.
pub(crate) enum Stop {
    /// The object is refused; others may not be.
    Object(Failure),
    /// There is no use in asking further.
    Run(RequestError),
}

/// Whether an apply changed the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    Yes,
    No,
    /// Nobody can tell from the answer, or there was none.
    Unknown,
}

/// What came of an apply.
pub(crate) struct Sent {
    pub(crate) wrote: Wrote,
    pub(crate) result: Result<(), Stop>,
}

#[derive(Deserialize)]
struct Live {
    #[serde(default)]
    kind: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    resource_version: String,
    deletion_timestamp: Option<String>,
    managed_fields: Option<Vec<IgnoredAny>>,
}

impl<'a> Target<'a> {
    pub(crate) fn new(object: &'a Object, resource: &Resource, namespace: &str) -> Self {
        let namespace = if resource.namespaced { namespace } else { "" };
        Self {
            object,
            stage: Stage::of(object),
            namespace: namespace.to_owned(),
            path: resource.path(namespace, object.name()),
            body: body(object, namespace, resource.has_status),
            secret: OnceLock::new(),
        }
    }

    /// `Kind/name` or `Kind/namespace/name`, as it will be on the cluster.
    pub(crate) fn label(&self) -> String {
        let (kind, name) = (self.object.kind(), self.object.name());
        match self.namespace.as_str() {
            "" => format!("{kind}/{name}"),
            namespace => format!("{kind}/{namespace}/{name}"),
        }
    }

    /// Asks the server what an apply would do.
    pub(crate) async fn plan(&self, requests: &Requests, apply: &Apply) -> Result<Planned, Stop> {
        for _ in 0..LOOKS {
            let live = match requests.send(&self.path, None).await {
                Ok(text) => Some(text),
                Err(RequestError::Answered(status)) if status.code == 404 => None,
                Err(error) => return Err(self.stop(error)),
            };
            if self.object.is_secret()
                && let Some(secret) = live.as_deref().and_then(|text| json::parse(text).ok())
            {
                let _ = self.secret.set(secret);
            }
            let version = live.as_deref().map(|text| self.version(text)).transpose()?;
            if version.is_some() && is_created_once(self.object) {
                return Ok(Planned::new(Verdict::Unchanged, None));
            }
            let dry = match requests.send(&self.patch(apply, true), Some(&self.body)).await {
                Ok(text) => Some(text),
                // A webhook with side effects forbids dry runs; what it says is heard when the object is applied.
                Err(RequestError::Answered(status))
                    if status.message.contains("does not support dry run") =>
                {
                    None
                }
                Err(error) => return Err(self.stop(error)),
            };
            // What would be created, because others deleted it just now, has no version.
            let tried = dry.as_deref().map(|text| self.tried(text)).transpose()?;
            match (version, tried) {
                (None, _) => return Ok(Planned::new(Verdict::Create, None)),
                (Some(_), Some(_)) if dry == live => return Ok(Planned::new(Verdict::Unchanged, live)),
                // A controller wrote in between, so the two say nothing of each other.
                (Some(version), Some(tried)) if tried != version => {}
                (Some(_), Some(_)) if without_counts(live.as_deref()) == without_counts(dry.as_deref()) => {
                    return Ok(Planned::new(Verdict::Unchanged, live));
                }
                (Some(version), _) => return Ok(Planned::new(Verdict::Change { version }, live)),
            }
        }
        // Too busy to tell; the apply itself finds out.
        Ok(Planned::new(Verdict::Change { version: String::new() }, None))
    }

    /// Applies the object.
    pub(crate) async fn apply(&self, requests: &Requests, apply: &Apply, verdict: &Verdict) -> Sent {
        let path = self.patch(apply, false);
        let answer = match requests.send(&path, Some(&self.body)).await {
            Ok(answer) => answer,
            Err(error) => {
                let wrote = if error.is_final() { Wrote::No } else { Wrote::Unknown };
                return Sent { wrote, result: Err(self.stop(error)) };
            }
        };
        let after = match self.metadata(&answer) {
            Ok(after) => after,
            Err(stop) => {
                let wrote = if self.is_ours(&answer) { Wrote::Yes } else { Wrote::Unknown };
                return Sent { wrote, result: Err(stop) };
            }
        };
        if matches!(verdict, Verdict::Change { version } if *version == after.resource_version) {
            return Sent { wrote: Wrote::No, result: Ok(()) };
        }
        if self.holds_nothing_somewhere() || after.managed_fields.is_none() {
            // The server drops fields that hold nothing before it notes who set them, and notes that with the next
            // apply only, which would then change an object that nobody changed. So that is done now.
            // Where it cannot be done (some fields may be set once only), the object is applied all the same.
            if let Err(error) = requests.send(&path, Some(&self.body)).await {
                // By its code alone: a server may quote a Secret.
                let code = if let RequestError::Answered(status) = &error { status.code } else { 0 };
                tracing::debug!(object = self.label(), code, "not settled");
            }
        }
        Sent { wrote: Wrote::Yes, result: Ok(()) }
    }

    /// Whether a field is an empty map, an empty list or null. Text that looks like one does no harm.
    fn holds_nothing_somewhere(&self) -> bool {
        [":{}", ":[]", ":null"].iter().any(|nothing| self.body.contains(nothing))
    }

    /// The live object, if there is one.
    pub(crate) async fn read(&self, requests: &Requests) -> Result<String, Stop> {
        requests.send(&self.path, None).await.map_err(|error| self.stop(error))
    }

    /// The object's metadata on the server. An object that is being deleted would take the apply with it.
    fn metadata(&self, text: &str) -> Result<Metadata, Stop> {
        let live = self.live(text).filter(|live| !live.metadata.resource_version.is_empty());
        let live = live.ok_or_else(|| self.fail(NOT_THIS.to_owned()))?;
        if live.metadata.deletion_timestamp.is_some() {
            return Err(self.fail("it is being deleted; wait until it is gone".to_owned()));
        }
        Ok(live.metadata)
    }

    /// The version that a dry run's answer has; empty for an object that would be created.
    fn tried(&self, text: &str) -> Result<String, Stop> {
        let live = self.live(text).ok_or_else(|| self.fail(NOT_THIS.to_owned()))?;
        Ok(live.metadata.resource_version)
    }

    fn is_ours(&self, text: &str) -> bool {
        self.live(text).is_some()
    }

    /// An answer that is this object.
    fn live(&self, text: &str) -> Option<Live> {
        let live: Option<Live> = serde_json::from_str(text).ok();
        live.filter(|live| live.kind == self.object.kind() && live.metadata.name == self.object.name())
    }

    fn version(&self, text: &str) -> Result<String, Stop> {
        self.metadata(text).map(|metadata| metadata.resource_version)
    }

    fn patch(&self, apply: &Apply, dry: bool) -> String {
        let force = if apply.force_conflicts { "&force=true" } else { "" };
        let dry = if dry { "&dryRun=All" } else { "" };
        format!("{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{force}{dry}", self.path)
    }

    fn stop(&self, error: RequestError) -> Stop {
        match error {
            RequestError::Answered(status) => {
                let Refusal { lines, conflict } = Refusal::of(&status, self.object, self.secret.get());
                let later = Later::of(&status);
                Stop::Object(Failure { object: self.label(), message: lines.join("\n"), conflict, later })
            }
            error => Stop::Run(error),
        }
    }

    pub(crate) fn fail(&self, message: String) -> Stop {
        Stop::Object(Failure::new(self.label(), message))
    }
}

/// Whether the object asks to be left alone once it is there, as a Job that fills an environment with data does.
fn is_created_once(object: &Object) -> bool {
    object.value.str_at(&["metadata", "annotations", "lathe.dev/apply"]) == Some("once")
}

/// An object without what the server counts: some kinds count up with every apply, changed or not.
fn without_counts(text: Option<&str>) -> Option<serde_json::Value> {
    let mut value: serde_json::Value = serde_json::from_str(text?).ok()?;
    let metadata = value.get_mut("metadata")?.as_object_mut()?;
    metadata.remove("generation");
    for manager in
        metadata.get_mut("managedFields").and_then(|list| list.as_array_mut()).into_iter().flatten()
    {
        manager.as_object_mut()?.remove("time");
    }
    Some(value)
}

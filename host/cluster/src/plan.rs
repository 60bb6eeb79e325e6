//! What would happen to one object: a look at the live one, and a dry run of the apply on the server.

use lathe_manifest::Object;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::FIELD_MANAGER;
use crate::answer::Refusal;
use crate::apply::{Action, Apply, Failure};
use crate::body::body;
use crate::discovery::Resource;
use crate::request::{RequestError, Requests};
use crate::stage::Stage;

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

/// Whether a run goes on after a request.
pub(crate) enum Stop {
    /// The object is refused; others may not be.
    Object(Failure),
    /// There is no use in asking further.
    Run(RequestError),
}

#[derive(Deserialize)]
struct Live {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
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
    pub(crate) async fn plan(&self, requests: &Requests, apply: &Apply) -> Result<Verdict, Stop> {
        for _ in 0..LOOKS {
            let live = match requests.send(&self.path, None).await {
                Ok(text) => Some(text),
                Err(RequestError::Answered(status)) if status.code == 404 => None,
                Err(error) => return Err(self.stop(error)),
            };
            let version = live.as_deref().map(|text| self.version(text)).transpose()?;
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
            match (version, &dry) {
                (None, _) => return Ok(Verdict::Create),
                (Some(_), Some(_)) if dry == live => return Ok(Verdict::Unchanged),
                // A controller wrote in between, so the two say nothing of each other.
                (Some(version), Some(dry)) if self.version(dry)? != version => {}
                (Some(version), _) => return Ok(Verdict::Change { version }),
            }
        }
        // Too busy to tell; the apply itself finds out.
        Ok(Verdict::Change { version: String::new() })
    }

    /// Applies the object; `true` where that changed it.
    pub(crate) async fn apply(
        &self,
        requests: &Requests,
        apply: &Apply,
        verdict: &Verdict,
    ) -> Result<bool, Stop> {
        let send = async || {
            let answer = requests.send(&self.patch(apply, false), Some(&self.body)).await;
            answer.map_err(|error| self.stop(error))
        };
        let answer = send().await?;
        let after = self.metadata(&answer)?;
        let changed = !matches!(verdict, Verdict::Change { version } if *version == after.resource_version);
        if changed && (self.holds_nothing_somewhere() || after.managed_fields.is_none()) {
            // The server drops fields that hold nothing before it notes who set them, and notes that with the next
            // apply only, which would then change an object that nobody changed. So that is done now.
            send().await?;
        }
        Ok(changed)
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
        let live: Live = serde_json::from_str(text)
            .map_err(|error| self.fail(format!("the server's answer is no object: {error}")))?;
        if live.metadata.deletion_timestamp.is_some() {
            return Err(self.fail("it is being deleted; wait until it is gone".to_owned()));
        }
        Ok(live.metadata)
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
                let refusal = Refusal::of(&status, self.object);
                Stop::Object(Failure {
                    object: self.label(),
                    message: refusal.to_string(),
                    conflict: refusal.conflict,
                })
            }
            error => Stop::Run(error),
        }
    }

    pub(crate) fn fail(&self, message: String) -> Stop {
        Stop::Object(Failure { object: self.label(), message, conflict: false })
    }
}

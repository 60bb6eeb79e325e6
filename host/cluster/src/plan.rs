//! What would happen to one object: a look at the live one, and a dry run of the apply on the server.

use lathe_manifest::json;

use crate::answer::is_immutable;
use crate::apply::Apply;
use crate::belongs;
use crate::outcome::{Action, Cause, Failure};
use crate::request::{Ask, RequestError, Requests};
use crate::takeover::CLIENT_SIDE;
use crate::target::{Metadata, Target};

/// How often an object is looked at that others write at the same time.
const LOOKS: u32 = 5;

/// What an apply would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Create,
    /// Of the live object at this version.
    Change {
        version: String,
    },
    /// A field may not change: of the live object of this uid.
    Replace {
        uid: String,
    },
    Unchanged,
    Ignore,
}

impl Verdict {
    /// What is told of an object for which the verdict came true.
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Create => Action::Created,
            Self::Change { .. } => Action::Changed,
            Self::Replace { .. } => Action::Replaced,
            Self::Unchanged => Action::Unchanged,
            Self::Ignore => Action::Ignored,
        }
    }

    /// Whether nothing is to be done.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self, Self::Unchanged | Self::Ignore)
    }
}

/// What an apply would do, and what it was found from.
pub(crate) struct Planned {
    pub(crate) verdict: Verdict,
    /// The live object and the one that it would become, as the server has them.
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

impl From<Verdict> for Planned {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, before: None, after: None }
    }
}

/// Whether a run goes on after a request.
pub(crate) enum Stop {
    /// The object is refused; others may not be.
    Object(Failure),
    /// There is no use in asking further.
    Run(RequestError),
}

impl Target<'_> {
    /// Asks the server what an apply would do.
    /// `seen` is the live object where it was read with many others.
    pub(crate) async fn plan(
        &self,
        requests: &Requests,
        apply: &Apply<'_>,
        mut seen: Option<String>,
    ) -> Result<Planned, Stop> {
        if self.control.ignore {
            return Ok(Verdict::Ignore.into());
        }
        if self.object.is_create_only() {
            return self.plan_nameless(requests, apply).await;
        }
        for _ in 0..LOOKS {
            let live = match seen.take() {
                Some(live) => Some(live),
                None => requests.find(&self.path(), Ask::Read).await.map_err(|error| self.stop(error))?,
            };
            if self.object.is_secret()
                && let Some(secret) = live.as_deref().and_then(|text| json::parse(text).ok())
            {
                let _ = self.secret.set(secret);
            }
            let metadata = live.as_deref().map(|text| self.metadata(text)).transpose()?;
            if let Some(metadata) = &metadata {
                if self.control.once {
                    return Ok(Verdict::Unchanged.into());
                }
                self.check_owner(metadata, apply)?;
            }
            let takes_over = live.as_deref().is_some_and(|live| self.takes_over(live));
            let dry = match self
                .try_apply(requests, apply, metadata.as_ref().zip(live.as_deref()), takes_over)
                .await?
            {
                Tried::Would(text) => Some(text),
                Tried::Unclear => None,
                Tried::Replace(uid) => {
                    let verdict = Verdict::Replace { uid };
                    return Ok(Planned { verdict, before: live, after: None });
                }
            };
            // What would be created, because others deleted it just now, has no version.
            let tried = dry.as_deref().map(|text| self.tried(text)).transpose()?;
            let version = metadata.map(|metadata| metadata.resource_version);
            let verdict = match (version, tried) {
                (None, _) => Verdict::Create,
                (Some(version), _) if takes_over => Verdict::Change { version },
                (Some(_), Some(_)) if self.is_same(dry.as_deref(), live.as_deref()) => Verdict::Unchanged,
                // A controller wrote in between, so the two say nothing of each other.
                (Some(version), Some(tried)) if tried != version => continue,
                (Some(_), Some(_)) if without_counts(live.as_deref()) == without_counts(dry.as_deref()) => {
                    Verdict::Unchanged
                }
                (Some(version), _) => Verdict::Change { version },
            };
            return Ok(Planned { verdict, before: live, after: dry });
        }
        // Too busy to tell; the apply itself finds out.
        Ok(Verdict::Change { version: String::new() }.into())
    }

    /// An object that has only a prefix for a name is created once for what it holds.
    async fn plan_nameless(&self, requests: &Requests, apply: &Apply<'_>) -> Result<Planned, Stop> {
        if self.object.is_secret() {
            return Err(self.fail("a Secret needs a name: what it holds must not show in a label".to_owned()));
        }
        let found =
            requests.find(&self.same_content(apply), Ask::Read).await.map_err(|error| self.stop(error))?;
        let list = found.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        let stays = |item: &serde_json::Value| item.pointer("/metadata/deletionTimestamp").is_none();
        let there = list.and_then(|list| Some(list.get("items")?.as_array()?.iter().any(stays)));
        if there == Some(true) {
            return Ok(Verdict::Unchanged.into());
        }
        let dry = requests.send(&self.collection("&dryRun=All"), Ask::Create(self.body())).await;
        let after = dry.map_err(|error| self.stop(error))?;
        Ok(Planned { verdict: Verdict::Create, before: None, after: Some(after) })
    }

    /// Whether the dry run gave the live object, letter by letter. As an item of a list it goes without kind and version.
    fn is_same(&self, dry: Option<&str>, live: Option<&str>) -> bool {
        let (Some(dry), Some(live)) = (dry, live) else { return false };
        let (dry, live) = (dry.trim_end(), live.trim_end());
        let head = format!(
            "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",",
            self.object.kind(),
            self.object.api_version()
        );
        dry == live
            || dry.strip_prefix(&head).zip(live.strip_prefix('{')).is_some_and(|(dry, live)| dry == live)
    }

    fn check_owner(&self, live: &Metadata, apply: &Apply<'_>) -> Result<(), Stop> {
        let id = apply.id();
        let other = belongs::other(&live.labels, &live.annotations, self.object, id.as_deref());
        match other.filter(|_| !apply.adopt) {
            Some(who) => Err(self.fail_for(Cause::Foreign, format!("it belongs to {who}"))),
            None => Ok(()),
        }
    }

    /// Whether fields of a client-side apply are made Lathe's own first.
    pub(crate) fn takes_over(&self, live: &str) -> bool {
        !self.control.merge && live.contains(&format!("\"manager\":\"{CLIENT_SIDE}\""))
    }

    async fn try_apply(
        &self,
        requests: &Requests,
        apply: &Apply<'_>,
        live: Option<(&Metadata, &str)>,
        takes_over: bool,
    ) -> Result<Tried, Stop> {
        let send =
            async |force: bool| requests.send(&self.patch(apply, true, force), Ask::Apply(self.body())).await;
        let mut answer = send(apply.keep).await;
        if let Err(RequestError::Answered(status)) = &answer
            && takes_over
            && status.code == 409
            && conflicts_only_with(status, CLIENT_SIDE)
        {
            answer = send(true).await;
        }
        match answer {
            Ok(text) => Ok(Tried::Would(text)),
            // A webhook with side effects forbids dry runs; what it says is heard when the object is applied.
            Err(RequestError::Answered(status)) if status.message.contains("does not support dry run") => {
                Ok(Tried::Unclear)
            }
            Err(RequestError::Answered(status)) if is_immutable(&status) => {
                let Some((live, text)) = live.filter(|_| self.control.replace) else {
                    return Err(self.stop(RequestError::Answered(status)));
                };
                if crate::member::is_kept(self.object.group(), self.object.kind()) {
                    let told = "a field of it may not change, and objects of this kind are never deleted by an apply";
                    return Err(self.fail_for(Cause::Immutable, told.to_owned()));
                }
                // Then the volumes would go with it.
                if [self.body(), text].iter().any(|text| text.contains("\"whenDeleted\":\"Delete\"")) {
                    let told = "a field of it may not change, and its volumes would be deleted with it (persistentVolumeClaimRetentionPolicy)";
                    return Err(self.fail_for(Cause::Immutable, told.to_owned()));
                }
                self.try_anew(requests).await?;
                Ok(Tried::Replace(live.uid.clone()))
            }
            Err(error) => Err(self.stop(error)),
        }
    }

    /// Whether the server would take the object if it were not there, under a name that nobody has: what is wrong apart from
    /// fields that may not change must not be found when the old object is gone.
    async fn try_anew(&self, requests: &Requests) -> Result<(), Stop> {
        let mut value = json::parse(self.body()).unwrap_or(lathe_manifest::Value::Null);
        let name = format!(
            "lathe-{}",
            lathe_manifest::digest::base32(&lathe_manifest::digest::sha256(self.body().as_bytes()), 16)
        );
        if let Some(metadata) = value.as_object_mut().and_then(|map| map.get_mut("metadata")?.as_object_mut())
        {
            metadata.insert("name", name.as_str().into());
        }
        let body = json::to_string(&value);
        let tried = requests.send(&self.collection("&dryRun=All"), Ask::Create(&body)).await;
        tried.map(drop).map_err(|error| self.stop(error))
    }
}

/// What a dry run gave.
enum Tried {
    Would(String),
    Unclear,
    /// Only by deleting the object of this uid.
    Replace(String),
}

fn conflicts_only_with(status: &kube::core::Status, manager: &str) -> bool {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let with = format!("conflict with \"{manager}\"");
    !causes.is_empty()
        && causes
            .iter()
            .all(|cause| cause.reason == "FieldManagerConflict" && cause.message.starts_with(&with))
}

/// An object without what the server counts: some kinds count up with every apply, changed or not.
fn without_counts(text: Option<&str>) -> Option<serde_json::Value> {
    let mut value: serde_json::Value = serde_json::from_str(text?).ok()?;
    // Items of lists go without them.
    let map = value.as_object_mut()?;
    map.remove("kind");
    map.remove("apiVersion");
    let metadata = value.get_mut("metadata")?.as_object_mut()?;
    metadata.remove("generation");
    for manager in
        metadata.get_mut("managedFields").and_then(|list| list.as_array_mut()).into_iter().flatten()
    {
        manager.as_object_mut()?.remove("time");
    }
    Some(value)
}

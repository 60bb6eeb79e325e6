//! An object and where it goes: its paths, what is sent, and the server's answers about it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use lathe_manifest::{Object, Value, digest};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::FIELD_MANAGER;
use crate::answer::Refusal;
use crate::apply::Apply;
use crate::body::body;
use crate::control::Control;
use crate::discovery::Resource;
use crate::later::Later;
use crate::ops;
use crate::outcome::{Cause, Failure};
use crate::plan::Stop;
use crate::request::{RequestError, Requests};
use crate::set::PART_OF;
use crate::stage::Stage;

const NOT_THIS: &str = "the server's answer is not this object";

/// The label of objects that have only a prefix for a name: it says what they hold, so that each is created once.
pub(crate) const CONTENT: &str = "lathe.dev/content";

/// An object and where it goes.
pub(crate) struct Target<'a> {
    pub(crate) object: &'a Object,
    pub(crate) stage: Stage,
    /// Empty for objects that are in no namespace.
    pub(crate) namespace: String,
    pub(crate) control: Control,
    resource: Resource,
    body: String,
    /// What the object holds, for those that have only a prefix for a name.
    content: String,
    /// The Secret that is there now, whose values an answer may quote as well.
    pub(crate) secret: OnceLock<Value>,
}

#[derive(Deserialize)]
struct Live {
    #[serde(default)]
    kind: String,
    metadata: Metadata,
}

/// What of an object's metadata decides something.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) uid: String,
    #[serde(default)]
    pub(crate) resource_version: String,
    pub(crate) deletion_timestamp: Option<String>,
    pub(crate) managed_fields: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
}

impl<'a> Target<'a> {
    /// `id` is that of the set that the object becomes a part of.
    pub(crate) fn new(
        object: &'a Object,
        resource: Resource,
        namespace: &str,
        control: Control,
        id: Option<&str>,
    ) -> Self {
        let namespace = if resource.namespaced { namespace } else { "" };
        let content = if object.is_create_only() {
            digest::base32(&digest::sha256(body(object, namespace, resource.has_status, &[]).as_bytes()), 16)
        } else {
            String::new()
        };
        let labels = [(CONTENT, Some(content.as_str()).filter(|text| !text.is_empty())), (PART_OF, id)];
        let labels: Vec<(&str, &str)> =
            labels.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
        Self {
            object,
            stage: Stage::of(object),
            namespace: namespace.to_owned(),
            control,
            body: body(object, namespace, resource.has_status, &labels),
            content,
            resource,
            secret: OnceLock::new(),
        }
    }

    /// `Kind/name` or `Kind/namespace/name`, as it will be on the cluster; a prefix ends in `*`.
    pub(crate) fn label(&self) -> String {
        let kind = self.object.kind();
        let prefix = || {
            let prefix = self.object.value.str_at(&["metadata", "generateName"]).unwrap_or_default();
            format!("{prefix}*")
        };
        let name = match self.object.name() {
            "" => prefix(),
            name => name.to_owned(),
        };
        match self.namespace.as_str() {
            "" => format!("{kind}/{name}"),
            namespace => format!("{kind}/{namespace}/{name}"),
        }
    }

    /// The path of all members of the set of its kind and namespace.
    pub(crate) fn members(&self, id: &str) -> String {
        format!("{}?{}", self.resource.collection(&self.namespace), ops::selector([(PART_OF, Some(id))]))
    }

    pub(crate) fn path(&self) -> String {
        self.resource.path(&self.namespace, self.object.name())
    }

    /// The path of all objects of its kind and namespace; `query` begins with `&`.
    pub(crate) fn collection(&self, query: &str) -> String {
        let path = self.resource.collection(&self.namespace);
        format!("{path}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{query}")
    }

    /// The path of those that hold what this one holds.
    pub(crate) fn same_content(&self, apply: &Apply<'_>) -> String {
        let path = self.resource.collection(&self.namespace);
        let id = apply.id();
        let member = id.as_deref().map(|id| (PART_OF, Some(id)));
        format!(
            "{path}?{}",
            ops::selector([(CONTENT, Some(self.content.as_str()))].into_iter().chain(member))
        )
    }

    /// What the object holds, where it has only a prefix for a name.
    pub(crate) fn content(&self) -> Option<&str> {
        Some(self.content.as_str()).filter(|content| !content.is_empty())
    }

    /// What is sent.
    pub(crate) fn body(&self) -> &str {
        &self.body
    }

    pub(crate) fn patch(&self, apply: &Apply<'_>, dry: bool, force: bool) -> String {
        let force = if apply.force_conflicts || force { "&force=true" } else { "" };
        let dry = if dry { "&dryRun=All" } else { "" };
        format!("{}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{force}{dry}", self.path())
    }

    /// The live object, if there is one.
    pub(crate) async fn read(&self, requests: &Requests) -> Result<String, Stop> {
        requests.send(&self.path(), crate::request::Ask::Read).await.map_err(|error| self.stop(error))
    }

    /// The object's metadata on the server. An object that is being deleted would take the apply with it.
    pub(crate) fn metadata(&self, text: &str) -> Result<Metadata, Stop> {
        let live = self.live(text).filter(|live| !live.metadata.resource_version.is_empty());
        let live = live.ok_or_else(|| self.fail(NOT_THIS.to_owned()))?;
        if live.metadata.deletion_timestamp.is_some() {
            return Err(self.fail("it is being deleted; wait until it is gone".to_owned()));
        }
        Ok(live.metadata)
    }

    /// The version that a dry run's answer has; empty for an object that would be created.
    pub(crate) fn tried(&self, text: &str) -> Result<String, Stop> {
        let live = self.live(text).ok_or_else(|| self.fail(NOT_THIS.to_owned()))?;
        Ok(live.metadata.resource_version)
    }

    /// The path of an object that was created, by the name that the server gave it, and its uid.
    pub(crate) fn created(&self, text: &str) -> Result<(String, String), Stop> {
        let live: Option<Live> = serde_json::from_str(text).ok();
        let metadata = live.map(|live| live.metadata).filter(|metadata| !metadata.name.is_empty());
        let Metadata { name, uid, .. } = metadata.ok_or_else(|| self.fail(NOT_THIS.to_owned()))?;
        Ok((self.resource.path(&self.namespace, &name), uid))
    }

    pub(crate) fn is_ours(&self, text: &str) -> bool {
        self.live(text).is_some()
    }

    /// An answer that is this object.
    fn live(&self, text: &str) -> Option<Live> {
        let live: Option<Live> = serde_json::from_str(text).ok();
        let is_kind = |live: &Live| live.kind.is_empty() || live.kind == self.object.kind();
        live.filter(|live| is_kind(live) && live.metadata.name == self.object.name())
    }

    pub(crate) fn stop(&self, error: RequestError) -> Stop {
        match error {
            RequestError::Answered(status) => {
                let Refusal { lines, cause } = Refusal::of(&status, self.object, self.secret.get());
                let later = Later::of(&status);
                Stop::Object(Failure { object: self.label(), message: lines.join("\n"), cause, later })
            }
            error => Stop::Run(error),
        }
    }

    pub(crate) fn fail(&self, message: String) -> Stop {
        Stop::Object(Failure::new(self.label(), message))
    }

    pub(crate) fn fail_for(&self, cause: Cause, message: String) -> Stop {
        Stop::Object(Failure { cause, ..Failure::new(self.label(), message) })
    }
}

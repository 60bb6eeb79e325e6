//! What a set consists of, noted in its parent Secret before anything is applied, and less again when all is done.
//!
//! The parent names kinds and namespaces (`ApplySet`, KEP-3659); the objects themselves carry the set's id as a label. So an
//! apply that is killed at any moment leaves nothing that the next one does not find.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use crate::FIELD_MANAGER;
use crate::ops;
use crate::request::{Ask, RequestError, Requests};
use crate::set::{ID, Set};

const TOOLING: &str = "applyset.kubernetes.io/tooling";
const KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";

/// The name before the slash of the tooling annotation.
const TOOL: &str = "lathe";

/// The type of a parent Secret.
const TYPE: &str = "lathe.dev/set";

/// What is applied: where it came from and when. Texts are empty where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The environment's namespace.
    pub namespace: String,
    /// The commit.
    pub commit: String,
    /// The address of the CI job.
    pub job: String,
    /// What tells older from newer: the commit's time in seconds, or the number of a pipeline. `None` where nobody knows.
    pub generation: Option<u64>,
    /// The version of the Lathe that applied it.
    pub version: String,
    /// Digest of the objects, without what was sealed in them.
    pub digest: String,
    /// When, as RFC 3339 has it.
    pub at: String,
    /// Until when it may stay, as RFC 3339 has it.
    pub expires: String,
}

/// The fields of [`Applied`] under the names of the parent's annotations.
const FIELDS: [&str; 8] =
    ["namespace", "commit", "job", "generation", "version", "digest", "applied", "expires"];

impl Applied {
    fn texts(&self) -> [String; 8] {
        let Self { namespace, commit, job, generation, version, digest, at, expires } = self.clone();
        let generation = generation.map(|number| number.to_string()).unwrap_or_default();
        [namespace, commit, job, generation, version, digest, at, expires]
    }

    fn read(annotations: &BTreeMap<String, String>) -> Self {
        let [namespace, commit, job, generation, version, digest, at, expires] =
            FIELDS.map(|name| annotations.get(&format!("lathe.dev/{name}")).cloned().unwrap_or_default());
        let generation = generation.parse().ok();
        Self { namespace, commit, job, generation, version, digest, at, expires }
    }
}

/// A set's parent as it is on the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parent {
    /// `None` where there is no parent yet.
    pub(crate) uid: Option<String>,
    /// Kinds that the set may have, as `Kind.group`, or `Kind` of the core group.
    pub(crate) kinds: BTreeSet<String>,
    /// Namespaces that it may have objects in.
    pub(crate) namespaces: BTreeSet<String>,
    /// What was applied to its end; `None` where nothing was.
    pub(crate) applied: Option<Applied>,
    /// The highest generation that an apply has begun with.
    pub(crate) begun: Option<u64>,
    /// When the last apply began, and until when what it brings may stay.
    pub(crate) begun_at: Option<String>,
    pub(crate) expires: Option<String>,
    /// Since when the review is not among the open ones.
    pub(crate) absent: Option<String>,
}

const BEGUN: &str = "lathe.dev/begun";
const BEGUN_AT: &str = "lathe.dev/begun-at";
pub(crate) const EXPIRES: &str = "lathe.dev/expires";
const ABSENT: &str = "lathe.dev/absent";

impl Parent {
    /// Reads the parent of a set; `Err` within is why it is not Lathe's.
    pub(crate) async fn read(requests: &Requests, set: &Set) -> Result<Result<Self, String>, RequestError> {
        let path = ops::secret(&set.ops_namespace, &set.name());
        let Some(text) = requests.find(&path, Ask::Read).await? else { return Ok(Ok(Self::default())) };
        let secret: Option<Secret> = serde_json::from_str(&text).ok();
        Ok(secret.as_ref().ok_or_else(|| "the server's answer is no Secret".to_owned()).and_then(Self::of))
    }

    /// Of a Secret that says to be a parent.
    pub(crate) fn of(secret: &Secret) -> Result<Self, String> {
        let nothing = BTreeMap::new();
        let labels = secret.metadata.labels.as_ref().unwrap_or(&nothing);
        let annotations = secret.metadata.annotations.as_ref().unwrap_or(&nothing);
        let set = Set::of_parent(secret).ok_or("its labels name another environment, or none")?;
        if labels.get(ID) != Some(&set.id()) {
            return Err("its id is not that of its name and namespace".to_owned());
        }
        let tooling = annotations.get(TOOLING).map(String::as_str).unwrap_or_default();
        if tooling.split('/').next() != Some(TOOL) {
            return Err(format!("it belongs to other tooling ({tooling:?})"));
        }
        let list = |name: &str| -> BTreeSet<String> {
            let text = annotations.get(name).map(String::as_str).unwrap_or_default();
            text.split(',').filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()
        };
        let applied = Applied::read(annotations);
        Ok(Self {
            uid: secret.metadata.uid.clone(),
            kinds: list(KINDS),
            namespaces: list(NAMESPACES),
            applied: (!applied.at.is_empty()).then_some(applied),
            begun: annotations.get(BEGUN).and_then(|text| text.parse().ok()),
            begun_at: annotations.get(BEGUN_AT).cloned(),
            expires: annotations.get(EXPIRES).cloned(),
            absent: annotations.get(ABSENT).cloned(),
        })
    }

    /// Writes the parent, whoever wrote it before: for who has the turn. With a version, only if it is still that one (409 if not).
    pub(crate) async fn write(
        &self,
        requests: &Requests,
        set: &Set,
        version: Option<&str>,
    ) -> Result<(), RequestError> {
        let path = ops::secret(&set.ops_namespace, &set.name());
        let path = format!("{path}?fieldManager={FIELD_MANAGER}&force=true");
        let mut body = self.body(set);
        if let Some(version) = version {
            body["metadata"]["resourceVersion"] = version.into();
        }
        requests.send(&path, Ask::Apply(&body.to_string())).await.map(drop)
    }

    fn body(&self, set: &Set) -> Value {
        let join = |list: &BTreeSet<String>| list.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let mut labels = set.labels();
        labels.insert(ID.to_owned(), set.id());
        let version = env!("CARGO_PKG_VERSION");
        let mut annotations: BTreeMap<String, String> = [
            (TOOLING.to_owned(), format!("{TOOL}/v{version}")),
            (KINDS.to_owned(), join(&self.kinds)),
            (NAMESPACES.to_owned(), join(&self.namespaces)),
        ]
        .into();
        let applied = self.applied.iter().flat_map(|applied| FIELDS.into_iter().zip(applied.texts()));
        let named = applied.map(|(name, text)| (format!("lathe.dev/{name}"), text));
        annotations.extend(named.filter(|(_, text)| !text.is_empty()));
        annotations.extend(self.begun.map(|number| (BEGUN.to_owned(), number.to_string())));
        annotations.extend(self.begun_at.clone().map(|at| (BEGUN_AT.to_owned(), at)));
        annotations.extend(self.expires.clone().map(|at| (EXPIRES.to_owned(), at)));
        annotations.extend(self.absent.clone().map(|since| (ABSENT.to_owned(), since)));
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "annotations": annotations,
                "labels": labels,
                "name": set.name(),
                "namespace": set.ops_namespace,
            },
            "type": TYPE,
        })
    }
}

/// The name of a kind in the parent.
pub(crate) fn group_kind(group: &str, kind: &str) -> String {
    if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_as_it_was_written() {
        let set = Set {
            project: "portal".into(),
            environment: "review".into(),
            review: "42".into(),
            ops_namespace: "lathe-system".into(),
        };
        let parent = Parent {
            uid: None,
            kinds: ["ConfigMap".to_owned(), "Deployment.apps".to_owned()].into(),
            namespaces: ["portal".to_owned()].into(),
            applied: Some(Applied {
                commit: "abc".into(),
                generation: Some(7),
                at: "2026-01-01T00:00:00Z".into(),
                expires: "2026-02-02T00:00:00Z".into(),
                ..Applied::default()
            }),
            begun: Some(8),
            begun_at: Some("2026-01-02T00:00:00Z".into()),
            expires: Some("2026-02-02T00:00:00Z".into()),
            absent: None,
        };
        let mut text = parent.body(&set).to_string();
        let read = |text: &str| Parent::of(&serde_json::from_str(text).unwrap());
        assert_eq!(read(&text), Ok(parent));
        assert!(
            text.contains(r#""applyset.kubernetes.io/contains-group-kinds":"ConfigMap,Deployment.apps""#)
        );
        text = text.replace("lathe/v", "kubectl/v");
        assert!(read(&text).unwrap_err().contains("other tooling"));
        text = text.replace("applyset-", "applyset-x");
        assert!(read(&text).unwrap_err().contains("its id"));
    }
}

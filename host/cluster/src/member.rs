//! The objects that carry a set's id now, read as names and labels only.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use lathe_manifest::order;
use serde::Deserialize;
use serde_json::json;

use crate::FIELD_MANAGER;
use crate::belongs;
use crate::control;
use crate::discovery::{Known, Resource, encode};
use crate::inventory::group_kind;
use crate::ops;
use crate::request::{Ask, RequestError, Requests};
use crate::set::PART_OF;

/// How many objects one answer lists.
const PAGE: u32 = 500;

/// How often an object is looked at that others write at the same time.
const LOOKS: u32 = 10;

/// How many lists are asked for at once.
const CONCURRENCY: usize = 8;

/// Kinds that `down` alone deletes.
const KEPT: &[(&str, &str)] = &[
    ("", "Namespace"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
];

/// An object of a set on the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) group: String,
    pub(crate) kind: String,
    pub(crate) resource: Resource,
    pub(crate) meta: ObjectMeta,
}

/// How deletions are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    /// The set's id.
    pub(crate) id: &'a str,
    /// Whether an object goes that asks to stay.
    pub(crate) all: bool,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// It is gone, or on its way.
    Deleted,
    /// It was gone before, or another object has its name.
    Gone,
    /// It is not this set's any more.
    Left,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: ListMeta,
    items: Option<Vec<Item>>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    r#continue: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    metadata: ObjectMeta,
}

impl Member {
    pub(crate) fn name(&self) -> &str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.meta.namespace.as_deref().unwrap_or_default()
    }

    /// `Kind/name` or `Kind/namespace/name`.
    pub(crate) fn label(&self) -> String {
        match self.namespace() {
            "" => format!("{}/{}", self.kind, self.name()),
            namespace => format!("{}/{namespace}/{}", self.kind, self.name()),
        }
    }

    /// What tells it from all others of its set.
    pub(crate) fn key(&self) -> (&str, &str, &str, &str) {
        (&self.group, &self.kind, self.namespace(), self.name())
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.group.is_empty() && self.kind == "Secret"
    }

    pub(crate) fn group_kind(&self) -> String {
        group_kind(&self.group, &self.kind)
    }

    pub(crate) fn path(&self) -> String {
        self.resource.path(self.namespace(), self.name())
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<String> {
        self.meta.annotations.as_ref()?.get(name).cloned()
    }

    /// Whether another object made it, as an operator does that copies labels.
    pub(crate) fn is_owned(&self) -> bool {
        self.meta.owner_references.as_ref().is_some_and(|owners| !owners.is_empty())
    }

    /// Whether it asks to stay when it leaves the set, or another tool has taken it over.
    pub(crate) fn stays(&self) -> bool {
        control::stays(|name| self.annotation(name)) || self.is_taken()
    }

    fn is_taken(&self) -> bool {
        let nothing = BTreeMap::new();
        let labels = self.meta.labels.as_ref().unwrap_or(&nothing);
        let annotations = self.meta.annotations.as_ref().unwrap_or(&nothing);
        belongs::marks(labels, annotations).any(|(part, name)| !self.sets(part, name))
    }

    /// Whether Lathe itself set a label or annotation, because the manifest had it.
    fn sets(&self, part: &str, name: &str) -> bool {
        let own = self.meta.managed_fields.iter().flatten();
        let own = own.filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
        let fields = own.filter_map(|entry| entry.fields_v1.as_ref()).map(|fields| &fields.0);
        let (part, name) = (format!("f:{part}"), format!("f:{name}"));
        fields.into_iter().any(|fields| {
            let metadata = fields.get("f:metadata").and_then(|metadata| metadata.get(&part));
            metadata.is_some_and(|part| part.get(&name).is_some())
        })
    }

    /// Whether Lathe applied it. Others may only carry the label: controllers copy labels, as those of a Service to its Endpoints.
    pub(crate) fn is_own(&self) -> bool {
        let managers = self.meta.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
        managers.into_iter().any(|manager| manager == FIELD_MANAGER)
    }

    /// Whether an apply deletes it once it is not in the set any more.
    pub(crate) fn can_be_pruned(&self) -> bool {
        !is_kept(&self.group, &self.kind)
            && !self.is_owned()
            && !self.stays()
            && self.meta.deletion_timestamp.is_none()
    }

    /// Its place in the order of deletions: the reverse of that of an apply.
    pub(crate) fn turn(&self) -> impl Ord + use<> {
        let stage = std::cmp::Reverse(order::stage(&self.group, &self.kind));
        (stage, self.kind.clone(), self.meta.namespace.clone(), self.meta.name.clone())
    }

    /// Deletes it if it is this very object and still carries the set's id, at the moment of deletion.
    pub(crate) async fn delete(
        &self,
        requests: &Requests,
        terms: Terms<'_>,
    ) -> Result<Deletion, RequestError> {
        // Somebody may write to it in between; then it is looked at again.
        let mut looks = 0;
        loop {
            looks += 1;
            let Some(text) = requests.find(&self.path(), Ask::Read).await? else { return Ok(Deletion::Gone) };
            let Ok(Item { metadata: now }) = serde_json::from_str(&text) else { return Ok(Deletion::Left) };
            if now.uid != self.meta.uid {
                return Ok(Deletion::Gone);
            }
            let live = Self { meta: now.clone(), ..self.clone() };
            let member = now.labels.as_ref().and_then(|labels| labels.get(PART_OF)).map(String::as_str);
            if member != Some(terms.id) || !live.is_own() || live.is_owned() || live.stays() && !terms.all {
                return Ok(Deletion::Left);
            }
            if now.deletion_timestamp.is_some() {
                return Ok(Deletion::Deleted);
            }
            let options = json!({
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": { "uid": now.uid, "resourceVersion": now.resource_version },
            });
            match requests.find(&self.path(), Ask::Delete(&options.to_string())).await {
                Ok(Some(_)) => return Ok(Deletion::Deleted),
                Ok(None) => return Ok(Deletion::Gone),
                Err(RequestError::Answered(status)) if status.code == 409 && looks < LOOKS => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether objects of the kind hold what cannot be made again.
pub(crate) fn is_kept(group: &str, kind: &str) -> bool {
    KEPT.contains(&(group, kind))
}

/// All objects of the kinds and namespaces that carry the id. A kind that the cluster does not know any more has none.
/// `may_hide` tells of namespaces whose objects need not be seen.
pub(crate) async fn list(
    requests: &Requests,
    known: &Known,
    id: &str,
    kinds: &BTreeSet<String>,
    namespaces: &BTreeSet<String>,
    may_hide: &dyn Fn(&str) -> bool,
) -> Result<Vec<Member>, RequestError> {
    let mut lists = Vec::new();
    for group_kind in kinds {
        let Some(resource) = known.of_kind(group_kind) else {
            // A group that is gone is not found (404); one whose server does not answer is another matter.
            let group = group_kind.split_once('.').map_or("", |(_, group)| group);
            requests.find(&format!("/apis/{}", encode(group)), Ask::Read).await?;
            continue;
        };
        let (kind, group) = group_kind.split_once('.').unwrap_or((group_kind, ""));
        let places =
            if resource.namespaced { namespaces.iter().map(String::as_str).collect() } else { vec![""] };
        for namespace in places {
            let path = resource.collection(namespace);
            lists.push((group.to_owned(), kind.to_owned(), resource.clone(), path, may_hide(namespace)));
        }
    }
    let read = |(group, kind, resource, path, may_hide): (String, String, Resource, String, bool)| async move {
        let metas = match pages(requests, &path, &ops::selector([(PART_OF, Some(id))])).await {
            Err(RequestError::Answered(status)) if status.code == 403 && may_hide => Vec::new(),
            // Of a kind that cannot be listed there is nothing.
            Err(RequestError::Answered(status)) if status.code == 405 => Vec::new(),
            metas => metas?,
        };
        let member =
            |meta| Member { group: group.clone(), kind: kind.clone(), resource: resource.clone(), meta };
        Ok(metas.into_iter().map(member).collect::<Vec<_>>())
    };
    let found: Vec<Vec<Member>> = stream::iter(lists).map(read).buffered(CONCURRENCY).try_collect().await?;
    Ok(found.into_iter().flatten().filter(Member::is_own).collect())
}

/// Each object once: one may be found under two kinds that the server takes for one.
pub(crate) fn distinct(members: Vec<Member>) -> Vec<Member> {
    let by_uid = members.into_iter().map(|member| (member.meta.uid.clone(), member));
    by_uid.collect::<BTreeMap<Option<String>, Member>>().into_values().collect()
}

async fn pages(requests: &Requests, path: &str, selector: &str) -> Result<Vec<ObjectMeta>, RequestError> {
    let mut metas = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("{path}?{selector}&limit={PAGE}{after}");
        let Some(text) = requests.find(&path, Ask::ReadMetadata).await? else { return Ok(metas) };
        let list: List = requests.parse(&text)?;
        metas.extend(list.items.into_iter().flatten().map(|item| item.metadata));
        match list.metadata.r#continue.filter(|token| !token.is_empty()) {
            Some(token) => after = format!("&continue={}", encode(&token)),
            None => return Ok(metas),
        }
    }
}

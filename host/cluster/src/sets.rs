//! The sets that a cluster has: which there are, what is applied of them, and how they are.

use futures_util::stream::{self, StreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use lathe_manifest::{Value, json};
use serde::Deserialize;

use crate::connect::Cluster;
use crate::discovery::Known;
use crate::inventory::{Applied, Parent};
use crate::member::{self, Member};
use crate::ops;
use crate::request::{Ask, RequestError, Requests};
use crate::run::CONCURRENCY;
use crate::set::{ENVIRONMENT, ID, PROJECT, REVIEW, Set};
use crate::status::{self, Health};

/// A set and what its parent tells of it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The set.
    pub set: Set,
    /// What was applied to its end last; `None` where no apply came to its end yet.
    pub applied: Option<Applied>,
    /// When the last apply of it began, whether or not it came to its end; RFC 3339.
    pub begun_at: Option<String>,
    /// Until when it may stay, as RFC 3339 has it.
    pub expires: Option<String>,
    /// Since when its review is not among the open ones, as RFC 3339 has it.
    pub absent: Option<String>,
    pub(crate) parent: Parent,
    version: String,
}

/// One object of a set on the cluster.
#[derive(Clone, Debug)]
pub struct MemberHealth {
    /// `Kind/name` or `Kind/namespace/name`.
    pub object: String,
    /// How it is.
    pub health: Health,
    /// Managers that wrote to it since Lathe did, but for Kubernetes' own controllers.
    pub changed_by: Vec<String>,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Secret>,
}

/// The sets of an ops namespace, sorted; only those of the names that are given.
pub async fn sets(
    cluster: &Cluster,
    ops_namespace: &str,
    project: Option<&str>,
    environment: Option<&str>,
    review: Option<&str>,
) -> Result<Vec<Found>, RequestError> {
    let requests = Requests::of(cluster);
    let named = [(PROJECT, project), (ENVIRONMENT, environment), (REVIEW, review)];
    let named = named.into_iter().filter(|(_, value)| value.is_some());
    let selector = ops::selector(std::iter::once((ID, None)).chain(named));
    let path = format!("{}?{selector}", ops::secret(ops_namespace, ""));
    let text = requests.send(&path, Ask::Read).await?;
    let list: List = requests.parse(&text)?;
    let is_it = |found: &Found| {
        let is = |own: &str, wanted: Option<&str>| wanted.is_none_or(|wanted| own == wanted);
        let Set { project: own, environment: name, review: id, .. } = &found.set;
        is(own, project) && is(name, environment) && is(id, review)
    };
    let mut found: Vec<Found> = list.items.iter().filter_map(found).filter(is_it).collect();
    found.sort_by(|a, b| a.set.cmp(&b.set));
    Ok(found)
}

fn found(secret: &Secret) -> Option<Found> {
    let (set, parent) = (Set::of_parent(secret)?, Parent::of(secret).ok()?);
    let Parent { applied, begun_at, expires, absent, .. } = parent.clone();
    let version = secret.metadata.resource_version.clone()?;
    Some(Found { set, applied, begun_at, expires, absent, parent, version })
}

/// The environments that namespaces with this project's and review's labels say to belong to, sorted; none where they may not be
/// listed.
pub async fn labelled_environments(
    cluster: &Cluster,
    project: &str,
    review: &str,
) -> Result<Vec<String>, RequestError> {
    let selector = ops::selector([(PROJECT, Some(project)), (REVIEW, Some(review))]);
    let path = format!("/api/v1/namespaces?{selector}");
    let text = match Requests::of(cluster).send(&path, Ask::Read).await {
        Ok(text) => text,
        Err(RequestError::Answered(status)) if status.code == 403 => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let list: serde_json::Value = Requests::of(cluster).parse(&text)?;
    let items = list.get("items").and_then(|items| items.as_array());
    let names = items
        .into_iter()
        .flatten()
        .filter_map(|item| Some(item.get("metadata")?.get("labels")?.get(ENVIRONMENT)?.as_str()?.to_owned()));
    Ok(names.collect::<std::collections::BTreeSet<String>>().into_iter().collect())
}

impl Found {
    /// How the set's objects are, sorted.
    pub async fn health(&self, cluster: &Cluster) -> Result<Vec<MemberHealth>, RequestError> {
        let requests = Requests::of(cluster);
        let known = Known::read(&requests).await?;
        let Parent { kinds, namespaces, .. } = &self.parent;
        let members = member::list(&requests, &known, &self.set.id(), kinds, namespaces, &|_| false).await?;
        let requests = &requests;
        let look = |member: Member| async move {
            let live = requests.find(&member.path(), Ask::Read).await?;
            Ok(live.map(|live| {
                let live = json::parse(&live).unwrap_or(Value::Null);
                let changed_by = writers(&member.meta);
                MemberHealth { object: member.label(), health: status::of(&live), changed_by }
            }))
        };
        let mut looks = stream::iter(member::distinct(members)).map(look).buffered(CONCURRENCY);
        let mut all: Vec<MemberHealth> = Vec::new();
        while let Some(one) = looks.next().await {
            all.extend(one?);
        }
        all.sort_by(|a, b| a.object.cmp(&b.object));
        Ok(all)
    }

    /// Notes since when the review is not among the open ones, or that it is again. Where an apply was at work meanwhile, nothing
    /// is noted.
    pub async fn note_absent(&self, cluster: &Cluster, since: Option<&str>) -> Result<(), RequestError> {
        let parent = Parent { absent: since.map(ToOwned::to_owned), ..self.parent.clone() };
        match parent.write(&Requests::of(cluster), &self.set, Some(&self.version)).await {
            Err(RequestError::Answered(status)) if status.code == 409 => Ok(()),
            written => written,
        }
    }
}

/// Controllers of Kubernetes itself, which write to objects as part of their work.
const CONTROLLERS: &[&str] =
    &["kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver", "cluster-autoscaler"];

/// Who wrote to an object since Lathe did: that is where it may differ from what was applied.
fn writers(meta: &ObjectMeta) -> Vec<String> {
    let entries = meta.managed_fields.as_deref().unwrap_or_default();
    let is_own = |manager: &str| manager.starts_with(crate::FIELD_MANAGER);
    let manager = |entry: &'_ k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        entry.manager.clone().unwrap_or_default()
    };
    let own =
        entries.iter().filter(|entry| is_own(&manager(entry))).filter_map(|entry| entry.time.clone()).max();
    let mut others: Vec<String> = entries
        .iter()
        .filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty() && entry.time > own)
        .map(manager)
        .filter(|manager| !is_own(manager) && !CONTROLLERS.contains(&manager.as_str()))
        .collect();
    others.sort();
    others.dedup();
    others
}

//! Leases of a pool, kept as Secrets in the ops namespace: one for each slot that is taken, and one for each review that has one.
//!
//! Their names follow from pool and slot, or pool and review, and the server creates each once: so two reviews never hold one
//! slot, and a review that asks from two places at the same time is told one slot in both.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions};
use lathe_manifest::digest;

use crate::FIELD_MANAGER;
use crate::connect::Cluster;
use crate::inventory::EXPIRES;
use crate::ops;
use crate::request::{Ask, RequestError, Requests};
use crate::set::{ENVIRONMENT, PROJECT, REVIEW, Set};

const TYPE: &str = "lathe.dev/lease";
const SLOT: &str = "lathe.dev/slot";

/// How the names of Secrets begin that say which slot a review has.
const OF_REVIEW: &str = "lathe-lease-of-";

/// How often a lease looks again at what others have done meanwhile.
const TURNS: usize = 8;

/// The pool of one class of environments.
pub struct Pool<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The ops namespace.
    pub namespace: &'a str,
    /// The project.
    pub project: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The slots, in the order in which they are taken.
    pub slots: &'a [String],
    /// How long a lease lasts whose review is not on the cluster; for good where it is `None`. Who takes it again makes it last as
    /// long from then on.
    pub lasts: Option<Duration>,
}

/// Gives back the leases of a project that have run out and whose review is not on the cluster. Says which slots they were.
pub async fn end_leases(
    cluster: &Cluster,
    namespace: &str,
    project: &str,
) -> Result<BTreeSet<String>, RequestError> {
    let requests = Requests::of(cluster);
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    let list = secrets.list(&ListParams::default().labels(&format!("{PROJECT}={project}"))).await;
    let list = list.map_err(|error| requests.error(error))?;
    let mut ended = BTreeSet::new();
    let mut over: Vec<Held> = Vec::new();
    for secret in list.items.into_iter().filter(|secret| secret.type_.as_deref() == Some(TYPE)) {
        let label = |name: &str| secret.metadata.labels.as_ref()?.get(name).cloned();
        let Some(environment) = label(ENVIRONMENT) else { continue };
        let Some(held) = Held::of(secret) else { continue };
        let is_over = held.expires.is_some_and(|expires| expires < Timestamp::now());
        let set = Set {
            project: project.to_owned(),
            environment,
            review: held.review.clone(),
            ops_namespace: namespace.to_owned(),
        };
        if is_over && requests.find(&ops::secret(namespace, &set.name()), Ask::Read).await?.is_none() {
            // Of environments that others apply, login clients tell.
            let labels: Vec<String> =
                set.labels().iter().map(|(name, value)| format!("{name}={value}")).collect();
            let own = secrets.list(&ListParams::default().labels(&labels.join(","))).await;
            let own = own.map_err(|error| requests.error(error))?;
            let other = |secret: &Secret| {
                let is_own = secret.metadata.labels.as_ref().and_then(|labels| labels.get(REVIEW))
                    == Some(&set.review);
                is_own && secret.type_.as_deref() != Some(TYPE)
            };
            if !own.items.iter().any(other) {
                over.push(held);
            }
        }
    }
    // The slot first: a run that takes it again in between makes its Secret anew, which this one does not delete.
    over.sort_by_key(|held| held.name.starts_with(OF_REVIEW));
    for held in over {
        held.delete(&secrets, &requests).await?;
        ended.insert(held.slot);
    }
    Ok(ended)
}

/// Gives back what a review holds of a pool, when its environment is no more.
pub(crate) async fn forget(requests: &Requests, set: &Set) -> Result<(), RequestError> {
    if set.review.is_empty() {
        return Ok(());
    }
    let secrets: Api<Secret> = Api::namespaced(requests.client(), &set.ops_namespace);
    let labels: Vec<String> = set.labels().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let list = secrets.list(&ListParams::default().labels(&labels.join(","))).await;
    let list = list.map_err(|error| requests.error(error))?;
    for secret in list.items.into_iter().filter(|secret| secret.type_.as_deref() == Some(TYPE)) {
        let path = ops::secret(&set.ops_namespace, secret.metadata.name.as_deref().unwrap_or_default());
        let options = serde_json::json!({
            "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": secret.metadata.uid},
        });
        match requests.find(&path, Ask::Delete(&options.to_string())).await {
            Ok(_) => {}
            // Another review took the slot since.
            Err(RequestError::Answered(status)) if status.code == 409 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One Secret of a lease.
struct Held {
    name: String,
    uid: Option<String>,
    /// As it was when it was read: one that was renewed since is not deleted.
    version: Option<String>,
    review: String,
    slot: String,
    /// Until when it lasts, if not for good.
    expires: Option<Timestamp>,
}

impl Held {
    fn of(secret: Secret) -> Option<Self> {
        let ObjectMeta { name, uid, resource_version, labels, annotations, .. } = secret.metadata;
        let mut labels = labels.unwrap_or_default();
        let expires = annotations.and_then(|all| all.get(EXPIRES)?.parse().ok());
        Some(Self {
            name: name?,
            uid,
            version: resource_version,
            review: labels.remove(REVIEW)?,
            slot: labels.remove(SLOT)?,
            expires,
        })
    }

    async fn delete(&self, secrets: &Api<Secret>, requests: &Requests) -> Result<(), RequestError> {
        let resource_version = self.version.clone().filter(|_| self.expires.is_some());
        let preconditions = Some(Preconditions { uid: self.uid.clone(), resource_version });
        let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
        match secrets.delete(&self.name, &parameters).await {
            Ok(_) => Ok(()),
            // Somebody else gave it back, or has it now.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(requests.error(error)),
        }
    }
}

impl Pool<'_> {
    /// Takes the first free slot for the review, or the one that it holds already; `None` where all are taken.
    pub async fn take(&self, review: &str) -> Result<Option<String>, RequestError> {
        // Each turn begins with what is there now, whoever made it: other runs for this review, a release, one that was killed.
        for turn in 0..TURNS {
            let held = self.held().await?;
            let own = held.iter().find(|held| held.name == self.name_of_review(review));
            let slots = || {
                held.iter().filter(|held| held.review == review && held.name == self.name_of_slot(&held.slot))
            };
            if let Some(own) = own {
                if slots().any(|held| held.slot == own.slot) {
                    for more in slots().filter(|held| held.slot != own.slot) {
                        self.delete(more).await?;
                    }
                    for held in slots().filter(|held| held.slot == own.slot).chain([own]) {
                        self.renew(held).await?;
                    }
                    return Ok(Some(own.slot.clone()));
                }
                // The slot was given back meanwhile. If nobody has taken it, it is this review's again.
                if !self.create(&self.name_of_slot(&own.slot), review, &own.slot).await? {
                    self.delete(own).await?;
                }
                continue;
            }
            let left = slots().next().map(|held| held.slot.clone());
            let slot = match left {
                Some(slot) => Some(slot),
                None => self.free(review).await?,
            };
            match slot {
                // Where another run for the same review was faster, its slot counts; the next turn sees which.
                Some(slot) => {
                    self.create(&self.name_of_review(review), review, &slot).await?;
                }
                // Of slots that are all taken, one may have been taken for this review just now, or have run out.
                None if turn > 0
                    && end_leases(self.cluster, self.namespace, self.project).await?.is_empty() =>
                {
                    return Ok(None);
                }
                None => {}
            }
        }
        Ok(None)
    }

    /// Gives the review's slots back, and says which they were.
    pub async fn release(&self, review: &str) -> Result<Vec<String>, RequestError> {
        let own = self.name_of_review(review);
        let mut held: Vec<Held> =
            self.held().await?.into_iter().filter(|held| held.review == review).collect();
        // The slot first: a run that takes it again in between makes its Secret anew, which this one does not delete.
        held.sort_by_key(|held| held.name == own);
        let mut released = BTreeSet::new();
        for held in held {
            self.delete(&held).await?;
            released.insert(held.slot);
        }
        Ok(released.into_iter().collect())
    }

    /// Takes the first slot that is free.
    async fn free(&self, review: &str) -> Result<Option<String>, RequestError> {
        for slot in self.slots {
            if self.create(&self.name_of_slot(slot), review, slot).await? {
                return Ok(Some(slot.clone()));
            }
        }
        Ok(None)
    }

    async fn held(&self) -> Result<Vec<Held>, RequestError> {
        let selector = format!("{PROJECT}={},{ENVIRONMENT}={}", self.project, self.environment);
        let list = self.secrets().list(&ListParams::default().labels(&selector)).await;
        let list = list.map_err(|error| self.requests().error(error))?;
        let leases = list.items.into_iter().filter(|secret| secret.type_.as_deref() == Some(TYPE));
        Ok(leases.filter_map(Held::of).collect())
    }

    fn name_of_slot(&self, slot: &str) -> String {
        format!("lathe-lease-{slot}-{}", self.hash(""))
    }

    fn name_of_review(&self, review: &str) -> String {
        format!("{OF_REVIEW}{}", self.hash(review))
    }

    fn hash(&self, review: &str) -> String {
        let parts = [self.project, self.environment, review].map(str::as_bytes);
        digest::base32(&digest::of_parts(&parts), 16)
    }

    /// Creates a Secret, and the namespace where it is missing. Tells whether it was not there.
    async fn create(&self, name: &str, review: &str, slot: &str) -> Result<bool, RequestError> {
        let labels =
            [(PROJECT, self.project), (ENVIRONMENT, self.environment), (REVIEW, review), (SLOT, slot)];
        let labels: BTreeMap<String, String> =
            labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let annotations = self.until().map(|until| BTreeMap::from([(EXPIRES.to_owned(), until)]));
        let (name, labels) = (Some(name.to_owned()), Some(labels));
        let metadata = ObjectMeta { name, labels, annotations, ..ObjectMeta::default() };
        let secret = Secret { metadata, type_: Some(TYPE.to_owned()), ..Secret::default() };
        let parameters =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        for attempt in 0..2 {
            match self.secrets().create(&parameters, &secret).await {
                Ok(_) => return Ok(true),
                Err(kube::Error::Api(status)) if status.code == 409 => return Ok(false),
                Err(kube::Error::Api(status)) if status.code == 404 && attempt == 0 => {
                    ops::ensure(&self.requests(), self.namespace).await?;
                }
                Err(error) => return Err(self.requests().error(error)),
            }
        }
        Ok(false)
    }

    async fn delete(&self, held: &Held) -> Result<(), RequestError> {
        held.delete(&self.secrets(), &self.requests()).await
    }

    /// Until when a lease of this moment lasts.
    fn until(&self) -> Option<String> {
        let until = Timestamp::now().checked_add(self.lasts?).unwrap_or(Timestamp::MAX);
        Some(until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    /// Makes a lease last from now on.
    async fn renew(&self, held: &Held) -> Result<(), RequestError> {
        let until = self.until();
        if until.is_none() && held.expires.is_none() {
            return Ok(());
        }
        // A lease has no other annotation.
        let annotations: BTreeMap<&str, String> = until.into_iter().map(|until| (EXPIRES, until)).collect();
        let patch = serde_json::json!([
            {"op": "test", "path": "/metadata/uid", "value": held.uid},
            {"op": "add", "path": "/metadata/annotations", "value": annotations},
        ]);
        let path = ops::secret(self.namespace, &held.name);
        match self.requests().find(&path, Ask::Patch(&patch.to_string())).await {
            // Somebody gave it back in between; the next turn sees that.
            Err(RequestError::Answered(status)) if status.code == 422 => Ok(()),
            renewed => renewed.map(drop),
        }
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.cluster.client.clone(), self.namespace)
    }

    fn requests(&self) -> Requests {
        Requests::of(self.cluster)
    }
}

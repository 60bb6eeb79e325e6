//! Leases of a pool, kept as Secrets in the ops namespace: one for each slot that is taken.
//!
//! A Secret's name follows from pool and slot, and the server creates it once, so two reviews never hold one slot.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions};
use lathe_manifest::digest;

use crate::FIELD_MANAGER;
use crate::connect::Cluster;
use crate::request::{RequestError, Requests};

const TYPE: &str = "lathe.dev/lease";
const PROJECT: &str = "lathe.dev/project";
const ENVIRONMENT: &str = "lathe.dev/environment";
const REVIEW: &str = "lathe.dev/review";
const SLOT: &str = "lathe.dev/slot";

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
}

/// One Secret of a lease.
struct Held {
    name: String,
    uid: Option<String>,
    review: String,
    slot: String,
}

impl Pool<'_> {
    /// Takes the first free slot for the review, or the one that it holds already; `None` where all are taken.
    pub async fn take(&self, review: &str) -> Result<Option<String>, RequestError> {
        let held = self.held().await?;
        if let Some(slot) = self.settle(review, held).await? {
            return Ok(Some(slot));
        }
        for slot in self.slots {
            if self.create(review, slot).await? {
                // Somebody may have taken another for the same review at the same time.
                let held = self.held().await?;
                return self.settle(review, held).await;
            }
        }
        let held = self.held().await?;
        self.settle(review, held).await
    }

    /// Gives the review's slots back, and says which they were.
    pub async fn release(&self, review: &str) -> Result<Vec<String>, RequestError> {
        let mut released = Vec::new();
        for held in self.held().await?.into_iter().filter(|held| held.review == review) {
            self.delete(&held).await?;
            released.push(held.slot);
        }
        Ok(released)
    }

    /// Review and slot of all leases of the pool.
    pub async fn leases(&self) -> Result<Vec<(String, String)>, RequestError> {
        Ok(self.held().await?.into_iter().map(|held| (held.review, held.slot)).collect())
    }

    /// The review's slot; of several the first in the pool stays, whoever looks.
    async fn settle(&self, review: &str, held: Vec<Held>) -> Result<Option<String>, RequestError> {
        let mut own: Vec<Held> = held.into_iter().filter(|held| held.review == review).collect();
        let place = |held: &Held| self.slots.iter().position(|slot| *slot == held.slot).unwrap_or(usize::MAX);
        own.sort_by_key(|held| (place(held), held.slot.clone()));
        let mut own = own.into_iter();
        let first = own.next();
        for more in own {
            self.delete(&more).await?;
        }
        Ok(first.map(|held| held.slot))
    }

    async fn held(&self) -> Result<Vec<Held>, RequestError> {
        let selector = format!("{PROJECT}={},{ENVIRONMENT}={}", self.project, self.environment);
        let list = self.secrets().list(&ListParams::default().labels(&selector)).await;
        let list = list.map_err(|error| self.requests().error(error))?;
        let leases = list.items.into_iter().filter(|secret| secret.type_.as_deref() == Some(TYPE));
        let read = |secret: Secret| {
            let ObjectMeta { name, uid, labels, .. } = secret.metadata;
            let mut labels = labels.unwrap_or_default();
            Some(Held { name: name?, uid, review: labels.remove(REVIEW)?, slot: labels.remove(SLOT)? })
        };
        Ok(leases.filter_map(read).collect())
    }

    /// Creates the slot's Secret, and the namespace where it is missing. Tells whether the slot was free.
    async fn create(&self, review: &str, slot: &str) -> Result<bool, RequestError> {
        let labels =
            [(PROJECT, self.project), (ENVIRONMENT, self.environment), (REVIEW, review), (SLOT, slot)];
        let labels: BTreeMap<String, String> =
            labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let hash = digest::of_parts(&[self.project.as_bytes(), self.environment.as_bytes()]);
        let name = format!("lathe-lease-{slot}-{}", digest::base32(&hash, 8));
        let metadata = ObjectMeta { name: Some(name), labels: Some(labels), ..ObjectMeta::default() };
        let secret = Secret { metadata, type_: Some(TYPE.to_owned()), ..Secret::default() };
        let parameters =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        for attempt in 0..2 {
            match self.secrets().create(&parameters, &secret).await {
                Ok(_) => return Ok(true),
                Err(kube::Error::Api(status)) if status.code == 409 => return Ok(false),
                Err(kube::Error::Api(status)) if status.code == 404 && attempt == 0 => {
                    let metadata =
                        ObjectMeta { name: Some(self.namespace.to_owned()), ..ObjectMeta::default() };
                    let namespace = Namespace { metadata, ..Namespace::default() };
                    let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
                    match namespaces.create(&parameters, &namespace).await {
                        Ok(_) => {}
                        Err(kube::Error::Api(status)) if status.code == 409 => {}
                        Err(error) => return Err(self.requests().error(error)),
                    }
                }
                Err(error) => return Err(self.requests().error(error)),
            }
        }
        Ok(false)
    }

    async fn delete(&self, held: &Held) -> Result<(), RequestError> {
        let preconditions = Some(Preconditions { uid: held.uid.clone(), resource_version: None });
        let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
        match self.secrets().delete(&held.name, &parameters).await {
            Ok(_) => Ok(()),
            // Somebody else gave it back, and maybe another review took it since.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
            Err(error) => Err(self.requests().error(error)),
        }
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.cluster.client.clone(), self.namespace)
    }

    fn requests(&self) -> Requests {
        Requests { client: self.cluster.client.clone(), server: self.cluster.server.clone() }
    }
}

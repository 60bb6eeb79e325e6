//! Secrets that keep state in the ops namespace: created once, and replaced only by who has seen them as they are. And Secrets that
//! are written for applications beside what is applied, by a field manager of their own.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use serde::Deserialize;
use serde_json::json as object;

use crate::connect::Cluster;
use crate::ops;
use crate::request::{Ask, RequestError, Requests};
use crate::set::{PART_OF, Set};

/// The field manager of Secrets for applications.
const CLIENT_MANAGER: &str = "lathe-aai";

/// The annotation that says for which client a Secret was written.
const CLIENT: &str = "lathe.dev/client";

/// The annotation that says which of the client's credentials it holds.
const GENERATION: &str = "lathe.dev/client-generation";

/// The key of the state's text.
const STATE: &str = "state";

/// Secrets of one type in one namespace.
pub struct StateSecrets<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The ops namespace.
    pub namespace: &'a str,
    /// Their type.
    pub kind: &'a str,
}

/// One of them, as it was read.
#[derive(Clone)]
pub struct StateSecret {
    /// Its name.
    pub name: String,
    /// What it keeps.
    pub text: String,
    /// Its version.
    pub version: String,
}

/// A Secret for an application, as it is.
pub struct ClientSecret {
    /// The client that it was written for; `None` where somebody else made it.
    pub key: Option<String>,
    /// Which of the client's credentials it holds.
    pub generation: u64,
    /// Whether it is a member of the set.
    pub is_member: bool,
    /// What it holds.
    pub values: BTreeMap<String, Vec<u8>>,
    /// Whether others have written values to it as well.
    has_others: bool,
    uid: String,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Secret>,
}

impl StateSecrets<'_> {
    fn requests(&self) -> Requests {
        Requests::of(self.cluster)
    }

    /// Reads one; `None` where there is none.
    pub async fn read(&self, name: &str) -> Result<Option<StateSecret>, RequestError> {
        let Some(text) = self.requests().find(&ops::secret(self.namespace, name), Ask::Read).await? else {
            return Ok(None);
        };
        Ok(state(&self.requests().parse(&text)?))
    }

    /// Those with these labels.
    pub async fn list(&self, labels: &BTreeMap<String, String>) -> Result<Vec<StateSecret>, RequestError> {
        let labels = labels.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())));
        let path = format!("{}?{}", ops::secret(self.namespace, ""), ops::selector(labels));
        let Some(text) = self.requests().find(&path, Ask::Read).await? else { return Ok(Vec::new()) };
        let list: List = self.requests().parse(&text)?;
        let own = list.items.iter().filter(|secret| secret.type_.as_deref() == Some(self.kind));
        Ok(own.filter_map(state).collect())
    }

    /// Creates one; `None` where there is one already. The namespace is made where it is missing.
    pub async fn create(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        text: &str,
    ) -> Result<Option<String>, RequestError> {
        let folder = format!("{}?fieldManager={CLIENT_MANAGER}", ops::secret(self.namespace, ""));
        let body = self.body(name, labels, text, None);
        let requests = self.requests();
        for attempt in 0..2 {
            match requests.send(&folder, Ask::Create(&body)).await {
                Ok(text) => return Ok(state(&requests.parse(&text)?).map(|state| state.version)),
                Err(RequestError::Answered(status)) if status.code == 409 => return Ok(None),
                Err(RequestError::Answered(status)) if status.code == 404 && attempt == 0 => {
                    ops::ensure(&requests, self.namespace).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Replaces one; `None` where it is not as it was read any more.
    pub async fn replace(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        text: &str,
        version: &str,
    ) -> Result<Option<String>, RequestError> {
        let path = format!("{}?fieldManager={CLIENT_MANAGER}", ops::secret(self.namespace, name));
        let requests = self.requests();
        match requests.send(&path, Ask::Replace(&self.body(name, labels, text, Some(version)))).await {
            Ok(text) => Ok(state(&requests.parse(&text)?).map(|state| state.version)),
            Err(RequestError::Answered(status)) if matches!(status.code, 404 | 409) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes one away, where it is as it was read.
    pub async fn remove(&self, name: &str, version: &str) -> Result<(), RequestError> {
        let options = object!({
            "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"resourceVersion": version},
        });
        let path = ops::secret(self.namespace, name);
        match self.requests().find(&path, Ask::Delete(&options.to_string())).await {
            Err(RequestError::Answered(status)) if status.code == 409 => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    fn body(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
        text: &str,
        version: Option<&str>,
    ) -> String {
        let mut metadata = object!({"name": name, "namespace": self.namespace, "labels": labels});
        if let (Some(version), Some(metadata)) = (version, metadata.as_object_mut()) {
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
        let data = object!({ STATE: text });
        object!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": self.kind, "stringData": data})
            .to_string()
    }
}

fn state(secret: &Secret) -> Option<StateSecret> {
    let text = secret.data.as_ref()?.get(STATE)?;
    let text = String::from_utf8(text.0.clone()).ok()?;
    let name = secret.metadata.name.clone()?;
    Some(StateSecret { name, text, version: secret.metadata.resource_version.clone()? })
}

impl Set {
    /// Reads a Secret of the environment that an application reads; `None` where there is none.
    pub async fn client_secret(
        &self,
        cluster: &Cluster,
        namespace: &str,
        name: &str,
    ) -> Result<Option<ClientSecret>, RequestError> {
        let Some(secret) = cluster.secret(namespace, name).await? else { return Ok(None) };
        let annotation = |name: &str| secret.metadata.annotations.as_ref()?.get(name).cloned();
        let noted = secret.metadata.managed_fields.iter().flatten();
        let mut others = noted.filter(|entry| entry.manager.as_deref() != Some(CLIENT_MANAGER));
        let has_others = others
            .any(|entry| entry.fields_v1.as_ref().is_some_and(|fields| fields.0.get("f:data").is_some()));
        let part_of = secret.metadata.labels.as_ref().and_then(|labels| labels.get(PART_OF));
        Ok(Some(ClientSecret {
            key: annotation(CLIENT),
            generation: annotation(GENERATION).and_then(|text| text.parse().ok()).unwrap_or_default(),
            is_member: part_of == Some(&self.id()),
            has_others,
            uid: secret.metadata.uid.clone().unwrap_or_default(),
            values: secret
                .data
                .unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (name, value.0))
                .collect(),
        }))
    }

    /// Writes the Secret of a client. Its keys and annotations are the client's; what else it holds stays.
    pub async fn write_client_secret(
        &self,
        cluster: &Cluster,
        [namespace, name]: [&str; 2],
        (key, generation): (&str, u64),
        values: &BTreeMap<String, String>,
    ) -> Result<(), RequestError> {
        let data: BTreeMap<&String, String> =
            values.iter().map(|(name, value)| (name, STANDARD.encode(value))).collect();
        let body = object!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": self.labels(),
                "annotations": { CLIENT: key, GENERATION: generation.to_string() },
            },
            "data": data,
        });
        let path = format!("{}?fieldManager={CLIENT_MANAGER}&force=true", ops::secret(namespace, name));
        Requests::of(cluster).send(&path, Ask::Apply(&body.to_string())).await.map(drop)
    }

    /// Takes the Secret of a client away, or of one that others share the client's keys.
    pub async fn remove_client_secret(
        &self,
        cluster: &Cluster,
        [namespace, name]: [&str; 2],
        key: &str,
    ) -> Result<(), RequestError> {
        let Some(secret) = self.client_secret(cluster, namespace, name).await? else { return Ok(()) };
        if secret.key.as_deref() != Some(key) {
            return Ok(());
        }
        let (requests, path) = (Requests::of(cluster), ops::secret(namespace, name));
        if secret.is_member || secret.has_others {
            // An apply of nothing takes back what this manager gave.
            let body = object!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}});
            let path = format!("{path}?fieldManager={CLIENT_MANAGER}&force=true");
            return requests.find(&path, Ask::Apply(&body.to_string())).await.map(drop);
        }
        let options =
            object!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": secret.uid}});
        match requests.find(&path, Ask::Delete(&options.to_string())).await {
            Err(RequestError::Answered(status)) if status.code == 409 => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

//! What is read of a cluster apart from an apply: Secrets, and which cluster it is.

use k8s_openapi::api::core::v1::{Namespace, Secret};

use crate::connect::Cluster;
use crate::discovery::encode;
use crate::ops;
use crate::request::{Ask, RequestError, Requests};

impl Cluster {
    /// Whether there is such a namespace.
    pub async fn has_namespace(&self, name: &str) -> Result<bool, RequestError> {
        let path = format!("/api/v1/namespaces/{}", encode(name));
        Ok(Requests::of(self).find(&path, Ask::Read).await?.is_some())
    }

    /// What tells this cluster from all others: the uid of its namespace `kube-system`, which nobody can choose.
    pub async fn uid(&self) -> Result<String, RequestError> {
        let text = Requests::of(self).send("/api/v1/namespaces/kube-system", Ask::Read).await?;
        let namespace: Option<Namespace> = serde_json::from_str(&text).ok();
        namespace.and_then(|namespace| namespace.metadata.uid).ok_or_else(|| RequestError::Unreachable {
            server: self.server.clone(),
            why: "its answer is not the namespace kube-system".to_owned(),
        })
    }

    /// Reads a Secret; `None` where there is none. Names that no Secret can have name none.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, RequestError> {
        let is_name = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        if !is_name(namespace) || !is_name(name) {
            return Ok(None);
        }
        match Requests::of(self).find(&ops::secret(namespace, name), Ask::Read).await? {
            // Nothing of the answer is told: it holds values.
            Some(text) => serde_json::from_str(&text).map(Some).map_err(|_| RequestError::Unreachable {
                server: self.server.clone(),
                why: format!("its answer is not Secret {namespace}/{name}"),
            }),
            None => Ok(None),
        }
    }
}

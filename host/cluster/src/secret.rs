//! Secrets as they are on the cluster.

use k8s_openapi::api::core::v1::Secret;

use crate::connect::Cluster;
use crate::request::{RequestError, Requests};

impl Cluster {
    /// Reads a Secret; `None` where there is none. Names that no Secret can have name none.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, RequestError> {
        let is_name = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        if !is_name(namespace) || !is_name(name) {
            return Ok(None);
        }
        let requests = Requests { client: self.client.clone(), server: self.server.clone() };
        let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
        match requests.send(&path, None).await {
            // Nothing of the answer is told: it holds values.
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|_| RequestError::Unreachable {
                server: self.server.clone(),
                why: format!("its answer is not Secret {namespace}/{name}"),
            }),
            Err(RequestError::Answered(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }
}

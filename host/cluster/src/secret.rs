//! Secrets as they are on the cluster.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::connect::Cluster;
use crate::request::{RequestError, Requests};

/// What is read of a Secret.
#[derive(Default)]
pub struct Secret {
    /// Its `data`, decoded.
    pub data: BTreeMap<String, Vec<u8>>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Live {
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Cluster {
    /// Reads a Secret; `None` where there is none. Names that no Secret can have name none.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, RequestError> {
        let is_name = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        if !is_name(namespace) || !is_name(name) || name.starts_with('.') || namespace.starts_with('.') {
            return Ok(None);
        }
        let requests = Requests { client: self.client.clone(), server: self.server.clone() };
        let text = match requests.send(&format!("/api/v1/namespaces/{namespace}/secrets/{name}"), None).await
        {
            Ok(text) => text,
            Err(RequestError::Answered(status)) if status.code == 404 => return Ok(None),
            Err(error) => return Err(error),
        };
        // Nothing of the answer is told: it holds values.
        let unreadable = || RequestError::Unreachable {
            server: self.server.clone(),
            why: format!("its answer is not Secret {namespace}/{name}"),
        };
        let live: Live = serde_json::from_str(&text).map_err(|_| unreadable())?;
        let data = live.data.unwrap_or_default().into_iter();
        let data = data.map(|(key, value)| Ok((key, STANDARD.decode(value).map_err(|_| unreadable())?)));
        let data = data.collect::<Result<_, RequestError>>()?;
        Ok(Some(Secret { data, annotations: live.metadata.annotations.unwrap_or_default() }))
    }
}

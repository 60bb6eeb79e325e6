//! The ops namespace: where what Lathe knows of sets, leases and turns is kept, away from the environments themselves.

use crate::discovery::encode;
use crate::request::{Ask, RequestError, Requests};

/// The path of a Secret; without a name of all Secrets.
pub(crate) fn secret(namespace: &str, name: &str) -> String {
    let folder = format!("/api/v1/namespaces/{}/secrets", encode(namespace));
    if name.is_empty() { folder } else { format!("{folder}/{}", encode(name)) }
}

/// The path of a Lease; without a name of all Leases.
pub(crate) fn lease(namespace: &str, name: &str) -> String {
    let folder = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", encode(namespace));
    if name.is_empty() { folder } else { format!("{folder}/{}", encode(name)) }
}

/// A query for what has these labels; one without a value only has to be there.
pub(crate) fn selector<'a>(labels: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let parts = labels.into_iter().map(|(name, value)| match value {
        Some(value) => format!("{}%3D{}", encode(name), encode(value)),
        None => encode(name),
    });
    format!("labelSelector={}", parts.collect::<Vec<_>>().join("%2C"))
}

/// Makes the namespace where it is missing.
pub(crate) async fn ensure(requests: &Requests, namespace: &str) -> Result<(), RequestError> {
    match requests.find(&format!("/api/v1/namespaces/{}", encode(namespace)), Ask::Read).await {
        Ok(Some(_)) => return Ok(()),
        Ok(None) => {}
        Err(RequestError::Answered(status)) if status.code == 403 => {}
        Err(error) => return Err(error),
    }
    let body = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    match requests.send("/api/v1/namespaces", Ask::Create(&body.to_string())).await {
        Ok(_) => Ok(()),
        // Somebody else was faster.
        Err(RequestError::Answered(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error),
    }
}

//! The ops namespace: where what Lathe knows of sets, leases and turns is kept, away from the environments themselves.

use crate::request::{Ask, RequestError, Requests};

/// The path of a Secret.
pub(crate) fn secret(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/secrets/{name}")
}

/// Makes the namespace where it is missing. Who may not look at namespaces may still use one that is there.
pub(crate) async fn ensure(requests: &Requests, namespace: &str) -> Result<(), RequestError> {
    match requests.find(&format!("/api/v1/namespaces/{namespace}"), Ask::Read).await {
        Ok(Some(_)) => return Ok(()),
        Ok(None) => {}
        Err(RequestError::Answered(status)) if status.code == 403 => return Ok(()),
        Err(error) => return Err(error),
    }
    let body = format!(r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{namespace}"}}}}"#);
    match requests.send("/api/v1/namespaces", Ask::Create(&body)).await {
        Ok(_) => Ok(()),
        // Somebody else was faster.
        Err(RequestError::Answered(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(error),
    }
}

//! Whose a namespace is, by the labels that it carries.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use lathe_manifest::Object;

use crate::discovery::is_namespace;
use crate::outcome::Failure;
use crate::request::{RequestError, Requests};

/// The environment that a namespace has to belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The namespace.
    pub namespace: String,
    /// The labels that it carries where it is the environment's.
    pub labels: BTreeMap<String, String>,
    /// Whether somebody else made the namespace: labels that it does not carry are no sign of another owner then.
    pub given: bool,
    /// What the names of the environment's own cluster-scoped roles and bindings end in.
    pub suffix: String,
}

impl Owner {
    /// Whether a cluster-scoped object is the environment's own: its Namespace, or a role or binding under a name of its own.
    pub(crate) fn may_have(&self, object: &Object) -> bool {
        let role = matches!(object.kind(), "ClusterRole" | "ClusterRoleBinding")
            && object.group() == "rbac.authorization.k8s.io";
        is_namespace(object) && object.name() == self.namespace
            || role && object.name().ends_with(&self.suffix)
    }

    /// Why the namespace that is on the cluster is somebody else's, if it is. Where the set holds the Namespace, its own plan tells of a
    /// server that does not show it.
    pub(crate) async fn refusal(
        &self,
        requests: &Requests,
        is_in_set: bool,
    ) -> Result<Option<Failure>, RequestError> {
        let namespaces: Api<Namespace> = Api::all(requests.client());
        let refused = |told: String| Ok(Some(Failure::new(format!("Namespace/{}", self.namespace), told)));
        let live = match namespaces.get_opt(&self.namespace).await.map_err(|error| requests.error(error)) {
            Ok(Some(live)) => live,
            Ok(None) => return Ok(None),
            Err(RequestError::Answered(status)) if (is_in_set || self.given) && status.code == 403 => {
                return Ok(None);
            }
            Err(RequestError::Answered(status)) => {
                return refused(format!("whose it is cannot be seen: {}", status.message));
            }
            Err(error) => return Err(error),
        };
        let has = live.metadata.labels.unwrap_or_default();
        let differs = |(name, value): &(&String, &String)| match has.get(*name) {
            Some(other) => other != *value,
            None => !self.given,
        };
        let wrong: Vec<String> = (self.labels.iter().filter(differs))
            .map(|(name, value)| match has.get(name) {
                Some(other) => format!("{name} is {other:?} there and {value:?} here"),
                None => format!("{name} is not there and {value:?} here"),
            })
            .collect();
        if wrong.is_empty() {
            return Ok(None);
        }
        refused(format!("it is there and not this environment's: {}", wrong.join(", ")))
    }
}

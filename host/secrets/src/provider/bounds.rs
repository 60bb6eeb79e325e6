//! What an operator lets pipelines read.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::error::Why;
use crate::reference::is_at;

/// What may be read. What is left out is not restricted.
#[derive(Clone, Debug, Default, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// The only types of providers: `env`, `file`, `kubernetes`, `openbao`, `sops`, `vault`.
    #[serde(deserialize_with = "given")]
    pub providers: Option<BTreeSet<String>>,
    /// The only addresses of servers, such as `https://bao.example.org`.
    #[serde(deserialize_with = "given")]
    pub addresses: Option<BTreeSet<String>>,
    /// The only secrets, each with all below it: `kv/portal`, `kv/portal#key`, `[namespace]kv/portal`, `env://NAME`, `file://folder`, `sops://file.yaml`,
    /// `k8s://v1/Secret/namespace`.
    #[serde(deserialize_with = "given")]
    pub paths: Option<BTreeSet<String>>,
}

/// A bound that is there; one that was left empty must not pass for none.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Bounds {
    /// Whether a credential may be taken from there: a type of provider, and a path such as `env://NAME`. An error is why not.
    pub fn judge(&self, kind: &str, path: &str) -> Result<(), String> {
        self.provider(kind).and_then(|()| self.path(path)).map_err(|why| why.to_string())
    }

    pub(super) fn provider(&self, kind: &str) -> Result<(), Why> {
        match &self.providers {
            Some(allowed) if !allowed.contains(kind) => {
                Err(Why::Policy(format!("the policy does not allow providers of type {kind}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn address(&self, address: &str) -> Result<(), Why> {
        let same = |allowed: &String| allowed.trim_end_matches('/') == address.trim_end_matches('/');
        match &self.addresses {
            Some(allowed) if !allowed.iter().any(same) => {
                Err(Why::Policy(format!("the policy does not allow the address {address}")))
            }
            _ => Ok(()),
        }
    }

    /// Whether what lies at a path may be read, a key with it.
    pub(super) fn path(&self, path: &str) -> Result<(), Why> {
        match &self.paths {
            Some(allowed) if !allowed.iter().any(|allowed| is_at(path, allowed)) => {
                Err(Why::Policy(format!("the policy does not allow `{path}`")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a document may be read, for some key of it.
    pub(super) fn document(&self, path: &str) -> Result<(), Why> {
        let key = |allowed: &String| allowed.strip_prefix(path).is_some_and(|rest| rest.starts_with('#'));
        if self.paths.as_ref().is_some_and(|allowed| allowed.iter().any(key)) {
            Ok(())
        } else {
            self.path(path)
        }
    }
}

//! Which objects a transform sees.

use std::collections::BTreeMap;

use lathe_manifest::{Object, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Matches objects that have all of what it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selector {
    /// API group; `""` is the core group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Namespace as it stands when the transform runs; `""` is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels, each with its value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Selector {
    /// Whether the object has all of it.
    pub fn matches(&self, object: &Object) -> bool {
        let is = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|wanted| wanted == have);
        is(&self.group, object.group())
            && is(&self.kind, object.kind())
            && is(&self.namespace, object.namespace())
            && is(&self.name, object.name())
            && self.labels.iter().all(|(name, value)| {
                let label =
                    object.value.get("metadata").and_then(|m| m.get("labels")).and_then(|l| l.get(name));
                label.and_then(Value::as_str) == Some(value)
            })
    }
}

/// One selector or several; an object that any of them matches is matched.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Deserialize)]
#[serde(untagged, expecting = "a selector (group, kind, namespace, name, labels) or a list of them")]
pub(crate) enum Selectors {
    One(Selector),
    Many(Vec<Selector>),
}

impl From<Selectors> for Vec<Selector> {
    fn from(selectors: Selectors) -> Self {
        match selectors {
            Selectors::One(selector) => vec![selector],
            Selectors::Many(selectors) => selectors,
        }
    }
}

//! What a transform is given.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::lathe::transform::types;

/// One call's input.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The pipeline entry's `config`.
    pub config: Value,
    /// The environment that is rendered.
    pub environment: Environment,
    /// The objects that the entry matches, in canonical order.
    pub objects: Vec<Object>,
}

impl Request {
    /// The config as the plugin's own type.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(&self.config).map_err(|error| format!("config: {error}"))
    }
}

/// The environment that is rendered.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Environment {
    /// Its name in the pipeline.
    pub name: String,
    /// The project it belongs to.
    pub project: String,
    /// Its namespace.
    pub namespace: String,
    /// What review it is, if it is one.
    pub review: Option<Review>,
    /// Source host → target host.
    pub hosts: BTreeMap<String, String>,
}

/// The identity of a review environment.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Review {
    /// The id, such as a merge request's number.
    pub id: String,
    /// The name part made from it, unique among projects.
    pub slug: String,
}

/// One Kubernetes object of the request.
#[derive(Clone, Debug, Default)]
pub struct Object {
    /// Its name in edits: the position in the request.
    pub key: u32,
    /// `v1`, `apps/v1`, …
    pub api_version: String,
    /// `Deployment`, …
    pub kind: String,
    /// Namespace, empty where the manifest names none.
    pub namespace: String,
    /// Name, empty with generateName.
    pub name: String,
    /// The whole object. Values of Secrets are sealed: they are tokens.
    pub value: Value,
}

impl Object {
    /// The API group, empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version.rsplit_once('/').map_or("", |(group, _)| group)
    }

    /// Whether the object is of this group and kind.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.kind == kind && self.group() == group
    }
}

impl TryFrom<types::Request> for Request {
    type Error = String;

    fn try_from(request: types::Request) -> Result<Self, String> {
        let parse = |what: &str, text: &str| -> Result<Value, String> {
            let mut deserializer = serde_json::Deserializer::from_str(text);
            deserializer.disable_recursion_limit();
            Value::deserialize(&mut deserializer).map_err(|error| format!("{what} is no JSON: {error}"))
        };
        let environment = Environment::deserialize_json(&request.environment)?;
        let mut objects = Vec::with_capacity(request.objects.len());
        for (key, object) in (0..).zip(request.objects) {
            objects.push(Object {
                key,
                value: parse("an object", &object.json)?,
                api_version: object.api_version,
                kind: object.kind,
                namespace: object.namespace,
                name: object.name,
            });
        }
        Ok(Self { config: parse("config", &request.config)?, environment, objects })
    }
}

impl Environment {
    fn deserialize_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("environment: {error}"))
    }
}

/// Calls `visit` with the JSON pointer and text of each string value in the tree.
pub fn each_string(value: &Value, visit: &mut impl FnMut(&str, &str)) {
    fn walk(value: &Value, at: &mut String, visit: &mut impl FnMut(&str, &str)) {
        let length = at.len();
        let mut step = |token: &str, value: &Value, at: &mut String| {
            at.push('/');
            at.push_str(token);
            walk(value, at, visit);
            at.truncate(length);
        };
        match value {
            Value::String(text) => visit(at, text),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    step(&index.to_string(), item, at);
                }
            }
            Value::Object(map) => {
                for (key, value) in map {
                    step(&escape(key), value, at);
                }
            }
            _ => {}
        }
    }
    walk(value, &mut String::new(), visit);
}

/// A member's name as a JSON pointer's token (RFC 6901).
pub fn escape(token: &str) -> Cow<'_, str> {
    if token.contains(['~', '/']) {
        Cow::Owned(token.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(token)
    }
}

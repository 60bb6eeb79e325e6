//! Runs the plugin natively: a host that binds clients, and an applier of edits.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "it is a test that fails")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lathe_plugin_aai_client::transform_with;
use lathe_sdk::oidc_clients::Binding;
use lathe_sdk::{Environment, Object, Outcome, Request, Review, Value, json};

/// What goes in.
#[derive(Clone)]
pub(crate) struct Given {
    clients: Vec<Value>,
    environment: Environment,
    objects: Vec<Value>,
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) objects: Vec<Value>,
    pub(crate) findings: Vec<(String, String)>,
    pub(crate) intents: Vec<Value>,
}

impl Given {
    pub(crate) fn new(client: Value, namespace: &str, objects: Vec<Value>) -> Self {
        let environment = Environment { namespace: namespace.to_owned(), ..Environment::default() };
        Self { clients: vec![client], environment, objects }
    }

    pub(crate) fn review(mut self, hosts: &[(&str, &str)]) -> Self {
        self.environment.review = Some(Review::default());
        self.environment.hosts = hosts.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        self
    }

    pub(crate) fn with(mut self, member: &str, value: Value) -> Self {
        self.clients[0][member] = value;
        self
    }

    pub(crate) fn and(mut self, client: Value) -> Self {
        self.clients.push(client);
        self
    }

    pub(crate) fn try_once(&self) -> Result<Done, String> {
        let objects = (0..).zip(&self.objects).map(|(key, value)| {
            let text = |at: &str| value.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
            Object {
                key,
                api_version: text("/apiVersion"),
                kind: text("/kind"),
                namespace: text("/metadata/namespace"),
                name: text("/metadata/name"),
                value: value.clone(),
            }
        });
        let config = json!({"clients": self.clients});
        let request = Request { config, environment: self.environment.clone(), objects: objects.collect() };
        let mut intents = Vec::new();
        let outcome = transform_with(&request, |intent| {
            let intent: Value = serde_json::from_str(intent).unwrap();
            let binding = bind(&intent);
            intents.push(intent);
            binding
        })?;
        let findings = outcome.findings().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        Ok(Done { objects: apply(&self.objects, outcome), findings, intents })
    }

    /// Runs; asserts that a second run has nothing to change, and that the order of objects does not matter.
    pub(crate) fn run(&self) -> Done {
        let done = self.try_once().unwrap();
        let again = Self { objects: done.objects.clone(), ..self.clone() }.try_once().unwrap();
        assert_eq!(again.objects, done.objects);
        let mut turned = Self { objects: self.objects.iter().rev().cloned().collect(), ..self.clone() };
        let mut other = turned.try_once().unwrap();
        other.objects.reverse();
        assert_eq!(other.objects, done.objects);
        turned.objects.clear();
        done
    }
}

impl Done {
    pub(crate) fn codes(&self) -> Vec<&str> {
        self.findings.iter().map(|(code, _)| code.as_str()).collect()
    }

    /// Variables of the first container of an object.
    pub(crate) fn env(&self, object: usize) -> BTreeMap<String, Value> {
        let env = &self.objects[object]["spec"]["template"]["spec"]["containers"][0]["env"];
        let items = env.as_array().into_iter().flatten();
        items.map(|item| (item["name"].as_str().unwrap().to_owned(), item.clone())).collect()
    }
}

/// What the host answers.
fn bind(intent: &Value) -> Binding {
    let mut fields = vec!["client-id"];
    if intent["authMethod"] != "none" {
        fields.push("client-secret");
    }
    fields.push("issuer");
    if !intent["issuer"].is_null() {
        fields.extend([
            "authorization-endpoint",
            "token-endpoint",
            "userinfo-endpoint",
            "end-session-endpoint",
            "jwks-uri",
        ]);
    }
    let keys = fields.into_iter().map(|field| {
        let key = if field == "issuer" { "issuer-uri" } else { field };
        (field.to_owned(), key.to_owned())
    });
    Binding { secret_name: intent["secretName"].as_str().unwrap().to_owned(), keys: keys.collect() }
}

fn apply(objects: &[Value], outcome: Outcome) -> Vec<Value> {
    let mut objects: Vec<Option<Value>> = objects.iter().cloned().map(Some).collect();
    for (object, edit) in edits(outcome) {
        match edit {
            Edit::Drop => objects[object] = None,
            Edit::Set(at, value) => put(objects[object].as_mut().unwrap(), &at, value),
            Edit::Insert(at, value) => {
                let list = at.strip_suffix("/-").unwrap();
                let items = objects[object].as_mut().unwrap().pointer_mut(list).unwrap();
                items.as_array_mut().unwrap().push(value);
            }
            Edit::Remove(at) => {
                let (parent, last) = at.rsplit_once('/').unwrap();
                match objects[object].as_mut().unwrap().pointer_mut(parent).unwrap() {
                    Value::Array(items) => drop(items.remove(last.parse().unwrap())),
                    Value::Object(map) => {
                        let key = last.replace("~1", "/").replace("~0", "~");
                        assert!(map.remove(&key).is_some());
                    }
                    _ => panic!("{at}"),
                }
            }
        }
    }
    objects.into_iter().flatten().collect()
}

fn put(object: &mut Value, at: &str, value: Value) {
    let (parent, last) = at.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value,
        Value::Object(map) => drop(map.insert(last.replace("~1", "/").replace("~0", "~"), value)),
        _ => panic!("{at}"),
    }
}

enum Edit {
    Set(String, Value),
    Insert(String, Value),
    Remove(String),
    Drop,
}

fn edits(outcome: Outcome) -> Vec<(usize, Edit)> {
    use lathe_sdk::bindings::lathe::transform::types;
    let key = |object: u32| usize::try_from(object).unwrap();
    let value = |write: &types::Write| serde_json::from_str(&write.value).unwrap();
    let edits = types::Outcome::from(outcome).edits;
    let read = edits.into_iter().map(|edit| match edit {
        types::Edit::Set(write) => (key(write.at.object), Edit::Set(write.at.pointer.clone(), value(&write))),
        types::Edit::Insert(write) => {
            (key(write.at.object), Edit::Insert(write.at.pointer.clone(), value(&write)))
        }
        types::Edit::Remove(at) => (key(at.object), Edit::Remove(at.pointer)),
        types::Edit::DropObject(object) => (key(object), Edit::Drop),
        types::Edit::AddObject(text) => panic!("{text}"),
    });
    read.collect()
}

/// Base64 of a text.
pub(crate) fn b64(text: &str) -> String {
    STANDARD.encode(text)
}

/// A `ConfigMap`.
pub(crate) fn map(name: &str, namespace: &str, data: &[(&str, &str)]) -> Value {
    let data: BTreeMap<_, _> = data.iter().copied().collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data})
}

/// A Deployment with one container.
pub(crate) fn deployment(name: &str, namespace: &str, container: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"containers": [container]}}}})
}

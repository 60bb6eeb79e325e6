//! Puts labels on objects, takes annotations off, replaces text in `ConfigMap`s and adds a toleration to workloads.

use std::collections::BTreeMap;

use lathe_sdk::{Descriptor, Location, Object, Outcome, Request, Scope, Transform, Value, json};
use serde::Deserialize;

/// The plugin.
pub struct Stamp;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Config {
    labels: BTreeMap<String, String>,
    remove_annotations: Vec<String>,
    /// Sorted by the bytes of what is replaced.
    replace: BTreeMap<String, String>,
    toleration: Option<String>,
}

impl Transform for Stamp {
    fn describe() -> Descriptor {
        Descriptor {
            name: "stamp",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Puts labels on objects, replaces text in ConfigMaps, adds a toleration",
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "removeAnnotations": {"type": "array", "items": {"type": "string"}},
                    "replace": {
                        "type": "object",
                        "propertyNames": {"minLength": 1},
                        "additionalProperties": {"type": "string"},
                    },
                    "toleration": {"type": "string"},
                },
            }),
            scope: Scope::Object,
        }
    }

    fn transform(request: &Request) -> Result<Outcome, String> {
        let config: Config = request.config()?;
        let mut outcome = Outcome::default();
        for object in request.objects.iter().filter(|object| object.value["metadata"].is_object()) {
            outcome.edit(object, |value| stamp(object, value, &config));
            if object.is("", "Namespace") {
                let at = Location { object: object.key, pointer: String::new() };
                outcome.info("namespace-stamped", format!("Namespace {} is stamped", object.name), Some(at));
            }
        }
        Ok(outcome)
    }
}

lathe_sdk::register!(Stamp);

fn stamp(object: &Object, value: &mut Value, config: &Config) {
    put_labels(&mut value["metadata"], &config.labels);
    remove_annotations(&mut value["metadata"], &config.remove_annotations);
    if object.is("", "ConfigMap") {
        replace(value, &config.replace);
    }
    let workload = ["Deployment", "StatefulSet", "DaemonSet"].contains(&object.kind.as_str());
    if let Some(key) = config.toleration.as_ref().filter(|_| workload && object.group() == "apps") {
        tolerate(value, key);
    }
}

fn put_labels(metadata: &mut Value, labels: &BTreeMap<String, String>) {
    if labels.is_empty() {
        return;
    }
    if metadata["labels"].is_null() {
        metadata["labels"] = json!({});
    }
    if let Some(present) = metadata["labels"].as_object_mut() {
        present.extend(labels.iter().map(|(key, label)| (key.clone(), Value::from(label.as_str()))));
    }
}

fn remove_annotations(metadata: &mut Value, keys: &[String]) {
    let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else { return };
    let removed = keys.iter().filter(|key| annotations.remove(*key).is_some()).count();
    if removed > 0 && annotations.is_empty() {
        metadata.as_object_mut().map(|metadata| metadata.remove("annotations"));
    }
}

fn replace(config_map: &mut Value, replacements: &BTreeMap<String, String>) {
    let data = config_map.get_mut("data").and_then(Value::as_object_mut);
    for (_, item) in data.into_iter().flatten() {
        if let Value::String(text) = item {
            for (from, to) in replacements {
                *text = text.replace(from.as_str(), to);
            }
        }
    }
}

fn tolerate(workload: &mut Value, key: &str) {
    let Some(pod) = workload.pointer_mut("/spec/template/spec").filter(|pod| pod.is_object()) else { return };
    if pod["tolerations"].is_null() {
        pod["tolerations"] = json!([]);
    }
    if let Some(list) = pod["tolerations"].as_array_mut()
        && !list.iter().any(|item| item["key"] == key)
    {
        list.push(json!({"key": key, "operator": "Exists"}));
    }
}

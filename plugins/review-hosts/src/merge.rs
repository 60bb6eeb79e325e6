//! Objects of several namespaces in one: what was apart there and meets here.

use std::collections::{BTreeMap, BTreeSet};

use lathe_sdk::{Location, Object, Outcome, Value};

use crate::config::Config;

/// Reports Services that would select pods of another namespace of the input as well, and Secrets that two would write.
pub(crate) fn check(objects: &[Object], config: &Config, outcome: &mut Outcome) {
    let staying = || objects.iter().filter(|object| !object.namespace.is_empty() && !config.drops(object));
    let namespaces: BTreeSet<&str> = staying().map(|object| object.namespace.as_str()).collect();
    if namespaces.len() < 2 {
        return;
    }
    let mut pods: BTreeMap<(&str, &str), Vec<&Object>> = BTreeMap::new();
    for object in staying() {
        for (label, value) in labels(object).and_then(Value::as_object).into_iter().flatten() {
            pods.entry((label, value.as_str().unwrap_or_default())).or_default().push(object);
        }
    }
    let mut report = |object: &Object, pointer: &str, told: String| {
        let at = Location { object: object.key, pointer: pointer.to_owned() };
        outcome.error("namespace-clash", told, Some(at));
    };
    for service in staying().filter(|object| object.is("", "Service")) {
        let Some(selector) = service.value["spec"]["selector"].as_object() else { continue };
        let Some((label, value)) = selector.iter().next() else { continue };
        let candidates = pods.get(&(label.as_str(), value.as_str().unwrap_or_default()));
        let selects = |object: &&&Object| {
            let labels = labels(object);
            selector.iter().all(|(label, value)| labels.and_then(|labels| labels.get(label)) == Some(value))
        };
        let other = candidates
            .into_iter()
            .flatten()
            .filter(|object| object.namespace != service.namespace)
            .find(selects);
        if let Some(other) = other {
            let told = format!(
                "in one namespace this selects pods of {}/{} of `{}` as well; make the labels differ",
                other.kind, other.name, other.namespace
            );
            report(service, "/spec/selector", told);
        }
    }
    let mut secrets: BTreeMap<&str, &Object> = BTreeMap::new();
    for object in staying() {
        let at = match (object.group(), object.kind.as_str()) {
            ("cert-manager.io", "Certificate") => "/spec/secretName",
            ("external-secrets.io", "ExternalSecret") => "/spec/target/name",
            ("", "Secret") => "/metadata/name",
            _ => continue,
        };
        let Some(name) = object.value.pointer(at).and_then(Value::as_str) else { continue };
        match secrets.get(name) {
            Some(other)
                if other.namespace != object.namespace
                    && (at, other.kind.as_str()) != ("/metadata/name", "Secret") =>
            {
                let told = format!(
                    "{}/{} of `{}` writes the Secret `{name}` as well",
                    other.kind, other.name, other.namespace
                );
                report(object, at, told);
            }
            Some(_) => {}
            None => drop(secrets.insert(name, object)),
        }
    }
}

/// The labels of the pods that the object makes, or is.
fn labels(object: &Object) -> Option<&Value> {
    let (at, _) = crate::pod::spec(object)?;
    let around = at.strip_suffix("/spec")?;
    object.value.pointer(&format!("{around}/metadata/labels"))
}

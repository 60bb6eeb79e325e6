//! Where objects hold pods, and what a pod reads.

use std::collections::BTreeSet;

use lathe_sdk::{Object, Value};

/// The lists of containers that can be wired.
pub(crate) const LISTS: [&str; 2] = ["initContainers", "containers"];

/// Where the pod of a workload is, and what it is.
pub(crate) fn spec(object: &Object) -> Option<(&'static str, &Value)> {
    let at = match (object.group(), object.kind.as_str()) {
        ("", "Pod") => "/spec",
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => {
            "/spec/template/spec"
        }
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    };
    Some((at, object.value.pointer(at)?))
}

/// Whether the container reads the Secret into its environment.
pub(crate) fn container_uses(container: &Value, secret: &str) -> bool {
    sources_of_container(container).any(|(kind, name)| kind == "Secret" && name == secret)
}

/// Whether the pod has the Secret as files.
pub(crate) fn mounts(spec: &Value, secret: &str) -> bool {
    sources_of_volumes(spec).any(|(kind, name)| kind == "Secret" && name == secret)
}

/// Kind and name of each `ConfigMap` and Secret that the pod reads.
pub(crate) fn sources(spec: &Value) -> BTreeSet<(&'static str, &str)> {
    let containers = LISTS.into_iter().flat_map(|list| items(&spec[list]));
    containers.flat_map(sources_of_container).chain(sources_of_volumes(spec)).collect()
}

/// Kind, name and key of each single key that a pod's variables and files come from, and where they stand.
pub(crate) fn key_references(spec: &Value) -> Vec<(&'static str, &str, &str, String)> {
    let mut found = Vec::new();
    for list in LISTS {
        for (index, container) in items(&spec[list]).enumerate() {
            for (number, variable) in items(&container["env"]).enumerate() {
                for (kind, from) in [("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")] {
                    let reference = &variable["valueFrom"][from];
                    if let (Some(name), Some(key)) = (reference["name"].as_str(), reference["key"].as_str()) {
                        found.push((kind, name, key, format!("/{list}/{index}/env/{number}")));
                    }
                }
            }
        }
    }
    for (number, volume) in items(&spec["volumes"]).enumerate() {
        let own = [("Secret", &volume["secret"], "secretName"), ("ConfigMap", &volume["configMap"], "name")];
        let projected = items(&volume["projected"]["sources"]).flat_map(|source| {
            [("Secret", &source["secret"], "name"), ("ConfigMap", &source["configMap"], "name")]
        });
        for (kind, from, named) in own.into_iter().chain(projected) {
            for key in items(&from["items"]).filter_map(|item| item["key"].as_str()) {
                if let Some(name) = from[named].as_str() {
                    found.push((kind, name, key, format!("/volumes/{number}")));
                }
            }
        }
    }
    found
}

fn sources_of_container(container: &Value) -> impl Iterator<Item = (&'static str, &str)> {
    let one = items(&container["env"]).flat_map(|variable| {
        let from = &variable["valueFrom"];
        [("Secret", &from["secretKeyRef"]["name"]), ("ConfigMap", &from["configMapKeyRef"]["name"])]
    });
    let all = items(&container["envFrom"]).flat_map(|from| {
        [("Secret", &from["secretRef"]["name"]), ("ConfigMap", &from["configMapRef"]["name"])]
    });
    one.chain(all).filter_map(named)
}

fn sources_of_volumes(spec: &Value) -> impl Iterator<Item = (&'static str, &str)> {
    items(&spec["volumes"]).flat_map(|volume| {
        let projected = items(&volume["projected"]["sources"]).flat_map(|source| {
            [("Secret", &source["secret"]["name"]), ("ConfigMap", &source["configMap"]["name"])]
        });
        let own = [("Secret", &volume["secret"]["secretName"]), ("ConfigMap", &volume["configMap"]["name"])];
        own.into_iter().chain(projected).filter_map(named)
    })
}

fn named<'v>((kind, name): (&'static str, &'v Value)) -> Option<(&'static str, &'v str)> {
    Some((kind, name.as_str()?))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

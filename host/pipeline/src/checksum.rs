//! A checksum over the Secrets that a workload reads, on its pods: where one changes, they are made anew.

use std::collections::{BTreeMap, BTreeSet};

use lathe_manifest::{Edit, Map, Object, Pointer, Value, json, pointer};
use lathe_secrets::{Why, keyed_digest};

use crate::output::Output;
use crate::tree::Entry;

/// The annotation on pods.
const ANNOTATION: &str = "lathe.dev/checksum-secrets";

/// Workloads whose pods may be made anew; a Job's template cannot be changed.
const WORKLOADS: &[&str] = &["DaemonSet", "Deployment", "StatefulSet"];

/// Stamps the workloads of a set whose output asks for that. `namespace` is that of objects that name none.
pub(crate) fn stamp(entries: &mut [Entry], output: &Output<'_>, namespace: &str) -> Result<(), Why> {
    let Output::Values { stamp: Some(key), .. } = output else { return Ok(()) };
    let place = |object: &Object| {
        let own = object.namespace();
        if own.is_empty() { namespace.to_owned() } else { own.to_owned() }
    };
    let secrets: BTreeMap<(String, String), Value> = entries
        .iter()
        .filter(|entry| entry.object.is_secret())
        .map(|entry| ((place(&entry.object), entry.object.name().to_owned()), values(&entry.object)))
        .collect();
    for entry in entries {
        let object = &mut entry.object;
        let names = secrets_read(object);
        if names.is_empty() {
            continue;
        }
        let namespace = place(object);
        let read = names.into_iter().filter_map(|name| {
            let values = secrets.get(&(namespace.clone(), name.clone()))?;
            Some(format!("{name} {}", json::to_string(values)))
        });
        let read: Vec<zeroize::Zeroizing<String>> = read.map(Into::into).collect();
        if read.is_empty() {
            continue;
        }
        let parts: Vec<&[u8]> = read.iter().map(|part| part.as_bytes()).collect();
        let digest = keyed_digest(&key()?, &parts);
        let place =
            Pointer::parse(&format!("/spec/template/metadata/annotations/{}", pointer::escape(ANNOTATION)));
        // A template whose annotations are none is for the server to refuse.
        let _ = place.map(|place| Edit::Set(place, digest.into()).apply(&mut object.value));
    }
    Ok(())
}

/// The names of Secrets that the pods of a workload read, where those may be made anew.
pub fn secrets_read(object: &Object) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if object.group() == "apps"
        && WORKLOADS.contains(&object.kind())
        && let Some(pod) = object.value.get("spec").and_then(|spec| spec.get("template")?.get("spec"))
    {
        read_by(pod, &mut names);
    }
    names
}

/// The values of a Secret, by what they are in the end: `stringData` wins.
fn values(secret: &Object) -> Value {
    let mut all = Map::new();
    for field in ["data", "stringData"] {
        for (name, value) in
            secret.value.get(field).and_then(Value::as_object).into_iter().flat_map(Map::iter)
        {
            // Where it stands counts as well, or a text would be the same as its base64.
            let text = value.as_str().map(|text| Value::from(format!("{field} {text}")));
            all.insert(name, text.unwrap_or_else(|| value.clone()));
        }
    }
    Value::Object(all)
}

/// The names of Secrets that a pod reads.
fn read_by(pod: &Value, names: &mut BTreeSet<String>) {
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).unwrap_or_default().to_vec();
    let mut note = |value: &Value, way: &[&str]| names.extend(value.str_at(way).map(ToOwned::to_owned));
    for kind in ["containers", "initContainers"] {
        for container in list(pod, kind) {
            for variable in list(&container, "env") {
                note(&variable, &["valueFrom", "secretKeyRef", "name"]);
            }
            for source in list(&container, "envFrom") {
                note(&source, &["secretRef", "name"]);
            }
        }
    }
    for volume in list(pod, "volumes") {
        note(&volume, &["secret", "secretName"]);
        let projected =
            volume.get("projected").map(|projected| list(projected, "sources")).unwrap_or_default();
        for source in projected {
            note(&source, &["secret", "name"]);
        }
    }
}

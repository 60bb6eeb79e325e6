//! Secrets and `ConfigMaps` that held the input's own client under names of their own: nobody reads these keys any more, so they go.

use std::collections::BTreeMap;

use lathe_sdk::{Outcome, Value};

use crate::literal::{Literals, What};
use crate::login::Login;
use crate::pod;
use crate::secret::pointer;
use crate::set::Set;

/// Notes where a variable came from before it was wired.
pub(crate) fn note(item: &Value, what: What, login: &Login<'_>, literals: &mut Literals) {
    for (kind, from) in [("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")] {
        let from = &item["valueFrom"][from];
        if let (Some(name), Some(key)) = (from["name"].as_str(), from["key"].as_str()) {
            add((kind, name, key), what, login, literals);
        }
    }
}

/// Notes what a container is given as a whole, where that has the variable.
pub(crate) fn note_sources(container: &Value, login: &Login<'_>, literals: &mut Literals) {
    for source in container["envFrom"].as_array().into_iter().flatten() {
        let prefix = source["prefix"].as_str().unwrap_or_default();
        for (kind, from) in [("Secret", "secretRef"), ("ConfigMap", "configMapRef")] {
            let Some(name) = source[from]["name"].as_str() else { continue };
            for variable in &login.variables {
                if let Some(key) = variable.name.strip_prefix(prefix) {
                    add((kind, name, key), variable.what, login, literals);
                }
            }
        }
    }
}

fn add(
    (kind, name, key): (&'static str, &str, &str),
    what: What,
    login: &Login<'_>,
    literals: &mut Literals,
) {
    // The client's own keys are taken out elsewhere; under other keys, its Secret may hold the input's client as well.
    let is_own = kind == "Secret" && name == login.secret && login.keys.iter().any(|(_, own)| own == key);
    if matches!(what, What::Id | What::Secret) && !is_own {
        literals.references.insert((kind, name.to_owned(), key.to_owned()));
    }
}

/// Takes the keys out that nobody reads any more. One that somebody still reads is told.
pub(crate) fn take(set: &mut Set<'_>, literals: &Literals, outcome: &mut Outcome) {
    if literals.references.is_empty() {
        return;
    }
    let mut readers: BTreeMap<(&str, String, String), (usize, String)> = BTreeMap::new();
    for (index, object, value) in set.staying() {
        let Some((at, _)) = pod::spec(object) else { continue };
        let Some(spec) = value.pointer(at) else { continue };
        for (kind, name, key, place) in pod::key_references(spec) {
            readers.entry((kind, name.to_owned(), key.to_owned())).or_insert((index, format!("{at}{place}")));
        }
    }
    for (kind, name, key) in &literals.references {
        if let Some((index, at)) = readers.get(&(*kind, name.clone(), key.clone())) {
            let told = format!(
                "this still reads key `{key}` of {kind} `{name}`, where the input has another client; name the workload under `workloads` of a client, or take it out"
            );
            outcome.error("foreign-client", told, Some(set.place(*index, at)));
            continue;
        }
        let holders: Vec<usize> = set.holders(kind, name);
        for index in holders {
            for field in ["data", "stringData"] {
                let map = set.value(index)[field].as_object();
                if map.is_none_or(|map| !map.contains_key(key)) {
                    continue;
                }
                if let Some(map) = set.edit(index)[field].as_object_mut() {
                    map.remove(key);
                }
                let told = "the input's own client stood here, and nobody reads it any more";
                outcome.info("client-key-taken", told, Some(set.place(index, pointer(field, key))));
            }
        }
    }
}

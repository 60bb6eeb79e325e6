//! The environment's Namespace: the input's in one, or a new one, with labels that say whose it is.

use std::collections::BTreeMap;

use lathe_sdk::{Environment, Location, Object, Outcome, Value, json};

use crate::bookkeeping;
use crate::config::Config;
use crate::namespace::Namespaces;
use crate::text::Rewriter;

/// Makes sure that there is one Namespace, and that it is this environment's.
pub(crate) fn ensure(
    objects: &[Object],
    environment: &Environment,
    config: &Config,
    rewriter: &Rewriter<'_>,
    namespaces: &Namespaces<'_>,
    outcome: &mut Outcome,
) {
    let review = environment.review.as_ref().map(|review| review.id.as_str()).unwrap_or_default();
    let identity = [
        ("lathe.dev/project", environment.project.as_str()),
        ("lathe.dev/environment", environment.name.as_str()),
        ("lathe.dev/review", review),
    ];
    let given = objects.iter().filter(|object| object.is("", "Namespace") && !config.drops(object));
    let given: Vec<&Object> = given.collect();
    let Some(first) = given.first() else {
        let labels: serde_json::Map<String, Value> =
            identity.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        outcome.add_object(&json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespaces.target, "labels": labels},
        }));
        return;
    };
    outcome.set(first.key, "/metadata/name", namespaces.target);
    let mut known: BTreeMap<String, (&Value, u32)> = BTreeMap::new();
    for object in &given {
        for map in ["labels", "annotations"] {
            for (name, value) in object.value["metadata"][map].as_object().into_iter().flatten() {
                let pointer = format!("/metadata/{map}/{}", lathe_sdk::escape(name));
                if bookkeeping::is_of(&pointer) {
                    continue;
                }
                let at = || Some(Location { object: object.key, pointer: pointer.clone() });
                if let Some((_, own)) = identity.iter().find(|(label, _)| label == name)
                    && map == "labels"
                    && value != own
                {
                    outcome.error(
                        "foreign-environment",
                        "this Namespace belongs to another environment",
                        at(),
                    );
                }
                match known.get(&pointer) {
                    // Every namespace is labelled with its own name.
                    Some((there, _)) if *there != value && name != "kubernetes.io/metadata.name" => {
                        let told = "a review has one Namespace, and the input's differ here; make them agree";
                        outcome.error("namespace-clash", told, at());
                    }
                    Some(_) => {}
                    None => {
                        let text = value.as_str().unwrap_or_default();
                        // By a label like its name other namespaces' policies would take it for production's.
                        let followed = (text == object.name).then(|| namespaces.target.to_owned());
                        let followed = followed
                            .or_else(|| (map == "annotations").then(|| rewriter.followed(text)).flatten());
                        if let Some(followed) = followed {
                            outcome.set(first.key, pointer.clone(), followed);
                        } else if object.key != first.key {
                            outcome.set(first.key, pointer.clone(), value.clone());
                        }
                        known.insert(pointer, (value, object.key));
                    }
                }
            }
        }
    }
    for (name, value) in identity {
        outcome.set(first.key, format!("/metadata/labels/{}", lathe_sdk::escape(name)), value);
    }
    bookkeeping::remove(first, outcome);
    given.iter().skip(1).for_each(|object| outcome.drop_object(object.key));
}

//! The published schemas are those of the types, and say of files what Lathe itself says of them.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, and is told whether to write"
)]

mod support;

use std::fs;

use lathe_pipeline::SCHEMAS;
use serde_json::Value;
use support::{Place, root};

fn schema(name: &str) -> jsonschema::Validator {
    let schema = SCHEMAS.iter().find(|schema| schema.name == name).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&schema.to_json()).unwrap()).unwrap()
}

/// A file of ours as JSON: the binary reads YAML as kubectl does.
fn json(place: &Place, file: &str) -> Value {
    let list: Value = serde_json::from_str(&place.ok(&["render", "-f", file, "-o", "json"])).unwrap();
    list["items"][0].clone()
}

#[test]
fn the_reference_has_the_schemas_of_the_types() {
    for schema in SCHEMAS {
        let file = root().join(format!("docs/reference/schema/{}.json", schema.name));
        if std::env::var_os("LATHE_BLESS").is_some() {
            fs::write(&file, schema.to_json()).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == schema.to_json(),
            "{} is stale; `cargo xtask docs --write` writes it",
            file.display()
        );
    }
}

#[test]
fn the_examples_fit_the_schemas() {
    let place = Place::new();
    for name in ["portal", "hedgedoc", "jupyterhub"] {
        for (kind, file) in [("pipeline", "lathe.yaml"), ("lock", "lathe.lock")] {
            let path = root().join("examples").join(name).join(file).display().to_string();
            let path = if file.ends_with("lock") {
                // The reader of manifests goes by the ending.
                fs::copy(&path, place.path("lock.yaml")).unwrap();
                place.path("lock.yaml").display().to_string()
            } else {
                path
            };
            let value = json(&place, &path);
            let wrong: Vec<String> =
                schema(kind).iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{name}/{file}: {wrong:?}");
        }
    }
    let portal = root().join("examples/portal").display().to_string();
    let report = place.path("report.json").display().to_string();
    place.ok(&["render", "-p", &portal, "--env", "review", "--review", "42", "--report", &report]);
    let report: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    let wrong: Vec<String> = schema("report").iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "report: {wrong:?}");
}

#[test]
fn what_lathe_refuses_the_schema_refuses() {
    let place = Place::new();
    let head = "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: x}\n";
    for wrong in [
        "transform: []\n",
        "inputs: x\n",
        "environments: {a: {namespace: b, review: x}}\n",
        "environments: {a: {}}\n",
        "transforms: [{plugin: path:x, match: {kinds: Secret}}]\n",
        "transforms: [{plugin: path:x, limits: {fuel: -1}}]\n",
        "secrets: {providers: {kv: {type: consul}}}\n",
        "acknowledge: [{object: A/b, pointer: ''}]\n",
    ] {
        place.write("wrong/lathe.yaml", &format!("{head}{wrong}"));
        let run = place.run(&["check", "-p", "wrong"]);
        assert_eq!(run.code, 3, "{wrong}: {}", run.stderr);
        assert!(!schema("pipeline").is_valid(&json(&place, "wrong/lathe.yaml")), "{wrong}");
    }
}

//! `check`: a transform on its own output, and fields that two plugins write.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::fs;

use support::Place;

fn place(transforms: &str) -> Place {
    let place = Place::new();
    fs::write(place.path("guest.wasm"), lathe_test_guests::GUEST).unwrap();
    let mut other = lathe_test_guests::GUEST.to_vec();
    other.extend([0, 2, 1, b'n']);
    fs::write(place.path("other.wasm"), other).unwrap();
    let head = "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: x}\ninputs: [in.yaml]\nenvironments: {prod: {namespace: x}}\n";
    place.write("lathe.yaml", &format!("{head}transforms:\n{transforms}"));
    place.write("in.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n");
    place.ok(&["lock"]);
    place
}

fn transform(plugin: &str, config: &str) -> String {
    format!("- plugin: path:{plugin}\n  writes: ['* /metadata/annotations/**']\n  config: {config}\n")
}

#[test]
fn a_transform_that_changes_its_own_output_is_refused() {
    let place = place(&transform("guest.wasm", "{do: append}"));
    place.ok(&["render", "--env", "prod"]);
    let run = place.run(&["check"]);
    let told = "ConfigMap/b /metadata/annotations/touched: prod: the plugin changes its own output here";
    assert!(run.code == 3 && run.stderr.contains(told), "{}", run.stderr);
    place.write(
        "lathe.yaml",
        &fs::read_to_string(place.path("lathe.yaml")).unwrap().replace("append", "set-every"),
    );
    let run = place.run(&["check"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn a_field_that_two_plugins_write_is_told() {
    let first = transform("guest.wasm", "{do: set, value: one}");
    let place = place(&(first + &transform("other.wasm", "{do: set, value: two}")));
    let run = place.run(&["check"]);
    let told = "warning: prod: ConfigMap/a /metadata/annotations/touched: more than one plugin writes this field: path:guest.wasm, then path:other.wasm";
    assert!(run.code == 0 && run.stderr.contains(told), "{}", run.stderr);
    assert!(!run.stderr.contains("ConfigMap/b"), "{}", run.stderr);
}

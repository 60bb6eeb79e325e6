//! What an author of plugins meets: projects that are started, and tests that fail when they should.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::fs;
use std::path::Path;

use support::{Place, Run, root};

/// A project whose plugin is the test guest, with one case.
fn project(config: &str, input: &str) -> Place {
    let place = Place::new();
    place.write("p/plugin.yaml", "apiVersion: lathe.dev/v1alpha1\nkind: Plugin\nmetadata: {name: guest}\nbuild: 'true'\nwasm: guest.wasm\n");
    fs::write(place.path("p/guest.wasm"), lathe_test_guests::GUEST).unwrap();
    place.write("p/tests/one/case.yaml", &format!("config: {config}\n"));
    place.write("p/tests/one/input.yaml", input);
    place
}

const TWO: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";

fn update(place: &Place) -> Run {
    place.run(&["plugin", "test", "p", "--update"])
}

#[test]
fn what_is_written_is_what_is_expected_from_then_on() {
    let place = project("{do: set-every}", TWO);
    let run = place.run(&["plugin", "test", "p"]);
    assert!(run.code == 3 && run.stderr.contains("has neither edits.yaml nor error.txt"), "{}", run.stderr);
    let run = update(&place);
    assert!(run.code == 0 && run.stderr.contains("p/tests/one/edits.yaml is written"), "{}", run.stderr);
    let run = place.run(&["plugin", "test", "p"]);
    assert!(run.code == 0 && run.stderr.contains("tests/one: ok, 2 edits of 2 objects"), "{}", run.stderr);
    place.write("p/tests/one/case.yaml", "config: {do: set-every, pointer: /data/x}\n");
    let run = place.run(&["plugin", "test", "p"]);
    assert!(run.code == 3 && run.stderr.contains("+  pointer: /data/x"), "{}", run.stderr);
}

#[test]
fn an_error_that_a_plugin_finds_may_be_expected() {
    let place = project("{do: error}", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let run = update(&place);
    assert!(run.code == 0 && run.stderr.contains("p/tests/one/error.txt is written"), "{}", run.stderr);
    let text = fs::read_to_string(place.path("p/tests/one/error.txt")).unwrap();
    assert_eq!(text, "ConfigMap/a: this is wrong [plugin]\n");
    let place = project("{do: refuse}", TWO);
    assert_eq!(update(&place).code, 0);
}

#[test]
fn a_plugin_that_fails_is_expected_of_nobody() {
    for (config, told) in [
        ("{do: trap}", "trapped: "),
        ("{do: append}", "the plugin changes its own output here"),
        ("{do: unknown-object}", "names object 4000000000"),
        ("{do: set, value: x}", "in the opposite order, the plugin does something else"),
    ] {
        let place = project(config, TWO);
        let run = update(&place);
        assert!(run.code == 3 && run.stderr.contains(told), "{config}: {}", run.stderr);
        assert!(
            !place.path("p/tests/one/error.txt").exists() && !place.path("p/tests/one/edits.yaml").exists()
        );
    }
    let place = project("{do: set-every}", TWO);
    let run = place.run(&["plugin", "test", "p", "--update", "--fuel", "10"]);
    assert!(run.code == 3 && run.stderr.contains("used up its fuel of 10"), "{}", run.stderr);
}

#[test]
fn what_is_written_to_a_secret_is_tested_and_not_shown() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n";
    let place = project("{do: set, pointer: /stringData/new, value: first}", secret);
    assert_eq!(update(&place).code, 0);
    let text = fs::read_to_string(place.path("p/tests/one/edits.yaml")).unwrap();
    assert!(text.contains("(secret) sha256:") && !text.contains("first"), "{text}");
    place.write("p/tests/one/case.yaml", "config: {do: set, pointer: /stringData/new, value: second}\n");
    let run = place.run(&["plugin", "test", "p"]);
    assert!(run.code == 3 && run.stderr.contains("differs from edits.yaml"), "{}", run.stderr);
}

#[test]
fn a_build_that_fails_is_told() {
    let place = project("{do: nothing}", TWO);
    let file = fs::read_to_string(place.path("p/plugin.yaml")).unwrap();
    assert_eq!(place.run(&["plugin", "build", "p"]).code, 0);
    for (build, told) in
        [("exit 4", "failed with exit status: 4"), ("rm guest.wasm", "p/guest.wasm: No such file")]
    {
        place.write("p/plugin.yaml", &file.replace("'true'", build));
        let run = place.run(&["plugin", "build", "p"]);
        assert!(
            run.code != 0 && run.stdout.is_empty() && run.stderr.contains(told),
            "{build}: {}",
            run.stderr
        );
    }
}

/// Files of a folder and what they hold; links are followed.
fn files(folder: &Path, below: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if ["target", "node_modules", ".tools", "plugin.wasm", "tricky"].contains(&name.as_str()) {
            continue;
        }
        let path = format!("{below}{name}");
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{path}/"), found);
        } else {
            found.push((path, fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

#[test]
fn a_new_project_is_the_example_with_all_that_it_needs() {
    let place = Place::new();
    for language in ["rust", "js", "python", "c", "go"] {
        place.ok(&["plugin", "new", "stamp", "--lang", language]);
        let (mut own, mut example) = (Vec::new(), Vec::new());
        files(&place.path("stamp"), "", &mut own);
        files(&root().join("examples/plugins").join(language), "", &mut example);
        for (path, text) in &example {
            let made = own.iter().find(|(own, _)| own == path).map(|(_, text)| text);
            let text = text.replace("../../../plugins/sdk", "sdk");
            assert_eq!(made, Some(&text), "{language}: {path}");
        }
        fs::remove_dir_all(place.path("stamp")).unwrap();
    }
    for name in ["Team", "1st", "a/b", "", "a-", "ä"] {
        assert_eq!(place.run(&["plugin", "new", name, "--lang", "go"]).code, 2, "{name}");
    }
    place.write("there/file", "kept");
    let run = place.run(&["plugin", "new", "there", "--lang", "go"]);
    assert!(run.code == 2 && place.path("there/file").exists(), "{}", run.stderr);
    // The name is the author's in all places.
    place.ok(&["plugin", "new", "team-labels", "--lang", "rust"]);
    let manifest = fs::read_to_string(place.path("team-labels/Cargo.toml")).unwrap();
    assert!(
        manifest.contains("name = \"lathe-plugin-team-labels\"") && manifest.contains("path = \"sdk\""),
        "{manifest}"
    );
}

//! Plugins in five languages, built by their real toolchains, and a KRM function that others wrote.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "a test is told by its environment where its tools are")]

mod support;

use std::fs;
use std::path::Path;

use support::{Place, console, copy_example, root};

/// The folders that the guide leaves, with the plugin that was built there.
const BUILT: [(&str, &str); 5] = [
    ("rust", "team-labels/target/wasm32-wasip2/release/lathe_plugin_team_labels.wasm"),
    ("js", "in-js/plugin.wasm"),
    ("python", "in-python/plugin.wasm"),
    ("c", "in-c/plugin.wasm"),
    ("go", "in-go/plugin.wasm"),
];

const CONFIGS: [(&str, &str); 2] = [
    (
        "portal/manifests/portal.yaml",
        r#"{labels: {team: portal, "example.org/a~b": "1.0"}, removeAnnotations: [nginx.ingress.kubernetes.io/ssl-redirect], replace: {example.org: example.net, portal: "😀"}, toleration: example.org/review}"#,
    ),
    (
        "plugins/cases/tricky/input.yaml",
        r#"{labels: {"example.org/a~b": "1.0", "😀": "9007199254740993", "__proto__": "null"}, removeAnnotations: ["a/b~c"], replace: {"😀": "~1", ab: ba, b: "$&"}, toleration: "x~/y"}"#,
    ),
];

fn render(place: &Place, name: &str, wasm: &Path, input: &str, config: &str) -> (String, String) {
    let folder = format!("render-{name}");
    let input = root().join("examples").join(input);
    let pipeline = format!(
        "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: languages}}\ninputs: [{}]\nenvironments: {{production: {{namespace: portal}}}}\ntransforms:\n- plugin: path:plugin.wasm\n  writes: ['* /**']\n  grants: [secret-metadata]\n  config: {config}\n",
        input.display()
    );
    place.write(&format!("{folder}/lathe.yaml"), &pipeline);
    fs::copy(wasm, place.path(&folder).join("plugin.wasm")).unwrap();
    place.ok(&["lock", "-p", &folder, "--accept"]);
    let output = place.ok(&["render", "-p", &folder, "--env", "production"]);
    let report = format!("{folder}/report.json");
    place.ok(&["check", "-p", &folder]);
    place.ok(&["render", "-p", &folder, "--env", "production", "--report", &report]);
    let report = fs::read_to_string(place.path(&report)).unwrap();
    // What was changed is the same as well; fuel and digest are each language's own.
    let from = report.find("\"changes\": [").unwrap();
    (output, report[from..].to_owned())
}

#[test]
#[ignore = "needs Go, Node, Python and a network: cargo xtask test"]
fn five_languages_do_the_same() {
    let built = console::run_with_toolchains(&root().join("docs/guide/languages.md"));
    let place = Place::new();
    for (input, config) in CONFIGS {
        let mut first: Option<(String, String)> = None;
        for (language, wasm) in BUILT {
            let done = render(&place, language, &built.path(wasm), input, config);
            match &first {
                None => {
                    assert!(done.0.contains("example.org/a~b: \"1.0\""), "{}", done.0);
                    first = Some(done);
                }
                Some(first) => {
                    assert_eq!(first.0, done.0, "{language} on {input}");
                    assert_eq!(first.1, done.1, "{language} on {input}");
                }
            }
        }
        if input.contains("tricky") {
            let text = first.unwrap().0;
            for kept in [
                "above: 9007199254740993",
                "largest: 18446744073709551615",
                "\"~1\": 9007199254740995",
                "1e400",
                "🧑",
            ] {
                assert!(text.contains(kept), "{kept}: {text}");
            }
        }
    }
    // The tests that are too much for a first project.
    for (_, wasm) in BUILT {
        let project = wasm.split('/').next().unwrap();
        let tricky = built.path(project).join("tests/tricky");
        copy_folder(&root().join("examples/plugins/cases/tricky"), &tricky);
        let run = place.run(&["plugin", "test", &built.path(project).display().to_string()]);
        assert_eq!(run.code, 0, "{project}: {}", run.stderr);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
#[ignore = "needs a KRM function: cargo xtask test"]
fn a_function_that_others_wrote_runs() {
    let place = Place::new();
    copy_example("portal", &place);
    fs::copy(std::env::var("LATHE_TEST_KRM_FUNCTION").unwrap(), place.path("annotate.wasm")).unwrap();
    let text = place.ok(&["plugin", "inspect", "annotate.wasm"]);
    assert!(
        text.contains("krm:resource-list@1") && text.contains("wasi_snapshot_preview1/fd_read"),
        "{text}"
    );
    place
        .write("case.yaml", "config: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, value: hello}\n");
    let diff = place.ok(&["plugin", "run", "annotate.wasm", "-f", "portal/manifests", "--case", "case.yaml"]);
    assert!(
        diff.contains("+    value: hello\n") && diff.contains("--- /dev/null\n+++ ServiceAccount/hello\n"),
        "{diff}"
    );
    // Nothing but what the function is for has changed.
    let removed: Vec<&str> =
        diff.lines().filter(|line| line.starts_with('-') && !line.starts_with("---")).collect();
    assert!(removed.is_empty(), "{removed:?}");
    // Without its setting it makes an object without a name.
    place.write("case.yaml", "config: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n");
    let run = place.run(&["plugin", "run", "annotate.wasm", "-f", "portal/manifests", "--case", "case.yaml"]);
    assert!(run.code == 3 && run.stderr.contains("adds something that is no object"), "{}", run.stderr);
}

//! Values that no file of this repository holds go through every command and every failure, and are looked for afterwards.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use support::bao::{Bao, Fault, Front, ROOT};
use support::{Place, finish};

/// A value that nobody has seen before, with what gets escaped in each form.
fn canary(name: &str) -> String {
    format!("{name}-\"{:016x}/<&>", RandomState::new().build_hasher().finish())
}

/// The forms in which a value may stand in a text.
fn forms(value: &str) -> Vec<String> {
    let percent = |text: &str| {
        let escaped = |byte: u8| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        };
        text.bytes().map(escaped).collect::<String>()
    };
    let base64 = |offset: usize| {
        let text = STANDARD_NO_PAD.encode(format!("{}{value}", "x".repeat(offset)));
        text[(offset * 8).div_ceil(6)..(offset + value.len()) * 8 / 6].to_owned()
    };
    // The middle of it is told from all else by itself.
    let middle = value.split('"').nth(1).unwrap()[..16].to_owned();
    vec![
        middle,
        percent(value),
        serde_json::to_string(value).unwrap().trim_matches('"').to_owned(),
        base64(0),
        base64(1),
        base64(2),
    ]
}

/// Where a form of a value stands below a folder, but for the files that hold it on purpose.
fn found(folder: &Path, forms: &[String], but: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if !but.contains(&entry.file_name().to_str().unwrap()) {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
                found.extend(
                    forms.iter().filter(|form| text.contains(*form)).map(|_| path.display().to_string()),
                );
            }
        }
    }
    found
}

#[test]
#[ignore = "needs LATHE_TEST_BAO and LATHE_TEST_SOPS"]
fn values_are_nowhere_but_where_they_were_asked_for() {
    let bao = Bao::start();
    let place = Place::new();
    let (stored, plain, variable, file) =
        (canary("stored"), canary("plain"), canary("variable"), canary("file"));
    let body =
        serde_json::json!({"data": {"a": stored, "number": 5, "pem": format!("{stored}\n{stored}\n")}});
    bao.post("secret/data/d", &body.to_string());
    let quoted = serde_json::to_string(&plain).unwrap();
    place.write("values.yaml", &format!("doc:\n  k: {}\n", serde_json::to_string(&file).unwrap()));
    let secret = |lines: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n  p: {quoted}\n  v: \"ref+env://V\"\n  f: \"x:<path:kv/data/doc#k>:y\"\n{lines}"
        )
    };
    let pipeline = |transforms: &str| {
        place.write("lathe.yaml", &format!("apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: p}}\ninputs: [in.yaml]\nenvironments: {{e: {{namespace: ns}}}}\nsecrets:\n  providers:\n    bao: {{type: openbao, address: \"{}\"}}\n    kv: {{type: file, path: values.yaml}}\n    ci: {{type: env, allow: [V]}}\n  sinks: [\"ConfigMap /data/*\"]\ntransforms: [{transforms}]\n", bao.address));
    };
    fs::write(place.path("guest.wasm"), lathe_test_guests::GUEST).unwrap();
    let all: Vec<String> =
        [&stored, &plain, &variable, &file].iter().flat_map(|value| forms(value)).collect();
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env("BAO_TOKEN", ROOT).env("V", &variable).env("TMPDIR", place.path("tmp"));
        finish(command.output().unwrap())
    };
    fs::create_dir(place.path("tmp")).unwrap();
    let good = "  a: \"<path:secret/data/d#a>\"\n  e: \"ref+vault://secret/d?encoding=base64#/a\"\n  j: '{\"p\":\"ref+env://V\"}'\n";
    let cases: [(&str, &str, i32, &[&str]); 12] = [
        (
            "  a: \"<path:secret/data/d#a>\"\n",
            "",
            0,
            &["render", "-v=3", "--report", "r.json", "--transcript", "t.json"],
        ),
        ("  a: \"<path:secret/data/d#a>\"\n", "", 0, &["check", "-v", "-v"]),
        ("  a: \"<path:secret/data/d#a>\"\n", "", 0, &["explain", "Secret/s"]),
        ("  a: \"<path:secret/data/d#a>\"\n", "", 0, &["secrets", "check", "-v=3"]),
        ("  a: \"<path:secret/data/d#a>\"\n", "", 0, &["secrets", "check", "-o", "json"]),
        (
            "  a: \"<path:secret/data/d#missing>\"\n",
            "",
            3,
            &["render", "--show-secrets", "-v=3", "--report", "r.json"],
        ),
        (
            "  a: \"<path:secret/data/d#a | jsonParse>\"\n",
            "",
            3,
            &["render", "--show-secrets", "--report", "r.json"],
        ),
        ("  a: \"<path:secret/data/d#a | base64decode>\"\n", "", 3, &["render", "--show-secrets", "-v=3"]),
        (good, "", 3, &["render", "--show-secrets", "-v=3"]),
        ("  a: \"x: <path:secret/data/d#pem>\"\n", "", 3, &["render", "--show-secrets"]),
        (
            "  a: \"<path:secret/data/d#a>\"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: \"ref+env://V?type=int\"}\n",
            "",
            3,
            &["render", "--show-secrets", "--report", "r.json"],
        ),
        (
            "  a: \"<path:secret/data/d#a>\"\n",
            ", {plugin: \"path:guest.wasm\", config: {do: trap}}",
            3,
            &["render", "--show-secrets", "-v=3", "--report", "r.json"],
        ),
    ];
    for (lines, transform, code, arguments) in cases {
        place.write("in.yaml", &secret(lines));
        pipeline(&format!("{{plugin: \"builtin:secrets\"}}{transform}"));
        place.ok(&["lock", "--accept"]);
        let run = run(&[arguments, &["--env", "e"]].concat());
        assert_eq!(run.code, code, "{arguments:?} {lines}: {}", run.stderr);
        let shows = run.code == 0 && arguments.contains(&"--show-secrets");
        let refs = arguments[0] == "render" && !arguments.contains(&"--show-secrets");
        for form in &all {
            assert!(!run.stderr.contains(form.as_str()), "{arguments:?} {lines}: {}", run.stderr);
            // Plain values of the input come back as they stood, in the one place that they were in.
            let asked = shows || refs && forms(&plain).contains(form);
            assert!(asked || !run.stdout.contains(form.as_str()), "{arguments:?} {lines}");
        }
        let left = found(place.folder.path(), &all, &["in.yaml", "values.yaml"]);
        assert!(left.is_empty(), "{arguments:?}: {left:?}");
    }
    // The one place that is asked for.
    place.write("in.yaml", &secret(good));
    pipeline("{plugin: \"builtin:secrets\"}");
    place.ok(&["lock"]);
    let shown = run(&["render", "--env", "e", "--show-secrets", "-o", "json"]);
    assert_eq!(shown.code, 3, "a quote breaks the JSON that it stands in");
    place.write("in.yaml", &secret("  a: \"<path:secret/data/d#a>\"\n"));
    let shown = run(&["render", "--env", "e", "--show-secrets", "-o", "json"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let list: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let data = &list["items"][0]["stringData"];
    assert_eq!(
        (data["a"].as_str(), data["v"].as_str(), data["p"].as_str()),
        (Some(stored.as_str()), Some(variable.as_str()), Some(plain.as_str()))
    );
    assert_eq!(data["f"], format!("x:{file}:y"));
    // A run that is killed while a store keeps it waiting leaves nothing behind.
    let front = Front::start(&bao, Fault::Silent);
    let pipeline = fs::read_to_string(place.path("lathe.yaml")).unwrap();
    place.write("lathe.yaml", &pipeline.replace(&bao.address, &front.address));
    let mut command =
        place.command(&["render", "--env", "e", "--show-secrets", "--output-dir", "out", "-v=3"]);
    command.env("BAO_TOKEN", ROOT).env("V", &variable).env("TMPDIR", place.path("tmp"));
    let mut child = command.stdout(fs::File::create(place.path("killed")).unwrap()).spawn().unwrap();
    while front.requests().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let left = found(place.folder.path(), &all, &["in.yaml", "values.yaml"]);
    assert!(left.is_empty(), "{left:?}");
    place.write("lathe.yaml", &pipeline);
    // In CI nobody prints values by mistake.
    let mut command = place.command(&["render", "--env", "e", "--show-secrets"]);
    let refused =
        finish(command.env("CI", "true").env("BAO_TOKEN", ROOT).env("V", &variable).output().unwrap());
    assert!(
        refused.code == 2 && refused.stdout.is_empty() && refused.stderr.contains("--force-plain"),
        "{}",
        refused.stderr
    );
}

//! Inputs that break other tools, and argocd-vault-plugin's own fixtures, with values given as references.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Place, Run, shared};

fn place(input: &str, secrets: &str) -> Place {
    let place = Place::new();
    place.write("in.yaml", input);
    place.write(
        "lathe.yaml",
        &format!("apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: p}}\ninputs: [in.yaml]\nenvironments: {{e: {{namespace: ns}}}}\nsecrets: {secrets}\ntransforms: [{{plugin: \"builtin:secrets\"}}]\n"),
    );
    place.ok(&["lock"]);
    place
}

fn show(place: &Place) -> Run {
    place.run(&["render", "--env", "e", "--show-secrets", "-o", "jsonl"])
}

/// The objects of a run, as values.
fn objects(run: &Run) -> Vec<Value> {
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut all: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    all.sort_by_key(ToString::to_string);
    all
}

fn expected(case: &Path) -> Vec<Value> {
    let text = fs::read_to_string(case.join("expected.jsonl")).unwrap();
    let mut all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    all.sort_by_key(ToString::to_string);
    all
}

/// The input with its variables as references, and the place with their values.
fn substituted(case: &Path, sinks: &str) -> Place {
    let mut input = fs::read_to_string(case.join("input.yaml")).unwrap();
    let params = fs::read_to_string(case.join("params.json")).unwrap();
    let names: serde_json::Map<String, Value> = serde_json::from_str(&params).unwrap();
    for name in names.keys() {
        input = input.replace(&format!("${{{name}}}"), &format!("ref+file://params.json#/{name}+"));
    }
    let place = place(&input, &format!("{{sinks: {sinks}}}"));
    place.write("params.json", &params);
    place
}

#[test]
fn variables_of_a_shell_stay_and_strings_stay_strings() {
    let Some(cases) = shared("cases") else { return };
    let shell = cases.join("01-flux-substitution-eats-shell-variables");
    assert_eq!(objects(&show(&substituted(&shell, "[\"ConfigMap /data/*\"]"))), expected(&shell));
    let numbers = cases.join("02-substituted-string-becomes-number");
    let place = substituted(&numbers, "[\"ConfigMap /data/*\", \"ConfigMap /metadata/labels/cost-centre\"]");
    assert_eq!(objects(&show(&place)), expected(&numbers));
    // Without leave, a label is no place for a secret.
    let run = show(&substituted(&numbers, "[\"ConfigMap /data/*\"]"));
    assert!(run.code == 3 && run.stderr.contains("/metadata/labels/cost-centre"), "{}", run.stderr);
}

#[test]
fn several_lines_keep_their_level() {
    let Some(cases) = shared("cases") else { return };
    let case = cases.join("04-multiline-secret-in-nested-block");
    let input = fs::read_to_string(case.join("input.yaml")).unwrap();
    let (first, second) = input.split_once("---\n").unwrap();
    let pem = fs::read_to_string(case.join("fake-key.pem")).unwrap();
    let good = place(first, "{}");
    good.write("fake-key.pem", &pem);
    assert_eq!(objects(&show(&good)), expected(&case));
    let bad = place(&format!("{first}---\n{second}"), "{sinks: [\"ConfigMap /data/*\"]}");
    bad.write("fake-key.pem", &pem);
    let run = show(&bad);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    for told in ["ConfigMap/jupyter/inline /data/values.yaml", "several lines", "within line 2"] {
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
}

#[test]
fn brackets_are_no_placeholders_and_quotes_stay() {
    let Some(cases) = shared("cases") else { return };
    let case = cases.join("05-placeholder-regex-false-positives");
    let input = fs::read_to_string(case.join("input.yaml")).unwrap();
    let params: Value = serde_json::from_str(&fs::read_to_string(case.join("params.json")).unwrap()).unwrap();
    let place_05 = place(&input, "{providers: {kv: {type: file, path: kv.yaml}}}");
    place_05.write("kv.yaml", &format!("portal: {{token: {}}}\n", params["kv/data/portal#token"]));
    assert_eq!(objects(&show(&place_05)), expected(&case));
    let case = cases.join("11-quoted-yes-and-on-lose-quotes");
    let place = place(&fs::read_to_string(case.join("input.yaml")).unwrap(), "{}");
    assert_eq!(objects(&show(&place)), expected(&case));
}

const STORE: &str = r#"
json: {data: '{"deployment":{"replicas":3,"image":{"name":"app","tag":"1.2"}},"service":{"ports":[80,443,8080]}}'}
jsonstring: {secret: '{"credentials":{"user":"u","pass":"p"}}'}
base64: {encoded_secret: eyJrZXkyIjoidiJ9}
yaml: {secret: "key1: v1\n"}
foo: {secret: foo}
testing: {secret-var-value: dGVzdA==, secret-num: NQ==, secret-var-clear: clear}
"#;

#[test]
fn fixtures_of_avp_come_out_as_avp_has_them() {
    let Some(corpus) = shared("corpus/p14-avp-fixtures/input") else { return };
    let input = |name: &str| fs::read_to_string(corpus.join(name)).unwrap();
    let with = |input: &str, sinks: &str| {
        let place = place(
            input,
            &format!("{{providers: {{secret: {{type: file, path: store.yaml}}}}, sinks: {sinks}}}"),
        );
        place.write("store.yaml", STORE);
        place
    };
    let run = show(&with(&input("modifers.yaml"), "[\"Deployment.apps /spec/**\", \"Service /spec/**\"]"));
    let all = objects(&run);
    let of = |kind: &str| all.iter().find(|object| object["kind"] == kind).unwrap();
    assert_eq!(of("Deployment")["spec"]["replicas"], 3);
    assert_eq!(of("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"], "foo.com/app:1.2");
    let port = |port: u16| serde_json::json!({"protocol": "TCP", "port": port, "targetPort": port});
    assert_eq!(of("Service")["spec"]["ports"], serde_json::json!([port(80), port(443), port(8080)]));
    let sum = "MmMyNmI0NmI2OGZmYzY4ZmY5OWI0NTNjMWQzMDQxMzQxMzQyMmQ3MDY0ODNiZmEwZjk4YTVlODg2MjY2ZTdhZQ==";
    let data = serde_json::json!({"USER": "dQ==", "PASSWORD": "cA==", "ESECRET": "dg==", "YAML": "djE=", "SHA256SUM": sum});
    assert_eq!(of("Secret")["data"], data);
    // Without leave, nothing outside of Secrets is filled.
    let run = show(&with(&input("modifers.yaml"), "[]"));
    assert!(
        run.code == 3 && run.stderr.contains("Deployment/modifiers-test/modifiers-test /spec/replicas"),
        "{}",
        run.stderr
    );
    let run = show(&with(&input("secret_path_base64.yaml"), "[]"));
    assert_eq!(objects(&run)[0]["data"]["SECRET_VAR"], "Y2xlYXI=");
    // Of what an object is called, nothing is a secret; with names of its own it comes out as avp has it.
    let named = input("secret.yaml").replace("<name>", "a").replace("<namespace>", "b");
    let data = serde_json::json!({"SECRET_VAR": "dGVzdA==", "SECRET_NUM": "NQ=="});
    assert_eq!(objects(&show(&with(&named, "[]")))[0]["data"], data);
    let run = show(&with(&input("full.yaml").replace("kv/data", "secret"), "[\"* /**\"]"));
    assert!(run.code == 3 && run.stderr.contains("/metadata/name: a secret may stand"), "{}", run.stderr);
}

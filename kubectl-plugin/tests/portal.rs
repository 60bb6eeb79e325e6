//! The portal example, end to end: what a review looks like, that it is always the same bytes, what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod support;

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use lathe_manifest::{ReadOptions, Reader, Value};
use support::{Place, copy_example, example};

const REVIEW: [&str; 5] = ["--env", "review", "--review", "42", "-p"];
const NAMESPACE: &str = "portal-review-42-6nfgbktw";

fn review(place: &Place, more: &[&str]) -> String {
    let portal = example("portal");
    let arguments = [&["render"], &REVIEW[..], &[portal.as_str()], more].concat();
    place.ok(&arguments)
}

fn objects(text: &str) -> Vec<Value> {
    Reader::documents(ReadOptions::default(), "output", text.as_bytes()).unwrap()
}

fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let is = |o: &&Value| o.str_at(&["kind"]) == Some(kind) && o.str_at(&["metadata", "name"]) == Some(name);
    objects.iter().find(is).unwrap()
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    lathe_manifest::Pointer::parse(pointer)
        .unwrap()
        .get(value)
        .unwrap_or_else(|| panic!("nothing at {pointer}"))
}

#[test]
fn a_review_has_hosts_namespace_and_login_of_its_own() {
    let text = review(&Place::new(), &[]);
    let objects = objects(&text);
    assert_eq!(objects.len(), 18);
    for object in &objects {
        let namespace = object.str_at(&["metadata", "namespace"]);
        if object.str_at(&["kind"]) == Some("Namespace") {
            assert_eq!(object.str_at(&["metadata", "name"]), Some(NAMESPACE));
        } else {
            assert_eq!(namespace, Some(NAMESPACE));
        }
    }
    let host = format!("portal-{}.review.example.net", &NAMESPACE["portal-".len()..]);
    let admin = format!("portal-admin-{}.review.example.net", &NAMESPACE["portal-".len()..]);
    let ingress = find(&objects, "Ingress", "portal");
    assert_eq!(at(ingress, "/spec/rules/0/host").as_str(), Some(host.as_str()));
    assert_eq!(at(ingress, "/spec/tls/0/hosts/1").as_str(), Some(admin.as_str()));
    let backend = find(&objects, "Deployment", "portal-backend");
    let env = |name: &str| {
        let list = at(backend, "/spec/template/spec/containers/0/env").as_array().unwrap();
        list.iter().find(|e| e.str_at(&["name"]) == Some(name)).unwrap()
    };
    assert_eq!(env("PORTAL_PUBLIC_URL").str_at(&["value"]), Some(format!("https://{host}").as_str()));
    assert_eq!(env("FEATURE_BOOKING").str_at(&["value"]), Some("on"));
    assert_eq!(env("BUILD_NUMBER").str_at(&["value"]), Some("000123"));
    assert_eq!(
        lathe_manifest::json::to_string(at(backend, "/spec/template/spec/volumes/0/configMap/defaultMode")),
        "288"
    );
    let client = env("SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_AAI_CLIENTSECRET");
    assert_eq!(client.str_at(&["valueFrom", "secretKeyRef", "name"]), Some("portal-oidc"));
    for kept in [
        "https://aai.example.org/oauth2",
        "registry.example.org/portal/backend:2.10",
        "support@portal.example.org",
        "mongodb://${MONGO_USER}:${MONGO_PASSWORD}@portal-mongodb-0.portal-mongodb:27017",
    ] {
        assert!(text.contains(kept), "{kept}");
    }
    // What is left of the production host: three mail addresses and one acknowledged wildcard.
    let left = text.matches("portal.example.org").count();
    assert_eq!(
        (text.matches("@portal.example.org").count(), text.matches("*.portal.example.org").count()),
        (2, 1)
    );
    assert_eq!(left, 3, "{text}");
}

#[test]
fn production_keeps_hosts_and_references() {
    let text = Place::new().ok(&["render", "-p", &example("portal"), "--env", "prod"]);
    assert!(text.contains(r#""password_hash":"<path:kv/data/portal#rabbit_hash>""#));
    assert!(text.contains("host: portal.example.org") && text.contains("namespace: portal\n"));
    assert!(text.contains("lathe.dev/secrets: refs"));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let place = Place::new();
    let want = review(&place, &[]);
    let portal = example("portal");
    let source = fs::read_to_string(format!("{portal}/manifests/portal.yaml")).unwrap();
    let mut documents: Vec<&str> = source.split("\n---\n").collect();
    documents.reverse();
    place.write("shuffled.yaml", &documents.join("\n---\n"));
    for (index, document) in documents.iter().enumerate() {
        place.write(&format!("split/{index}.yaml"), document);
    }
    let values = objects(&source);
    let json: Vec<String> = values.iter().map(lathe_manifest::json::to_string).collect();
    place.write("stream.json", &json.join("\n"));
    for input in ["shuffled.yaml", "split", "stream.json"] {
        assert_eq!(review(&place, &["-f", input]), want, "{input}");
    }
    let arguments = [&["render"], &REVIEW[..], &[portal.as_str()]].concat();
    for run in 0..100 {
        let mut command = place.command(&arguments);
        let zone = ["Asia/Kathmandu", "UTC", "America/St_Johns"][run % 3];
        command
            .env("TZ", zone)
            .env("LANG", ["C", "de_DE.UTF-8", "tr_TR.UTF-8"][run % 3])
            .env("COLUMNS", "40");
        if run % 2 == 0 {
            command.current_dir("/");
        }
        let run = support::finish(command.output().unwrap());
        assert_eq!((run.code, run.stdout == want), (0, true), "{}", run.stderr);
    }
    // Without a home there is no cache, and the bytes are the same.
    let cold = support::finish(place.command(&arguments).env_remove("HOME").output().unwrap());
    assert_eq!(cold.stdout, want);
}

#[test]
fn one_core_gives_the_same_bytes() {
    let place = Place::new();
    let want = review(&place, &[]);
    let portal = example("portal");
    let binary = env!("CARGO_BIN_EXE_kubectl-lathe");
    let mut command = std::process::Command::new("taskset");
    command
        .args(["-c", "0", binary, "render"])
        .args(REVIEW)
        .arg(&portal)
        .env_clear()
        .env("HOME", place.folder.path());
    match command.env("PATH", "/usr/bin:/bin").output() {
        Ok(output) => assert_eq!(support::finish(output).stdout, want),
        Err(error) => println!("skipped: taskset: {error}"),
    }
}

#[test]
fn a_host_without_a_target_is_refused_with_every_place() {
    let place = Place::new();
    copy_example("portal", &place);
    let file = place.path("portal/lathe.yaml");
    let text = fs::read_to_string(&file).unwrap().replace(", admin.portal.example.org: portal-admin", "");
    fs::write(&file, text).unwrap();
    let run = place.run(&["render", "-p", "portal", "--env", "review", "--review", "42"]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    for leftover in [
        "ConfigMap/portal-review-42-6nfgbktw/portal-backend /data/application.yml: `admin.portal.example.org`",
        "ConfigMap/portal-review-42-6nfgbktw/portal-frontend /data/default.conf: `admin.portal.example.org`",
        "Ingress/portal-review-42-6nfgbktw/portal /metadata/annotations/external-dns.alpha.kubernetes.io~1hostname: ",
        "Ingress/portal-review-42-6nfgbktw/portal /spec/rules/1/host: `admin.portal.example.org` has no review host",
        "Ingress/portal-review-42-6nfgbktw/portal /spec/tls/0/hosts/1: `admin.portal.example.org` has no review host",
    ] {
        assert!(run.stderr.contains(leftover), "{leftover}\n{}", run.stderr);
    }
    assert!(run.stderr.contains("error: 5 problems; nothing is written"), "{}", run.stderr);
}

/// Values that no file holds but the one a test writes: the client's secret, the broker's password, its hash.
fn canaries() -> [String; 3] {
    let random = || format!("canary-{:016x}", RandomState::new().build_hasher().finish());
    [random(), random(), random()]
}

#[test]
fn values_stand_only_where_they_were_asked_for() {
    let place = Place::new();
    copy_example("portal", &place);
    let values = canaries();
    let [client, password, hash] = &values;
    let encoded = base64(password);
    let file = format!(
        "portal: {{oidc_client_secret: {client}, rabbit: {encoded}, rabbit_hash: {hash}}}\nportal-review: {{rabbit: {encoded}, rabbit_hash: {hash}}}\n"
    );
    place.write("portal/secrets.local.yaml", &file);
    let render = ["render", "-p", "portal", "--env", "review", "--review", "42"];
    let shown = place.ok(&[&render[..], &["--show-secrets"]].concat());
    assert!(shown.contains(password) && shown.contains(hash));
    // The client's own secret is the registered client's to supply, in every mode.
    assert!(!shown.contains(client) && !shown.contains("lathe.dev/secrets"));

    let run = place.run(&[&render[..], &["--report", "report.json", "-v=3"]].concat());
    let target = ["-p", "portal", "--env", "review", "--review", "42"];
    let explained = place.ok(&[&["explain", "Secret/portal-rabbitmq"], &target[..]].concat());
    let report = fs::read_to_string(place.path("report.json")).unwrap();
    let seen = [run.stdout, run.stderr, report, explained];
    for text in &seen {
        assert!(!values.iter().chain([&encoded]).any(|value| text.contains(value.as_str())));
    }
}

/// RFC 4648 section 4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let padded = text.as_bytes().chunks(3).map(|chunk| {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digit = |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]);
        (0..4).map(|at| if at <= chunk.len() { digit(at) } else { '=' }).collect::<String>()
    });
    padded.collect()
}

#[test]
fn without_a_home_the_plugins_need_no_compiling() {
    // Compiling them takes half a second; their code is a part of the binary.
    let place = Place::new();
    let want = review(&place, &[]);
    let kept = fs::read_dir(place.path(".cache/lathe/components"));
    assert_eq!(kept.unwrap().count(), 0, "a built-in plugin was compiled");
    let portal = example("portal");
    let mut command = place.command(&[&["render"], &REVIEW[..], &[portal.as_str()]].concat());
    let output = command.env("HOME", "/dev/null/none").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), want);
}

#[test]
fn explain_names_the_plugin_and_what_stood_there() {
    let portal = example("portal");
    let arguments =
        [&["explain", "ingress/portal", "/spec/rules/0/host"], &REVIEW[..], &[portal.as_str()]].concat();
    let told = Place::new().ok(&arguments);
    assert!(
        told.contains("builtin:review-hosts (sha256:") && told.contains("before: \"portal.example.org\""),
        "{told}"
    );
    let arguments = [&["explain", "Secret/portal-oidc"], &REVIEW[..], &[portal.as_str()]].concat();
    let told = Place::new().ok(&arguments);
    assert!(told.contains("portal-oidc, taken out") && told.contains("before: (secret)"), "{told}");
}

/// What each plugin's call may use of fuel for the portal's review: twice what it used when this was written. A change that
/// needs more is a slower one, on every machine alike.
const FUEL: [(&str, u64); 3] =
    [("builtin:secrets", 3_000_000), ("builtin:review-hosts", 7_000_000), ("builtin:aai-client", 2_300_000)];

#[test]
fn the_plugins_stay_within_their_fuel() {
    let place = Place::new();
    let report = place.path("report.json").display().to_string();
    review(&place, &["--report", &report]);
    let report = fs::read_to_string(&report).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let used: Vec<(&str, u64)> = report["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| (plugin["plugin"].as_str().unwrap(), plugin["fuel"].as_u64().unwrap()))
        .collect();
    assert_eq!(used.len(), FUEL.len());
    for ((plugin, fuel), (name, budget)) in used.into_iter().zip(FUEL) {
        assert!(plugin == name && fuel <= budget, "{plugin} used {fuel}, {name} may use {budget}");
    }
}

#[test]
fn the_report_tells_what_was_done() {
    let place = Place::new();
    review(&place, &["--report", "report.json"]);
    let bytes = fs::read(place.path("report.json")).unwrap();
    let report = lathe_manifest::json::parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
    assert_eq!(
        at(&report, "/clients/0/redirectUris/0").as_str(),
        Some("https://portal-review-42-6nfgbktw.review.example.net/login/oauth2/code/aai")
    );
    assert_eq!(at(&report, "/clients/0/status").as_str(), Some("not registered yet"));
    let closure = at(&report, "/closure").as_array().unwrap();
    let classes: std::collections::BTreeSet<_> =
        closure.iter().map(|hit| hit.str_at(&["class"]).unwrap()).collect();
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), ["acknowledged", "kept", "protected", "rewritten"]);
    assert_eq!(at(&report, "/secrets").as_array().unwrap().len(), 3);
    assert_eq!(at(&report, "/createOnly/0").as_str(), Some("Job/portal-review-42-6nfgbktw/portal-migrate-*"));
    assert!(at(&report, "/problems").as_array().unwrap().is_empty());
}

//! Secrets from a real `OpenBao`: each way to log in, each kind of store, each thing that can be wrong.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::type_complexity,
    reason = "a test may fail loudly, and a token of this moment needs the clock"
)]

mod support;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use support::bao::{Bao, ROOT};
use support::{Place, Run, finish};

const READ: &str = r#"path "secret/*" { capabilities = ["read"] }
path "kv1/*" { capabilities = ["read"] }
"#;

/// A pipeline with one Secret whose `stringData` are these, and a provider.
fn pipeline(place: &Place, provider: &str, references: &[(&str, &str)]) {
    let lines: String = references.iter().map(|(key, text)| format!("  {key}: {text:?}\n")).collect();
    place.write(
        "in.yaml",
        &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n{lines}"),
    );
    let text = format!(
        "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: p}}\ninputs: [in.yaml]\nenvironments: {{e: {{namespace: ns}}}}\nsecrets:\n  providers:\n    bao: {provider}\ntransforms: [{{plugin: \"builtin:secrets\"}}]\n"
    );
    place.write("lathe.yaml", &text);
    place.ok(&["lock"]);
}

fn show(place: &Place, variables: &[(&str, &str)], more: &[&str]) -> Run {
    let mut command = place.command(&["render", "--env", "e", "--show-secrets", "-o", "json"]);
    command.args(more).envs(variables.iter().copied());
    finish(command.output().unwrap())
}

/// The values of the Secret.
fn values(run: &Run) -> Value {
    assert_eq!(run.code, 0, "{}", run.stderr);
    serde_json::from_str::<Value>(&run.stdout).unwrap()["items"][0]["stringData"].clone()
}

/// The codes of the report's problems.
fn codes(place: &Place, variables: &[(&str, &str)]) -> Vec<String> {
    let run = show(place, variables, &["--report", "report.json"]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{}", run.stderr);
    let report: Value =
        serde_json::from_str(&fs::read_to_string(place.path("report.json")).unwrap()).unwrap();
    let problems = report["problems"].as_array().unwrap();
    problems.iter().map(|problem| problem["code"].as_str().unwrap().to_owned()).collect()
}

fn stocked(bao: &Bao) {
    bao.with_body(
        &["kv", "put", "-mount=secret", "portal", "-"],
        r#"{"password":"s3cr et\"1","port":5432,"on":true,"tree":{"leaf":"l"},"gone":null,"list":[1]}"#,
    );
    bao.ok(&["kv", "put", "-mount=secret", "portal/inner", "k=v1"]);
    bao.ok(&["kv", "put", "-mount=secret", "portal/inner", "k=v2"]);
    bao.ok(&["secrets", "enable", "-path=kv1", "-version=1", "kv"]);
    bao.ok(&["kv", "put", "-mount=kv1", "old", "k=one"]);
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn stores_of_both_versions_are_read() {
    let bao = Bao::start();
    stocked(&bao);
    let token = bao.token("read", READ);
    let place = Place::new();
    let provider = format!("{{type: openbao, address: {:?}}}", bao.address);
    pipeline(
        &place,
        &provider,
        &[
            ("avp", "<path:secret/data/portal#password>"),
            ("logical", "<path:secret/portal#password>"),
            ("vals", "x-ref+vault://secret/portal#/port+-y"),
            ("bool", "ref+openbao://secret/data/portal?instance=bao#/on"),
            ("tree", "ref+vault://secret/portal#/tree/leaf"),
            ("path", "<path:secret/data/portal#tree | jsonPath {.leaf} | base64encode>"),
            ("newest", "<path:secret/data/portal/inner#k>"),
            ("pinned", "<path:secret/data/portal/inner#k#1>"),
            ("one", "<path:kv1/old#k>"),
            ("json", "ref+vault://secret/portal?type=json#/tree"),
        ],
    );
    let read = values(&show(&place, &[("BAO_TOKEN", &token)], &[]));
    let want = json!({
        "avp": "s3cr et\"1", "logical": "s3cr et\"1", "vals": "x-5432-y", "bool": "true", "tree": "l", "path": "bA==",
        "newest": "v2", "pinned": "v1", "one": "one", "json": "{\"leaf\":\"l\"}",
    });
    assert_eq!(read, want);
    // The names that Vault has for them will do.
    let vault = [("VAULT_TOKEN", token.as_str()), ("VAULT_ADDR", bao.address.as_str())];
    pipeline(&place, "{type: vault}", &[("a", "<path:secret/data/portal#port>")]);
    assert_eq!(values(&show(&place, &vault, &[]))["a"], "5432");
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn each_thing_that_is_wrong_has_its_code() {
    let bao = Bao::start();
    stocked(&bao);
    bao.ok(&["kv", "put", "-mount=secret", "deleted", "k=v"]);
    bao.ok(&["kv", "delete", "-mount=secret", "deleted"]);
    bao.ok(&["kv", "put", "-mount=secret", "closed", "k=v"]);
    bao.ok(&["secrets", "enable", "transit"]);
    let rules = format!(
        "{READ}path \"secret/data/closed\" {{ capabilities = [\"deny\"] }}\npath \"transit/*\" {{ capabilities = [\"read\"] }}\n"
    );
    let token = bao.token("read", &rules);
    let place = Place::new();
    let provider = format!("{{type: openbao, address: {:?}}}", bao.address);
    for (reference, want) in [
        ("<path:secret/data/nothing#k>", "secret-not-found"),
        ("<path:secret/data/portal#nothing>", "secret-key-missing"),
        ("<path:secret/data/portal/inner#k#9>", "secret-not-found"),
        ("<path:secret/data/deleted#k>", "secret-deleted"),
        ("<path:secret/data/closed#k>", "secret-forbidden"),
        ("<path:elsewhere/data/portal#k>", "secret-forbidden"),
        ("<path:transit/keys/x#k>", "secret-type"),
        ("<path:secret/data/portal#tree>", "secret-type"),
        ("<path:secret/data/portal#gone>", "secret-type"),
        ("<path:secret/data/portal#list>", "secret-type"),
        ("<path:kv1/old#k#1>", "secret-type"),
        ("ref+vault://secret/portal?instance=other#/k", "secret-policy"),
        ("ref+vault://secret/portal?address=http://127.0.0.1:1#/k", "secret-syntax"),
        ("ref+awssecrets://x#/k", "secret-syntax"),
    ] {
        pipeline(&place, &provider, &[("a", reference)]);
        assert_eq!(codes(&place, &[("BAO_TOKEN", &token)]), [want], "{reference}");
    }
    pipeline(&place, &provider, &[("a", "<path:secret/data/portal#port>")]);
    assert_eq!(codes(&place, &[]), ["secret-auth"]);
    assert_eq!(codes(&place, &[("BAO_TOKEN", "wrong")]), ["secret-forbidden"]);
    let run = show(&place, &[("BAO_TOKEN", &token)], &["--offline"]);
    assert!(run.code == 3 && run.stderr.contains("--offline"), "{}", run.stderr);
    let nobody = Place::new();
    pipeline(
        &nobody,
        "{type: openbao, address: \"http://127.0.0.1:1\"}",
        &[("a", "<path:secret/data/portal#port>")],
    );
    assert_eq!(codes(&nobody, &[("BAO_TOKEN", &token)]), ["secret-unavailable"]);
    pipeline(
        &nobody,
        "{type: openbao, address: \"http://bao.example.org\"}",
        &[("a", "<path:secret/data/portal#port>")],
    );
    assert_eq!(codes(&nobody, &[("BAO_TOKEN", &token)]), ["secret-tls"]);
    // A policy of an operator's.
    pipeline(&place, &provider, &[("a", "<path:secret/data/portal#port>")]);
    let head = "apiVersion: lathe.dev/v1alpha1\nkind: Policy\nsecrets:\n  ";
    for (rule, fits) in [
        ("providers: [env]", false),
        ("providers: [openbao]", true),
        ("addresses: [\"https://bao.example.org\"]", false),
        ("paths: [secret/portal]", true),
        ("paths: [\"secret/portal#port\"]", true),
        ("paths: [secret/port]", false),
    ] {
        place.write("policy.yaml", &format!("{head}{rule}\n"));
        let run = show(&place, &[("BAO_TOKEN", &token), ("LATHE_POLICY", "policy.yaml")], &[]);
        assert_eq!(run.code, if fits { 0 } else { 3 }, "{rule}: {}", run.stderr);
    }
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn certificates_are_checked() {
    let bao = Bao::with_tls();
    bao.ok(&["kv", "put", "-mount=secret", "portal", "k=v"]);
    let place = Place::new();
    fs::copy(bao.ca(), place.path("ca.pem")).unwrap();
    let reference = [("a", "<path:secret/data/portal#k>")];
    let token = [("BAO_TOKEN", ROOT)];
    pipeline(&place, &format!("{{type: openbao, address: {:?}, ca: ca.pem}}", bao.address), &reference);
    assert_eq!(values(&show(&place, &token, &[]))["a"], "v");
    pipeline(&place, &format!("{{type: openbao, address: {:?}}}", bao.address), &reference);
    assert_eq!(codes(&place, &token), ["secret-tls"]);
    let ca = place.path("ca.pem").display().to_string();
    assert_eq!(values(&show(&place, &[("BAO_TOKEN", ROOT), ("VAULT_CACERT", &ca)], &[]))["a"], "v");
    place.write("ca.pem", "no certificate\n");
    pipeline(&place, &format!("{{type: openbao, address: {:?}, ca: ca.pem}}", bao.address), &reference);
    assert_eq!(codes(&place, &token), ["secret-tls"]);
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn namespaces_are_apart() {
    let bao = Bao::start();
    bao.ok(&["namespace", "create", "team1"]);
    bao.ok(&["secrets", "enable", "-namespace=team1", "-path=secret", "-version=2", "kv"]);
    bao.ok(&["kv", "put", "-namespace=team1", "-mount=secret", "portal", "k=theirs"]);
    bao.ok(&["kv", "put", "-mount=secret", "portal", "k=ours"]);
    let place = Place::new();
    let provider = |more: &str| format!("{{type: openbao, address: {:?}{more}}}", bao.address);
    let references =
        [("a", "<path:secret/data/portal#k>"), ("b", "ref+vault://secret/portal?namespace=team1#/k")];
    pipeline(&place, &provider(""), &references);
    assert_eq!(values(&show(&place, &[("BAO_TOKEN", ROOT)], &[])), json!({"a": "ours", "b": "theirs"}));
    pipeline(&place, &provider(", namespace: team1"), &references[..1]);
    assert_eq!(values(&show(&place, &[("BAO_TOKEN", ROOT)], &[]))["a"], "theirs");
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn roles_of_approle_log_in_and_out() {
    let bao = Bao::start();
    stocked(&bao);
    bao.policy("read", READ);
    bao.ok(&["auth", "enable", "approle"]);
    bao.ok(&["write", "auth/approle/role/ci", "token_policies=read", "secret_id_num_uses=1"]);
    let role = bao.ok(&["read", "-field=role_id", "auth/approle/role/ci/role-id"]);
    let secret = bao.ok(&["write", "-f", "-field=secret_id", "auth/approle/role/ci/secret-id"]);
    let place = Place::new();
    let auth = "auth: {method: approle, roleIdEnv: ROLE, secretIdEnv: ONCE}";
    pipeline(
        &place,
        &format!("{{type: openbao, address: {:?}, {auth}}}", bao.address),
        &[("a", "<path:secret/data/portal#port>")],
    );
    let before = bao.tokens();
    assert_eq!(values(&show(&place, &[("ROLE", &role), ("ONCE", &secret)], &[]))["a"], "5432");
    assert_eq!(bao.tokens(), before, "the token is revoked at the end");
    // A secret id of one use has been used.
    assert_eq!(codes(&place, &[("ROLE", &role), ("ONCE", &secret)]), ["secret-auth"]);
    assert_eq!(codes(&place, &[("ROLE", &role)]), ["secret-auth"]);
}

/// A key of a test, and its public half as `OpenBao` takes it.
struct Signer {
    key: EcdsaKeyPair,
    public: String,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        // SubjectPublicKeyInfo of an EC key on P-256 (RFC 5480) up to the point.
        let mut spki = vec![
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
            0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        spki.extend_from_slice(key.public_key().as_ref());
        let public =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki));
        Self { key, public }
    }

    fn jwt(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({"alg": "ES256", "typ": "JWT"})), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The ID token of a GitLab job, by its claims.
fn claims(change: impl FnOnce(&mut Value)) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({
        "iss": "https://gitlab.example.org", "aud": "https://bao.example.org", "sub": "project_path:hifis/portal:ref_type:branch:ref:main",
        "exp": now + 300, "iat": now, "nbf": now - 5, "project_id": "42", "project_path": "hifis/portal", "namespace_path": "hifis",
        "ref": "main", "ref_type": "branch", "ref_protected": "true", "pipeline_source": "push", "user_login": "someone",
    });
    change(&mut claims);
    claims
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn jobs_of_gitlab_log_in_with_their_id_token() {
    let (bao, signer) = (Bao::start(), Signer::new());
    stocked(&bao);
    bao.policy("read", READ);
    bao.ok(&["auth", "enable", "jwt"]);
    let config =
        json!({"jwt_validation_pubkeys": [signer.public], "bound_issuer": "https://gitlab.example.org"});
    bao.with_body(&["write", "auth/jwt/config", "-"], &config.to_string());
    let role = json!({
        "role_type": "jwt", "user_claim": "project_id", "bound_audiences": ["https://bao.example.org"], "bound_claims_type": "glob",
        "bound_claims": {"project_path": "hifis/*", "ref_protected": "true"}, "token_policies": ["read"], "token_ttl": "5m",
    });
    bao.with_body(&["write", "auth/jwt/role/ci", "-"], &role.to_string());
    let place = Place::new();
    let auth = "auth: {method: jwt, role: ci, tokenEnv: BAO_ID_TOKEN}";
    pipeline(
        &place,
        &format!("{{type: openbao, address: {:?}, {auth}}}", bao.address),
        &[("a", "<path:secret/data/portal#port>")],
    );
    let before = bao.tokens();
    let token = signer.jwt(&claims(|_| ()));
    assert_eq!(values(&show(&place, &[("BAO_ID_TOKEN", &token)], &[]))["a"], "5432");
    assert_eq!(bao.tokens(), before, "the token is revoked at the end");
    let wrong: [(&str, fn(&mut Value), &str); 5] = [
        ("audience", |claims| claims["aud"] = "https://other.example.org".into(), "audience"),
        ("issuer", |claims| claims["iss"] = "https://gitlab.example.com".into(), "issuer"),
        ("expiry", |claims| claims["exp"] = (claims["iat"].as_u64().unwrap() - 600).into(), "expired"),
        ("claim", |claims| claims["project_path"] = "others/portal".into(), "project_path"),
        ("branch", |claims| claims["ref_protected"] = "false".into(), "ref_protected"),
    ];
    for (what, change, told) in wrong {
        let token = signer.jwt(&claims(change));
        assert_eq!(codes(&place, &[("BAO_ID_TOKEN", &token)]), ["secret-auth"], "{what}");
        let run = show(&place, &[("BAO_ID_TOKEN", &token)], &[]);
        assert!(run.stderr.contains(told) && !run.stderr.contains(&token), "{what}: {}", run.stderr);
    }
    let forged = Signer::new().jwt(&claims(|_| ()));
    assert_eq!(codes(&place, &[("BAO_ID_TOKEN", &forged)]), ["secret-auth"]);
    assert_eq!(codes(&place, &[("BAO_ID_TOKEN", "no.jwt.")]), ["secret-auth"]);
    assert_eq!(codes(&place, &[]), ["secret-auth"]);
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn references_are_looked_up_without_their_values() {
    let bao = Bao::start();
    stocked(&bao);
    // Whoever may see the names of keys need not see the values.
    let names = r#"path "secret/subkeys/*" { capabilities = ["read"] }"#;
    let token = bao.token("names", names);
    let place = Place::new();
    let provider = format!("{{type: openbao, address: {:?}}}", bao.address);
    pipeline(
        &place,
        &provider,
        &[("a", "<path:secret/data/portal#password>"), ("b", "x<path:secret/data/portal/inner#k#1>")],
    );
    let check = |place: &Place| {
        let mut command = place.command(&["secrets", "check", "--env", "e"]);
        finish(command.env("BAO_TOKEN", &token).output().unwrap())
    };
    let run = check(&place);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let want = "REFERENCE                BACKEND        VERSION  STATUS  SINK\nsecret/portal#password   bao (openbao)  1        ok      Secret/s /stringData/a\nsecret/portal/inner#k#1  bao (openbao)  1        ok      Secret/s /stringData/b\n";
    assert_eq!(run.stdout, want);
    pipeline(&place, &provider, &[("a", "<path:secret/data/portal#passwort>")]);
    let run = check(&place);
    assert!(run.code == 3 && run.stdout.contains("secret-key-missing"), "{}{}", run.stdout, run.stderr);
}

//! What is told: workloads and Secrets that do not fit, and what is left of another client.

mod run;

use lathe_sdk::{Value, json};
use run::{Given, b64, deployment, map};

fn client() -> Value {
    json!({"name": "notes", "profile": "hedgedoc", "secretName": "notes-oidc", "hosts": ["notes.example.org"], "workloads": ["Deployment/hedgedoc"]})
}

fn wired() -> Value {
    let env = json!([
        {"name": "CMD_OAUTH2_CLIENT_ID", "value": "notes"},
        {"name": "CMD_OAUTH2_CLIENT_SECRET", "value": "geheim-1/x"},
    ]);
    deployment("hedgedoc", "notes", &json!({"name": "hedgedoc", "image": "r/notes:1", "env": env}))
}

fn with(object: Value) -> Given {
    Given::new(client(), "notes", vec![wired(), object])
}

#[test]
fn a_client_id_that_is_left_is_found() {
    for (key, text) in [
        ("client-id", "notes"),
        ("app.properties", "a=b\noidc.client-id = notes\n"),
        ("config.json", r#"{"aai": {"clientId": "notes", "x": 1}}"#),
        ("config.yaml", "CLIENT_ID: 'notes' # x\n"),
        ("start.sh", "exec app --oidc-client-id=notes --x"),
        ("url", "https://aai.example.org/authorize?client_id=notes&x=1"),
    ] {
        let done = with(map("notes", "notes", &[(key, text)])).run();
        assert_eq!(done.codes(), ["foreign-client"], "{text}");
    }
    let other = deployment(
        "other",
        "notes",
        &json!({"name": "notes", "env": [{"name": "OIDC_CLIENT_ID", "value": "notes"}]}),
    );
    assert_eq!(with(other).run().codes(), ["foreign-client"]);
    for text in [
        "notes",
        "name: notes\n",
        "client-id: notes-2\n",
        "client-id: notes.example.org\n",
        "client-id: notes or so",
        "client-provider: notes\n",
        "client-id: ${NOTES}\n",
    ] {
        let done = with(map("notes", "notes", &[("text", text)]));
        let codes = if text.ends_with("or so") { vec!["foreign-client"] } else { vec![] };
        assert_eq!(done.run().codes(), codes, "{text}");
    }
}

#[test]
fn a_secret_that_is_left_is_found_and_not_shown() {
    for object in [
        map("notes", "notes", &[("x", "a geheim-1/x b")]),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "notes"}, "data": {"x": b64("k=geheim-1/x\n")}}),
        json!({"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x", "annotations": {"a/b": "geheim-1/x"}}}),
    ] {
        let done = with(object).run();
        assert_eq!(done.codes(), ["foreign-client"]);
        assert!(!done.findings[0].1.contains("geheim"));
    }
    assert_eq!(with(map("notes", "notes", &[("x", "geheim-1/xy")])).run().codes(), [""; 0]);
}

#[test]
fn what_the_inputs_secret_says_is_looked_for() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "notes-oidc", "namespace": "notes"}, "data": {"client-id": b64("notes-prod\n")}});
    let given = Given::new(
        client(),
        "notes",
        vec![
            deployment("hedgedoc", "notes", &json!({"name": "a"})),
            secret,
            map("m", "notes", &[("clientId", "notes-prod")]),
        ],
    );
    let codes = given.try_once().unwrap();
    assert_eq!(codes.codes(), ["client-secret-dropped", "foreign-client"]);
}

#[test]
fn a_callback_that_is_left_is_found() {
    let client = json!({"name": "hub", "profile": "jupyterhub", "secretName": "s", "hosts": ["hub.example.org"], "workloads": ["Deployment/hub"]});
    let container = json!({"name": "hub", "env": [{"name": "OAUTH_CALLBACK_URL", "value": "https://old.example.org/cb"}]});
    let objects = vec![deployment("hub", "x", &container), deployment("other", "x", &container)];
    assert_eq!(Given::new(client, "x", objects).run().codes(), ["foreign-client"]);
}

#[test]
fn another_namespace_does_not_have_the_secret() {
    let other = deployment(
        "other",
        "elsewhere",
        &json!({"name": "a", "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "notes-oidc", "key": "client-id"}}}]}),
    );
    let done = with(other.clone()).run();
    assert_eq!(done.codes(), ["other-namespace"]);
    assert_eq!(done.objects[1], other);
    // Nobody says which namespace the environment has.
    let done = Given::new(client(), "", vec![wired(), other]).run();
    assert_eq!(done.codes(), [""; 0]);
    assert_eq!(done.env(1).len(), 3);
    let mut here = wired();
    here["metadata"]["namespace"] = Value::Null;
    assert_eq!(Given::new(client(), "notes", vec![here]).run().codes(), [""; 0]);
}

#[test]
fn keys_of_another_namespaces_secret_stay() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "notes-oidc", "namespace": "elsewhere"}, "stringData": {"client-id": "x"}});
    let done = with(secret.clone()).run();
    assert_eq!(done.codes(), [""; 0]);
    assert_eq!(done.objects[1], secret);
}

#[test]
fn a_projected_volume_uses_the_secret() {
    let mut object = deployment("files", "notes", &json!({"name": "a"}));
    object["spec"]["template"]["spec"]["volumes"] =
        json!([{"name": "v", "projected": {"sources": [{"secret": {"name": "notes-oidc"}}]}}]);
    let client = json!({"name": "notes", "profile": "hedgedoc", "secretName": "notes-oidc", "hosts": ["notes.example.org"]});
    let done = Given::new(client.clone(), "notes", vec![object.clone()]).run();
    assert_eq!(done.codes(), [""; 0]);
    assert_eq!(done.objects[0], object);
    assert_eq!(
        Given::new(client, "notes", vec![deployment("x", "notes", &json!({"name": "a"}))]).run().codes(),
        ["unwired-client"]
    );
}

#[test]
fn what_would_write_over_the_secret_is_told() {
    for (api, kind, name, spec) in [
        ("external-secrets.io/v1", "ExternalSecret", "notes-oidc", json!({})),
        ("external-secrets.io/v1beta1", "ExternalSecret", "x", json!({"target": {"name": "notes-oidc"}})),
        ("bitnami.com/v1alpha1", "SealedSecret", "notes-oidc", json!({})),
        ("cert-manager.io/v1", "Certificate", "x", json!({"secretName": "notes-oidc"})),
    ] {
        let object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "notes"}, "spec": spec});
        assert_eq!(with(object).run().codes(), ["competing-secret"], "{kind}");
    }
    let object = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "notes-oidc", "namespace": "notes"}, "spec": {"target": {"name": "y"}}});
    assert_eq!(with(object).run().codes(), [""; 0]);
}

#[test]
fn two_clients_of_one_container_are_both_wired() {
    let env = json!([
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "client-id"}}},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "two", "key": "client-id"}}},
    ]);
    let client = |name: &str, id: &str| json!({"name": name, "profile": "spring-boot", "registrationId": id, "secretName": name, "hosts": ["a.example.org"]});
    let done =
        Given::new(client("one", "x"), "n", vec![deployment("d", "n", &json!({"name": "a", "env": env}))])
            .and(client("two", "y"))
            .run();
    assert_eq!(done.codes(), [""; 0]);
    assert_eq!(done.env(0).len(), 6);
}

#[test]
fn a_secret_of_another_name_that_held_the_client_is_emptied_of_it() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "all", "namespace": "notes"}, "stringData": {"oauth": "lathe1x", "other": "stays", "CMD_OAUTH2_CLIENT_ID": "x"}});
    let env = json!([
        {"name": "CMD_OAUTH2_CLIENT_SECRET", "valueFrom": {"secretKeyRef": {"name": "all", "key": "oauth"}}},
    ]);
    let container = json!({"name": "hedgedoc", "image": "r/notes:1", "env": env, "envFrom": [{"secretRef": {"name": "all"}}]});
    let given =
        Given::new(client(), "notes", vec![deployment("hedgedoc", "notes", &container), secret.clone()]);
    let done = given.run();
    assert_eq!(done.codes(), ["client-key-taken", "client-key-taken"]);
    assert_eq!(done.objects[1]["stringData"], json!({"other": "stays"}));
    // Somebody else reads the same.
    let reads = json!([{"name": "X", "valueFrom": {"secretKeyRef": {"name": "all", "key": "oauth"}}}]);
    let other = deployment("other", "notes", &json!({"name": "other", "env": reads}));
    let given =
        Given::new(client(), "notes", vec![deployment("hedgedoc", "notes", &container), secret, other]);
    assert_eq!(given.run().codes(), ["client-key-taken", "foreign-client"]);
}

#[test]
fn the_clients_own_secret_keeps_no_other_client_under_other_keys() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "notes-oidc", "namespace": "notes"}, "stringData": {"CMD_OAUTH2_CLIENT_ID": "x", "oauth": "lathe1x", "other": "stays"}});
    let env = json!([
        {"name": "CMD_OAUTH2_CLIENT_SECRET", "valueFrom": {"secretKeyRef": {"name": "notes-oidc", "key": "oauth"}}},
    ]);
    let container = json!({"name": "hedgedoc", "image": "r/notes:1", "env": env, "envFrom": [{"secretRef": {"name": "notes-oidc"}}]});
    let given = Given::new(client(), "notes", vec![deployment("hedgedoc", "notes", &container), secret]);
    let done = given.run();
    assert_eq!(done.objects[1]["stringData"], json!({"other": "stays"}));
}

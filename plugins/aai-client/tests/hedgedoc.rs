//! `HedgeDoc` 1 and 2.

mod run;

use lathe_sdk::{Value, json};
use run::{Given, deployment};

fn client(profile: &str) -> Value {
    json!({"name": "notes", "profile": profile, "secretName": "notes-oidc", "hosts": ["Notes.example.org"]})
}

fn container(env: &Value) -> Value {
    json!({"name": "hedgedoc", "env": env, "envFrom": [{"prefix": "X_", "secretRef": {"name": "notes-oidc"}}]})
}

fn given(profile: &str, env: &Value) -> Given {
    Given::new(client(profile), "notes", vec![deployment("hedgedoc", "notes", &container(env))])
}

#[test]
fn version_1_reads_its_client() {
    let env = json!([
        {"name": "CMD_OAUTH2_PROVIDERNAME", "value": "Example AAI"},
        {"name": "CMD_OAUTH2_AUTHORIZATION_URL", "value": "https://aai.example.org/oauth2/authorize"},
        {"name": "CMD_OAUTH2_CLIENT_ID", "value": "notes-prod"},
        {"name": "CMD_OAUTH2_CLIENT_SECRET", "valueFrom": {"secretKeyRef": {"name": "old", "key": "s", "optional": true}}},
        {"name": "CMD_OAUTH2_CLIENT_ID", "value": "notes-prod-2"},
    ]);
    let done = given("hedgedoc", &env).run();
    assert_eq!(done.codes(), [""; 0]);
    let reference = |key: &str| json!({"secretKeyRef": {"name": "notes-oidc", "key": key}});
    let id = json!({"name": "CMD_OAUTH2_CLIENT_ID", "valueFrom": reference("client-id")});
    let want = json!([
        {"name": "CMD_OAUTH2_PROVIDERNAME", "value": "Example AAI"},
        {"name": "CMD_OAUTH2_AUTHORIZATION_URL", "value": "https://aai.example.org/oauth2/authorize"},
        id,
        {"name": "CMD_OAUTH2_CLIENT_SECRET", "valueFrom": reference("client-secret")},
        id,
    ]);
    assert_eq!(done.objects[0]["spec"]["template"]["spec"]["containers"][0]["env"], want);
    let want = json!({
        "name": "notes", "profile": "hedgedoc", "secretName": "notes-oidc", "hosts": ["notes.example.org"],
        "redirectUris": ["https://notes.example.org/auth/oauth2/callback"],
        "postLogoutRedirectUris": ["https://notes.example.org/"],
        "scopes": ["openid", "profile", "email"], "grantTypes": ["authorization_code"],
        "authMethod": "client_secret_post", "contacts": [],
    });
    assert_eq!(done.intents, [want]);
    let done = given("hedgedoc", &env).with("issuer", json!("aai")).run();
    let env = done.env(0);
    assert_eq!(env["CMD_OAUTH2_AUTHORIZATION_URL"]["valueFrom"], reference("authorization-endpoint"));
    assert_eq!(env["CMD_OAUTH2_TOKEN_URL"]["valueFrom"], reference("token-endpoint"));
    assert_eq!(env["CMD_OAUTH2_USER_PROFILE_URL"]["valueFrom"], reference("userinfo-endpoint"));
}

#[test]
fn version_2_names_its_servers() {
    for (before, after) in [
        (json!([]), "aai"),
        (json!([{"name": "HD_AUTH_OIDC_SERVERS", "value": "google"}]), "google,aai"),
        (json!([{"name": "HD_AUTH_OIDC_SERVERS", "value": "google, AAI"}]), "google, AAI"),
    ] {
        let done = given("hedgedoc-2", &before).with("registrationId", json!("aai")).run();
        assert_eq!(done.codes(), [""; 0]);
        let env = done.env(0);
        assert_eq!(env["HD_AUTH_OIDC_SERVERS"]["value"], after);
        assert_eq!(env["HD_AUTH_OIDC_AAI_CLIENT_ID"]["valueFrom"]["secretKeyRef"]["key"], "client-id");
        assert_eq!(env["HD_AUTH_OIDC_AAI_ISSUER"]["valueFrom"]["secretKeyRef"]["key"], "issuer-uri");
        let intent = &done.intents[0];
        assert_eq!(intent["redirectUris"][0], "https://notes.example.org/api/private/auth/oidc/aai/callback");
        assert_eq!(intent["authMethod"], "client_secret_basic");
    }
    let from = json!([{"name": "HD_AUTH_OIDC_SERVERS", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]);
    assert_eq!(given("hedgedoc-2", &from).run().codes(), ["unread-login"]);
    assert!(given("hedgedoc-2", &from).with("registrationId", json!("a,b")).try_once().is_err());
}

#[test]
fn a_public_client_asks_for_no_secret() {
    let env = json!([{"name": "CMD_OAUTH2_CLIENT_SECRET", "value": "geheim-1"}]);
    let done = given("hedgedoc", &env)
        .with("authMethod", json!("none"))
        .with("scopes", json!(["openid", "offline_access"]))
        .with("title", json!("Notes"))
        .with("ttl", json!("14d"))
        .with("postLogout", json!(["/", "/bye"]))
        .run();
    assert_eq!(done.codes(), [""; 0]);
    assert_eq!(done.env(0).keys().collect::<Vec<_>>(), ["CMD_OAUTH2_CLIENT_ID"]);
    let intent = &done.intents[0];
    assert_eq!(intent["authMethod"], "none");
    assert_eq!(intent["grantTypes"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(intent["ttl"], "14d");
    assert_eq!(intent["title"], "Notes");
    assert_eq!(
        intent["postLogoutRedirectUris"],
        json!(["https://notes.example.org/", "https://notes.example.org/bye"])
    );
}

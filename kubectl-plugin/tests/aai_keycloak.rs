//! Login clients of the examples at a real Keycloak: registered, changed, rotated, taken back, and a user logs in.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::cluster::Cluster;
use support::keycloak::{Keycloak, PASSWORD, USER};
use support::login::Login;

/// Where an example's application sends users back to, as its own manifests make it.
fn callback(example: &str, objects: &[Value]) -> String {
    let env = |name: &str| {
        let pods = objects.iter().filter_map(|object| object.pointer("/spec/template/spec/containers"));
        let containers = pods.flat_map(|list| list.as_array().unwrap());
        let mut variables =
            containers.flat_map(|container| container["env"].as_array().into_iter().flatten());
        let variable = variables.find(|variable| variable["name"] == name);
        variable.unwrap_or_else(|| panic!("{name} is not set"))["value"].as_str().unwrap().to_owned()
    };
    match example {
        "portal" => {
            let ingress = objects.iter().find(|object| object["kind"] == "Ingress").unwrap();
            format!("https://{}/login/oauth2/code/aai", ingress["spec"]["rules"][0]["host"].as_str().unwrap())
        }
        "hedgedoc" => format!("https://{}/auth/oauth2/callback", env("CMD_DOMAIN")),
        _ => env("OAUTH_CALLBACK_URL"),
    }
}

fn uris(client: &Value, name: &str) -> BTreeSet<String> {
    client[name].as_array().unwrap().iter().map(|uri| uri.as_str().unwrap().to_owned()).collect()
}

/// The whole life of one example's client.
fn life(login: &Login<'_>, keycloak: &Keycloak, example: &str, secret: &str) {
    let before = login.text();
    let told = login.ok(&["apply"], &["--no-hooks"]);
    assert!(told.contains(&format!("client {example} registered\n")), "{told}");
    let callback = callback(example, &login.rendered());
    let host = callback.trim_start_matches("https://").split('/').next().unwrap().to_owned();
    let [client] = &keycloak.clients_of(&host)[..] else { panic!("{:?}", keycloak.clients_of(&host)) };
    assert_eq!(uris(client, "redirectUris"), [callback.clone()].into());
    assert_eq!(login.value(secret, "client-id"), client["clientId"].as_str().unwrap());
    assert_eq!(login.text(), before, "rendering knows nothing of registrations");

    // Nothing is left to do.
    let again = login.ok(&["apply"], &["--no-hooks"]);
    assert!(again.contains(&format!("client {example} unchanged\n")), "{again}");
    assert!(!again.lines().any(|line| line.ends_with(" created") || line.ends_with(" changed")), "{again}");
    let diff: Value = serde_json::from_str(&login.run(&["diff"], &["-o", "json"]).stdout).unwrap();
    assert!(diff["objects"].as_array().unwrap().iter().all(|object| object["change"] == "run"), "{diff}");

    // A user logs in.
    let login_as = |password: &str| {
        let fixed =
            ["--project", &login.name, "--ops-namespace", &login.ops, "--env", "review", "--review", "1"];
        let verb =
            ["aai", "test-login", example, "--username", USER, "--kubeconfig", &login.cluster.kubeconfig];
        let mut command = login.cluster.place.command(&[&verb[..], &fixed[..]].concat());
        support::finish(command.env("LATHE_TEST_PASSWORD", password).output().unwrap())
    };
    let run = login_as(PASSWORD);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("alice@example.org"), "{}", run.stdout);
    let run = login_as("wrong");
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("the login fails at the login form"), "{}", run.stderr);

    // A host more, a scope less.
    let id = login.value(secret, "client-id");
    login.change("hosts: {", "hosts: {more.example.org: more, ");
    login.change("hosts: [", "scopes: [openid, profile], hosts: [");
    login.change("], hosts: [", "], hosts: [more.example.org, ");
    let told = login.ok(&["apply"], &["--no-hooks"]);
    assert!(told.contains(&format!("client {example} updated\n")), "{told}");
    let [client] = &keycloak.clients_of(&host)[..] else { panic!("two clients") };
    assert_eq!(client["clientId"], id.as_str(), "it is the same client");
    let now = uris(client, "redirectUris");
    assert_eq!(now.len(), 2);
    assert!(now.contains(&callback) && now.iter().any(|uri| uri.contains("//more-")), "{now:?}");
    let mut scopes = uris(client, "defaultClientScopes");
    scopes.extend(uris(client, "optionalClientScopes"));
    assert!(scopes.contains("profile") && !scopes.contains("email"), "{scopes:?}");
    let run = login_as(PASSWORD);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.stdout.contains("alice@example.org"), "{}", run.stdout);

    // Other credentials, and workloads that read them.
    let old = login.value(secret, "client-secret");
    login.ok(&["aai", "rotate", example], &[]);
    let new = login.value(secret, "client-secret");
    assert_ne!(old, new);
    assert_eq!(login_as(PASSWORD).code, 0);
    let told = login.ok(&["apply"], &["--no-hooks"]);
    assert!(told.lines().any(|line| line.ends_with(" changed")), "workloads are made anew: {told}");
    assert_eq!(keycloak.clients_of(&host).len(), 1);
    assert_eq!(login_as(PASSWORD).code, 0);

    // Gone.
    let told = login.ok(&["down"], &[]);
    assert!(told.starts_with(&format!("client {example} deregistered\n")), "{told}");
    assert_eq!(keycloak.clients_of(&host).len(), 0);
    assert!(!login.cluster.exists(&["namespace", &login.namespace()]));
    assert_eq!(login.clients().len(), 0);
}

#[test]
#[ignore = "needs a cluster and Keycloak"]
fn clients_live_and_die_with_their_reviews() {
    let (cluster, keycloak) = (Cluster::new(), Keycloak::start());
    let token = keycloak.initial_token(20);
    for (example, secret) in
        [("portal", "portal-oidc"), ("hedgedoc", "hedgedoc-oidc"), ("jupyterhub", "jupyterhub-oidc")]
    {
        life(&Login::dcr(&cluster, example, &keycloak.issuer(), &token), &keycloak, example, secret);
        life(&Login::keycloak(&cluster, example, &keycloak), &keycloak, example, secret);
    }
    assert_eq!(keycloak.clients().len(), 0);
}

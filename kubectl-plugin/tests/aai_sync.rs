//! Clients registered for workloads that somebody else applies.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use serde_json::Value;
use support::cluster::Cluster;
use support::keycloak::{Keycloak, PASSWORD, USER};
use support::login::Login;
use support::{console, root};

#[test]
#[ignore = "needs a cluster and Keycloak"]
fn workloads_that_kubectl_applies_can_log_in() {
    let (cluster, keycloak) = (Cluster::new(), Keycloak::start());
    let login = Login::small_dcr(&cluster, "synced", &keycloak.issuer(), &keycloak.initial_token(5));
    let before = login.text();
    let run = login.run(&["aai", "sync"], &[]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("`--create-namespace` makes it"), "{}", run.stderr);
    assert!(keycloak.clients().is_empty());
    let told = login.ok(&["aai", "sync"], &["--create-namespace"]);
    assert_eq!(told, "client whoami registered\n");
    assert_eq!(login.ok(&["aai", "sync"], &[]), "client whoami unchanged\n");
    assert_eq!(login.text(), before);
    let namespace = login.namespace();
    // Nothing of Lathe's own stays in the way of who applies.
    assert_eq!(cluster.ok(&["get", "leases", "-n", &login.ops, "-o", "name"]), "");

    let fixed = [
        "render",
        "-p",
        &login.name,
        "--env",
        "review",
        "--review",
        "1",
        "--show-secrets",
        "--state",
        "made.json",
    ];
    cluster.place.write("all.yaml", &cluster.place.ok(&fixed));
    let file = cluster.place.path("all.yaml").display().to_string();
    cluster.ok(&["apply", "--server-side", "-f", &file]);
    let deployment: Value =
        serde_json::from_str(&cluster.ok(&["get", "deployment", "whoami", "-n", &namespace, "-o", "json"]))
            .unwrap();
    let variables = deployment.pointer("/spec/template/spec/containers/0/env").unwrap().as_array().unwrap();
    for variable in variables {
        let reference = &variable["valueFrom"]["secretKeyRef"];
        if reference["name"] == "whoami-oidc" {
            assert_ne!(login.value("whoami-oidc", reference["key"].as_str().unwrap()), "", "{variable}");
        }
    }
    assert_eq!(login.value("whoami-oidc", "issuer"), keycloak.issuer());

    let place =
        ["--project", &login.name, "--ops-namespace", &login.ops, "--kubeconfig", &cluster.kubeconfig];
    let test = |redirect: &str| {
        let verb = ["aai", "test-login", "whoami", "--username", USER, "-o", "json"];
        let more = if redirect.is_empty() { vec![] } else { vec!["--redirect-uri", redirect] };
        let mut command = cluster.place.command(&[&verb[..], &place[..], &more].concat());
        support::finish(command.env("LATHE_TEST_PASSWORD", PASSWORD).output().unwrap())
    };
    let run = test("");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(told["claims"]["preferred_username"], USER);
    let run = test("https://evil.example/cb");
    assert_eq!(run.code, 3);
    assert!(
        run.stderr.contains("the login fails at the authorization request: status 400"),
        "{}",
        run.stderr
    );

    let list = cluster.place.ok(&[&["aai", "list"], &place[..]].concat());
    assert!(list.contains("whoami") && list.contains("registered") && list.contains("review/1"), "{list}");
    let shown = login.ok(&["aai", "show", "whoami"], &[]);
    assert!(shown.contains("redirects  https://whoami-"), "{shown}");

    // What was synced goes with the review, although no apply of Lathe's made it.
    cluster.ok(&["delete", "namespace", &namespace]);
    let told = login.ok(&["down"], &[]);
    assert!(told.contains("client whoami deregistered"), "{told}");
    assert!(keycloak.clients().is_empty());
    let run = test("");
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("client `whoami` is not known here"), "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster and Keycloak"]
fn the_guide_tells_the_truth() {
    let (cluster, keycloak) = (Cluster::new(), Keycloak::start());
    let token = keycloak.initial_token(5);
    let variables = [
        ("KUBECONFIG", cluster.kubeconfig.as_str()),
        ("LATHE_TEST_KUBECTL", cluster.kubectl.as_str()),
        ("LATHE_AAI_TOKEN", token.as_str()),
        ("LATHE_TEST_PASSWORD", PASSWORD),
    ];
    let issuer = keycloak.issuer();
    console::run_beside(&root().join("docs/guide/register.md"), &variables, &|place| {
        let file = "examples/review-environment/lathe.yaml";
        let text = std::fs::read_to_string(place.path(file)).unwrap();
        place.write(file, &text.replace("https://aai.example.org/realms/main", &issuer));
    });
    assert!(keycloak.clients().is_empty());
}

#[test]
#[ignore = "needs a cluster and Keycloak"]
fn a_client_that_is_gone_shows_where_the_login_fails() {
    let (cluster, keycloak) = (Cluster::new(), Keycloak::start());
    let login = Login::small_keycloak(&cluster, "gone", &keycloak);
    login.ok(&["apply"], &[]);
    let client = keycloak.clients().remove(0);
    let path = format!("/admin/realms/aai/clients/{}", client["id"].as_str().unwrap());
    assert_eq!(keycloak.asked("DELETE", &path, &Value::Null).status, 204);
    let place =
        ["--project", &login.name, "--ops-namespace", &login.ops, "--kubeconfig", &cluster.kubeconfig];
    let verb = ["aai", "test-login", "whoami", "--username", USER];
    let mut command = cluster.place.command(&[&verb[..], &place[..]].concat());
    let run = support::finish(command.env("LATHE_TEST_PASSWORD", PASSWORD).output().unwrap());
    assert_eq!(run.code, 3);
    assert!(
        run.stderr.contains("the login fails at the authorization request: status 400"),
        "{}",
        run.stderr
    );
    // It comes back with the next apply, and workloads are made anew only where its credentials are others.
    let told = login.ok(&["apply"], &[]);
    assert!(told.contains("client whoami registered"), "{told}");
    let mut command = cluster.place.command(&[&verb[..], &place[..]].concat());
    let run = support::finish(command.env("LATHE_TEST_PASSWORD", PASSWORD).output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    login.ok(&["down"], &[]);
}

//! Login clients and a real API server: whose Secrets they are, what a run that cannot finish leaves, and who waits for whom.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;
use support::cluster::Cluster;
use support::finish;
use support::login::Login;
use support::provider::{Provider, Turn};
use support::proxy::{Deed, Proxy, failure};

const TOKEN: &str = "initial-token-of-a-test";

fn set_up<'a>(cluster: &'a Cluster, name: &str) -> (Provider, Login<'a>) {
    let provider = Provider::start();
    let login = Login::small_dcr(cluster, name, &provider.issuer, TOKEN);
    (provider, login)
}

#[test]
#[ignore = "needs a cluster"]
fn many_applies_at_once_make_one_client() {
    let cluster = Cluster::new();
    let (provider, login) = set_up(&cluster, "many");
    let start =
        |_| login.command(&["apply"], &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<_> = (0..20).map(start).collect();
    let runs: Vec<_> = children.into_iter().map(|child| finish(child.wait_with_output().unwrap())).collect();
    for run in &runs {
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    }
    assert_eq!(runs.iter().filter(|run| run.stdout.contains("client whoami registered")).count(), 1);
    assert_eq!((provider.count("POST "), provider.clients().len()), (1, 1));
    assert_eq!(login.value("whoami-oidc", "client-id"), "id-1");
    let run = login.run(&["down"], &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(provider.clients().is_empty());
}

#[test]
#[ignore = "needs a cluster"]
fn the_secret_of_somebody_else_stays() {
    let cluster = Cluster::new();
    let (provider, login) = set_up(&cluster, "foreign");
    login.ok(&["apply"], &[]);
    let namespace = login.namespace();
    // Rendering takes the keys out of the input's Secret, so this one is nobody's.
    login.ok(&["aai", "deregister", "--project", &login.name, "--ops-namespace", &login.ops], &[]);
    assert!(!cluster.exists(&["secret", "whoami-oidc", "-n", &namespace]));
    cluster.ok(&[
        "create",
        "secret",
        "generic",
        "whoami-oidc",
        "-n",
        &namespace,
        "--from-literal=client-id=theirs",
    ]);
    let run = login.run(&["apply"], &[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!(
            "Secret {namespace}/whoami-oidc is there, and not of this client; `--adopt` writes over it"
        )),
        "{}",
        run.stderr
    );
    assert!(provider.clients().is_empty(), "nothing is registered that nobody can use");
    assert_eq!(login.value("whoami-oidc", "client-id"), "theirs");
    login.ok(&["apply"], &["--adopt"]);
    assert_eq!(login.value("whoami-oidc", "client-id"), "id-2");
    login.ok(&["down"], &[]);
}

#[test]
#[ignore = "needs a cluster"]
fn what_a_provider_gave_is_kept_or_given_back() {
    let cluster = Cluster::new();
    let (provider, login) = set_up(&cluster, "kept");
    let through = |proxy: &Proxy, verb: &str| login.run(&[verb], &["--server", &proxy.address]);
    // Nothing can be kept once the client is registered: it is given back.
    let proxy = Proxy::judged(&cluster, |line| {
        if line.starts_with("PUT ") && line.contains("/secrets/lathe-client-") {
            failure(500, "spoilt")
        } else {
            Deed::Pass
        }
    });
    let run = through(&proxy, "apply");
    assert_ne!(run.code, 0);
    assert!(run.stderr.contains("what is kept of client"), "{}", run.stderr);
    assert_eq!(provider.count("POST "), 1);
    assert!(provider.clients().is_empty(), "it was given back");
    // The Secret of the application cannot be written: the record has all that the next run needs.
    let proxy = Proxy::judged(&cluster, |line| {
        if line.starts_with("PATCH ") && line.contains("/secrets/whoami-oidc") && line.contains("lathe-aai") {
            failure(403, "spoilt")
        } else {
            Deed::Pass
        }
    });
    let run = through(&proxy, "apply");
    assert_ne!(run.code, 0);
    assert_eq!(provider.clients().len(), 1);
    assert!(
        !cluster.exists(&["deployment", "whoami", "-n", &login.namespace()]),
        "no workload without its Secret"
    );
    let id = provider.clients()[0]["client_id"].clone();
    login.ok(&["apply"], &[]);
    assert_eq!(login.value("whoami-oidc", "client-id"), id.as_str().unwrap());
    assert_eq!(provider.clients().len(), 1);
    // A record that somebody deleted is missed.
    let record = cluster.ok(&[
        "get",
        "secrets",
        "-n",
        &login.ops,
        "--field-selector=type=lathe.dev/client",
        "-o",
        "name",
    ]);
    cluster.ok(&["delete", "-n", &login.ops, record.trim()]);
    let run = login.run(&["apply"], &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("whose record is gone"), "{}", run.stderr);
    provider.seen.lock().unwrap().clients.remove(id.as_str().unwrap());
    let id = provider.clients()[0]["client_id"].clone();
    // A Secret that somebody deleted or changed comes back.
    let namespace = login.namespace();
    cluster.ok(&["delete", "secret", "whoami-oidc", "-n", &namespace]);
    login.ok(&["apply"], &[]);
    assert_eq!(login.value("whoami-oidc", "client-id"), id.as_str().unwrap());
    login.ok(&["down"], &[]);
    assert!(provider.clients().is_empty());
}

#[test]
#[ignore = "needs a cluster"]
fn a_review_whose_provider_is_away_goes_and_its_client_follows() {
    let cluster = Cluster::new();
    let (provider, login) = set_up(&cluster, "away");
    login.ok(&["apply"], &[]);
    let namespace = login.namespace();
    provider.judge(|_, _| Turn::Say(503, "text/plain", String::new()));
    let run = login.run(&["down"], &[]);
    assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("what is known of it stays, and `aai gc` tries again"), "{}", run.stderr);
    assert!(!cluster.exists(&["namespace", &namespace]));
    let place =
        ["--project", &login.name, "--ops-namespace", &login.ops, "--kubeconfig", &cluster.kubeconfig];
    let gc = || cluster.place.run(&[&["aai", "gc"], &place[..]].concat());
    // Not begun, so it is seen to be gone twice.
    provider.judge(|_, _| Turn::Fine);
    assert_eq!(gc().code, 0);
    assert_eq!(provider.clients().len(), 1);
    let run = gc();
    assert_eq!((run.code, run.stdout.as_str()), (0, "client whoami deregistered\n"), "{}", run.stderr);
    assert!(provider.clients().is_empty());
    assert!(!cluster.ok(&["get", "secrets", "-n", &login.ops, "-o", "name"]).contains("lathe-client"));
}

#[test]
#[ignore = "needs a cluster"]
fn a_client_that_is_not_declared_any_more_goes_with_the_next_apply() {
    let cluster = Cluster::new();
    let (provider, login) = set_up(&cluster, "renamed");
    login.ok(&["apply"], &[]);
    login.change("{name: whoami, issuer", "{name: other, issuer");
    let told = login.ok(&["apply"], &["--adopt"]);
    assert!(
        told.contains("client other registered\n") && told.contains("client whoami deregistered\n"),
        "{told}"
    );
    let [client] = &provider.clients()[..] else { panic!("{:?}", provider.clients()) };
    assert!(client["client_name"].as_str().unwrap().starts_with("other "));
    assert_eq!(login.value("whoami-oidc", "client-id"), client["client_id"].as_str().unwrap());
    login.ok(&["down"], &[]);
}

#[test]
#[ignore = "needs a cluster"]
fn a_dry_run_and_a_refused_apply_register_nothing() {
    let cluster = Cluster::new();
    let (provider, login) = set_up(&cluster, "dry");
    login.ok(&["apply"], &["--dry-run"]);
    login.run(&["diff"], &[]);
    assert_eq!(provider.count("POST "), 0);
    login.ok(&["apply"], &[]);
    assert_eq!(provider.count("POST "), 1);
    // Something that the server refuses, and a client that would be changed.
    let bad = format!("{}/manifests/bad.yaml", login.name);
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: bad, namespace: whoami}\nspec: {ports: [{port: 0}]}\n";
    cluster.place.write(&bad, service);
    login.change("hosts: [whoami.example.org]", "scopes: [openid], hosts: [whoami.example.org]");
    let run = login.run(&["apply"], &[]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert_eq!(provider.count("PUT "), 0);
    std::fs::remove_file(cluster.place.path(&bad)).unwrap();
    login.ok(&["apply"], &[]);
    assert_eq!(provider.count("PUT "), 1);
    login.ok(&["down"], &[]);
}

#[test]
#[ignore = "needs a cluster"]
fn a_policy_names_the_issuers() {
    let cluster = Cluster::new();
    let (provider, login) = set_up(&cluster, "policy");
    let policy = |issuers: &str| {
        cluster.place.write(
            "policy.yaml",
            &format!("apiVersion: lathe.dev/v1alpha1\nkind: Policy\nissuers: [{issuers}]\n"),
        );
        cluster.place.path("policy.yaml").display().to_string()
    };
    let file = policy("https://aai.example.org");
    for verb in [&["apply"][..], &["aai", "sync"]] {
        let run = login.run(verb, &["--policy", &file]);
        assert_eq!(run.code, 3);
        assert!(run.stderr.contains("the policy does not allow issuer"), "{}", run.stderr);
    }
    assert_eq!(provider.count(""), 0);
    let file = policy(&format!("'{}'", provider.issuer));
    login.ok(&["apply"], &["--policy", &file]);
    let file = policy("https://aai.example.org");
    let run = login.run(&["down"], &["--policy", &file]);
    assert_ne!(run.code, 0);
    assert_eq!(provider.clients().len(), 1);
    let run = login.run(&["down"], &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(provider.clients().is_empty());
}

/// Thirty reviews want ten hosts, all at the same time.
#[test]
#[ignore = "needs a cluster"]
fn reviews_contend_for_a_pool() {
    let cluster = Cluster::new();
    let provider = Provider::start();
    let issuer = format!(
        "{{issuer: '{}', mode: pool, clientId: 'whoami-{{slot}}', clientSecretEnv: 'SECRET_{{slot}}'}}",
        provider.issuer
    );
    let login = Login::small(&cluster, "pool", &issuer, "");
    let slots: Vec<String> = (1..=10).map(|number| format!("rv-{number}")).collect();
    login.change("    expires: 14d ", &format!("    pool: [{}]\n    expires: 30s ", slots.join(", ")));
    let fixed = ["-p", login.name.as_str(), "--env", "review", "--kubeconfig", &cluster.kubeconfig];
    let lease = |review: &str| {
        [&["review", "lease", "--review", review, "-o", "json"], &fixed[..]]
            .concat()
            .iter()
            .map(|&text| text.to_owned())
            .collect::<Vec<_>>()
    };
    let reviews: Vec<String> = (1..=30).map(|number| number.to_string()).collect();
    let children: Vec<_> = reviews
        .iter()
        .map(|review| {
            let arguments = lease(review);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            cluster.place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let runs: Vec<_> = children.into_iter().map(|child| finish(child.wait_with_output().unwrap())).collect();
    let held: Vec<(String, String)> = runs
        .iter()
        .zip(&reviews)
        .filter(|(run, _)| run.code == 0)
        .map(|(run, review)| {
            let leases: Value = serde_json::from_str(&run.stdout).unwrap();
            (leases["leases"][0]["slot"].as_str().unwrap().to_owned(), review.clone())
        })
        .collect();
    let distinct: BTreeSet<&String> = held.iter().map(|(slot, _)| slot).collect();
    assert_eq!((held.len(), distinct.len()), (10, 10), "no slot is held twice");
    for run in runs.iter().filter(|run| run.code != 0) {
        assert_eq!(run.code, 3);
        assert!(
            run.stderr.contains("all 10 slots of the pool of `review` are taken, and review "),
            "{}",
            run.stderr
        );
    }
    // One of them becomes an environment, whose client is its slot's.
    let (slot, review) = &held[0];
    let arguments = lease(review);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    cluster.place.write("leases.json", &cluster.place.ok(&arguments));
    let apply = [&["apply", "--review", review, "--state", "leases.json"], &fixed[..]].concat();
    let variable = format!("SECRET_{}", slot.to_uppercase().replace('-', "_"));
    let run = finish(cluster.place.command(&apply).env(&variable, "secret-of-a-slot").output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("client whoami registered"), "{}", run.stdout);
    let secrets = cluster.ok(&[
        "get",
        "secrets",
        "-A",
        "-l",
        &format!("lathe.dev/project={},lathe.dev/review={review}", login.name),
        "-o",
        "json",
    ]);
    let encoded = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("whoami-{slot}"))
    };
    assert!(secrets.contains(&encoded), "the client is the slot's");
    // Leases of reviews that never came back to life run out; that of the environment does not while it is there.
    std::thread::sleep(std::time::Duration::from_secs(32));
    let waiting: Vec<&String> =
        reviews.iter().filter(|review| !held.iter().any(|(_, holder)| holder == *review)).collect();
    let mut taken = BTreeSet::new();
    for review in waiting {
        let arguments = lease(review);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = cluster.place.run(&arguments);
        if run.code == 0 {
            let leases: Value = serde_json::from_str(&run.stdout).unwrap();
            assert!(taken.insert(leases["leases"][0]["slot"].as_str().unwrap().to_owned()));
        }
    }
    assert_eq!(taken.len(), 9);
    assert!(!taken.contains(slot), "a review that is there keeps its slot");
    let down = [
        "down",
        "--project",
        &login.name,
        "--ops-namespace",
        &login.ops,
        "--review",
        review,
        "--env",
        "review",
        "--kubeconfig",
        &cluster.kubeconfig,
    ];
    let told = cluster.place.ok(&down);
    assert!(told.contains("client whoami forgotten"), "{told}");
}

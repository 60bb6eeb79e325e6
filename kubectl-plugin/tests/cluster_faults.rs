//! A server that is busy, breaks off, or answers late: what is worth another try is tried again, within bounds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::cluster::Cluster;
use support::proxy::{Deed, Proxy, failure};
use support::set::{Set, map};
use support::{Run, finish};

/// Applies through a proxy that answers so to the first requests that apply or delete something.
fn apply_through(
    set: &Set<'_>,
    most: usize,
    more: &[&str],
    deed: impl Fn() -> Deed + Send + Sync + 'static,
) -> (Run, Duration) {
    let seen = Arc::new(AtomicUsize::new(0));
    let proxy = Proxy::judged(set.cluster, move |line| {
        let real = line.starts_with("PATCH ") && line.contains("/configmaps/") && !line.contains("dryRun");
        if real && seen.fetch_add(1, Ordering::SeqCst) < most { deed() } else { Deed::Pass }
    });
    let began = Instant::now();
    let run = set.apply(&[&["--server", &proxy.address], more].concat());
    (run, began.elapsed())
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_passes_by_is_waited_for_and_what_does_not_is_given_up_in_time() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "faults");
    set.maps(&["a"]).applied(&[]);
    let mut version = 0;
    let mut turn = |most: usize, more: &[&str], deed: fn() -> Deed| {
        version += 1;
        set.write(&map("a").replace("one", &format!("v{version}")));
        let (run, time) = apply_through(&set, most, more, deed);
        let live = set.get(&["configmap", "a", "-o", "jsonpath={.data.x}"]) == format!("v{version}");
        (run, time, live)
    };
    for (name, deed) in [
        ("429", (|| failure(429, "slow down")) as fn() -> Deed),
        ("503", || failure(503, "not yet")),
        ("504", || failure(504, "late")),
        ("cut", || Deed::Cut),
        ("webhook", || failure(500, "Internal error occurred: failed calling webhook x: connection refused")),
        ("slow", || Deed::Slow(Duration::from_secs(2))),
    ] {
        let (run, time, live) = turn(2, &[], deed);
        assert!(run.code == 0 && live, "{name}: {}{}", run.stdout, run.stderr);
        assert!(time < Duration::from_secs(20), "{name}: {time:?}");
    }
    for (name, deed, code, told) in [
        ("500", (|| failure(500, "boom")) as fn() -> Deed, 5, "boom"),
        ("429", || failure(429, "slow down"), 5, "slow down"),
        ("cut", || Deed::Cut, 5, "cannot be reached"),
        ("401", || failure(401, "Unauthorized"), 5, "does not accept the credentials (401 Unauthorized)"),
        ("403", || failure(403, "no"), 5, "a: no"),
    ] {
        let (run, time, live) = turn(usize::MAX, &[], deed);
        // The parent has been written by then, so something is done.
        assert!(run.stderr.contains(told) && !live, "{name}: {}{}", run.stdout, run.stderr);
        assert!([2, 3, code].contains(&run.code), "{name}: {}: {}", run.code, run.stderr);
        assert!(time < Duration::from_secs(20), "{name}: {time:?}");
        set.applied(&[]);
    }
    let (run, time, _) =
        turn(usize::MAX, &["--request-timeout", "2s"], || Deed::Slow(Duration::from_mins(1)));
    assert!(run.code != 0 && time < Duration::from_secs(30), "{time:?}: {}", run.stderr);
    set.applied(&[]);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_webhook_that_serves_a_little_later_is_waited_for() {
    let cluster = Cluster::new();
    let namespace = cluster.namespace("webhook");
    // A port where nobody listens; then the configuration goes, as when the webhook begins to serve and lets all pass.
    let webhook = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{name: {namespace}}}\n\
         webhooks: [{{name: x.example.org, admissionReviewVersions: [v1], sideEffects: None, failurePolicy: Fail, \
         namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}, clientConfig: {{url: 'https://127.0.0.1:1'}}, \
         rules: [{{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [configmaps]}}]}}]\n"
    );
    cluster.place.write("webhook.yaml", &webhook);
    cluster.ok(&["create", "-f", &cluster.place.path("webhook.yaml").display().to_string()]);
    cluster.place.write("map.yaml", &map("a"));
    std::thread::sleep(Duration::from_secs(1));
    let file = cluster.place.path("map.yaml").display().to_string();
    let arguments = ["apply", "--kubeconfig", &cluster.kubeconfig, "-n", &namespace, "-f", &file];
    let began = Instant::now();
    let mut command = cluster.place.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(4));
    cluster.ok(&["delete", "validatingwebhookconfiguration", &namespace]);
    let run = finish(child.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(began.elapsed() > Duration::from_secs(3) && began.elapsed() < Duration::from_secs(25));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_signal_ends_an_apply_at_a_safe_point() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "signal");
    let names: Vec<String> = (0..60).map(|number| format!("m{number}")).collect();
    set.maps(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let proxy = Proxy::judged(&cluster, |line| {
        let real = line.starts_with("PATCH ") && line.contains("/configmaps/") && !line.contains("dryRun");
        if real { Deed::Slow(Duration::from_millis(400)) } else { Deed::Pass }
    });
    let arguments = [
        "apply",
        "--kubeconfig",
        &cluster.kubeconfig,
        "-p",
        &set.name,
        "--env",
        "prod",
        "--server",
        &proxy.address,
    ];
    let start = || {
        let mut command = cluster.place.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let signal = |pid: u32, name: &str| {
        std::process::Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap();
    };
    for name in ["INT", "TERM"] {
        let child = start();
        while !cluster.exists(&["configmap", "m0", "-n", &set.name]) {
            std::thread::sleep(Duration::from_millis(50));
        }
        signal(child.id(), name);
        let began = Instant::now();
        let run = finish(child.wait_with_output().unwrap());
        assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("error: interrupted; partly applied\n"), "{}", run.stderr);
        let told = |word: &str| {
            run.stdout.lines().filter(|line| line.starts_with("ConfigMap/") && line.ends_with(word)).count()
        };
        let (done, left) = (told(" created"), told(" not applied"));
        assert!(done >= 1 && left >= 10 && done + left == 60, "{done} {left}: {}", run.stdout);
        assert_eq!(set.live_maps().len(), done, "{}", run.stdout);
        assert!(began.elapsed() < Duration::from_secs(5));
        // The turn was given back, so nobody waits for it.
        let began = Instant::now();
        set.applied(&[]);
        assert!(began.elapsed() < Duration::from_secs(15));
        cluster.ok(&["delete", "configmaps", "--all", "-n", &set.name]);
    }
    let child = start();
    while !cluster.exists(&["configmap", "m0", "-n", &set.name]) {
        std::thread::sleep(Duration::from_millis(50));
    }
    signal(child.id(), "INT");
    std::thread::sleep(Duration::from_millis(100));
    signal(child.id(), "INT");
    let run = finish(child.wait_with_output().unwrap());
    assert!(run.code == 5 && run.stderr.contains("error: ended at once"), "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_run_that_lost_its_turn_ends() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "lost-turn");
    let names: Vec<String> = (0..80).map(|number| format!("m{number}")).collect();
    set.maps(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let proxy = Proxy::judged(&cluster, |line| {
        let real = line.starts_with("PATCH ") && line.contains("/configmaps/") && !line.contains("dryRun");
        if real { Deed::Slow(Duration::from_secs(2)) } else { Deed::Pass }
    });
    let arguments = [
        "apply",
        "--kubeconfig",
        &cluster.kubeconfig,
        "-p",
        &set.name,
        "--env",
        "prod",
        "--server",
        &proxy.address,
    ];
    let mut command = cluster.place.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !cluster.exists(&["configmap", "m0", "-n", &set.name]) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let lease = cluster.ok(&["get", "leases", "-n", &set.ops, "-o", "name"]);
    let patch = r#"{"spec":{"holderIdentity":"somebody"}}"#;
    cluster.ok(&["patch", "-n", &set.ops, lease.trim(), "--type=merge", "-p", patch]);
    let run = finish(child.wait_with_output().unwrap());
    assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("the turn to change this set was lost"), "{}", run.stderr);
    assert!(set.live_maps().len() < 80);
    // It is somebody's now, and was not given back for them.
    let holder = cluster.ok(&["get", "-n", &set.ops, lease.trim(), "-o", "jsonpath={.spec.holderIdentity}"]);
    assert_eq!(holder, "somebody");
}

//! What others publish, applied to a real API server and compared with kubectl.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::cluster::Cluster;
use support::proxy::{Deed, Proxy};
use support::{finish, shared};

/// Sets that others publish, and that kubectl applies to a fresh cluster without an error.
const SETS: &[&str] = &[
    "p01-hedgedoc-chart/rendered.yaml",
    "p02-jupyterhub/rendered.yaml",
    "p02-jupyterhub/rendered-defaults.yaml",
    "p03-sockshop/rendered.yaml",
    "p03-sockshop/monitoring.yaml",
    "p05-cert-manager/rendered.yaml",
    "p06-argocd-install/rendered.yaml",
    "p08-istio/rendered.yaml",
    "p09-flux-install/rendered.yaml",
];

/// One that holds a policy which forbids to apply it again.
const ONCE: &str = "p07-gateway-api-standard/rendered.yaml";

/// One that holds an Ingress of a version that is gone, and is refused for it.
const REFUSED: &str = "p01-hedgedoc-chart/rendered-no-api-versions.yaml";

/// The images' puller, and the Job that waits for it, run before the rest and are gone after it.
fn hooks_of_jupyterhub(cluster: &Cluster, file: &str) {
    // kubectl has applied it, as everything else.
    cluster.kubectl(&["delete", "job", "hook-image-awaiter", "-n", "default"]);
    let arguments = [
        "apply",
        "--timeout",
        "60s",
        "--kubeconfig",
        &cluster.kubeconfig,
        "-f",
        file,
        "--force-conflicts",
        "--adopt",
    ];
    let mut command = cluster.place.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let namespace = loop {
        let jobs = cluster.ok(&["get", "jobs", "-A", "--no-headers"]);
        if let Some(line) = jobs.lines().find(|line| line.contains("hook-image-awaiter")) {
            break line.split_whitespace().next().unwrap().to_owned();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the hook never runs: {jobs}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(cluster.exists(&["daemonset", "hook-image-puller", "-n", &namespace]));
    cluster.end_job(&namespace, "hook-image-awaiter", "Complete");
    let run = finish(child.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.stdout.lines().filter(|line| line.ends_with(" ran")).count(), 6, "{}", run.stdout);
    for hook in ["job/hook-image-awaiter", "daemonset/hook-image-puller", "serviceaccount/hook-image-awaiter"]
    {
        let gone = || !cluster.exists(&[hook, "-n", &namespace]);
        // What it owns goes first.
        assert!(
            (0..50).any(|_| gone() || {
                std::thread::sleep(Duration::from_millis(200));
                false
            }),
            "{hook} is left"
        );
    }
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_kubectl_applies_lathe_applies() {
    let Some(corpus) = shared("corpus") else { return };
    let cluster = Cluster::new();
    let writes = Arc::new(AtomicUsize::new(0));
    let counted = writes.clone();
    let proxy = Proxy::judged(&cluster, move |line| {
        if !line.starts_with("GET ") && !line.contains("dryRun") {
            counted.fetch_add(1, Ordering::SeqCst);
        }
        Deed::Pass
    });
    for set in SETS {
        let file = corpus.join(set).display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("  namespace: "));
        for namespace in names.collect::<BTreeSet<_>>() {
            cluster.kubectl(&["create", "namespace", namespace.trim_matches(['"', '\r'])]);
        }
        let run = cluster.apply(&["-f", &file, "--force-conflicts", "--no-hooks"]);
        // The second writes nothing, so no version changes.
        let before = writes.load(Ordering::SeqCst);
        let again =
            cluster.apply(&["-f", &file, "--force-conflicts", "--no-hooks", "--server", &proxy.address]);
        let written = writes.load(Ordering::SeqCst) - before;
        assert_eq!((run.code, again.code), (0, 0), "{set}: {}{}", run.stderr, again.stderr);
        assert_eq!(written, 0, "{set}: the second apply writes");
        let idle = |line: &str| line.ends_with(" unchanged") || line.contains(" left out: it is a hook");
        assert!(again.stdout.lines().all(idle), "{set}: {}", again.stdout);
        // HedgeDoc's hook is a test, which never runs; kubectl makes a pod of it.
        assert!(*set != SETS[0] || !cluster.ok(&["get", "pods", "-A"]).contains("hedgedoc-test-connection"));
        let theirs = cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &file]);
        if theirs.code == 0 {
            assert_eq!(run.stdout.lines().count(), theirs.stdout.lines().count(), "{set}");
        }
    }
    let run = cluster.apply(&["-f", &corpus.join(ONCE).display().to_string()]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let file = corpus.join(REFUSED).display().to_string();
    let run = cluster.apply(&["-f", &file, "--force-conflicts", "--no-hooks"]);
    assert!(
        run.code == 3 && run.stderr.starts_with("error: 1 problem; nothing is applied\n"),
        "{}",
        run.stderr
    );
    hooks_of_jupyterhub(&cluster, &corpus.join("p02-jupyterhub/rendered.yaml").display().to_string());
}

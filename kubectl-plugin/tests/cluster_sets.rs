//! What others publish, applied to a real API server and compared with kubectl.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::collections::BTreeSet;

use support::cluster::Cluster;
use support::shared;

/// Sets that others publish.
const SETS: &[&str] = &[
    "p01-hedgedoc-chart/rendered.yaml",
    "p01-hedgedoc-chart/rendered-no-api-versions.yaml",
    "p02-jupyterhub/rendered.yaml",
    "p02-jupyterhub/rendered-defaults.yaml",
    "p05-cert-manager/rendered.yaml",
    "p06-argocd-install/rendered.yaml",
];

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_kubectl_applies_lathe_applies() {
    let Some(corpus) = shared("corpus") else { return };
    let cluster = Cluster::new();
    let mut taken = 0;
    for set in SETS {
        let file = corpus.join(set).display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("  namespace: "));
        for namespace in names.collect::<BTreeSet<_>>() {
            cluster.kubectl(&["create", "namespace", namespace.trim_matches(['"', '\r'])]);
        }
        let run = cluster.apply(&["-f", &file, "--force-conflicts", "--no-hooks"]);
        let again = cluster.apply(&["-f", &file, "--force-conflicts", "--no-hooks"]);
        let theirs = cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &file]);
        taken += usize::from(theirs.code == 0);
        if theirs.code == 0 {
            assert_eq!((run.code, again.code), (0, 0), "{set}: {}{}", run.stderr, again.stderr);
            assert_eq!(run.stdout.lines().count(), theirs.stdout.lines().count(), "{set}");
            let idle = |line: &str| line.ends_with(" unchanged") || line.contains(" left out: it is a hook");
            assert!(again.stdout.lines().all(idle), "{set}: {}", again.stdout);
        }
        // Lathe tells no more problems than kubectl has errors.
        let problems =
            run.stderr.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).count();
        let errors =
            theirs.stderr.lines().filter(|line| line.contains("rror") || line.contains("no matches")).count();
        assert!(problems <= errors, "{set}: {}\nkubectl: {}", run.stderr, theirs.stderr);
    }
    // All but the one whose Ingress is of a version that is gone.
    assert_eq!(taken, SETS.len() - 1);
}

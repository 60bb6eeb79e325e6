//! What a real API server refuses, what it says of it, and what Lathe tells of that.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use support::cluster::Cluster;

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_nothing_in_the_set_brings_is_refused_before_anything_changes() {
    let cluster = Cluster::new();
    let namespace = cluster.namespace("bring");
    // Everything has one name, as in many charts; that of a namespace that is not there is among them.
    let gone = format!("{namespace}-gone");
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {gone}}}\nrules: []\n"
    );
    let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: {gone}}}\n");
    for dry in [&["--dry-run"][..], &[]] {
        let run = cluster.apply_text(&format!("{role}---\n{map}"), dry);
        assert!(run.code == 3 && run.stderr.contains("not found"), "{} {}", run.code, run.stderr);
        assert!(!cluster.exists(&["clusterrole", &gone]));
    }

    // Rules of a namespace that the set does not change.
    cluster.ok(&["label", "namespace", &namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    let pod = |account: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: {namespace}}}\nspec: {{{account}containers: [{{name: web, image: web}}]}}\n"
        )
    };
    let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web, namespace: {namespace}}}\n");
    let run = cluster.apply_text(&format!("{map}---\n{}", pod("")), &[]);
    assert!(run.code == 3 && run.stderr.contains("violates PodSecurity"), "{} {}", run.code, run.stderr);
    assert!(!cluster.exists(&["configmap", "web", "-n", &namespace]));

    // What the set does bring is waited for.
    cluster.ok(&["label", "namespace", &namespace, "pod-security.kubernetes.io/enforce-"]);
    let account =
        format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: web, namespace: {namespace}}}\n");
    let run = cluster.apply_text(&format!("{account}---\n{}", pod("serviceAccountName: web, ")), &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn refusals_tell_no_value() {
    let cluster = Cluster::new();
    let namespace = cluster.namespace("told");
    let pod = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a, namespace: {namespace}}}\nspec:\n  automountServiceAccountToken: false\n  \
             serviceAccountName: sa\n  containers: [{{name: a, image: a, args: [--password={value}], env: [{{name: P, value: {value}}}]}}]\n"
        )
    };
    let account = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: sa, namespace: {namespace}}}\n---\n"
    );
    let first = cluster.apply_text(&format!("{account}{}", pod("canary-one")), &[]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let run = cluster.apply_text(&format!("{account}{}", pod("canary-two")), &[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("may not change fields") && !run.stderr.contains("canary"), "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn an_aggregated_role_applies_and_applies_again() {
    let cluster = Cluster::new();
    let name = cluster.namespace("aggregated");
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\naggregationRule: {{clusterRoleSelectors: \
         [{{matchLabels: {{kubernetes.io/bootstrapping: rbac-defaults}}}}]}}\nrules: []\n"
    );
    assert_eq!(cluster.apply_text(&role, &[]).code, 0);
    let rules = |name: &str| cluster.ok(&["get", "clusterrole", name, "-o", "jsonpath={.rules[0]}"]);
    for _ in 0..50 {
        if !rules(&name).is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert!(!rules(&name).is_empty(), "the controller has aggregated nothing");
    let run = cluster.apply_text(&role, &[]);
    assert!(run.code == 0 && run.stdout.ends_with(" unchanged\n"), "{}{}", run.stdout, run.stderr);
    cluster.ok(&["delete", "clusterrole", &name]);
}

//! Helm's hooks, and waiting. There are no nodes, so the test says itself that a Job is done.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::process::Stdio;
use std::time::{Duration, Instant};

use support::cluster::Cluster;
use support::set::{Set, map};
use support::{Run, finish};

fn hook(kind: &str, name: &str, annotations: &str) -> String {
    let body = match kind {
        "Job" => "spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}",
        _ => "data: {x: one}",
    };
    let version = if kind == "Job" { "batch/v1" } else { "v1" };
    format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\n{body}\n---\n"
    )
}

/// Applies while the test plays the kubelet: each Job that appears ends this way.
fn apply_with(set: &Set<'_>, more: &[&str], jobs: &[(&str, &str)]) -> Run {
    let fixed = ["apply", "--kubeconfig", &set.cluster.kubeconfig, "-p", &set.name, "--env", "prod"];
    let mut command = set.cluster.place.command(&[&fixed[..], more].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for (name, condition) in jobs {
        let began = Instant::now();
        while !set.cluster.exists(&["job", name, "-n", &set.name]) {
            assert!(began.elapsed() < Duration::from_secs(20), "{name} never runs");
            std::thread::sleep(Duration::from_millis(100));
        }
        set.cluster.end_job(&set.name, name, condition);
    }
    finish(child.wait_with_output().unwrap())
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn hooks_run_in_their_order_and_obey_their_policies() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "hooks");
    set.write(&format!(
        "{}{}{}{}{}{}",
        map("plain"),
        hook("Job", "later", "helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-weight: '5'"),
        hook(
            "ConfigMap",
            "before",
            "helm.sh/hook: pre-install, helm.sh/hook-weight: '-5', helm.sh/hook-delete-policy: hook-succeeded"
        ),
        hook("ConfigMap", "after", "helm.sh/hook: 'post-install,post-upgrade'"),
        hook("ConfigMap", "upgrade", "helm.sh/hook: pre-upgrade"),
        hook("ConfigMap", "test", "helm.sh/hook: test"),
    ));
    let run = apply_with(&set, &[], &[("later", "Complete")]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let label = |kind: &str, name: &str| format!("{kind}/{}/{name}", set.name);
    for (name, word) in [
        ("before", "ran"),
        ("after", "ran"),
        ("upgrade", "left out: it is a hook"),
        ("test", "left out: it is a hook"),
    ] {
        assert!(
            run.stdout.contains(&format!("{} {word}", label("ConfigMap", name))),
            "{name}: {}",
            run.stdout
        );
    }
    let live = set.live_maps();
    assert_eq!(live, support::set::names(&["after", "plain"]));
    // The second time it is an upgrade, and what the first left behind goes first.
    let uid = |name: &str| set.get(&[name, "-o", "jsonpath={.metadata.uid}"]);
    let before = uid("job/later");
    cluster.ok(&["delete", "job", "later", "-n", &set.name]);
    let after = uid("configmap/after");
    let run = apply_with(&set, &[], &[("later", "Complete")]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_ne!(uid("job/later"), before);
    cluster.ok(&["delete", "job", "later", "-n", &set.name]);
    // Lighter ones first, and each after what it has to come after.
    let run = apply_with(&set, &["-o", "jsonl"], &[("later", "Complete")]);
    let place = |name: &str| {
        let label = format!(r#""action":"ran","event":"object","object":"{name}""#);
        run.stdout.find(&label).unwrap_or_else(|| panic!("{name} did not run: {}", run.stdout))
    };
    let [upgrade, later, after_all] =
        [label("ConfigMap", "upgrade"), label("Job", "later"), label("ConfigMap", "after")];
    assert!(place(&upgrade) < place(&later) && place(&later) < place(&after_all), "{}", run.stdout);
    assert_ne!(uid("configmap/after"), after);
    assert!(set.live_maps().contains("upgrade"));
    // Hooks that left the set are not pruned, for their policies say when they go.
    let run = set.maps(&["plain"]).apply(&["--no-hooks"]);
    assert!(run.code == 0 && !run.stdout.contains("deleted"), "{}{}", run.stdout, run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_hook_that_fails_ends_the_apply_before_the_rest() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "hook-fails");
    set.write(&format!(
        "{}{}",
        map("plain"),
        hook(
            "Job",
            "broken",
            "helm.sh/hook: pre-install, helm.sh/hook-delete-policy: 'before-hook-creation,hook-failed'"
        )
    ));
    let run = apply_with(&set, &[], &[("broken", "Failed")]);
    assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(&format!("Job/{}/broken: the hook failed: ", set.name)), "{}", run.stderr);
    assert!(run.stdout.contains(&format!("ConfigMap/{}/plain not applied\n", set.name)), "{}", run.stdout);
    assert!(!set.live_maps().contains("plain") && !cluster.exists(&["job", "broken", "-n", &set.name]));
    // One that never ends is given up in time; what it was is told.
    let began = Instant::now();
    let run = set.apply(&["--timeout", "2s"]);
    assert!(run.code == 5 && run.stderr.contains("the hook is not done in time"), "{}", run.stderr);
    assert!(began.elapsed() < Duration::from_secs(20));
    // One that is gone before it was seen to be done may have failed.
    let fixed = ["apply", "--kubeconfig", &cluster.kubeconfig, "-p", &set.name, "--env", "prod"];
    let child = cluster.place.command(&fixed).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !cluster.exists(&["job", "broken", "-n", &set.name]) {
        std::thread::sleep(Duration::from_millis(100));
    }
    cluster.ok(&["delete", "job", "broken", "-n", &set.name]);
    let run = finish(child.wait_with_output().unwrap());
    assert!(
        run.code == 5 && run.stderr.contains("the hook was gone before it was seen to be done"),
        "{}",
        run.stderr
    );
    // What an earlier hook left goes as its policy says, though a later one failed.
    let early = hook(
        "ConfigMap",
        "early",
        "helm.sh/hook: pre-install, helm.sh/hook-weight: '-1', helm.sh/hook-delete-policy: hook-succeeded",
    );
    let broken = hook("Job", "broken", "helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-failed");
    set.write(&format!("{}{early}{broken}", map("plain")));
    for _ in 0..2 {
        let run = apply_with(&set, &[], &[("broken", "Failed")]);
        assert!(run.code == 5 && run.stderr.contains("the hook failed"), "{}", run.stderr);
        assert!(!set.live_maps().contains("early"), "an earlier hook is left");
    }
    // Somebody else's object under a hook's name is not deleted for it.
    cluster.ok(&["delete", "job", "broken", "-n", &set.name, "--ignore-not-found"]);
    cluster.ok(&["create", "job", "broken", "--image=x", "-n", &set.name]);
    let run = set.apply(&["--timeout", "5s"]);
    assert!(
        run.stderr.contains("an object of its name is there that is no hook of this set"),
        "{}",
        run.stderr
    );
    // Without hooks the rest is applied.
    set.applied(&["--no-hooks"]);
    assert!(set.live_maps().contains("plain"));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn waiting_ends_with_the_work_or_with_a_failure_for_good() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "waits");
    let job = hook("Job", "work", "");
    let some: String = ["a", "b", "c", "d", "e"].iter().map(|name| map(name)).collect();
    let run = {
        set.write(&format!("{some}{job}"));
        apply_with(&set, &["--wait"], &[("work", "Complete")])
    };
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(&format!("Job/{}/work: ", set.name)), "no progress is told: {}", run.stderr);
    // What left the set goes only when all is well.
    let broken = hook("Job", "broken", "");
    let began = Instant::now();
    let run = {
        set.write(&format!("{some}{broken}"));
        apply_with(&set, &["--wait", "--timeout", "60s", "-o", "jsonl"], &[("broken", "Failed")])
    };
    assert!(run.code == 5 && run.stderr.contains("broken: it is applied and has failed: "), "{}", run.stderr);
    assert!(began.elapsed() < Duration::from_secs(30), "a failure is waited for");
    assert!(
        cluster.exists(&["job", "work", "-n", &set.name]),
        "the old one is gone before the new one works"
    );
    for line in run.stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["event"].is_string(), "{line}");
    }
    assert!(run.stdout.contains(r#""event":"health""#), "{}", run.stdout);
    // A Deployment without nodes never gets there.
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: b}]}}}\n";
    let run = set.write(&format!("{some}{job}{deployment}")).apply(&["--wait", "--timeout", "3s"]);
    assert!(
        run.code == 5 && run.stderr.contains("web: it is applied and not ready in time: "),
        "{}",
        run.stderr
    );
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_field_that_may_not_change_is_replaced_only_where_that_is_asked_for() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "replace");
    let job = |image: &str, annotations: &str, more: &str| {
        hook("Job", "work", annotations).replace("image: b", &format!("image: {image}{more}"))
    };
    let asks = "lathe.dev/apply: replace";
    set.write(&job("one", "", "")).applied(&[]);
    let uid = || set.get(&["job/work", "-o", "jsonpath={.metadata.uid}"]);
    let first = uid();
    let run = set.write(&job("two", "", "")).apply(&[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("spec.template: Invalid value: (…): field is immutable"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: the annotation `lathe.dev/apply: replace`"), "{}", run.stderr);
    // A mistake beside it is told before anything is deleted.
    let run = set.write(&job("two", asks, ", imagePullPolicy: Sometimes")).apply(&[]);
    assert!(run.code == 3 && run.stderr.contains("imagePullPolicy"), "{}", run.stderr);
    assert_eq!(uid(), first);
    set.write(&job("two", asks, ""));
    let diff =
        cluster.place.run(&["diff", "--kubeconfig", &cluster.kubeconfig, "-p", &set.name, "--env", "prod"]);
    assert!(diff.code == 1 && diff.stdout.contains("work replace\n"), "{}{}", diff.stdout, diff.stderr);
    assert!(set.applied(&[]).contains(&format!("Job/{}/work replaced\n", set.name)));
    assert_ne!(uid(), first);
    assert!(set.applied(&[]).contains(&format!("Job/{}/work unchanged\n", set.name)));
    // Volumes that go with their StatefulSet are not lost for a field.
    let stateful = |service: &str, keep: &str| {
        format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db, annotations: {{{asks}}}}}\nspec: {{serviceName: {service}, persistentVolumeClaimRetentionPolicy: {{whenDeleted: {keep}}}, selector: {{matchLabels: {{app: db}}}}, template: {{metadata: {{labels: {{app: db}}}}, spec: {{containers: [{{name: a, image: b}}]}}}}, volumeClaimTemplates: [{{metadata: {{name: data}}, spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}}}]}}\n---\n"
        )
    };
    set.write(&format!("{}{}", job("two", asks, ""), stateful("one", "Delete"))).applied(&[]);
    let run = set.write(&format!("{}{}", job("two", asks, ""), stateful("two", "Retain"))).apply(&[]);
    assert!(run.code == 3 && run.stderr.contains("its volumes would be deleted with it"), "{}", run.stderr);
    // A plain mistake is no reason to delete (flux2#3627).
    let second = uid();
    let run = set
        .write(&job("two", asks, "").replace("restartPolicy: Never", "restartPolicy: Sometimes"))
        .apply(&[]);
    assert!(run.code == 3 && run.stderr.contains("restartPolicy"), "{}", run.stderr);
    assert_eq!(uid(), second);
}

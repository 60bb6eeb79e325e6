//! What an API server does with odd input, and what Lathe makes of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::time::{Duration, Instant};

use support::cluster::Cluster;
use support::set::{Set, map};

/// A Deployment whose one container has these members besides.
fn deployment(name: &str, container: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{selector: {{matchLabels: {{app: a}}}}, template: {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{name: a, image: b, {container}}}]}}}}}}\n---\n"
    )
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_no_server_takes_is_told_at_once_and_all_of_it() {
    let cluster = Cluster::new();
    let namespace = cluster.namespace("odd");
    let set = [
        deployment("env", "env: [{name: A, value: x}, {name: A, value: y}]"),
        deployment("ports", "ports: [{containerPort: 80}, {containerPort: 80}]"),
        deployment("mounts", "volumeMounts: [{name: a, mountPath: /x}, {name: b, mountPath: /x}]"),
        deployment("type", "env: [{name: A, value: yes}]"),
        deployment("field", "imagePulPolicy: Always"),
        map("annotations").replace(
            "{name: annotations}",
            &format!("{{name: annotations, annotations: {{a: {}}}}}", "x".repeat(262_200)),
        ),
        map("huge").replace("one", &"x".repeat(3_300_000)),
        map("good"),
    ]
    .concat();
    let began = Instant::now();
    let run = cluster.apply_text(&set, &["-n", &namespace]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.starts_with("error: 7 problems; nothing is applied\n"), "{}", run.stderr);
    for told in [
        "/env: failed to create manager for existing fields",
        "/ports: failed to",
        "/mounts: failed to",
        "/type: failed to create typed patch object",
        "/field: failed to create typed patch object",
        "/annotations: metadata.annotations: Too long: may not be more than 262144 bytes",
        "/huge: ",
    ] {
        let loose = told.replace("manager for existing fields", "typed patch object");
        assert!(run.stderr.contains(told) || run.stderr.contains(&loose), "{told} is not in\n{}", run.stderr);
    }
    assert!(run.stderr.contains("duplicate entries for key"), "{}", run.stderr);
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}: what will never be taken is tried again",
        began.elapsed()
    );
    assert!(!cluster.exists(&["configmap", "good", "-n", &namespace]));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_the_server_writes_otherwise_is_no_difference() {
    let cluster = Cluster::new();
    let namespace = cluster.namespace("same");
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: dns}\nspec: {selector: {app: a}, ports: [{name: a, port: 53, protocol: TCP}, {name: b, port: 53, protocol: UDP}]}\n---\n";
    let set = [
        deployment(
            "ports",
            "ports: [{containerPort: 53, protocol: TCP}, {containerPort: 53, protocol: UDP}]",
        ),
        deployment("cpu", "resources: {requests: {cpu: 1000m, memory: 1024Mi}}"),
        deployment("float", "resources: {}").replace("spec: {selector", "spec: {replicas: 2.0, selector"),
        map("nothing").replace("x: one", "x: null"),
        service.to_owned(),
    ]
    .concat();
    let run = cluster.apply_text(&set, &["-n", &namespace]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let generation = |name: &str| {
        cluster.ok(&[
            "get",
            "deployment",
            name,
            "-n",
            &namespace,
            "-o",
            "jsonpath={.metadata.generation} {.spec.replicas}",
        ])
    };
    assert_eq!(generation("float"), "1 2");
    let run = cluster.apply_text(&set, &["-n", &namespace]);
    assert!(run.stdout.lines().all(|line| line.ends_with(" unchanged")), "{}{}", run.stdout, run.stderr);
    assert_eq!(generation("cpu"), "1 1");
    // An object as the server gave it: what the server owns is left out.
    let live =
        cluster.ok(&["get", "deployment", "cpu", "-n", &namespace, "-o", "json", "--show-managed-fields"]);
    let own: serde_json::Value = serde_json::from_str(&live).unwrap();
    assert!(own["metadata"]["managedFields"].is_array() && own["metadata"]["uid"].is_string());
    let run = cluster.apply_text(&live, &["-n", &namespace, "--force-conflicts"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    // Keys that stand twice: kubectl's strict validation refuses them, and so does reading.
    let run = cluster.apply_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: a, x: b}\n",
        &["-n", &namespace],
    );
    assert!(run.code == 3 && run.stderr.contains("the key `x` stands here again"), "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_namespace_that_is_going_is_waited_for_and_made_anew() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "going");
    let stuck = map("a").replace("{name: a}", "{name: a, finalizers: [example.org/wait]}");
    set.write(&stuck).applied(&[]);
    let uid = || cluster.ok(&["get", "namespace", &set.name, "-o", "jsonpath={.metadata.uid}"]);
    let first = uid();
    cluster.ok(&["delete", "namespace", &set.name, "--wait=false"]);
    let began = Instant::now();
    let run = set.apply(&["--timeout", "2s"]);
    assert!(run.code == 3 && run.stderr.contains("it is being deleted"), "{}", run.stderr);
    assert!(began.elapsed() < Duration::from_secs(10));
    let arguments = ["apply", "--kubeconfig", &cluster.kubeconfig, "-p", &set.name, "--env", "prod"];
    let mut command = cluster.place.command(&arguments);
    let child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    cluster.ok(&[
        "patch",
        "configmap",
        "a",
        "-n",
        &set.name,
        "--type=json",
        "-p",
        r#"[{"op":"remove","path":"/metadata/finalizers"}]"#,
    ]);
    let run = support::finish(child.wait_with_output().unwrap());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("being deleted"), "nobody was told: {}", run.stderr);
    assert_ne!(uid(), first);
    assert!(set.live_maps().contains("a"));
    cluster.ok(&[
        "patch",
        "configmap",
        "a",
        "-n",
        &set.name,
        "--type=json",
        "-p",
        r#"[{"op":"remove","path":"/metadata/finalizers"}]"#,
    ]);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn clusters_are_pinned_by_pipeline_and_policy() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "pinned");
    set.maps(&["a"]);
    let uid = cluster.ok(&["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]);
    let file = format!("{}/lathe.yaml", set.name);
    let text = std::fs::read_to_string(cluster.place.path(&file)).unwrap();
    let pin = |uid: &str| text.replace("opsNamespace: ", &format!("clusters: ['{uid}'], opsNamespace: "));
    cluster.place.write(&file, &pin("another"));
    let run = set.apply(&[]);
    let told = "error: the pipeline does not allow this cluster, ";
    assert!(run.code == 3 && run.stderr.contains(told) && run.stderr.contains(&uid), "{}", run.stderr);
    assert!(!cluster.exists(&["namespace", &set.name]));
    cluster.place.write(&file, &pin(&uid));
    set.applied(&[]);
    for (uid, code) in [("another", 3), (uid.as_str(), 0)] {
        cluster.place.write(
            "policy.yaml",
            &format!("apiVersion: lathe.dev/v1alpha1\nkind: Policy\nclusters: ['{uid}']\n"),
        );
        assert_eq!(set.apply(&["--policy", "policy.yaml"]).code, code);
        let run = set.run(&["down"], &["--env", "prod", "--review", "none", "--policy", "policy.yaml"]);
        assert_eq!(run.code, code, "{}", run.stderr);
    }
}

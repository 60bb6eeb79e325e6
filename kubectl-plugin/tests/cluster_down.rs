//! Reviews leave nothing behind, and nothing else goes with them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use support::cluster::Cluster;
use support::set::{Set, map, names};
use support::{console, root};

/// The namespaces of the project's reviews.
fn namespaces(set: &Set<'_>) -> Vec<String> {
    let selector = format!("lathe.dev/project={}", set.name);
    let names = set.cluster.ok(&["get", "namespaces", "-l", &selector, "-o", "name"]);
    names.lines().map(|name| name.trim_start_matches("namespace/").to_owned()).collect()
}

fn review(set: &Set<'_>, id: &str) {
    let run = set.cluster.apply(&["-p", &set.name, "--review", id]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_review_goes_with_all_it_has_and_nothing_else_does() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "down");
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: volume, annotations: {helm.sh/resource-policy: keep}}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n---\n";
    set.write(&format!("{}{claim}{}", map("a"), map("b"))).applied(&[]);
    review(&set, "1");
    review(&set, "2");
    assert_eq!(namespaces(&set).len(), 2);
    // A review is not taken for another whose id begins with its own.
    let run = set.run(&["down"], &["--review", "1"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let left = namespaces(&set);
    assert!(left.len() == 1 && left[0].contains("-2-"), "{left:?}");
    let run = set.run(&["down"], &["--review", "1"]);
    assert!(run.code == 0 && run.stdout.is_empty(), "{}{}", run.stdout, run.stderr);
    // Its records lost, a review is known by its namespace.
    cluster.ok(&["delete", "secrets,leases", "-n", &set.ops, "-l", "lathe.dev/review=2"]);
    let run = set.run(&["down"], &["--review", "2", "--env", "review"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(namespaces(&set).is_empty());
    assert_eq!(set.live_maps(), names(&["a", "b"]));
    // Another ops namespace is another set, whose namespace this is not.
    review(&set, "3");
    let wrong =
        ["--kubeconfig", &cluster.kubeconfig, "--project", &set.name, "--ops-namespace", "lathe-system"];
    for more in [&["--review", "3"][..], &["--review", "3", "--env", "review"]] {
        let run = cluster.place.run(&[&["down"], &wrong[..], more].concat());
        assert!(
            run.code == 3 && run.stderr.contains("are not in this ops namespace"),
            "{}{}",
            run.stdout,
            run.stderr
        );
    }
    assert_eq!(namespaces(&set).len(), 1);
    // Words that are no names select nothing else.
    for id in ["3&x", "3,lathe.dev/x", "3#", "", "../3"] {
        let run = set.run(&["down"], &["--review", id]);
        assert!(run.code == 2 && run.stderr.contains("as labels do"), "{id}: {}{}", run.stdout, run.stderr);
    }
    // Its records lost, it is found without the environment's name, too.
    cluster.ok(&["delete", "secrets,leases", "-n", &set.ops, "-l", "lathe.dev/review=3"]);
    let run = set.run(&["down"], &["--review", "3"]);
    assert!(run.code == 0 && run.stdout.contains("Namespace/"), "{}{}", run.stdout, run.stderr);
    // What is no review has to be meant.
    for flags in [&["--env", "prod"][..], &[]] {
        let run = set.run(&["down"], flags);
        assert!(run.code != 0 && run.stdout.is_empty(), "{}{}", run.stdout, run.stderr);
    }
    assert_eq!(set.live_maps(), names(&["a", "b"]));
    let records = cluster.ok(&["get", "secrets,leases", "-n", &set.ops, "-o", "name"]);
    assert_eq!(records.lines().count(), 2, "{records}");
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_hangs_is_told_and_finished_later() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "hangs");
    let stuck = map("stuck").replace("{name: stuck}", "{name: stuck, finalizers: [example.org/wait]}");
    set.write(&stuck);
    review(&set, "1");
    let namespace = namespaces(&set).remove(0);
    let run = set.run(&["down"], &["--review", "1", "--timeout", "2s"]);
    assert_eq!(run.code, 5, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("it is deleted and not gone: finalizer example.org/wait"), "{}", run.stderr);
    assert!(run.stderr.contains("taken down in part"), "{}", run.stderr);
    cluster.ok(&[
        "patch",
        "configmap",
        "stuck",
        "-n",
        &namespace,
        "--type=json",
        "-p",
        r#"[{"op":"remove","path":"/metadata/finalizers"}]"#,
    ]);
    let run = set.run(&["down"], &["--review", "1"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(namespaces(&set).is_empty());
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn production_takes_nothing_of_others_with_it() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "careful");
    let group = format!("{}.example.org", set.name);
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: gears.{group}}}\n\
         spec: {{group: {group}, scope: Namespaced, names: {{plural: gears, kind: Gear}}, versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]}}\n---\n"
    );
    let gear = |name: &str| format!("apiVersion: {group}/v1\nkind: Gear\nmetadata: {{name: {name}}}\n---\n");
    let keep =
        map("keep").replace("{name: keep}", "{name: keep, annotations: {helm.sh/resource-policy: keep}}");
    // Nobody answers for it any more when the workloads are gone; so it goes before.
    let webhook = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{name: {}}}\n\
         webhooks: [{{name: x.example.org, admissionReviewVersions: [v1], sideEffects: None, failurePolicy: Fail, \
         namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}, clientConfig: {{url: 'https://127.0.0.1:1'}}, \
         rules: [{{apiGroups: [''], apiVersions: [v1], operations: [DELETE], resources: [configmaps]}}]}}]\n---\n",
        set.name, set.name
    );
    set.write(&format!("{definition}{}{keep}{webhook}{}", gear("own"), map("a"))).applied(&[]);
    let elsewhere = cluster.namespace("careful-elsewhere");
    cluster.place.write("gear.yaml", &gear("foreign"));
    let file = cluster.place.path("gear.yaml").display().to_string();
    cluster.ok(&["create", "-n", &elsewhere, "-f", &file]);
    let run = set.run(&["down"], &["--env", "prod", "--yes"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    for left in [
        format!("CustomResourceDefinition/gears.{group}"),
        format!("Namespace/{}", set.name),
        format!("ConfigMap/{}/keep", set.name),
    ] {
        assert!(run.stdout.contains(&format!("{left} left: ")), "{left}: {}", run.stdout);
    }
    assert_eq!(set.live_maps(), names(&["keep"]));
    let gears = cluster.ok(&["get", &format!("gears.{group}"), "-A", "-o", "name"]);
    assert_eq!(gears.lines().count(), 1, "{gears}");
    // Records that are lost are told, for what there is cannot be known.
    let other = Set::new(&cluster, "lost");
    other.maps(&["a"]).applied(&[]);
    cluster.ok(&["delete", "secrets", "-n", &other.ops, "--all"]);
    let run = other.run(&["down"], &["--env", "prod", "--yes"]);
    assert!(
        run.code == 3 && run.stderr.contains("is lost; what it has carries the label"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    assert_eq!(other.live_maps(), names(&["a"]));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_namespace_that_is_given_is_emptied_and_stays() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "given");
    let place = cluster.namespace("given-place");
    let file = format!("{}/lathe.yaml", set.name);
    let text = std::fs::read_to_string(cluster.place.path(&file)).unwrap();
    let text = text.replace(
        &format!("namespace: '{}-{{slug}}'", set.name),
        &format!("namespace: {place}, namespaceGiven: true"),
    );
    cluster.place.write(&file, &text);
    let stateful = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {serviceName: db, replicas: 1, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: a, image: b}]}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}]}\n---\n";
    set.write(&format!("{}{stateful}", map("a")));
    review(&set, "1");
    cluster.ok(&["create", "configmap", "somebodys", "-n", &place]);
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data-other-0}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n";
    cluster.place.write("claim.yaml", claim);
    let claim = cluster.place.path("claim.yaml").display().to_string();
    cluster.ok(&["create", "-n", &place, "-f", &claim]);
    let claims = || cluster.ok(&["get", "persistentvolumeclaims", "-n", &place, "-o", "name"]);
    for _ in 0..50 {
        if claims().contains("data-db-0") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let run = set.run(&["down"], &["--review", "1"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(claims(), "persistentvolumeclaim/data-other-0\n");
    assert!(cluster.exists(&["namespace", &place]));
    assert!(cluster.exists(&["configmap", "somebodys", "-n", &place]));
    assert!(!cluster.exists(&["configmap", "a", "-n", &place]));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn of_production_what_asks_to_stay_stays() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "stays");
    let claim = |name: &str, keep: &str| {
        format!(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}{keep}}}\nspec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}\n---\n"
        )
    };
    let keep = ", annotations: {helm.sh/resource-policy: keep}";
    let file = format!("{}/lathe.yaml", set.name);
    let text = std::fs::read_to_string(cluster.place.path(&file)).unwrap();
    cluster.place.write(&file, &text.replace(", opsNamespace", ", namespaceGiven: true, opsNamespace"));
    cluster.ok(&["create", "namespace", &set.name]);
    let stateful = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {serviceName: db, replicas: 0, selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: a, image: b}]}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}]}\n---\n";
    set.write(&format!("{}{stateful}", map("a"))).applied(&[]);
    cluster.place.write("claims.yaml", &format!("{}{}", claim("data-db-0", keep), claim("data-db-1", "")));
    let claims = cluster.place.path("claims.yaml").display().to_string();
    cluster.ok(&["create", "-n", &set.name, "-f", &claims]);
    let run = set.run(&["down"], &["--env", "prod", "--yes"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let left = set.get(&["persistentvolumeclaims", "-o", "name"]);
    assert_eq!(left, "persistentvolumeclaim/data-db-0\n");
    assert!(set.live_maps().is_empty());
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn reviews_that_are_over_go_and_others_stay() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "gc");
    set.maps(&["a"]).applied(&[]);
    for id in ["1", "2", "3"] {
        review(&set, id);
    }
    let open = |text: &str, more: &[&str]| {
        cluster.place.write("open.json", text);
        set.run(&["gc"], &[&["--open", "open.json"], more].concat())
    };
    let name = &set.name;
    for (text, told) in [
        (format!(r#"{{"project":"{name}","open":[]}}"#), "does not say"),
        (r#"{"project":"other","open":[],"complete":true}"#.to_owned(), "it is of project `other`"),
        (format!(r#"{{"project":"{name}","open":[],"complete":true,"page":1}}"#), "unknown field"),
        (String::new(), "EOF"),
        ("<html>".to_owned(), "expected value"),
        (format!(r#"{{"project":"{name}","open":["!3"],"complete":true}}"#), "can be no id of a review"),
    ] {
        let run = open(&text, &[]);
        assert!(run.code == 3 && run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    assert_eq!(namespaces(&set).len(), 3);
    let list = |ids: &str| format!(r#"{{"project":"{name}","open":[{ids}],"complete":true}}"#);
    // Missing once is not enough, and a review that is open again begins anew.
    assert_eq!(open(&list("1"), &[]).stdout, "");
    assert_eq!(open(&list("1, \"2\""), &[]).stdout.matches("Namespace/").count(), 1);
    assert_eq!(open(&list("1"), &["--dry-run"]).stdout, "");
    let first = open(&list("1"), &[]);
    assert!(
        first.stdout.is_empty() && first.stderr.contains("/review/2: it is not open; the next run"),
        "{}",
        first.stderr
    );
    assert_eq!(namespaces(&set).len(), 2);
    let most = open(&list("1"), &["--max-delete", "0"]);
    assert!(most.code == 3 && most.stderr.contains("nothing is done"), "{}", most.stderr);
    assert_eq!(open(&list("1"), &[]).stdout.matches("Namespace/").count(), 1);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let run = set.run(&["gc"], &["--older-than", "1d"]);
    assert!(run.code == 0 && run.stdout.is_empty(), "{}", run.stderr);
    let run = set.run(&["gc"], &["--older-than", "1s"]);
    assert_eq!(run.stdout.matches("Namespace/").count(), 1, "{}", run.stderr);
    assert!(namespaces(&set).is_empty());
    // One that may stay for a while goes by itself when that is over, and not before.
    let file = format!("{}/lathe.yaml", set.name);
    let text = std::fs::read_to_string(cluster.place.path(&file)).unwrap();
    for (expires, left) in [("1h", 1), ("1s", 0)] {
        cluster
            .place
            .write(&file, &text.replace("review: true,", &format!("review: true, expires: {expires},")));
        review(&set, "4");
        std::thread::sleep(std::time::Duration::from_secs(2));
        let run = set.run(&["gc"], &[]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(namespaces(&set).len(), left, "{expires}: {}", run.stderr);
    }
    assert_eq!(set.live_maps(), names(&["a"]), "production was touched");
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn the_state_of_sets_is_told() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "told");
    set.maps(&["a", "b"]).applied(&["--generation", "5"]);
    review(&set, "9");
    cluster.ok(&["patch", "configmap", "b", "-n", &set.name, "-p", r#"{"data":{"x":"two"}}"#]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    cluster.ok(&["patch", "configmap", "b", "-n", &set.name, "-p", r#"{"data":{"x":"three"}}"#]);
    let run = set.run(&["status"], &["-o", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let sets = told["sets"].as_array().unwrap();
    assert_eq!(sets.len(), 2);
    assert_eq!((&sets[0]["environment"], &sets[0]["applied"]["generation"]), (&"prod".into(), &5.into()));
    let object = |name: &str| {
        let label = format!("ConfigMap/{}/{name}", set.name);
        sets[0]["objects"]
            .as_array()
            .unwrap()
            .iter()
            .find(|object| object["object"] == label.as_str())
            .unwrap()
            .clone()
    };
    assert_eq!(
        (&object("a")["state"], &object("a")["changedBy"]),
        (&"current".into(), &serde_json::json!([]))
    );
    assert_eq!(object("b")["changedBy"], serde_json::json!(["kubectl-patch"]));
    let list = set.run(&["review", "list"], &[]).stdout;
    assert!(list.lines().count() == 2 && list.lines().nth(1).unwrap().starts_with("9 "), "{list}");
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn the_guide_tells_the_truth() {
    let cluster = Cluster::new();
    let variables = [("KUBECONFIG", cluster.kubeconfig.as_str()), ("LATHE_TEST_KUBECTL", &cluster.kubectl)];
    for page in ["down.md", "rights.md"] {
        console::run(&root().join("docs/guide").join(page), &variables);
    }
}

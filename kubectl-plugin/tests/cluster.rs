//! `apply` on a real API server. `cargo xtask test` starts one; nobody's own cluster is ever touched, because only
//! `LATHE_TEST_KUBECONFIG` is read. Each test has namespaces of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "the environment names the cluster")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::{Place, Run, console, copy_example, example, root, shared};

const PORTAL: &str = "portal-review-42-6nfgbktw";

/// A cluster, seen by kubectl.
struct Cluster {
    kubeconfig: String,
    kubectl: String,
    place: Place,
}

impl Cluster {
    fn new() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let place = Place::new();
        // A copy, for kubectl may write to it.
        let kubeconfig = place.path("kubeconfig");
        std::fs::copy(variable("LATHE_TEST_KUBECONFIG"), &kubeconfig).unwrap();
        Self { kubeconfig: kubeconfig.display().to_string(), kubectl: variable("LATHE_TEST_KUBECTL"), place }
    }

    fn apply(&self, arguments: &[&str]) -> Run {
        let all = [&["apply", "--kubeconfig", &self.kubeconfig], arguments].concat();
        self.place.run(&all)
    }

    fn kubectl(&self, arguments: &[&str]) -> Run {
        let output = Command::new(&self.kubectl)
            .args(["--kubeconfig", &self.kubeconfig])
            .args(arguments)
            .env("HOME", self.place.folder.path())
            .output()
            .unwrap();
        support::finish(output)
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let run = self.kubectl(arguments);
        assert_eq!(run.code, 0, "kubectl {arguments:?}: {}", run.stderr);
        run.stdout
    }

    fn exists(&self, arguments: &[&str]) -> bool {
        self.kubectl(&[&["get"], arguments].concat()).code == 0
    }

    /// Kind and name of the namespace's objects that Lathe manages, each with its version.
    fn versions(&self, namespace: &str) -> BTreeMap<String, String> {
        let kinds = "serviceaccounts,networkpolicies,secrets,configmaps,services,deployments,statefulsets,poddisruptionbudgets,ingresses,jobs";
        let text = self.ok(&["get", kinds, "-n", namespace, "-o", "json", "--show-managed-fields"]);
        let list: Value = serde_json::from_str(&text).unwrap();
        let ours = |object: &&Value| {
            let managers = object["metadata"]["managedFields"].as_array();
            managers.is_some_and(|all| all.iter().any(|manager| manager["manager"] == "lathe"))
        };
        let key = |object: &Value| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let metadata = &object["metadata"];
            (
                format!("{}/{}", text(&object["kind"]), text(&metadata["name"])),
                text(&metadata["resourceVersion"]),
            )
        };
        list["items"].as_array().unwrap().iter().filter(ours).map(key).collect()
    }

    /// The same, once the controllers have written what they had to write.
    fn settled(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut before = self.versions(namespace);
        loop {
            std::thread::sleep(Duration::from_secs(2));
            let after = self.versions(namespace);
            if before == after {
                return after;
            }
            before = after;
        }
    }
}

fn review(arguments: &[&'static str]) -> Vec<String> {
    let portal = example("portal");
    let fixed = ["-p", &portal, "--env", "review", "--review", "42"];
    fixed.iter().chain(arguments).map(ToString::to_string).collect()
}

fn as_strs(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn the_portal_applies_and_applies_again() {
    let cluster = Cluster::new();
    let dry = cluster.apply(&as_strs(&review(&["--dry-run"])));
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(dry.stdout.contains(&format!("Namespace/{PORTAL} created (dry run)\n")), "{}", dry.stdout);
    assert!(dry.stdout.contains(&format!("Deployment/{PORTAL}/portal-backend planned: ")), "{}", dry.stdout);
    assert!(!cluster.exists(&["namespace", PORTAL]), "a dry run changed something");

    let first = cluster.apply(&as_strs(&review(&[])));
    assert_eq!(first.code, 0, "{}", first.stderr);
    let left_out = format!("Job/{PORTAL}/portal-migrate-* left out: it has only a prefix for a name");
    assert!(first.stdout.contains(&left_out), "{}", first.stdout);
    assert!(first.stdout.contains("\nclient portal not registered yet\n"), "{}", first.stdout);
    assert_eq!(
        first.stdout.lines().filter(|line| line.ends_with(" created")).count(),
        17,
        "{}",
        first.stdout
    );
    let versions = cluster.settled(PORTAL);
    assert_eq!(versions.len(), 16, "{versions:?}");
    assert!(!versions.keys().any(|key| key.starts_with("Job/")));
    let password = cluster.ok(&["get", "secret", "portal-rabbitmq", "-n", PORTAL, "-o", "json"]);
    assert!(
        !password.contains("stringData") && !password.contains("path:kv"),
        "a reference is in the cluster"
    );

    let namespace = |text: &str| text.parse::<Value>().unwrap()["metadata"]["resourceVersion"].clone();
    let before = namespace(&cluster.ok(&["get", "namespace", PORTAL, "-o", "json"]));
    let second = cluster.apply(&as_strs(&review(&[])));
    assert_eq!(second.code, 0, "{}", second.stderr);
    assert_eq!(
        second.stdout.lines().filter(|line| line.ends_with(" unchanged")).count(),
        17,
        "{}",
        second.stdout
    );
    assert_eq!(cluster.versions(PORTAL), versions);
    assert_eq!(namespace(&cluster.ok(&["get", "namespace", PORTAL, "-o", "json"])), before);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_dry_run_of_a_change_changes_nothing() {
    let cluster = Cluster::new();
    let map = |value: &str| {
        cluster.place.write(
            "map.yaml",
            &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{x: {value}}}\n"),
        );
    };
    cluster.ok(&["create", "namespace", "dry"]);
    map("one");
    let file = cluster.place.path("map.yaml").display().to_string();
    let run = cluster.apply(&["-n", "dry", "-f", &file]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "ConfigMap/dry/a created\n"), "{}", run.stderr);
    let before = cluster.versions("dry");
    map("two");
    let run = cluster.apply(&["-n", "dry", "-f", &file, "--dry-run=server"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "ConfigMap/dry/a changed (dry run)\n"), "{}", run.stderr);
    assert_eq!(cluster.versions("dry"), before);
    let run = cluster.apply(&["-n", "dry", "-f", &file]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "ConfigMap/dry/a changed\n"), "{}", run.stderr);
    assert_ne!(cluster.versions("dry"), before);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_way_that_leads_nowhere_is_told() {
    let cluster = Cluster::new();
    for (flags, code, told) in [
        (
            &["--context", "nope"][..],
            2,
            "error: context \"nope\" does not exist in the kubeconfig; it has admin, expired\n",
        ),
        (
            &["--context", "expired"],
            2,
            " does not accept the credentials (401 Unauthorized); nothing is applied\n",
        ),
        (&["--server", "https://127.0.0.1:1"], 2, "error: https://127.0.0.1:1 cannot be reached: "),
        (&["--as", "nobody"], 3, "User \"nobody\" cannot get resource \"configmaps\" in API group \"\""),
        (&["--as", "nobody"], 3, "error: 17 problems; nothing is applied\n"),
        (&["-n", "elsewhere"], 2, "is in namespace portal-review-43-"),
        (&["--as-user-extra", "x"], 2, "takes key=value"),
    ] {
        let portal = example("portal");
        let fixed = ["-p", &portal, "--env", "review", "--review", "43"];
        let run = cluster.apply(&[&fixed[..], flags].concat());
        assert_eq!(run.code, code, "{flags:?}: {}", run.stderr);
        assert!(run.stderr.contains(told), "{flags:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{flags:?}");
        assert!(!run.stderr.contains("ERROR"), "{}", run.stderr);
    }
    assert!(!cluster.ok(&["get", "namespaces"]).contains("portal-review-43"));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_the_server_refuses_is_told_before_anything_is_changed() {
    let cluster = Cluster::new();
    cluster.ok(&["create", "namespace", "refused"]);
    let value = format!("canary{}", std::process::id());
    cluster.place.write(
        "set.yaml",
        &format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: good}}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: number}}\ndata: {{x: 644}}\n\
             ---\napiVersion: v1\nkind: Secret\nmetadata: {{name: no-base64}}\ndata: {{x: '{value}!'}}\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{name: Bad_Name}}\nspec: {{ports: [{{port: 70000}}]}}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: typo}}\ndate: {{}}\n\
             ---\napiVersion: example.org/v1\nkind: Gear\nmetadata: {{name: unknown}}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: lost, namespace: not-there}}\n"
        ),
    );
    let file = cluster.place.path("set.yaml").display().to_string();
    let context =
        ["config", "set-context", "refused", "--cluster=test", "--user=admin", "--namespace=refused"];
    cluster.ok(&context);
    let run = cluster.apply(&["--context", "refused", "-f", &file]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    for told in [
        "error: 6 problems; nothing is applied\n",
        "ConfigMap/not-there/lost: namespaces \"not-there\" not found\n",
        "ConfigMap/refused/number: ",
        "ConfigMap/refused/typo: ",
        ".date: field not declared in schema",
        "Gear/unknown: the cluster has no kind Gear in example.org/v1, and the set does not define it\n",
        "Secret/refused/no-base64: ",
        "Service/refused/Bad_Name: ",
    ] {
        assert!(run.stderr.contains(told), "{told} is not in\n{}", run.stderr);
    }
    assert!(!run.stderr.contains(&value) && !run.stderr.contains("644"), "a value is told: {}", run.stderr);
    assert!(!cluster.exists(&["configmap", "good", "-n", "refused"]));
    let run = cluster.apply(&["-n", "refused", "-f", &file]);
    let told = "ConfigMap/not-there/lost: it is in namespace not-there, and --namespace says refused\n";
    assert!(run.code == 3 && run.stderr.contains(told), "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_could_not_be_tried_before_may_be_partly_applied() {
    let cluster = Cluster::new();
    cluster.place.write(
        "set.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: partly}\n\
         ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: good, namespace: partly}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata: {name: bad, namespace: partly}\nspec: {ports: [{port: 70000}]}\n",
    );
    let run = cluster.apply(&["-f", &cluster.place.path("set.yaml").display().to_string()]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert_eq!(run.stdout, "Namespace/partly created\nConfigMap/partly/good not applied\n");
    assert!(run.stderr.contains("error: 1 problem; partly applied\n"), "{}", run.stderr);
    assert!(
        run.stderr.contains("Service/partly/bad: spec.ports[0].port: Invalid value: (…): must be between")
    );
    assert!(!cluster.exists(&["configmap", "good", "-n", "partly"]));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn kinds_and_their_objects_apply_in_one_go() {
    let cluster = Cluster::new();
    cluster.place.write(
        "set.yaml",
        "apiVersion: gears.example.org/v1\nkind: Gear\nmetadata: {name: a, namespace: gears}\nspec: {teeth: 12}\nstatus: {turns: 3}\n\
         ---\napiVersion: v1\nkind: Namespace\nmetadata: {name: gears}\n\
         ---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gears.gears.example.org, namespace: stray}\n\
         spec:\n  group: gears.example.org\n  scope: Namespaced\n  names: {plural: gears, singular: gear, kind: Gear}\n\
         \x20 versions:\n  - name: v1\n    served: true\n    storage: true\n    subresources: {status: {}}\n\
         \x20   schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}, status: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n",
    );
    let file = cluster.place.path("set.yaml").display().to_string();
    let run = cluster.apply(&["-f", &file]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "Namespace/gears created",
            "CustomResourceDefinition/gears.gears.example.org created",
            "Gear/gears/a created"
        ]
    );
    let run = cluster.apply(&["-f", &file]);
    assert!(run.code == 0 && run.stdout.lines().all(|line| line.ends_with(" unchanged")), "{}", run.stdout);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn fields_of_others_are_left_to_them_unless_forced() {
    let cluster = Cluster::new();
    cluster.ok(&["create", "namespace", "conflict"]);
    let map = |name: &str, value: &str| {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{x: {value}}}\n");
        cluster.place.write(name, &text);
        cluster.place.path(name).display().to_string()
    };
    let theirs = map("theirs.yaml", "one");
    cluster.ok(&["apply", "--server-side", "--field-manager=other", "-n", "conflict", "-f", &theirs]);
    let ours = map("ours.yaml", "two");
    let run = cluster.apply(&["-n", "conflict", "-f", &ours]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let told = "ConfigMap/conflict/a: .data.x: belongs to field manager \"other\"";
    assert!(run.stderr.contains(told) && run.stderr.contains("hint: `--force-conflicts`"), "{}", run.stderr);
    let run = cluster.apply(&["-n", "conflict", "-f", &ours, "--force-conflicts"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "ConfigMap/conflict/a changed\n"), "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_is_being_deleted_or_stands_there_twice_is_refused() {
    let cluster = Cluster::new();
    cluster.ok(&["create", "namespace", "deleted"]);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, finalizers: [example.org/stay]}\n";
    cluster.place.write("map.yaml", map);
    let file = cluster.place.path("map.yaml").display().to_string();
    assert_eq!(cluster.apply(&["-n", "deleted", "-f", &file]).code, 0);
    cluster.ok(&["delete", "configmap", "a", "-n", "deleted", "--wait=false"]);
    let run = cluster.apply(&["-n", "deleted", "-f", &file]);
    let told = "ConfigMap/deleted/a: it is being deleted; wait until it is gone\n";
    assert!(run.code == 3 && run.stderr.contains(told), "{}", run.stderr);
    cluster.ok(&[
        "patch",
        "configmap",
        "a",
        "-n",
        "deleted",
        "--type=merge",
        "-p",
        "{\"metadata\":{\"finalizers\":null}}",
    ]);

    let twice = format!("{}---\n{}", map, map.replace("{name: a,", "{namespace: deleted, name: a,"));
    cluster.place.write("twice.yaml", &twice);
    let run =
        cluster.apply(&["-n", "deleted", "-f", &cluster.place.path("twice.yaml").display().to_string()]);
    assert!(
        run.code == 3 && run.stderr.contains("ConfigMap/deleted/a: stands in the set twice: "),
        "{}",
        run.stderr
    );
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_missing_lock_or_a_stale_one_applies_nothing() {
    let cluster = Cluster::new();
    copy_example("portal", &cluster.place);
    std::fs::remove_file(cluster.place.path("portal/lathe.lock")).unwrap();
    let run = cluster.apply(&["-p", "portal", "--env", "review", "--review", "44"]);
    assert!(run.code == 3 && run.stderr.contains("so no plugin may run"), "{}", run.stderr);
    assert!(!cluster.ok(&["get", "namespaces"]).contains("portal-review-44"));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn the_guide_tells_the_truth() {
    let cluster = Cluster::new();
    let variables = [("KUBECONFIG", cluster.kubeconfig.as_str()), ("LATHE_TEST_KUBECTL", &cluster.kubectl)];
    console::run(&root().join("docs/guide/apply.md"), &variables);
}

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
    for set in SETS {
        let file = corpus.join(set).display().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("  namespace: "));
        for namespace in names.collect::<BTreeSet<_>>() {
            cluster.kubectl(&["create", "namespace", namespace.trim_matches(['"', '\r'])]);
        }
        let run = cluster.apply(&["-f", &file, "--force-conflicts"]);
        let again = cluster.apply(&["-f", &file, "--force-conflicts"]);
        let theirs = cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &file]);
        if theirs.code == 0 {
            assert_eq!(run.code, 0, "{set}: {}", run.stderr);
            assert_eq!(run.stdout.lines().count(), theirs.stdout.lines().count(), "{set}");
            assert!(again.stdout.lines().all(|line| line.ends_with(" unchanged")), "{set}: {}", again.stdout);
        }
        // Lathe tells no more problems than kubectl has errors.
        let problems = run.stderr.lines().filter(|line| line.starts_with("  ")).count();
        let errors =
            theirs.stderr.lines().filter(|line| line.contains("rror") || line.contains("no matches")).count();
        assert!(problems <= errors, "{set}: {}\nkubectl: {}", run.stderr, theirs.stderr);
    }
}

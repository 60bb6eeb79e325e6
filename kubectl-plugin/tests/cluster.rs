//! `apply` on a real API server. `cargo xtask test` starts one; nobody's own cluster is ever touched, because only
//! `LATHE_TEST_KUBECONFIG` is read. Each test has namespaces of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::process::Stdio;

use serde_json::Value;
use support::cluster::Cluster;
use support::proxy::{Fault, Proxy};
use support::{console, copy_example, example, root};

const PORTAL: &str = "portal-review-42-6nfgbktw";

/// The portal's review 42.
fn review<'a>(portal: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["-p", portal, "--env", "review", "--review", "42"], more].concat()
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn the_portal_applies_and_applies_again() {
    let (cluster, portal) = (Cluster::new(), example("portal"));
    let dry = cluster.apply(&review(&portal, &["--dry-run"]));
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    assert!(dry.stdout.contains(&format!("Namespace/{PORTAL} created (dry run)\n")), "{}", dry.stdout);
    assert!(dry.stdout.contains(&format!("Deployment/{PORTAL}/portal-backend planned: ")), "{}", dry.stdout);
    assert!(!cluster.exists(&["namespace", PORTAL]), "a dry run changed something");

    let first = cluster.apply(&review(&portal, &[]));
    assert_eq!(first.code, 0, "{}", first.stderr);
    let left_out = format!("Job/{PORTAL}/portal-migrate-* left out: it is a hook, and this is not its time");
    assert!(first.stdout.contains(&left_out), "{}", first.stdout);
    assert!(first.stdout.contains("\nclient portal not registered yet\n"), "{}", first.stdout);
    assert_eq!(
        first.stdout.lines().filter(|line| line.ends_with(" created")).count(),
        18,
        "{}",
        first.stdout
    );
    let versions = cluster.settled(PORTAL);
    assert_eq!(versions.len(), 17, "{versions:?}");
    assert!(!versions.keys().any(|key| key.starts_with("Job/")));
    let password = cluster.ok(&["get", "secret", "portal-rabbitmq", "-n", PORTAL, "-o", "json"]);
    assert!(
        !password.contains("stringData") && !password.contains("path:kv"),
        "a reference is in the cluster"
    );

    let namespace = |text: &str| text.parse::<Value>().unwrap()["metadata"]["resourceVersion"].clone();
    let before = namespace(&cluster.ok(&["get", "namespace", PORTAL, "-o", "json"]));
    let second = cluster.apply(&review(&portal, &["--no-hooks"]));
    assert_eq!(second.code, 0, "{}", second.stderr);
    assert_eq!(
        second.stdout.lines().filter(|line| line.ends_with(" unchanged")).count(),
        18,
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
    let dry = cluster.namespace("dry");
    map("one");
    let file = cluster.place.path("map.yaml").display().to_string();
    let run = cluster.apply(&["-n", &dry, "-f", &file]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, format!("ConfigMap/{dry}/a created\n").as_str()),
        "{}",
        run.stderr
    );
    let before = cluster.versions(&dry);
    map("two");
    let run = cluster.apply(&["-n", &dry, "-f", &file, "--dry-run=server"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, format!("ConfigMap/{dry}/a changed (dry run)\n").as_str()),
        "{}",
        run.stderr
    );
    assert_eq!(cluster.versions(&dry), before);
    let run = cluster.apply(&["-n", &dry, "-f", &file]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, format!("ConfigMap/{dry}/a changed\n").as_str()),
        "{}",
        run.stderr
    );
    assert_ne!(cluster.versions(&dry), before);
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
        (&["--server", "127.0.0.1:1"], 2, "error: https://127.0.0.1:1 cannot be reached: "),
        (&["--token", "a\nb"], 2, "the token holds characters that cannot be sent"),
        (&["--as", "nobody"], 3, "User \"nobody\" cannot get resource \"configmaps\" in API group \"\""),
        (&["--as", "nobody"], 3, "error: 20 problems; nothing is applied\n"),
        (
            &["--as", "nobody"],
            3,
            "in the namespace lathe-system: get, list, create, patch, delete on secrets, leases.coordination.k8s.io\n",
        ),
        (
            &["--as", "nobody"],
            3,
            "hint: rights that are missing\n  in the cluster: get, list, create, patch, delete on namespaces\n",
        ),
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
    let refused = cluster.namespace("refused");
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
    let own = format!("--namespace={refused}");
    cluster.ok(&["config", "set-context", "refused", "--cluster=test", "--user=admin", &own]);
    let run = cluster.apply(&["--context", "refused", "-f", &file]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let in_namespace = |text: &str| text.replace("refused/", &format!("{refused}/"));
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
        assert!(run.stderr.contains(&in_namespace(told)), "{told} is not in\n{}", run.stderr);
    }
    assert!(!run.stderr.contains(&value) && !run.stderr.contains("644"), "a value is told: {}", run.stderr);
    assert!(!cluster.exists(&["configmap", "good", "-n", &refused]));
    let run = cluster.apply(&["-n", &refused, "-f", &file]);
    let told =
        format!("ConfigMap/not-there/lost: it is in namespace not-there, and --namespace says {refused}\n");
    assert!(run.code == 3 && run.stderr.contains(&told), "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_could_not_be_tried_before_may_be_partly_applied() {
    let cluster = Cluster::new();
    let partly = format!("partly-{}", std::process::id());
    let run = cluster.apply_text(
        &format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {partly}}}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: good, namespace: {partly}}}\n\
             ---\napiVersion: v1\nkind: Service\nmetadata: {{name: bad, namespace: {partly}}}\nspec: {{ports: [{{port: 70000}}]}}\n"
        ),
        &[],
    );
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert_eq!(run.stdout, format!("Namespace/{partly} created\nConfigMap/{partly}/good not applied\n"));
    assert!(run.stderr.contains("error: 1 problem; partly applied\n"), "{}", run.stderr);
    let told = format!("Service/{partly}/bad: spec.ports[0].port: Invalid value: (…): must be between");
    assert!(run.stderr.contains(&told), "{}", run.stderr);
    assert!(!cluster.exists(&["configmap", "good", "-n", &partly]));
}

/// A definition of a namespaced kind whose spec has these fields.
fn definition(group: &str, fields: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: gears.{group}, namespace: stray}}\n\
         spec:\n  group: {group}\n  scope: Namespaced\n  names: {{plural: gears, singular: gear, kind: Gear}}\n\
         \x20 versions:\n  - name: v1\n    served: true\n    storage: true\n    subresources: {{status: {{}}}}\n\
         \x20   schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{{fields}}}}}, status: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}}}\n"
    )
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn kinds_and_their_objects_apply_in_one_go() {
    let cluster = Cluster::new();
    let gears = format!("gears-{}", std::process::id());
    let group = format!("{gears}.example.org");
    let set = format!(
        "apiVersion: {group}/v1\nkind: Gear\nmetadata: {{name: a, namespace: {gears}}}\nspec: {{teeth: 12}}\nstatus: {{turns: 3}}\n\
         ---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {gears}}}\n---\n{}",
        definition(&group, "teeth: {type: integer}")
    );
    let run = cluster.apply_text(&set, &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let want = format!(
        "Namespace/{gears} created\nCustomResourceDefinition/gears.{group} created\nGear/{gears}/a created\n"
    );
    assert_eq!(run.stdout, want);
    let run = cluster.apply_text(&set, &[]);
    assert!(run.code == 0 && run.stdout.lines().all(|line| line.ends_with(" unchanged")), "{}", run.stdout);

    // A field that comes with the new definition.
    let set = set.replace("{teeth: 12}", "{teeth: 12, ratio: 3}");
    let set = set.replace("teeth: {type: integer}", "teeth: {type: integer}, ratio: {type: integer}");
    let run = cluster.apply_text(&set, &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains(&format!("Gear/{gears}/a changed\n")), "{}", run.stdout);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_the_set_itself_creates_may_be_named_in_it() {
    let cluster = Cluster::new();
    let namespace = cluster.namespace("named");
    let deployer = format!("--clusterrole=admin --user=deployer -n {namespace}");
    let arguments = ["create", "rolebinding", "deployer"].into_iter().chain(deployer.split(' '));
    cluster.ok(&arguments.collect::<Vec<_>>());
    // No administrator of the cluster, so the server looks at each binding's role.
    let set = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: readers}\n\
         roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}\n\
         subjects: [{kind: ServiceAccount, name: web}]\n\
         ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader}\n\
         rules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]\n\
         ---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n\
         ---\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\n\
         spec: {serviceAccountName: web, containers: [{name: a, image: example.org/a}]}\n";
    let run = cluster.apply_text(set, &["-n", &namespace, "--as", "deployer", "--dry-run"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains(&format!("Pod/{namespace}/web planned: ")), "{}", run.stdout);
    let run = cluster.apply_text(set, &["-n", &namespace, "--as", "deployer"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout.lines().filter(|line| line.ends_with(" created")).count(), 4, "{}", run.stdout);
    let run = cluster.apply_text(set, &["-n", &namespace, "--as", "deployer"]);
    assert!(run.code == 0 && run.stdout.lines().all(|line| line.ends_with(" unchanged")), "{}", run.stdout);
    // The server counts this one up with every apply.
    let deny = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec: {podSelector: {}, ingress: [], policyTypes: [Ingress]}\n";
    assert_eq!(cluster.apply_text(deny, &["-n", &namespace]).code, 0);
    let run = cluster.apply_text(deny, &["-n", &namespace]);
    assert!(run.stdout.ends_with("/deny unchanged\n"), "{}{}", run.stdout, run.stderr);
    // What nobody creates stays refused.
    let run = cluster.apply_text(
        &set.replace("serviceAccountName: web", "serviceAccountName: nobody"),
        &["-n", &namespace],
    );
    assert!(run.code == 3 && run.stderr.contains("nothing is applied"), "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn fields_of_others_are_left_to_them_unless_forced() {
    let cluster = Cluster::new();
    let conflict = cluster.namespace("conflict");
    let map = |name: &str, value: &str| {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{x: {value}}}\n");
        cluster.place.write(name, &text);
        cluster.place.path(name).display().to_string()
    };
    let theirs = map("theirs.yaml", "one");
    cluster.ok(&["apply", "--server-side", "--field-manager=other", "-n", &conflict, "-f", &theirs]);
    let ours = map("ours.yaml", "two");
    let run = cluster.apply(&["-n", &conflict, "-f", &ours]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let told = format!("ConfigMap/{conflict}/a: .data.x: belongs to field manager \"other\"");
    assert!(run.stderr.contains(&told) && run.stderr.contains("hint: `--force-conflicts`"), "{}", run.stderr);
    let run = cluster.apply(&["-n", &conflict, "-f", &ours, "--force-conflicts"]);
    assert!(!run.stderr.contains("client's side"), "{}", run.stderr);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, format!("ConfigMap/{conflict}/a changed\n").as_str()),
        "{}",
        run.stderr
    );
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_kubectl_applied_on_the_clients_side_is_taken_over() {
    let cluster = Cluster::new();
    let namespace = cluster.namespace("client-side");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {keep: a, gone: b}\n";
    cluster.place.write("map.yaml", map);
    let file = cluster.place.path("map.yaml").display().to_string();
    cluster.ok(&["apply", "-n", &namespace, "-f", &file]);
    let live =
        || cluster.ok(&["get", "configmap", "a", "-n", &namespace, "-o", "json", "--show-managed-fields"]);
    // Flux's word for leaving what others set.
    let merge = map
        .replace(", gone: b", "")
        .replace("{name: a}", "{name: a, annotations: {kustomize.toolkit.fluxcd.io/ssa: Merge}}");
    let run = cluster.apply_text(&merge, &["-n", &namespace]);
    assert!(run.code == 0 && live().contains("\"gone\""), "{}", run.stderr);
    let mine = map.replace(", gone: b", "").replace("keep: a", "keep: other");
    let run = cluster.apply_text(&mine, &["-n", &namespace]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let now = live();
    for left in ["\"gone\"", "last-applied", "kubectl-client-side-apply"] {
        assert!(!now.contains(left), "{left} is left: {now}");
    }
    assert!(now.contains("\"keep\": \"other\""));
    let run = cluster.apply_text(&mine, &["-n", &namespace]);
    assert_eq!(run.stdout, format!("ConfigMap/{namespace}/a unchanged\n"));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_is_being_deleted_or_stands_there_twice_is_refused() {
    let cluster = Cluster::new();
    let deleted = cluster.namespace("deleted");
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, finalizers: [example.org/stay]}\n";
    cluster.place.write("map.yaml", map);
    let file = cluster.place.path("map.yaml").display().to_string();
    assert_eq!(cluster.apply(&["-n", &deleted, "-f", &file]).code, 0);
    cluster.ok(&["delete", "configmap", "a", "-n", &deleted, "--wait=false"]);
    let run = cluster.apply(&["-n", &deleted, "-f", &file]);
    let told = format!("ConfigMap/{deleted}/a: it is being deleted; wait until it is gone\n");
    assert!(run.code == 3 && run.stderr.contains(&told), "{}", run.stderr);
    cluster.ok(&[
        "patch",
        "configmap",
        "a",
        "-n",
        &deleted,
        "--type=merge",
        "-p",
        "{\"metadata\":{\"finalizers\":null}}",
    ]);

    let twice =
        format!("{}---\n{}", map, map.replace("{name: a,", &format!("{{namespace: {deleted}, name: a,")));
    cluster.place.write("twice.yaml", &twice);
    let run = cluster.apply(&["-n", &deleted, "-f", &cluster.place.path("twice.yaml").display().to_string()]);
    assert!(
        run.code == 3 && run.stderr.contains(&format!("ConfigMap/{deleted}/a: stands in the set twice: ")),
        "{}",
        run.stderr
    );
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_comes_in_between_is_told_as_it_was() {
    let cluster = Cluster::new();
    let namespace = cluster.namespace("between");
    let map = |name: &str, rest: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\n{rest}")
    };
    let many: Vec<String> = (0..30).map(|n| map(&format!("m{n}"), "data: {a: b}\n")).collect();
    let proxy = Proxy::start(&cluster);
    for (fault, set, code, told, exists) in [
        // Sent and refused for sure: nothing is applied, and the rest is not even sent.
        (Fault::Status(401), many.join("---\n"), 2, "(401 Unauthorized); nothing is applied", Some(false)),
        (Fault::AfterStatus(504), map("late", "data: {a: b}\n"), 5, "partly applied", Some(true)),
        (Fault::Close, map("closed", "data: {a: b}\n"), 5, "cannot be reached", None),
        // The second of the two requests that an object with empty fields takes changes nothing of what is told.
        (Fault::StatusOnce(500), map("second", "data: {}\n"), 0, "", Some(true)),
    ] {
        proxy.inject(fault);
        let run = cluster.apply_text(&set, &["--server", &proxy.address]);
        assert_eq!(run.code, code, "{fault:?}: {}", run.stderr);
        assert!(run.stderr.contains(told), "{fault:?}: {}", run.stderr);
        let name = set.split_once("{name: ").unwrap().1.split(',').next().unwrap();
        if let Some(exists) = exists {
            assert_eq!(cluster.exists(&["configmap", name, "-n", &namespace]), exists, "{fault:?}");
        }
        if matches!(fault, Fault::Status(_)) {
            assert!(proxy.injected() <= 8, "{} requests after the first loss", proxy.injected());
        }
    }
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_failed_apply_fails_whether_or_not_somebody_reads() {
    let cluster = Cluster::new();
    let bad = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: 1}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
    cluster.place.write("bad.yaml", bad);
    let arguments = ["apply", "--kubeconfig", &cluster.kubeconfig, "-f", "bad.yaml", "--dry-run"];
    let mut child = cluster.place.command(&arguments);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("ConfigMap/default/a: "));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn the_way_to_the_cluster_is_kubectls_and_tells_no_credentials() {
    let cluster = Cluster::new();
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: way}\n";
    for flags in [&["-n", ""][..], &["--context", "empty"]] {
        cluster.ok(&["config", "set-context", "empty", "--cluster=test", "--user=admin", "--namespace="]);
        let run = cluster.apply_text(map, &[flags, &["--dry-run"]].concat());
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (0, "ConfigMap/default/way created (dry run)\n"),
            "{}",
            run.stderr
        );
    }
    let canary = format!("canary{}", std::process::id());
    for script in ["echo $0-CANARY; exit 1", "echo CANARY", "echo CANARY >&2; exit 3"] {
        let script = script.replace("CANARY", &canary);
        cluster.ok(&[
            "config",
            "set-credentials",
            "exec",
            "--exec-command=sh",
            "--exec-arg=-c",
            &format!("--exec-arg={script}"),
            "--exec-api-version=client.authentication.k8s.io/v1",
            "--exec-interactive-mode=Never",
        ]);
        let run = cluster.apply_text(map, &["--user", "exec", "--server", "https://127.0.0.1:1", "-v=3"]);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains("the exec plugin") && !run.stderr.contains(&canary), "{}", run.stderr);
    }
    for flag in [
        "--server=https://user:CANARY@127.0.0.1:1",
        "--proxy-url=ftp://user:CANARY@127.0.0.1:1",
        "--proxy-url=http://user:CANARY@127.0.0.1:1",
    ] {
        let run = cluster.apply_text(map, &[&flag.replace("CANARY", &canary)]);
        assert!(run.code == 2 && !run.stderr.contains(&canary), "{}", run.stderr);
    }
    cluster.place.write("broken", &format!("users: [{{name: a, user: {{token: {canary}\n"));
    let broken = cluster.place.path("broken").display().to_string();
    let run = cluster.place.run(&["apply", "--kubeconfig", &broken, "-f", "text.yaml"]);
    assert!(
        run.code == 2 && run.stderr.contains("is no kubeconfig") && !run.stderr.contains(&canary),
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

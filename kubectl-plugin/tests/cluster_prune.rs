//! What left the set leaves the cluster, and nothing else does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::collections::BTreeSet;

use support::cluster::Cluster;
use support::set::{Set, map, names};

const MANY: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_left_the_set_is_deleted_and_the_rest_is_not() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "prune");
    set.maps(&MANY).applied(&[]);
    assert_eq!(set.live_maps(), names(&MANY));
    let id = set.parent()["metadata"]["labels"]["applyset.kubernetes.io/id"].as_str().unwrap().to_owned();
    // An operator's copy of labels, somebody's wish, and an object that another has taken out of the set by hand.
    let owner = set.get(&["configmap", "a", "-o", "jsonpath={.metadata.uid}"]);
    cluster.place.write(
        "more.yaml",
        &format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: child, labels: {{applyset.kubernetes.io/part-of: '{id}'}}, ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: a, uid: {owner}}}]}}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: wish, labels: {{applyset.kubernetes.io/part-of: '{id}'}}, annotations: {{kustomize.toolkit.fluxcd.io/prune: disabled}}}}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: foreign}}\n\
             ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: taken, labels: {{applyset.kubernetes.io/part-of: '{id}'}}}}\n\
             ---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: volume, labels: {{applyset.kubernetes.io/part-of: '{id}'}}}}\nspec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}\n"
        ),
    );
    let more = cluster.place.path("more.yaml").display().to_string();
    cluster.ok(&["create", "-n", &set.name, "--field-manager=lathe", "-f", &more]);
    cluster.ok(&["label", "-n", &set.name, "configmap", "l", "applyset.kubernetes.io/part-of-"]);
    cluster.ok(&["label", "-n", &set.name, "configmap", "taken", "kustomize.toolkit.fluxcd.io/name=apps"]);
    // A controller copies labels, as those of a Service to its Endpoints.
    cluster.ok(&["create", "configmap", "copied", "-n", &set.name]);
    cluster.ok(&[
        "label",
        "-n",
        &set.name,
        "configmap",
        "copied",
        &format!("applyset.kubernetes.io/part-of={id}"),
    ]);
    let elsewhere = cluster.namespace("prune-elsewhere");
    cluster.ok(&["create", "configmap", "k", "-n", &elsewhere]);

    let told = set.maps(&MANY[..10]).applied(&[]);
    assert!(told.contains(&format!("ConfigMap/{}/k deleted\n", set.name)), "{told}");
    assert!(told.contains(&format!("ConfigMap/{}/wish left: ", set.name)), "{told}");
    assert!(told.contains(&format!("ConfigMap/{}/taken left: ", set.name)), "{told}");
    assert_eq!(told.lines().filter(|line| line.ends_with(" deleted")).count(), 1, "{told}");
    let want = [&MANY[..10], &["child", "copied", "foreign", "l", "taken", "wish"]].concat();
    assert_eq!(set.live_maps(), names(&want));
    assert!(cluster.exists(&["configmap", "k", "-n", &elsewhere]), "another namespace was touched");
    assert!(cluster.exists(&["persistentvolumeclaim", "volume", "-n", &set.name]), "a volume was deleted");
    // The parent shrinks when all is done.
    let parent = set.parent();
    let annotation =
        |name: &str| parent["metadata"]["annotations"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(annotation("applyset.kubernetes.io/contains-group-kinds"), "ConfigMap,Namespace");
    assert_eq!(annotation("applyset.kubernetes.io/additional-namespaces"), set.name);
    assert!(annotation("applyset.kubernetes.io/tooling").starts_with("lathe/v"));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_others_need_goes_last() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "reverse");
    let maps: String = MANY.iter().map(|name| map(name)).collect();
    let going = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: gone}\n---\n\
                 apiVersion: v1\nkind: Service\nmetadata: {name: gone}\nspec: {selector: {app: a}, ports: [{port: 80}]}\n---\n";
    set.write(&format!("{going}{}{maps}", map("gone"))).applied(&[]);
    let told = set.write(&maps).applied(&["-o", "jsonl"]);
    let place =
        |kind: &str| told.find(&format!(r#""action":"deleted","event":"object","object":"{kind}/"#)).unwrap();
    assert!(place("Service") < place("ConfigMap") && place("ConfigMap") < place("ServiceAccount"), "{told}");
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn many_deletions_need_an_agreement() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "agree");
    set.maps(&MANY).applied(&[]);
    set.maps(&MANY[..2]);
    let run = set.apply(&[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("10 of 13 objects left the set and would be deleted:"), "{}", run.stderr);
    assert_eq!(set.live_maps(), names(&MANY));
    let diff =
        cluster.place.run(&["diff", "--kubeconfig", &cluster.kubeconfig, "-p", &set.name, "--env", "prod"]);
    assert_eq!(diff.code, 1, "{}", diff.stderr);
    let digest = diff.stdout.lines().find_map(|line| line.strip_prefix("deletions ")).unwrap().to_owned();
    assert!(run.stderr.contains(&format!("--confirm {digest}")), "{}", run.stderr);
    let wrong = set.apply(&["--confirm", "aaaaaaaaaaaaaaaa"]);
    assert!(
        wrong.code == 3 && wrong.stderr.contains("is not the digest of what would be deleted now"),
        "{}",
        wrong.stderr
    );
    // What is agreed to is these objects, not any.
    cluster.ok(&["delete", "configmap", "c", "-n", &set.name]);
    assert_eq!(set.apply(&["--confirm", &digest]).code, 3);
    let again = set.apply(&[]).stderr;
    let digest = again
        .split("--confirm ")
        .nth(1)
        .unwrap()
        .trim_end_matches('`')
        .trim()
        .trim_end_matches('`')
        .to_owned();
    set.applied(&["--confirm", &digest]);
    assert_eq!(set.live_maps(), names(&MANY[..2]));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_kind_that_is_gone_and_an_object_that_was_moved_stop_nobody() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "gone");
    let group = format!("{}.example.org", set.name);
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: gears.{group}}}\n\
         spec: {{group: {group}, scope: Namespaced, names: {{plural: gears, kind: Gear}}, versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]}}\n---\n"
    );
    let gear = format!("apiVersion: {group}/v1\nkind: Gear\nmetadata: {{name: a}}\n---\n");
    let maps: String = MANY.iter().map(|name| map(name)).collect();
    set.write(&format!("{definition}{gear}{maps}")).applied(&[]);
    // A definition that left the set stays, for with it all objects of its kind would go, whoever made them.
    let told = set.write(&format!("{gear}{maps}")).applied(&[]);
    assert!(told.contains(&format!("CustomResourceDefinition/gears.{group} left: ")), "{told}");
    cluster.ok(&["delete", "customresourcedefinition", &format!("gears.{group}")]);
    let told = set.write(&maps).applied(&[]);
    assert!(!told.contains("Gear") && !told.contains(" deleted"), "{told}");
    let kinds =
        set.parent()["metadata"]["annotations"]["applyset.kubernetes.io/contains-group-kinds"].clone();
    assert_eq!(kinds, "ConfigMap,Namespace");
    // Moved to another set: taken over there, it is not this set's to delete.
    let other = Set::new(&cluster, "moved");
    let moved = map("l").replace("{name: l}", &format!("{{name: l, namespace: {}}}", set.name));
    let run = other.write(&moved).apply(&[]);
    assert!(run.code == 3 && run.stderr.contains("it belongs to another ApplySet ("), "{}", run.stderr);
    assert!(run.stderr.contains("hint: `--adopt` takes objects over"), "{}", run.stderr);
    other.applied(&["--adopt"]);
    let told = set.write(&MANY[..11].iter().map(|name| map(name)).collect::<String>()).applied(&[]);
    assert!(!told.contains(" deleted"), "{told}");
    assert!(set.live_maps().contains("l"));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn objects_of_other_tools_are_left_to_them() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "tools");
    cluster.ok(&["create", "namespace", &set.name]);
    for (name, mark) in [
        ("flux", "labels: {kustomize.toolkit.fluxcd.io/name: apps}"),
        ("helm", "annotations: {meta.helm.sh/release-name: chart}"),
        ("argo", "annotations: {argocd.argoproj.io/tracking-id: 'app:/ConfigMap:a/b'}"),
    ] {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, {mark}}}\n");
        cluster.place.write("foreign.yaml", &text);
        let file = cluster.place.path("foreign.yaml").display().to_string();
        cluster.ok(&["create", "-n", &set.name, "-f", &file]);
    }
    let run = set.maps(&["flux", "helm", "argo", "mine"]).apply(&[]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    for told in ["argo: it belongs to Argo CD (", "flux: it belongs to Flux (", "helm: it belongs to Helm ("]
    {
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
    }
    assert!(!set.live_maps().contains("mine"));
    // A file without a pipeline is held to the same.
    let run = cluster.apply_text(&map("helm"), &["-n", &set.name]);
    assert!(run.code == 3 && run.stderr.contains("it belongs to Helm ("), "{}", run.stderr);
    set.applied(&["--adopt"]);
    assert!(set.live_maps().contains("mine"));
    // Taken over is taken over: from now on they are this set's.
    assert!(set.applied(&[]).lines().all(|line| line.ends_with(" unchanged")));
    let run = set.run(&["down"], &["--env", "prod", "--yes"]);
    assert!(run.code == 0 && !run.stdout.contains(" left"), "{}{}", run.stdout, run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn an_older_pipeline_never_overwrites_a_newer_and_two_do_not_mix() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "turns");
    set.maps(&["a"]).applied(&["--generation", "7"]);
    for (flags, told) in [
        (&["--generation", "6"][..], "a newer pipeline has applied it: generation 7; this one is 6"),
        (&[], "nobody can tell whether this pipeline is newer"),
    ] {
        let run = set.apply(flags);
        assert!(run.code == 3 && run.stderr.contains(told), "{}", run.stderr);
    }
    set.applied(&["--generation", "7"]);
    for turn in 0..20_u32 {
        // Two at once: one waits for the other, and what is there in the end is of one of them.
        let (old, new) = (format!("{}", 10 + 2 * turn), format!("{}", 11 + 2 * turn));
        let value = |own: &str| map("a").replace("one", &format!("v{own}"));
        let place = |own: &str| format!("{}-{own}", set.name);
        let start = |own: &str| {
            let folder = place(own);
            for file in ["lathe.yaml", "lathe.lock"] {
                let text =
                    std::fs::read_to_string(cluster.place.path(&format!("{}/{file}", set.name))).unwrap();
                cluster.place.write(&format!("{folder}/{file}"), &text);
            }
            cluster.place.write(&format!("{folder}/set.yaml"), &value(own));
            let arguments = [
                "apply",
                "--kubeconfig",
                &cluster.kubeconfig,
                "-p",
                &folder,
                "--env",
                "prod",
                "--generation",
                own,
            ];
            let mut command = cluster.place.command(&arguments);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        };
        let (one, two) = (start(&old), start(&new));
        let ends = [one, two].map(|child| support::finish(child.wait_with_output().unwrap()));
        assert_eq!(ends[1].code, 0, "turn {turn}: {}", ends[1].stderr);
        let stale = ends[0].stderr.contains("a newer pipeline has applied it");
        assert!(ends[0].code == 0 || ends[0].code == 3 && stale, "turn {turn}: {}", ends[0].stderr);
        let live = set.get(&["configmap", "a", "-o", "jsonpath={.data.x}"]);
        assert_eq!(live, format!("v{new}"), "turn {turn}");
    }
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_set_that_somebody_holds_is_waited_for_and_taken_over_when_nobody_renews_it() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "held");
    set.maps(&["a"]).applied(&[]);
    let lease = cluster.ok(&["get", "leases", "-n", &set.ops, "-o", "name"]);
    let patch = r#"{"spec":{"holderIdentity":"somebody"}}"#;
    cluster.ok(&["patch", "-n", &set.ops, lease.trim(), "--type=merge", "-p", patch]);
    let began = std::time::Instant::now();
    let run = set.apply(&["--lock-timeout", "2s"]);
    assert!(
        run.code == 3 && run.stderr.contains("another run has it, and did not end in time: somebody"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("another run changes this set, and is waited for: somebody"),
        "{}",
        run.stderr
    );
    set.applied(&["--lock-timeout", "60s"]);
    let waited = began.elapsed().as_secs();
    assert!((28..50).contains(&waited), "taken over after {waited} s");
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn an_object_with_a_prefix_for_a_name_is_created_once_for_what_it_holds() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "prefix");
    let job = |image: &str| {
        let maps: String = MANY.iter().map(|name| map(name)).collect();
        format!(
            "{maps}apiVersion: batch/v1\nkind: Job\nmetadata: {{generateName: seed-}}\nspec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: '{image}'}}]}}}}}}\n"
        )
    };
    let jobs =
        || -> BTreeSet<String> { set.get(&["jobs", "-o", "name"]).lines().map(ToOwned::to_owned).collect() };
    let told = set.write(&job("one")).applied(&[]);
    assert!(told.contains(&format!("Job/{}/seed-* created\n", set.name)), "{told}");
    let first = jobs();
    assert!(set.applied(&[]).contains("/seed-* unchanged\n"));
    assert_eq!(jobs(), first);
    set.write(&job("two")).applied(&[]);
    let second = jobs();
    assert!(second.len() == 1 && second != first, "{first:?} {second:?}");
    // Another set of the same content has one of its own.
    let other = Set::new(&cluster, "prefix-other");
    let text =
        job("two").replace("generateName: seed-", &format!("namespace: {}, generateName: seed-", set.name));
    let text = &text[text.find("apiVersion: batch").unwrap()..];
    let told = other.write(text).applied(&[]);
    assert!(told.contains("/seed-* created\n"), "{told}");
    assert_eq!(jobs().len(), 2);
    // In a small set the next Job in place of the last is no loss that somebody has to agree to.
    other.write(&text.replace("'two'", "'three'")).applied(&[]);
    assert_eq!(jobs().len(), 2);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn an_apply_that_waited_for_a_down_does_not_build_the_review_again() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "closed");
    set.maps(&["a"]).applied(&[]);
    let lease = cluster.ok(&["get", "leases", "-n", &set.ops, "-o", "name"]);
    let hold = |holder: &str| {
        let patch = format!(r#"{{"spec":{{"holderIdentity":"{holder}"}}}}"#);
        cluster.ok(&["patch", "-n", &set.ops, lease.trim(), "--type=merge", "-p", &patch]);
    };
    hold("a down");
    let arguments = ["apply", "--kubeconfig", &cluster.kubeconfig, "-p", &set.name, "--env", "prod"];
    let mut command = cluster.place.command(&arguments);
    let child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    cluster.ok(&["delete", "namespace", &set.name]);
    cluster.ok(&["delete", "secrets,leases", "-n", &set.ops, "--all"]);
    let run = support::finish(child.wait_with_output().unwrap());
    assert!(
        run.code == 3 && run.stderr.contains("it was taken down while this run waited"),
        "{}",
        run.stderr
    );
    assert!(!cluster.exists(&["namespace", &set.name]));
    set.applied(&[]);
}

//! Reviews on a real API server: beside production, beside each other, in namespaces of their own, with leases kept there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::collections::BTreeSet;
use std::fs;

use support::cluster::Cluster;
use support::{Run, copy_example};

/// All objects of a namespace with their versions, and the cluster-scoped ones that a review could touch.
fn versions(cluster: &Cluster, namespace: &str) -> String {
    let columns = "custom-columns=K:.kind,N:.metadata.name,V:.metadata.resourceVersion";
    let kinds = "serviceaccounts,networkpolicies,secrets,configmaps,services,deployments,statefulsets,cronjobs,poddisruptionbudgets,ingresses,jobs,resourcequotas,roles,rolebindings";
    let within = cluster.ok(&["get", kinds, "-n", namespace, "-o", columns, "--no-headers"]);
    let own = cluster.ok(&["get", "namespace", namespace, "-o", columns, "--no-headers"]);
    let global = cluster.ok(&[
        "get",
        "clusterroles,clusterrolebindings,ingressclasses,storageclasses,priorityclasses",
        "-o",
        columns,
        "--no-headers",
    ]);
    format!("{within}{own}{global}")
}

fn review(cluster: &Cluster, arguments: &[&str]) -> Run {
    cluster.place.run(&[&["review"], arguments, &["--kubeconfig", &cluster.kubeconfig]].concat())
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn reviews_change_nothing_of_production() {
    let cluster = Cluster::new();
    let production = format!("portal-{}", std::process::id());
    copy_example("portal", &cluster.place);
    // Another test applies the portal's review 42 as well; this one's is of another project.
    let file = cluster.place.path("portal/lathe.yaml");
    let pipeline = fs::read_to_string(&file).unwrap();
    let pipeline = pipeline.replace("name: portal\n", &format!("name: {production}\n"));
    let pipeline =
        pipeline.replace("prod: {namespace: portal}", &format!("prod: {{namespace: {production}}}"));
    fs::write(&file, pipeline).unwrap();
    let manifests = cluster.place.path("portal/manifests/portal.yaml");
    let text = fs::read_to_string(&manifests).unwrap();
    fs::write(
        &manifests,
        ["\n", ",", "}"].iter().fold(text, |text, end| {
            text.replace(&format!("namespace: portal{end}"), &format!("namespace: {production}{end}"))
        }),
    )
    .unwrap();
    cluster.ok(&["create", "namespace", &production]);
    let run = cluster.apply(&["-p", "portal", "--env", "prod"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut before = versions(&cluster, &production);
    // Controllers write once more what they have seen.
    for _ in 0..20 {
        std::thread::sleep(std::time::Duration::from_secs(3));
        let now = versions(&cluster, &production);
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before.lines().count() > 15, "{before}");
    let mut namespaces = BTreeSet::new();
    for id in ["42", "43"] {
        let run = cluster.apply(&["-p", "portal", "--review", id]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let own: BTreeSet<String> = run
            .stdout
            .lines()
            .filter_map(|line| Some(line.split('/').nth(1)?.split(' ').next()?.to_owned()))
            .collect();
        assert_eq!(own.iter().filter(|name| name.starts_with("portal-")).count(), 1, "{own:?}");
        namespaces.extend(own);
        assert_eq!(versions(&cluster, &production), before, "review {id} changed production");
    }
    assert_eq!(namespaces.len(), 2, "{namespaces:?}");
}

/// A pipeline for reviews, of a project of this run's own.
fn project(cluster: &Cluster, name: &str, environment: &str, config: &str, input: &str) -> String {
    let project = format!("{name}-{}", std::process::id());
    let text = format!(
        "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: {project}}}\ninputs: [in.yaml]\nenvironments:\n  review: {{review: true, namespace: '{name}-{{slug}}'{environment}}}\ntransforms:\n- plugin: builtin:review-hosts\n  config: {{reviewDomain: rv.example.net, hosts: {{shop.example.org: shop}}{config}}}\n"
    );
    cluster.place.write("lathe.yaml", &text);
    cluster.place.write("in.yaml", input);
    cluster.place.ok(&["lock"]);
    project
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\ndata: {a: https://shop.example.org}\n";

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_namespace_of_somebody_else_is_left_alone() {
    let cluster = Cluster::new();
    project(&cluster, "owned", "", "", MAP);
    let shown = cluster.place.ok(&["review", "show", "--review", "5", "-o", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let namespace = shown["namespace"].as_str().unwrap();
    cluster.ok(&["create", "namespace", namespace]);
    let run = cluster.apply(&["--review", "5"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let told = format!(
        "Namespace/{namespace}: it is there and not this environment's: lathe.dev/environment is not there"
    );
    assert!(run.stderr.contains(&told), "{}", run.stderr);
    let labels = ["lathe.dev/environment=review", "lathe.dev/review=4"];
    cluster.ok(&[
        &[
            "label",
            "namespace",
            namespace,
            &format!("lathe.dev/project={}", shown["project"].as_str().unwrap()),
        ],
        &labels[..],
    ]
    .concat());
    let run = cluster.apply(&["--review", "5"]);
    assert!(
        run.code == 3 && run.stderr.contains("lathe.dev/review is \"4\" there and \"5\" here"),
        "{}",
        run.stderr
    );
    assert!(!cluster.exists(&["configmap", "c", "-n", namespace]));
    cluster.ok(&["label", "namespace", namespace, "lathe.dev/review=5", "--overwrite"]);
    let run = cluster.apply(&["--review", "5"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_turns_out_to_be_cluster_scoped_is_refused() {
    let cluster = Cluster::new();
    let group = format!("g{}.example.net", std::process::id());
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: widgets.{group}}}\nspec: {{group: {group}, scope: Cluster, names: {{kind: Widget, plural: widgets}}, versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]}}\n"
    );
    assert_eq!(cluster.apply_text(&definition, &[]).code, 0);
    // The manifests do not say that the kind knows no namespaces, and the server does.
    project(
        &cluster,
        "scoped",
        "",
        "",
        &format!("{MAP}---\napiVersion: {group}/v1\nkind: Widget\nmetadata: {{name: w}}\n"),
    );
    cluster.place.ok(&["render", "--review", "5"]);
    let run = cluster.apply(&["--review", "5"]);
    assert!(
        run.code == 3 && run.stderr.contains("it is cluster-scoped, and a review must not touch"),
        "{}",
        run.stderr
    );
    assert!(!cluster.exists(&[&format!("widgets.{group}"), "w"]));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_seed_is_created_once() {
    let cluster = Cluster::new();
    let job = |image: &str| {
        format!(
            "{MAP}---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: seed, namespace: shop}}\nspec: {{ttlSecondsAfterFinished: 1, template: {{spec: {{restartPolicy: Never, containers: [{{name: s, image: '{image}'}}]}}}}}}\n"
        )
    };
    project(&cluster, "seeded", "", ", seed: [seed]", &job("a:1"));
    let run = cluster.apply(&["--review", "5"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.lines().any(|line| line.starts_with("Job/") && line.ends_with("/seed created")),
        "{}",
        run.stdout
    );
    // A new build would change the Job's template, which cannot change.
    cluster.place.write("in.yaml", &job("a:2"));
    let run = cluster.apply(&["--review", "5"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stdout.lines().any(|line| line.starts_with("Job/") && line.ends_with("/seed unchanged")),
        "{}",
        run.stdout
    );
    let namespace = run.stdout.split('/').nth(1).unwrap().split(' ').next().unwrap();
    let image = cluster.ok(&[
        "get",
        "job",
        "seed",
        "-n",
        namespace,
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}",
    ]);
    assert_eq!(image, "a:1");
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn leases_are_kept_in_the_ops_namespace() {
    let cluster = Cluster::new();
    let ops = format!("ops-{}", std::process::id());
    let project =
        project(&cluster, "pooled", &format!(", pool: [rv-1, rv-2, rv-3], opsNamespace: {ops}"), "", MAP);
    // The ops namespace comes into being with the first lease.
    let taken: Vec<(&str, String)> = std::thread::scope(|scope| {
        let lease = |id: &'static str| {
            let run = review(&cluster, &["lease", "--review", id]);
            assert_eq!(run.code, 0, "{}", run.stderr);
            (id, run.stdout)
        };
        let threads: Vec<_> =
            ["1", "2", "1", "2", "1"].into_iter().map(|id| scope.spawn(move || lease(id))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let held = |id: &str| review(&cluster, &["lease", "--review", id]).stdout;
    let (one, two) = (held("1"), held("2"));
    assert_ne!(one, two);
    for (id, slot) in taken {
        assert_eq!(slot, held(id), "review {id} was told another slot than it holds");
    }
    let secrets = cluster.ok(&[
        "get",
        "secrets",
        "-n",
        &ops,
        "-l",
        &format!("lathe.dev/project={project}"),
        "-o",
        "name",
    ]);
    assert_eq!(secrets.lines().filter(|line| line.contains("lathe-lease-rv-")).count(), 2, "{secrets}");
    let json = review(&cluster, &["lease", "--review", "1", "-o", "json"]).stdout;
    cluster.place.write("lease.json", &json);
    let run = cluster.apply(&["--review", "1", "--state", "lease.json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(review(&cluster, &["release", "--review", "1"]).stdout, one);
    let again = review(&cluster, &["release", "--review", "1"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""));
    assert_eq!(held("2"), two);
    assert!(!held("3").is_empty() && !held("4").is_empty());
    let full = review(&cluster, &["lease", "--review", "5"]);
    assert!(full.code == 3 && full.stderr.contains("all 3 slots"), "{}", full.stderr);
    // Who may not read Secrets there is told so.
    let run = review(&cluster, &["lease", "--review", "6", "--as", "nobody"]);
    assert!(run.code == 3 && run.stderr.contains("forbidden"), "{}", run.stderr);
}

//! What `diff` tells is what `apply` does, and it tells no secret.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::os::unix::fs::PermissionsExt as _;

use support::cluster::Cluster;
use support::set::{Set, map};
use support::{Place, Run, copy_example, example};

fn diff(set: &Set<'_>, more: &[&str]) -> Run {
    let fixed = ["diff", "--kubeconfig", &set.cluster.kubeconfig, "-p", &set.name, "--env", "prod"];
    set.cluster.place.run(&[&fixed[..], more].concat())
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_diff_tells_what_an_apply_does() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "diff");
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{password: {value}, same: unchanged-value}}\n---\n"
        )
    };
    let rest: String = ["c", "d", "e", "f", "g", "h"].iter().map(|name| map(name)).collect();
    // Nothing is there: all is planned or created, and nothing is changed by looking.
    set.write(&format!("{}{}{}{rest}", map("a"), map("b"), secret("first-value")));
    let run = diff(&set, &[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains(&format!("ConfigMap/{}/a planned\n", set.name)), "{}", run.stdout);
    assert!(!cluster.exists(&["namespace", &set.name]) && !cluster.exists(&["namespace", &set.ops]));
    set.applied(&[]);
    let run = diff(&set, &[]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "unchanged 10\n"), "{}", run.stderr);
    // Fields, a deletion, a value of a Secret, and what somebody else changed.
    cluster.ok(&["patch", "configmap", "c", "-n", &set.name, "-p", r#"{"data":{"x":"by-hand"}}"#]);
    let a = map("a").replace("x: one", "x: two, w: new");
    set.write(&format!("{a}{}{rest}{}", secret("second-value"), map("new")));
    let run = diff(&set, &[]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let name = &set.name;
    let want = format!(
        "ConfigMap/{name}/a update\n  /data/w: nothing -> \"new\"\n  /data/x: \"one\" -> \"two\"\n\
         ConfigMap/{name}/b delete\n\
         ConfigMap/{name}/c update\n  /data/x: \"by-hand\" -> \"one\" (changed by kubectl-patch)\n\
         ConfigMap/{name}/new create\n\
         Secret/{name}/s update\n  /data/password: *** -> ***\n\
         create 1, update 3, delete 1, unchanged 6\ndeletions "
    );
    assert!(run.stdout.starts_with(&want), "{}", run.stdout);
    let json = diff(&set, &["-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(told["objects"].as_array().unwrap().len(), 5);
    let schema = std::fs::read_to_string(support::root().join("docs/reference/schema/diff.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(jsonschema::is_valid(&schema, &told));
    for text in [&run.stdout, &run.stderr, &json.stdout] {
        for value in ["first-value", "second-value", "Zmlyc3Q", "c2Vjb25k"] {
            assert!(!text.contains(value), "a secret is told: {text}");
        }
    }
    // Another program sees the same, without values.
    cluster.place.write("bin/compare", "#!/bin/sh\ncat \"$1\"/* \"$2\"/*\nexit 1\n");
    let program = cluster.place.path("bin/compare");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let fixed = ["diff", "--kubeconfig", &cluster.kubeconfig, "-p", name, "--env", "prod"];
    let output = cluster
        .place
        .command(&fixed)
        .env("KUBECTL_EXTERNAL_DIFF", &program)
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let told = support::finish(output);
    assert_eq!(told.code, 1, "{}", told.stderr);
    assert!(told.stdout.contains("*** (before)") && told.stdout.contains("x: two"), "{}", told.stdout);
    assert!(!told.stdout.contains("c2Vjb25k") && !told.stdout.contains("managedFields"), "{}", told.stdout);
    // What was told happens, but for the field of somebody else, which is refused unless forced.
    let run = set.apply(&[]);
    assert!(
        run.code == 3 && run.stderr.contains("belongs to field manager \"kubectl-patch\""),
        "{}",
        run.stderr
    );
    let told = set.applied(&["--force-conflicts"]);
    for line in ["a changed", "b deleted", "c changed", "new created"] {
        assert!(told.contains(&format!("ConfigMap/{name}/{line}\n")), "{told}");
    }
    assert_eq!(diff(&set, &[]).code, 0);
    // Of deletions alone another program sees nothing, and it is a difference all the same.
    set.write(&format!("{a}{}{rest}", secret("second-value")));
    let output = cluster.place.command(&fixed).env("KUBECTL_EXTERNAL_DIFF", "/bin/true").output().unwrap();
    let told = support::finish(output);
    assert!(told.code == 1 && told.stdout.contains("/new delete\n"), "{}{}", told.stdout, told.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_diff_that_cannot_be_told_in_full_is_an_error() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "diff-wrong");
    set.maps(&["a"]).applied(&[]);
    set.write(&format!(
        "{}apiVersion: example.org/v1\nkind: Gear\nmetadata: {{name: a}}\n",
        map("a").replace("one", "two")
    ));
    let run = diff(&set, &[]);
    assert!(run.code == 3 && run.stderr.contains("the cluster has no kind Gear"), "{}", run.stderr);
    assert!(run.stdout.contains("/data/x: \"one\" -> \"two\""), "{}", run.stdout);
    let run =
        cluster.place.run(&["diff", "-p", &set.name, "--env", "prod", "--server", "https://127.0.0.1:1"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
}

#[test]
fn two_renders_are_compared_without_a_cluster() {
    let place = Place::new();
    copy_example("portal", &place);
    let flags = ["-p", "portal", "--env", "review", "--review", "42"];
    let before = place.ok(&[&["render"], &flags[..]].concat());
    place.write("before.yaml", &before);
    let compare = || place.run(&[&["diff", "--from", "before.yaml"], &flags[..]].concat());
    let same = compare();
    assert_eq!(same.code, 0, "{}{}", same.stdout, same.stderr);
    let file = std::path::Path::new("portal/manifests/portal.yaml");
    let text = std::fs::read_to_string(place.path(&file.display().to_string())).unwrap();
    place.write("portal/manifests/portal.yaml", &text.replacen("replicas: 2", "replicas: 3", 1));
    let run = compare();
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("/spec/replicas: 2 -> 3\nupdate 1, unchanged "), "{}", run.stdout);
    // A field that a plugin wrote is told with its name.
    let host = before.lines().find_map(|line| line.trim().strip_prefix("- host: ")).unwrap().to_owned();
    place.write("before.yaml", &before.replace(&format!("- host: {host}"), "- host: earlier.example.org"));
    let run = compare();
    assert_eq!(run.code, 1, "{}", run.stderr);
    let told = format!("/host: \"earlier.example.org\" -> \"{host}\" (by builtin:review-hosts)\n");
    assert!(run.stdout.contains(&told), "{told} is not in\n{}", run.stdout);
    // Production beside it is another set altogether.
    let prod = place.ok(&["render", "-p", &example("portal"), "--env", "prod"]);
    place.write("before.yaml", &prod);
    let run = compare();
    let differs = run.stdout.contains(" delete\n") && run.stdout.contains(" create\n");
    assert!(run.code == 1 && differs, "{}", run.stdout);
}

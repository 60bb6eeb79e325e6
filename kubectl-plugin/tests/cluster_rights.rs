//! The rights that the guide gives are enough, and what they do not give is refused and told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::time::Duration;

use support::cluster::Cluster;
use support::set::map;
use support::{Run, root};

/// The manifests of the guide, with names of this test's own.
struct Rights {
    cluster: Cluster,
    name: String,
}

impl Rights {
    fn new() -> Self {
        let cluster = Cluster::new();
        let name = format!("rights-{}", std::process::id());
        for namespace in ["portal", "ops", "reviews", "ci"] {
            cluster.ok(&["create", "namespace", &format!("{name}-{namespace}")]);
        }
        let rights = Self { cluster, name };
        for file in ["prod", "review"] {
            rights.cluster.place.write("rights.yaml", &rights.file(file));
            let path = rights.cluster.place.path("rights.yaml").display().to_string();
            rights.cluster.ok(&["apply", "-f", &path]);
        }
        rights
    }

    /// A file of the guide.
    fn file(&self, file: &str) -> String {
        let text = std::fs::read_to_string(root().join(format!("docs/guide/rights/{file}.yaml"))).unwrap();
        let own = |text: String, from: &str, to: &str| text.replace(from, &format!("{}-{to}", self.name));
        let text = own(text, "lathe-ci", "ci");
        let text = own(text, "lathe-system", "ops");
        let text = own(text, "lathe-reviews", "reviews");
        let text = own(text, "namespace: portal", "portal")
            .replace(&format!(", {}-portal}}", self.name), &format!(", namespace: {}-portal}}", self.name));
        own(text, "portal-review-", "portal-review-")
    }

    fn token(&self, account: &str) -> String {
        let namespace = format!("{}-ci", self.name);
        self.cluster.ok(&["create", "token", account, "-n", &namespace]).trim().to_owned()
    }

    fn as_account(&self, token: &str, command: &str, arguments: &[&str]) -> Run {
        let kubeconfig = self.cluster.place.path(&format!("kubeconfig-{}", token.len()));
        // Without the administrator's certificate, which would win over a token.
        let text = self.cluster.ok(&["config", "view", "--raw", "--minify", "-o", "json"]);
        let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
        config["users"][0]["user"] = serde_json::json!({});
        std::fs::write(&kubeconfig, config.to_string()).unwrap();
        let fixed = ["--kubeconfig", &kubeconfig.display().to_string(), "--token", token];
        self.cluster.place.run(&[&[command], &fixed[..], arguments].concat())
    }
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn the_guides_rights_are_enough_and_no_more() {
    let rights = Rights::new();
    let Rights { cluster, name } = &rights;
    let portal = format!("{name}-portal");
    cluster.place.write(
        "lathe.yaml",
        &format!(
            "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: {portal}}}\ninputs: [set.yaml]\n\
             environments:\n  prod: {{namespace: {portal}, opsNamespace: {name}-ops, namespaceGiven: true}}\n  \
             review: {{review: true, namespace: '{portal}-{{slug}}', opsNamespace: {name}-reviews, inputs: [set.yaml, binding.yaml]}}\n\
             transforms:\n- plugin: builtin:review-hosts\n  environments: [review]\n  config: {{reviewDomain: review.example.org, hosts: {{app.example.org: app}}}}\n"
        ),
    );
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {portal}}}\n---\n");
    let maps = |names: &[&str]| names.iter().map(|name| map(name)).collect::<String>();
    let many = ["a", "b", "c", "d", "e", "f"];
    cluster.place.write("set.yaml", &format!("{namespace}{}", maps(&many)));
    cluster.place.write("binding.yaml", &rights.file("review-binding"));
    cluster.place.ok(&["lock"]);

    let prod = rights.token("lathe-prod");
    let apply = |token: &str, more: &[&str]| rights.as_account(token, "apply", more);
    let run = apply(&prod, &["--env", "prod"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    cluster.place.write("set.yaml", &format!("{namespace}{}", maps(&many[..5])));
    let run = apply(&prod, &["--env", "prod"]);
    assert!(
        run.code == 0 && run.stdout.contains(&format!("ConfigMap/{portal}/f deleted\n")),
        "{}{}",
        run.stdout,
        run.stderr
    );
    // Outside of its namespace it may do nothing, and is told all that it lacks.
    let role =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x}\nrules: []\n---\n";
    cluster.place.write("set.yaml", &format!("{namespace}{role}{}", maps(&many[..5])));
    let run = apply(&prod, &["--env", "prod"]);
    let told = "in the cluster: get, list, create, patch, delete on clusterroles.rbac.authorization.k8s.io\n";
    assert!(run.code == 3 && run.stderr.contains(told), "{}", run.stderr);

    // The hook of a review needs the right that comes with it.
    let hook = map("hook")
        .replace("{name: hook}", "{name: hook, annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}}");
    cluster.place.write("set.yaml", &format!("{namespace}{hook}{}", maps(&many)));
    let bot = rights.token("lathe-review");
    // The policy takes a moment to be heeded.
    let denied = || {
        let run = cluster.kubectl(&[
            "delete",
            "namespace",
            &portal,
            "--dry-run=server",
            "--as",
            &format!("system:serviceaccount:{name}-ci:lathe-review"),
        ]);
        run.code != 0 && run.stderr.contains("reviews alone are changed here")
    };
    for _ in 0..100 {
        if denied() {
            break;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(denied(), "the review bot can delete production's namespace");
    let run = apply(&bot, &["--review", "7"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let again = apply(&bot, &["--review", "7"]);
    assert!(
        again.code == 0
            && again.stdout.lines().all(|line| line.ends_with(" unchanged") || line.ends_with("/hook ran")),
        "{}{}",
        again.stdout,
        again.stderr
    );
    // As a run leaves it that was killed before the binding: the next one finishes it.
    let review =
        cluster.ok(&["get", "namespaces", "-l", &format!("lathe.dev/project={portal}"), "-o", "name"]);
    let review = review.trim().trim_start_matches("namespace/").to_owned();
    cluster.ok(&["delete", "rolebinding", "lathe-review", "-n", &review]);
    std::thread::sleep(Duration::from_secs(1));
    let run = apply(&bot, &["--review", "7"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    // Production is out of its reach, by Lathe and without.
    let run = apply(&bot, &["--env", "prod"]);
    assert!(run.code == 3 && run.stderr.contains("nothing is applied"), "{}", run.stderr);
    let fixed = ["--project", &portal, "--ops-namespace", &format!("{name}-ops")];
    let run = rights.as_account(&bot, "down", &[&fixed[..], &["--env", "prod", "--yes"]].concat());
    assert!(run.code != 0, "{}{}", run.stdout, run.stderr);
    assert!(cluster.exists(&["configmap", "a", "-n", &portal]), "something of production is gone");
    // Nor may it bind itself anywhere else, or to anything else.
    for (namespace, role) in
        [("kube-system", "lathe-review-environment"), (portal.as_str(), "lathe-review-environment")]
    {
        let account = format!("system:serviceaccount:{name}-ci:lathe-review");
        let run = cluster.kubectl(&[
            "create",
            "rolebinding",
            "x",
            "-n",
            namespace,
            &format!("--clusterrole={role}"),
            &format!("--user={account}"),
            "--as",
            &account,
        ]);
        assert!(run.code != 0 && run.stderr.contains("reviews alone are changed here"), "{}", run.stderr);
    }

    let gc = rights.token("lathe-gc");
    let reviews = format!("{name}-reviews");
    let fixed = ["--project", &portal, "--ops-namespace", &reviews];
    cluster.place.write("open.json", &format!(r#"{{"project":"{portal}","open":[],"complete":true}}"#));
    let collect = || rights.as_account(&gc, "gc", &[&fixed[..], &["--open", "open.json"]].concat());
    let first = collect();
    assert!(first.code == 0 && first.stdout.is_empty(), "{}{}", first.stdout, first.stderr);
    assert!(
        first.stderr.contains("/review/7: it is not open; the next run takes it down"),
        "{}",
        first.stderr
    );
    // As a run leaves it whose namespace began to go.
    cluster.ok(&["delete", "rolebinding", "lathe-review", "-n", &review]);
    std::thread::sleep(Duration::from_secs(1));
    let second = collect();
    assert!(second.code == 0 && second.stdout.contains("Namespace/"), "{}{}", second.stdout, second.stderr);
    let left = cluster.ok(&["get", "namespaces", "-l", &format!("lathe.dev/project={portal}"), "-o", "name"]);
    assert_eq!(left, "");
    let left = cluster.ok(&["get", "secrets,leases", "-n", &reviews, "-o", "name"]);
    assert_eq!(left, "");
}

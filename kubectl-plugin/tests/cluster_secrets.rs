//! Secrets on a real API server: how they get there, what rolls, what is kept, what is generated.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::process::Stdio;

use serde_json::{Value, json};
use support::bao::{Bao, Fault, Front, ROOT};
use support::cluster::Cluster;
use support::{Place, Run, copy_example, finish};

/// A pipeline for one namespace, with manifests and what stands under `secrets`.
fn pipeline(place: &Place, namespace: &str, input: &str, secrets: &str) {
    place.write("in.yaml", input);
    place.write(
        "lathe.yaml",
        &format!("apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: {namespace}}}\ninputs: [in.yaml]\nenvironments: {{e: {{namespace: {namespace}}}}}\nsecrets: {secrets}\ntransforms: [{{plugin: \"builtin:secrets\"}}]\n"),
    );
    place.ok(&["lock"]);
}

fn apply(cluster: &Cluster, place: &Place, variables: &[(&str, &str)], more: &[&str]) -> Run {
    let mut command = place.command(&["apply", "--kubeconfig", &cluster.kubeconfig, "--env", "e"]);
    finish(command.args(more).envs(variables.iter().copied()).output().unwrap())
}

fn applied(cluster: &Cluster, place: &Place, variables: &[(&str, &str)]) -> String {
    let run = apply(cluster, place, variables, &[]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    run.stdout
}

fn live(cluster: &Cluster, namespace: &str, kind: &str, name: &str) -> Value {
    serde_json::from_str(&cluster.ok(&["get", kind, name, "-n", namespace, "-o", "json"])).unwrap()
}

const ENV: &str = "{providers: {ci: {type: env, allow: [A, B]}}}";

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_key_that_is_renamed_is_gone() {
    let (cluster, place) = (Cluster::new(), Place::new());
    let namespace = cluster.namespace("renamed");
    let secret = |data: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: oidc-client}}\ntype: Opaque\nstringData: {data}\n"
        )
    };
    pipeline(&place, &namespace, &secret("{CLIENT_ID: notes, CLIENT_SECRET: \"ref+env://A\"}"), ENV);
    applied(&cluster, &place, &[("A", "one\n")]);
    pipeline(&place, &namespace, &secret("{OIDC_CLIENT_ID: notes, CLIENT_SECRET: \"ref+env://A\"}"), ENV);
    applied(&cluster, &place, &[("A", "pla\"ce")]);
    let secret = live(&cluster, &namespace, "secret", "oidc-client");
    assert_eq!(secret["data"], json!({"CLIENT_SECRET": "cGxhImNl", "OIDC_CLIENT_ID": "bm90ZXM="}));
    let annotations = &secret["metadata"]["annotations"];
    assert!(annotations["kubectl.kubernetes.io/last-applied-configuration"].is_null(), "{annotations}");
    assert!(annotations["lathe.dev/secrets"].is_null());
}

const WORKLOAD: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: \"ref+env://A\"}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: other}\nstringData: {b: \"ref+env://B\"}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: 0\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers: [{name: c, image: c, envFrom: [{secretRef: {name: s}}]}]\n";

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn pods_are_made_anew_where_a_secret_of_theirs_changes() {
    let (cluster, place) = (Cluster::new(), Place::new());
    let namespace = cluster.namespace("rolls");
    pipeline(&place, &namespace, WORKLOAD, ENV);
    let checksum = || {
        let deployment = live(&cluster, &namespace, "deployment", "d");
        deployment["spec"]["template"]["metadata"]["annotations"]["lathe.dev/checksum-secrets"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    applied(&cluster, &place, &[("A", "one"), ("B", "x")]);
    let first = checksum();
    let again = applied(&cluster, &place, &[("A", "one"), ("B", "x")]);
    assert!(!again.contains(" changed") && !again.contains(" created"), "{again}");
    applied(&cluster, &place, &[("A", "one"), ("B", "y")]);
    assert_eq!(checksum(), first, "a Secret that it does not read");
    applied(&cluster, &place, &[("A", "two"), ("B", "y")]);
    assert_ne!(checksum(), first);
    // Another environment's checksum of the same value is another one.
    let elsewhere = cluster.namespace("rolls-too");
    pipeline(&place, &elsewhere, WORKLOAD, ENV);
    applied(&cluster, &place, &[("A", "one"), ("B", "x")]);
    let deployment = live(&cluster, &elsewhere, "deployment", "d");
    assert_ne!(
        deployment["spec"]["template"]["metadata"]["annotations"]["lathe.dev/checksum-secrets"],
        first
    );
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_the_server_would_refuse_is_told_before_and_without_values() {
    let (cluster, place) = (Cluster::new(), Place::new());
    let namespace = cluster.namespace("refused");
    let variables = [("A", "canary-no-pem"), ("B", "canary-{")];
    let input = "apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ntype: kubernetes.io/tls\nstringData: {tls.crt: \"ref+env://A\"}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: docker}\ntype: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: \"ref+env://B\"}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n";
    pipeline(&place, &namespace, input, ENV);
    let run = apply(&cluster, &place, &variables, &[]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    for told in [
        "Secret/tls: a Secret of type kubernetes.io/tls needs `tls.key`",
        "Secret/docker: `.dockerconfigjson` is no JSON object",
    ] {
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
    assert!(!run.stderr.contains("canary") && !cluster.exists(&["configmap", "c", "-n", &namespace]));
    // Of what only the server knows: a certificate that is none, and a value outside of a Secret.
    let input = "apiVersion: v1\nkind: Secret\nmetadata: {name: tls}\ntype: kubernetes.io/tls\nstringData: {tls.crt: \"ref+env://A\", tls.key: \"ref+env://A\"}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: svc}\nspec: {ports: [{port: 80}], externalName: \"ref+env://A\", type: ExternalName, sessionAffinity: \"ref+env://A\"}\n";
    pipeline(
        &place,
        &namespace,
        input,
        "{providers: {ci: {type: env, allow: [A, B]}}, sinks: [\"Service /spec/**\"]}",
    );
    for more in [&["-v", "-v"][..], &["--dry-run"], &[]] {
        let run = apply(&cluster, &place, &variables, more);
        assert!(
            run.code == 3 && !run.stderr.contains("canary") && !run.stdout.contains("canary"),
            "{} {}",
            run.code,
            run.stderr
        );
    }
    // What is immutable cannot be changed.
    let input = "apiVersion: v1\nkind: Secret\nmetadata: {name: fixed}\nimmutable: true\nstringData: {a: \"ref+env://A\"}\n";
    pipeline(&place, &namespace, input, ENV);
    applied(&cluster, &place, &[("A", "one")]);
    let run = apply(&cluster, &place, &variables, &[]);
    assert!(
        run.code == 3 && run.stderr.contains("hint: an immutable Secret cannot be changed"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("canary"));
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn secrets_of_the_cluster_are_read_by_an_allow_list() {
    let (cluster, place) = (Cluster::new(), Place::new());
    let (namespace, source) = (cluster.namespace("reads"), cluster.namespace("source"));
    cluster.ok(&["create", "secret", "generic", "src", "-n", &source, "--from-literal=k=from-the-cluster"]);
    let input = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: \"ref+k8s://v1/Secret/{source}/src/k\"}}\n"
    );
    pipeline(
        &place,
        &namespace,
        &input,
        &format!("{{providers: {{k8s: {{type: kubernetes, allow: [{source}/src]}}}}}}"),
    );
    applied(&cluster, &place, &[]);
    assert_eq!(live(&cluster, &namespace, "secret", "s")["data"]["a"], "ZnJvbS10aGUtY2x1c3Rlcg==");
    pipeline(
        &place,
        &namespace,
        &input,
        &format!("{{providers: {{k8s: {{type: kubernetes, allow: [{source}/other]}}}}}}"),
    );
    let run = apply(&cluster, &place, &[], &[]);
    assert!(run.code == 3 && run.stderr.contains("in its `allow`"), "{}", run.stderr);
    pipeline(
        &place,
        &namespace,
        &input.replace("/src/k", "/src/nothing"),
        &format!("{{providers: {{k8s: {{type: kubernetes, allow: [{source}/src]}}}}}}"),
    );
    let run = apply(&cluster, &place, &[], &[]);
    assert!(run.code == 3 && run.stderr.contains("there is no `nothing`"), "{}", run.stderr);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_review_has_values_of_its_own_that_stay() {
    let (cluster, place) = (Cluster::new(), Place::new());
    copy_example("hedgedoc", &place);
    let values = |review: &str| {
        let run = cluster.place.run(&[
            "review",
            "show",
            "-p",
            &place.path("hedgedoc").display().to_string(),
            "--review",
            review,
            "-o",
            "json",
        ]);
        let shown: Value = serde_json::from_str(&run.stdout).unwrap();
        let namespace = shown["namespace"].as_str().unwrap().to_owned();
        let run = cluster.apply(&["-p", &place.path("hedgedoc").display().to_string(), "--review", review]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        (
            live(&cluster, &namespace, "secret", "hedgedoc-postgres")["data"]["password"].clone(),
            run.stdout,
            namespace,
        )
    };
    let id = std::process::id().to_string();
    let (first, stdout, namespace) = values(&id);
    assert!(stdout.contains("lathe-generated created"), "{stdout}");
    assert_eq!(first.as_str().unwrap().len(), 44);
    let (again, stdout, _) = values(&id);
    assert_eq!(first, again);
    assert!(!stdout.contains("created") && !stdout.contains("lathe-generated changed"), "{stdout}");
    let (other, ..) = values(&format!("{id}1"));
    assert_ne!(first, other);
    // Without the place that keeps them, a render cannot show them; a file is one as well.
    let folder = place.path("hedgedoc").display().to_string();
    let run = place.run(&["render", "-p", &folder, "--review", &id, "--show-secrets"]);
    assert!(run.code == 3 && run.stderr.contains("--state"), "{}", run.stderr);
    let shown = |review: &str| {
        place.ok(&["render", "-p", &folder, "--review", review, "--show-secrets", "--state", "state.json"])
    };
    let once = shown("7");
    assert!(once == shown("7") && once != shown("8"));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(place.path("state.json")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    cluster.ok(&["delete", "namespace", &namespace, "--wait=false"]);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn two_runs_that_generate_do_not_overwrite_each_other() {
    let (cluster, place) = (Cluster::new(), Place::new());
    copy_example("hedgedoc", &place);
    let folder = place.path("hedgedoc").display().to_string();
    let id = format!("{}2", std::process::id());
    let start = || {
        let arguments =
            ["apply", "--kubeconfig", &cluster.kubeconfig, "-p", &folder, "--review", &id, "--no-hooks"];
        let mut command = cluster.place.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // Both read that there is nothing, and one waits for the other.
    let ends = [start(), start()].map(|child| finish(child.wait_with_output().unwrap()));
    let refused: Vec<_> = ends.iter().filter(|run| run.code != 0).collect();
    assert!(refused.len() <= 1, "{}{}", ends[0].stderr, ends[1].stderr);
    for run in &refused {
        assert!(run.code == 3 && run.stderr.contains("run it again"), "{}", run.stderr);
    }
    let shown = place.ok(&["review", "show", "-p", &folder, "--review", &id, "-o", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let namespace = shown["namespace"].as_str().unwrap().to_owned();
    let password = || live(&cluster, &namespace, "secret", "hedgedoc-postgres")["data"]["password"].clone();
    let first = password();
    let again = finish(start().wait_with_output().unwrap());
    assert!(again.code == 0 && password() == first, "{}", again.stderr);
    cluster.ok(&["delete", "namespace", &namespace, "--wait=false"]);
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn what_the_cluster_has_is_kept_while_a_store_is_down() {
    let (cluster, place, bao) = (Cluster::new(), Place::new(), Bao::start());
    let namespace = cluster.namespace("kept");
    bao.ok(&["kv", "put", "-mount=secret", "d", "a=first", "b=other"]);
    let front = Front::start(&bao, Fault::None);
    let secrets = format!("{{providers: {{bao: {{type: openbao, address: \"{}\"}}}}}}", front.address);
    let input = |key: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: \"<path:secret/data/d#{key}>\"}}\n"
        )
    };
    let variables = [("BAO_TOKEN", ROOT)];
    pipeline(&place, &namespace, &input("a"), &secrets);
    applied(&cluster, &place, &variables);
    let value = || live(&cluster, &namespace, "secret", "s")["data"]["a"].clone();
    assert_eq!(value(), "Zmlyc3Q=");
    bao.ok(&["kv", "put", "-mount=secret", "d", "a=second", "b=other"]);
    front.set(Fault::Always(503));
    let run = apply(&cluster, &place, &variables, &[]);
    assert!(run.code == 3 && run.stderr.contains("server fails"), "{}", run.stderr);
    let run = apply(&cluster, &place, &variables, &["--keep-live-secrets"]);
    assert!(
        run.code == 0
            && run
                .stderr
                .contains("warning: Secret/s: `<path:secret/data/d#a>` is kept as the cluster has it"),
        "{}",
        run.stderr
    );
    assert_eq!(value(), "Zmlyc3Q=");
    // Of another reference the cluster has nothing.
    pipeline(&place, &namespace, &input("b"), &secrets);
    let run = apply(&cluster, &place, &variables, &["--keep-live-secrets"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    // What is wrong for good is no outage.
    front.set(Fault::None);
    pipeline(&place, &namespace, &input("nothing"), &secrets);
    assert_eq!(apply(&cluster, &place, &variables, &["--keep-live-secrets"]).code, 3);
    pipeline(&place, &namespace, &input("a"), &secrets);
    applied(&cluster, &place, &variables);
    assert_eq!(value(), "c2Vjb25k");
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn pods_log_in_to_openbao_by_their_service_account() {
    let (cluster, place, bao) = (Cluster::new(), Place::new(), Bao::start());
    let namespace = cluster.namespace("login");
    cluster.ok(&["create", "serviceaccount", "reviewer", "-n", &namespace]);
    cluster.ok(&["create", "serviceaccount", "app", "-n", &namespace]);
    let binding = format!("{namespace}-reviewer");
    cluster.ok(&[
        "create",
        "clusterrolebinding",
        &binding,
        "--clusterrole=system:auth-delegator",
        &format!("--serviceaccount={namespace}:reviewer"),
    ]);
    let token = |account: &str, audience: &[&str]| {
        let all = [&["create", "token", account, "-n", namespace.as_str()], audience].concat();
        cluster.ok(&all).trim().to_owned()
    };
    let config: Value =
        serde_json::from_str(&cluster.ok(&["config", "view", "--raw", "-o", "json"])).unwrap();
    let server = &config["clusters"][0]["cluster"];
    let ca = server["certificate-authority-data"].as_str().map(|data| {
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, data).unwrap();
        String::from_utf8(bytes).unwrap()
    });
    let ca = ca.unwrap_or_else(|| {
        std::fs::read_to_string(server["certificate-authority"].as_str().unwrap()).unwrap()
    });
    bao.ok(&["kv", "put", "-mount=secret", "d", "a=value"]);
    bao.policy("read", "path \"secret/data/d\" { capabilities = [\"read\"] }");
    bao.ok(&["auth", "enable", "kubernetes"]);
    let body = json!({"kubernetes_host": server["server"], "kubernetes_ca_cert": ca, "token_reviewer_jwt": token("reviewer", &[]), "disable_local_ca_jwt": true});
    bao.with_body(&["write", "auth/kubernetes/config", "-"], &body.to_string());
    let role = json!({"bound_service_account_names": ["app"], "bound_service_account_namespaces": [namespace], "audience": "bao", "token_policies": ["read"]});
    bao.with_body(&["write", "auth/kubernetes/role/app", "-"], &role.to_string());
    let auth = "{method: kubernetes, role: app, tokenFile: token}";
    let secrets = format!(
        "{{providers: {{bao: {{type: openbao, address: \"{}\", kvVersion: 2, auth: {auth}}}}}}}",
        bao.address
    );
    pipeline(
        &place,
        &namespace,
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: \"<path:secret/data/d#a>\"}\n",
        &secrets,
    );
    place.write("token", &token("app", &["--audience=bao"]));
    applied(&cluster, &place, &[]);
    for wrong in [token("app", &["--audience=other"]), token("reviewer", &["--audience=bao"])] {
        place.write("token", &wrong);
        let run = apply(&cluster, &place, &[], &[]);
        assert!(
            run.code == 3 && run.stderr.contains("refuses the login") && !run.stderr.contains(&wrong),
            "{}",
            run.stderr
        );
    }
    std::fs::remove_file(place.path("token")).unwrap();
    let run = apply(&cluster, &place, &[], &[]);
    assert!(run.code == 3 && run.stderr.contains("the service account's token token"), "{}", run.stderr);
    cluster.ok(&["delete", "clusterrolebinding", &binding]);
}

//! An example whose clients are registered with an issuer of a test's own.
#![allow(clippy::panic, reason = "a test may fail loudly")]

use std::process::Command;

use serde_json::Value;

use super::cluster::Cluster;
use super::keycloak::{BOT, Keycloak, PASSWORD};
use super::{Run, copy_example, finish};

/// A copy of an example in the cluster's place, as a project of its own.
pub struct Login<'a> {
    pub cluster: &'a Cluster,
    /// The project, and the folder of its pipeline.
    pub name: String,
    /// The namespace of its state.
    pub ops: String,
    /// The initial access token.
    token: String,
}

impl<'a> Login<'a> {
    /// By dynamic registration, with a token that is good for many.
    pub fn dcr(cluster: &'a Cluster, example: &str, issuer: &str, token: &str) -> Self {
        Self::new(
            cluster,
            example,
            "dcr",
            &format!("{{issuer: '{issuer}', mode: dcr, tokenEnv: TOKEN}}"),
            token,
        )
    }

    /// By Keycloak's own endpoint.
    pub fn keycloak(cluster: &'a Cluster, example: &str, keycloak: &Keycloak) -> Self {
        let account = format!("account: {{clientId: {BOT}, clientSecretEnv: BOT}}");
        let issuer = format!("{{issuer: '{}', mode: keycloak, {account}}}", keycloak.issuer());
        Self::new(cluster, example, "kc", &issuer, "")
    }

    /// The small example, whose issuer is this one.
    pub fn small(cluster: &'a Cluster, name: &str, issuer: &str, token: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let ops = format!("{name}-ops");
        let own = Self { cluster, name, ops, token: token.to_owned() };
        copy_example("review-environment", &cluster.place);
        std::fs::rename(cluster.place.path("review-environment"), cluster.place.path(&own.name)).unwrap();
        let file = cluster.place.path(&format!("{}/lathe.yaml", own.name));
        let text = std::fs::read_to_string(&file).unwrap();
        let (head, rest) = text.split_once("    broker:\n").unwrap();
        let (_, tail) = rest.split_once("transforms:\n").unwrap();
        std::fs::write(&file, format!("{head}    broker: {issuer}\ntransforms:\n{tail}")).unwrap();
        let (project, ops) = (&own.name, &own.ops);
        own.change("  name: whoami\n", &format!("  name: {project}\n"));
        own.change("    review: true\n", &format!("    review: true\n    opsNamespace: {ops}\n"));
        cluster.place.ok(&["lock", "-p", project]);
        own
    }

    /// The small example by dynamic registration.
    pub fn small_dcr(cluster: &'a Cluster, name: &str, issuer: &str, token: &str) -> Self {
        Self::small(cluster, name, &format!("{{issuer: '{issuer}', mode: dcr, tokenEnv: TOKEN}}"), token)
    }

    /// The small example by Keycloak's own endpoint.
    pub fn small_keycloak(cluster: &'a Cluster, name: &str, keycloak: &Keycloak) -> Self {
        let account = format!("account: {{clientId: {BOT}, clientSecretEnv: BOT}}");
        let issuer = format!("{{issuer: '{}', mode: keycloak, {account}}}", keycloak.issuer());
        Self::small(cluster, name, &issuer, "")
    }

    /// With these settings of the issuer.
    pub fn new(cluster: &'a Cluster, example: &str, kind: &str, issuer: &str, token: &str) -> Self {
        let name = format!("{example}-{kind}-{}", std::process::id());
        let ops = format!("{name}-ops");
        let own = Self { cluster, name, ops, token: token.to_owned() };
        copy_example(example, &cluster.place);
        std::fs::rename(cluster.place.path(example), cluster.place.path(&own.name)).unwrap();
        let (project, ops) = (&own.name, &own.ops);
        own.change(&format!("  name: {example}\n"), &format!("  name: {project}\n"));
        own.change("    review: true\n", &format!("    review: true\n    opsNamespace: {ops}\n"));
        own.change("transforms:\n", &format!("aai:\n  issuers:\n    broker: {issuer}\ntransforms:\n"));
        own.change("        - {name: ", "        - {issuer: broker, name: ");
        cluster.place.ok(&["lock", "-p", project]);
        own
    }

    /// Changes the pipeline.
    pub fn change(&self, from: &str, to: &str) {
        let file = self.cluster.place.path(&format!("{}/lathe.yaml", self.name));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
    }

    /// A command about the pipeline's review 1.
    pub fn command(&self, verb: &[&str], more: &[&str]) -> Command {
        let fixed =
            ["-p", &self.name, "--env", "review", "--review", "1", "--kubeconfig", &self.cluster.kubeconfig];
        let mut command = self.cluster.place.command(&[verb, &fixed[..], more].concat());
        command.env("TOKEN", &self.token).env("BOT", PASSWORD);
        command
    }

    pub fn run(&self, verb: &[&str], more: &[&str]) -> Run {
        finish(self.command(verb, more).output().unwrap())
    }

    /// The same, which has to succeed.
    pub fn ok(&self, verb: &[&str], more: &[&str]) -> String {
        let run = self.run(verb, more);
        assert_eq!(run.code, 0, "{verb:?}: {}{}", run.stdout, run.stderr);
        run.stdout
    }

    /// What is rendered, each object as JSON.
    pub fn rendered(&self) -> Vec<Value> {
        let fixed = ["render", "-p", &self.name, "--env", "review", "--review", "1", "-o", "jsonl"];
        let text = self.cluster.place.ok(&fixed);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The bytes that are rendered.
    pub fn text(&self) -> String {
        self.cluster.place.ok(&["render", "-p", &self.name, "--env", "review", "--review", "1"])
    }

    /// The review's namespace.
    pub fn namespace(&self) -> String {
        let named = |object: &&Value| object["kind"] == "Namespace";
        self.rendered().iter().find(named).unwrap()["metadata"]["name"].as_str().unwrap().to_owned()
    }

    /// What is known of the clients.
    pub fn clients(&self) -> Vec<Value> {
        let text = self.ok(&["aai", "list"], &["-o", "json"]);
        let Value::Array(all) = serde_json::from_str::<Value>(&text).unwrap()["clients"].take() else {
            panic!("{text}")
        };
        all
    }

    /// The values of the Secret that the application reads.
    pub fn secret(&self, name: &str) -> Value {
        let text = self.cluster.ok(&["get", "secret", name, "-n", &self.namespace(), "-o", "json"]);
        serde_json::from_str(&text).unwrap()
    }

    /// One value of it.
    pub fn value(&self, secret: &str, key: &str) -> String {
        use base64::Engine as _;
        let secret = self.secret(secret);
        let text = secret["data"][key].as_str().unwrap_or_else(|| panic!("{key} is not in {secret}"));
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
    }
}

//! A pipeline of a test's own, whose set is changed from apply to apply.

use std::collections::BTreeSet;

use super::Run;
use super::cluster::Cluster;

/// A pipeline in the cluster's place, with one environment and one file of manifests.
pub struct Set<'a> {
    pub cluster: &'a Cluster,
    /// The project, and the namespace of its environment `prod`; the reviews' is `NAME-{slug}`.
    pub name: String,
    /// The namespace of its state.
    pub ops: String,
}

impl<'a> Set<'a> {
    pub fn new(cluster: &'a Cluster, name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let ops = format!("{name}-ops");
        let set = Self { cluster, name, ops };
        let Self { name, ops, .. } = &set;
        cluster.place.write(
            &format!("{name}/lathe.yaml"),
            &format!(
                "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: {name}}}\ninputs: [set.yaml]\n\
                 environments:\n  prod: {{namespace: {name}, opsNamespace: {ops}}}\n  \
                 review: {{review: true, namespace: '{name}-{{slug}}', opsNamespace: {ops}}}\n\
                 transforms:\n- plugin: builtin:review-hosts\n  environments: [review]\n  config: {{reviewDomain: review.example.org, hosts: {{app.example.org: app}}}}\n"
            ),
        );
        cluster.place.ok(&["lock", "-p", name]);
        set
    }

    /// What the set is from now on.
    pub fn write(&self, text: &str) -> &Self {
        let head = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n", self.name);
        self.cluster.place.write(&format!("{}/set.yaml", self.name), &format!("{head}---\n{text}"));
        self
    }

    /// The set is these maps of config.
    pub fn maps(&self, names: &[&str]) -> &Self {
        self.write(&names.iter().map(|name| map(name)).collect::<String>())
    }

    pub fn apply(&self, more: &[&str]) -> Run {
        self.cluster.apply(&[&["-p", self.name.as_str(), "--env", "prod"], more].concat())
    }

    /// The same, which has to succeed.
    pub fn applied(&self, more: &[&str]) -> String {
        let run = self.apply(more);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        run.stdout
    }

    /// Another command about the project.
    pub fn run(&self, command: &[&str], more: &[&str]) -> Run {
        let fixed =
            ["--kubeconfig", &self.cluster.kubeconfig, "--project", &self.name, "--ops-namespace", &self.ops];
        self.cluster.place.run(&[command, &fixed[..], more].concat())
    }

    /// `kubectl get` in the namespace.
    pub fn get(&self, arguments: &[&str]) -> String {
        self.cluster.ok(&[&["get", "-n", self.name.as_str()], arguments].concat())
    }

    /// The names of the maps of config that are there, but for Kubernetes' own.
    pub fn live_maps(&self) -> BTreeSet<String> {
        let names = self.get(&["configmaps", "-o", "name"]);
        let names = names.lines().filter_map(|name| name.strip_prefix("configmap/"));
        names.filter(|name| *name != "kube-root-ca.crt").map(ToOwned::to_owned).collect()
    }

    /// The parent Secret of the set.
    pub fn parent(&self) -> serde_json::Value {
        let text = self.cluster.ok(&[
            "get",
            "secrets",
            "-n",
            &self.ops,
            "-l",
            "lathe.dev/environment=prod",
            "-o",
            "json",
        ]);
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        list["items"][0].clone()
    }
}

pub fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{x: one}}\n---\n")
}

pub fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

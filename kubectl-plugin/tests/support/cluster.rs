//! The cluster that `LATHE_TEST_KUBECONFIG` names, and no other.
#![allow(clippy::panic, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "the environment names the cluster")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{Place, Run, finish};

/// A cluster, seen by kubectl.
pub struct Cluster {
    pub kubeconfig: String,
    pub kubectl: String,
    pub place: Place,
}

impl Cluster {
    pub fn new() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let place = Place::new();
        // A copy, for kubectl may write to it.
        let kubeconfig = place.path("kubeconfig");
        std::fs::copy(variable("LATHE_TEST_KUBECONFIG"), &kubeconfig).unwrap();
        Self { kubeconfig: kubeconfig.display().to_string(), kubectl: variable("LATHE_TEST_KUBECTL"), place }
    }

    pub fn apply(&self, arguments: &[&str]) -> Run {
        let all = [&["apply", "--kubeconfig", &self.kubeconfig], arguments].concat();
        self.place.run(&all)
    }

    pub fn kubectl(&self, arguments: &[&str]) -> Run {
        let output = Command::new(&self.kubectl)
            .args(["--kubeconfig", &self.kubeconfig])
            .args(arguments)
            .env("HOME", self.place.folder.path())
            .output()
            .unwrap();
        finish(output)
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        let run = self.kubectl(arguments);
        assert_eq!(run.code, 0, "kubectl {arguments:?}: {}", run.stderr);
        run.stdout
    }

    /// A namespace of this run alone.
    pub fn namespace(&self, name: &str) -> String {
        let name = format!("{name}-{}", std::process::id());
        self.ok(&["create", "namespace", &name]);
        name
    }

    /// Applies manifests from a text.
    pub fn apply_text(&self, text: &str, arguments: &[&str]) -> Run {
        self.place.write("text.yaml", text);
        let file = self.place.path("text.yaml").display().to_string();
        self.apply(&[&["-f", &file], arguments].concat())
    }

    pub fn exists(&self, arguments: &[&str]) -> bool {
        self.kubectl(&[&["get"], arguments].concat()).code == 0
    }

    /// Kind and name of the namespace's objects that Lathe manages, each with its version.
    pub fn versions(&self, namespace: &str) -> BTreeMap<String, String> {
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
    pub fn settled(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut before = self.versions(namespace);
        for _ in 0..30 {
            std::thread::sleep(Duration::from_secs(2));
            let after = self.versions(namespace);
            if before == after {
                return after;
            }
            before = after;
        }
        panic!("the objects of {namespace} never settle");
    }

    /// Says that a Job has come to this end.
    pub fn end_job(&self, namespace: &str, name: &str, condition: &str) {
        let name = format!("job/{name}");
        let now = self.ok(&["get", "-n", namespace, &name, "-o", "jsonpath={.metadata.creationTimestamp}"]);
        let target = if condition == "Complete" { "SuccessCriteriaMet" } else { "FailureTarget" };
        let of = |kind: &str| {
            format!(r#"{{"type":"{kind}","status":"True","reason":"Test","lastTransitionTime":"{now}"}}"#)
        };
        let end =
            if condition == "Complete" { format!(r#","completionTime":"{now}""#) } else { String::new() };
        let patch = format!(
            r#"{{"status":{{"startTime":"{now}","active":0,"terminating":0,"ready":0,"conditions":[{},{}]{end}}}}}"#,
            of(target),
            of(condition)
        );
        // The controller may write at the same time.
        for _ in 0..20 {
            let run = self.kubectl(&[
                "patch",
                "-n",
                namespace,
                &name,
                "--subresource=status",
                "--type=merge",
                "-p",
                &patch,
            ]);
            if run.code == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{name} cannot be ended");
    }
}

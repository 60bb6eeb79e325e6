//! Containers that use a client: found by the Secret they name, wired by `secretKeyRef`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use lathe_sdk::oidc_clients::Binding;
use lathe_sdk::{Object, Outcome, Value, json};

use crate::config::Client;
use crate::profile;

/// The environment of each container as it is after the clients so far: object and place → variables.
#[derive(Default)]
pub(crate) struct Containers(BTreeMap<(u32, String), Vec<Value>>);

impl Containers {
    /// Gives each container that uses the client's Secret the variables that its application reads. Tells whether there
    /// was one.
    pub(crate) fn wire(
        &mut self,
        objects: &[Object],
        client: &Client,
        binding: &Binding,
        outcome: &mut Outcome,
    ) -> Result<bool, String> {
        let mut wired = false;
        for object in objects {
            let Some(pod) = pod_spec(object) else { continue };
            let named = client.workloads.contains(&format!("{}/{}", object.kind, object.name));
            let spec = object.value.pointer(pod).unwrap_or(&Value::Null);
            for list in ["initContainers", "containers"] {
                for (index, container) in spec[list].as_array().into_iter().flatten().enumerate() {
                    let first = named && list == "containers" && index == 0;
                    if first || uses(container, &binding.secret_name) {
                        let at = format!("{pod}/{list}/{index}/env");
                        self.set_variables(object.key, container, &at, client, binding, outcome)?;
                        wired = true;
                    }
                }
            }
            // An application may read the Secret as files; then there is no variable to set.
            let mut volumes = spec["volumes"].as_array().into_iter().flatten();
            wired |= volumes.any(|volume| volume["secret"]["secretName"] == binding.secret_name.as_str());
        }
        Ok(wired)
    }

    fn set_variables(
        &mut self,
        object: u32,
        container: &Value,
        at: &str,
        client: &Client,
        binding: &Binding,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let variables = match self.0.entry((object, at.to_owned())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let variables = container["env"].as_array();
                if variables.is_none() {
                    outcome.set(object, at, Value::Array(Vec::new()));
                }
                new.insert(variables.cloned().unwrap_or_default())
            }
        };
        for (name, field) in profile::variables(client)? {
            let Some((_, key)) = binding.keys.iter().find(|(have, _)| have == field) else { continue };
            let reference = json!({"name": binding.secret_name, "key": key});
            let wanted = json!({"name": name, "valueFrom": {"secretKeyRef": reference}});
            match variables.iter().position(|variable| variable["name"] == name.as_str()) {
                Some(index) if variables[index] == wanted => {}
                Some(index) => {
                    outcome.set(object, format!("{at}/{index}"), wanted.clone());
                    variables[index] = wanted;
                }
                None => {
                    outcome.insert(object, format!("{at}/-"), wanted.clone());
                    variables.push(wanted);
                }
            }
        }
        Ok(())
    }
}

/// Whether the container reads the Secret into its environment.
fn uses(container: &Value, secret: &str) -> bool {
    let list = |name: &str| container[name].as_array().map_or(&[][..], Vec::as_slice);
    list("env").iter().any(|variable| variable["valueFrom"]["secretKeyRef"]["name"] == secret)
        || list("envFrom").iter().any(|source| source["secretRef"]["name"] == secret)
}

/// Where the pod template of a workload is.
fn pod_spec(object: &Object) -> Option<&'static str> {
    match (object.group(), object.kind.as_str()) {
        ("", "Pod") => Some("/spec"),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => {
            Some("/spec/template/spec")
        }
        ("batch", "CronJob") => Some("/spec/jobTemplate/spec/template/spec"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_values_give_way_and_missing_variables_come() {
        let value = json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "env": [
            {"name": "CMD_OAUTH2_CLIENT_ID", "value": "prod"},
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        ]}, {"name": "b"}]}}}});
        let object =
            Object { api_version: "apps/v1".into(), kind: "Deployment".into(), value, ..Object::default() };
        let client: Client = serde_json::from_value(
            json!({"name": "c", "profile": "hedgedoc", "secretName": "s", "hosts": []}),
        )
        .unwrap();
        let keys = [("client-id", "client-id"), ("client-secret", "client-secret")]
            .map(|(a, b)| (a.into(), b.into()));
        let binding = Binding { secret_name: "s".into(), keys: keys.into() };
        let mut outcome = Outcome::default();
        assert!(Containers::default().wire(&[object], &client, &binding, &mut outcome).unwrap());
        let sets: Vec<_> = outcome.sets().map(|(_, at, value)| (at.to_owned(), value.to_owned())).collect();
        assert_eq!(sets.len(), 1);
        assert_eq!(sets[0].0, "/spec/template/spec/containers/0/env/0");
        assert!(sets[0].1.contains("secretKeyRef") && !sets[0].1.contains("prod"));
    }
}

//! Built-in plugin `aai-client`: declares an `OpenID` Connect client per entry of its config and wires workloads to it.
//!
//! It registers nothing. The workload reads the client's id and secret from a Secret whose name is known beforehand, so
//! what is rendered is the same before and after registration. The keys that the registered client will supply are taken
//! out of the input's own Secret, so that nobody applies another environment's client over it.

mod config;
mod profile;
mod workload;

use std::collections::BTreeSet;

use lathe_sdk::{Descriptor, Location, Object, Outcome, Request, Scope, Transform, json, oidc_clients};

use config::{Client, Config};
use workload::Containers;

/// The plugin.
pub struct AaiClient;

impl Transform for AaiClient {
    fn describe() -> Descriptor {
        Descriptor {
            name: "aai-client",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Declares login clients and wires workloads to the Secrets that will hold them",
            config_schema: config::schema(),
            scope: Scope::Set,
        }
    }

    fn transform(request: &Request) -> Result<Outcome, String> {
        let config: Config = request.config()?;
        let mut outcome = Outcome::default();
        let mut containers = Containers::default();
        let mut secrets = BTreeSet::new();
        for client in &config.clients {
            if !secrets.insert(&client.secret_name) {
                let message = format!(
                    "client `{}`: Secret `{}` is another client's already",
                    client.name, client.secret_name
                );
                outcome.error("shared-secret", message, None);
                continue;
            }
            let Some(intent) = intent(client, request, &mut outcome)? else { continue };
            let binding = oidc_clients::declare(&intent.to_string());
            if binding.secret_name.is_empty() {
                // The host has noted why it refused the intent.
                continue;
            }
            take_keys(&request.objects, &binding.secret_name, &binding.keys, &mut outcome);
            let wired = containers.wire(&request.objects, client, &binding, &mut outcome)?;
            if !wired {
                let message = format!(
                    "no workload uses Secret `{}` of client `{}`; name one under `workloads`, as Kind/name",
                    binding.secret_name, client.name
                );
                outcome.error("unwired-client", message, None);
            }
        }
        Ok(outcome)
    }
}

lathe_sdk::register!(AaiClient);

/// What the client has to be, in this environment; `None` where a host of it has no place in a review.
fn intent(
    client: &Client,
    request: &Request,
    outcome: &mut Outcome,
) -> Result<Option<lathe_sdk::Value>, String> {
    let environment = &request.environment;
    let mut hosts = Vec::new();
    for host in client.hosts.iter().map(|host| host.to_lowercase()) {
        match environment.hosts.get(&host) {
            Some(target) => hosts.push(target.clone()),
            None if environment.review.is_none() => hosts.push(host),
            None => {
                let message = format!(
                    "client `{}`: `{host}` has no review host; add it to review-hosts' `hosts`",
                    client.name
                );
                outcome.error("unmapped-host", message, None);
                return Ok(None);
            }
        }
    }
    let callback = profile::callback(client)?;
    let redirects: Vec<String> = hosts.iter().map(|host| format!("https://{host}{callback}")).collect();
    Ok(Some(json!({
        "name": client.name,
        "profile": client.profile,
        "secretName": client.secret_name,
        "hosts": hosts,
        "redirectUris": redirects,
        "scopes": client.scopes,
    })))
}

/// Takes the client's keys out of the input's Secrets of that name; one that is left empty goes.
fn take_keys(objects: &[Object], secret: &str, keys: &[(String, String)], outcome: &mut Outcome) {
    for object in objects.iter().filter(|object| object.is("", "Secret") && object.name == secret) {
        let mut left = 0;
        let mut taken = Vec::new();
        for field in ["data", "stringData"] {
            for key in object.value[field].as_object().into_iter().flat_map(|map| map.keys()) {
                if keys.iter().any(|(_, name)| name == key) {
                    taken.push(format!("/{field}/{}", lathe_sdk::escape(key)));
                } else {
                    left += 1;
                }
            }
        }
        if left == 0 {
            outcome.drop_object(object.key);
            let at = Location { object: object.key, pointer: String::new() };
            outcome.info(
                "client-secret-dropped",
                format!("Secret `{secret}` held nothing but the client's own keys"),
                Some(at),
            );
            continue;
        }
        for pointer in taken {
            outcome.remove(object.key, pointer);
        }
    }
}

//! Built-in plugin `aai-client`: declares an `OpenID` Connect client per entry of its config and wires workloads to it.
//!
//! It registers nothing. The workload reads the client's id and secret from a Secret whose name is known beforehand, so
//! what is rendered is the same before and after registration. The keys that the registered client will supply are taken
//! out of the input's own Secret, so that nobody applies another environment's client over it; what else the input says of
//! another client is replaced, taken away or refused.

mod block;
mod config;
mod env;
mod flag;
mod foreign;
mod hub;
mod intent;
mod java;
mod literal;
mod login;
mod needle;
mod pod;
mod profile;
mod python;
mod reference;
mod secret;
mod set;
mod wiring;

use std::collections::BTreeSet;

use lathe_sdk::oidc_clients::{self, Binding};
use lathe_sdk::{Descriptor, Outcome, Request, Scope, Transform};

use config::{Client, Config};
use intent::Intent;
use literal::{Literals, What};
use login::Login;
use set::Set;

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
        transform_with(request, oidc_clients::declare)
    }
}

lathe_sdk::register!(AaiClient);

/// The transform, with what the host answers to a declared intent. For tests, which have no host.
#[doc(hidden)]
pub fn transform_with(
    request: &Request,
    mut declare: impl FnMut(&str) -> Binding,
) -> Result<Outcome, String> {
    let config: Config = request.config()?;
    let mut outcome = Outcome::default();
    let mut set = Set::new(&request.objects, &request.environment);
    let mut literals = Literals::default();
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
        let Some(intent) = Intent::new(client, request, &mut outcome)? else { continue };
        let binding = declare(&intent.json.to_string());
        if binding.secret_name.is_empty() {
            // The host has noted why it refused the intent.
            continue;
        }
        let login = Login::new(client, &binding, &intent.redirects)?;
        apply(&login, &mut set, &mut literals, &mut outcome);
        literals.redirects.extend(intent.redirects.iter().cloned());
    }
    reference::take(&mut set, &literals, &mut outcome);
    foreign::check(&set, &literals, &mut outcome);
    set.finish(&mut outcome);
    Ok(outcome)
}

/// Brings one client into the objects.
fn apply(login: &Login<'_>, set: &mut Set<'_>, literals: &mut Literals, outcome: &mut Outcome) {
    let callbacks = login.variables.iter().filter(|variable| variable.what == What::Callback);
    literals.callback_variables.extend(callbacks.map(|variable| variable.name.clone()));
    secret::take_keys(set, login, literals, outcome);
    secret::check_competing(set, login, outcome);
    tell_unsupplied(login.client, login, outcome);
    if !wiring::wire(set, login, literals, outcome) {
        let message = format!(
            "no workload uses Secret `{}` of client `{}`; name one under `workloads`, as Kind/name",
            login.secret, login.client.name
        );
        outcome.error("unwired-client", message, None);
    }
}

/// Tells of variables that the config asks for and the Secret will not hold.
fn tell_unsupplied(client: &Client, login: &Login<'_>, outcome: &mut Outcome) {
    for (variable, field) in client.variables.iter().filter(|(_, field)| !login.has(field)) {
        let why = if field == "client-secret" {
            "a public client has none"
        } else {
            "name an `issuer` of the pipeline"
        };
        let message = format!("client `{}`: nothing supplies `{field}` for `{variable}`; {why}", client.name);
        outcome.warning("unsupplied-variable", message, None);
    }
}

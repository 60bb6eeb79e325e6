//! Workloads that use a client: found by the Secret they name, wired by `secretKeyRef`.

use std::collections::BTreeSet;

use lathe_sdk::{Outcome, Value};

use crate::env::{self, Problem};
use crate::flag;
use crate::hub::Hub;
use crate::java;
use crate::literal::Literals;
use crate::login::Login;
use crate::pod;
use crate::profile::Profile;
use crate::set::Set;

/// Gives each container that uses the client's Secret what its application reads. Tells whether there was one.
pub(crate) fn wire(
    set: &mut Set<'_>,
    login: &Login<'_>,
    literals: &mut Literals,
    outcome: &mut Outcome,
) -> bool {
    let mut used = false;
    let mut redirects = false;
    let mut hubs = Vec::new();
    let workloads: BTreeSet<&str> = login.client.workloads.iter().map(String::as_str).collect();
    for (index, object) in set.objects.iter().enumerate() {
        let Some((at, spec)) = pod::spec(object) else { continue };
        let named =
            !workloads.is_empty() && workloads.contains(format!("{}/{}", object.kind, object.name).as_str());
        let containers = containers(at, spec, named, login);
        // An application may read the Secret as files; then there is no variable to set.
        if containers.is_empty() && !pod::mounts(spec, login.secret) {
            continue;
        }
        used = true;
        if !set.is_at_home(object) {
            let told = format!(
                "this uses Secret `{}` of client `{}`, which will be in the environment's namespace only",
                login.secret, login.client.name
            );
            let told = format!("{told}; move the workload there, or let review-hosts do so before");
            outcome.error("other-namespace", told, Some(set.place(index, "/metadata/namespace")));
            continue;
        }
        for place in &containers {
            let problems = match set.edit(index).pointer_mut(place) {
                Some(container) => wire_container(container, login, literals),
                None => Vec::new(),
            };
            for Problem { pointer, message } in problems {
                outcome.error("unread-login", message, Some(set.place(index, format!("{place}{pointer}"))));
            }
            redirects |=
                set.value(index).pointer(place).is_some_and(|container| redirects_to_one(container, login));
        }
        // What starts before the hub is not the hub.
        hubs.push((!containers.iter().any(|place| place.contains("/containers/")), object, spec));
    }
    if login.client.profile == Profile::JupyterHub {
        let mut hub = Hub::new(login);
        // Where one that is wired and one that is not read the same config, it is the former's.
        hubs.sort_by_key(|(unwired, ..)| *unwired);
        for (unwired, object, spec) in hubs {
            hub.read(set, object, spec, !unwired, literals, outcome);
        }
    }
    if redirects && login.client.hosts.len() > 1 {
        let told = format!(
            "client `{}` has several hosts, and its application takes one redirect URI: that of the first host",
            login.client.name
        );
        outcome.info("first-host", told, None);
    }
    used
}

/// The places of a pod's containers that use the client.
fn containers(at: &str, spec: &Value, named: bool, login: &Login<'_>) -> Vec<String> {
    let mut places = Vec::new();
    for list in pod::LISTS {
        for (index, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            let first = named && list == "containers" && index == 0;
            if first || pod::container_uses(container, login.secret) {
                places.push(format!("{at}/{list}/{index}"));
            }
        }
    }
    places
}

/// Whether a variable of the container names the redirect URI.
fn redirects_to_one(container: &Value, login: &Login<'_>) -> bool {
    let mut variables = container["env"].as_array().into_iter().flatten();
    login.redirect.is_some_and(|redirect| variables.any(|variable| variable["value"] == redirect))
}

/// Makes one container read the client. Answers what stands in the way.
fn wire_container(container: &mut Value, login: &Login<'_>, literals: &mut Literals) -> Vec<Problem> {
    let mut problems = Vec::new();
    if login.client.profile == Profile::SpringBoot {
        java::check(container, login, &mut problems);
    }
    let redirected = flag::remove(container, login, literals, &mut problems);
    problems.extend(env::set(container, login, redirected, literals));
    problems
}

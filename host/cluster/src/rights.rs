//! Which rights who asks lacks: not only the one that was refused first, but all that an apply of the same kinds would need.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;

use crate::outcome::{Cause, Failure};
use crate::request::{Ask, Requests};

/// What an apply does with objects; a set is listed and pruned, too.
const VERBS: &[&str] = &["get", "list", "create", "patch", "delete"];

/// The resource that a refusal is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    namespace: String,
    group: String,
    resource: String,
}

impl Place {
    /// Of RBAC's own words: `User "u" cannot get resource "pods" in API group "" in the namespace "n"`, or `at the cluster scope`.
    fn of(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once("\" in API group \"")?;
        let (group, rest) = rest.split_once('"')?;
        let namespace =
            rest.split_once(" in the namespace \"").and_then(|(_, rest)| Some(rest.split_once('"')?.0));
        // Namespaces are told to be in themselves.
        let namespace = namespace.filter(|_| (group, resource) != ("", "namespaces")).unwrap_or_default();
        let [namespace, group, resource] = [namespace, group, resource].map(ToOwned::to_owned);
        Some(Self { namespace, group, resource })
    }
}

#[derive(Deserialize)]
struct Review {
    status: Verdict,
}

#[derive(Deserialize)]
struct Verdict {
    allowed: bool,
}

/// Lines such as `in the namespace portal: get, patch on deployments.apps`, sorted; none where the server does not say.
pub(crate) async fn missing(requests: &Requests, failures: &[Failure]) -> Vec<String> {
    let refused = failures.iter().filter(|failure| failure.cause == Cause::Rights);
    let places: BTreeSet<Place> = refused.filter_map(|failure| Place::of(&failure.message)).collect();
    let mut lines: BTreeMap<(String, Vec<&str>), Vec<String>> = BTreeMap::new();
    for Place { namespace, group, resource } in places {
        let mut verbs = Vec::new();
        for verb in VERBS {
            let body = json!({
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {
                    "namespace": namespace, "verb": verb, "group": group, "resource": resource,
                }},
            });
            let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
            let Ok(answer) = requests.send(path, Ask::Create(&body.to_string())).await else {
                return Vec::new();
            };
            let Ok(Review { status }) = serde_json::from_str(&answer) else { return Vec::new() };
            if !status.allowed {
                verbs.push(*verb);
            }
        }
        let name = if group.is_empty() { resource } else { format!("{resource}.{group}") };
        if !verbs.is_empty() {
            lines.entry((namespace, verbs)).or_default().push(name);
        }
    }
    let line = |((namespace, verbs), names): ((String, Vec<&str>), Vec<String>)| {
        let place = if namespace.is_empty() {
            "in the cluster".to_owned()
        } else {
            format!("in the namespace {namespace}")
        };
        format!("{place}: {} on {}", verbs.join(", "), names.join(", "))
    };
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_place() {
        let place = |namespace: &str, group: &str, resource: &str| {
            let [namespace, group, resource] = [namespace, group, resource].map(ToOwned::to_owned);
            Some(Place { namespace, group, resource })
        };
        for (message, want) in [
            (
                r#"deployments.apps "a" is forbidden: User "u" cannot get resource "deployments" in API group "apps" in the namespace "n""#,
                place("n", "apps", "deployments"),
            ),
            (
                r#"clusterroles.rbac.authorization.k8s.io is forbidden: User "u" cannot list resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope"#,
                place("", "rbac.authorization.k8s.io", "clusterroles"),
            ),
            (
                r#"namespaces "n" is forbidden: User "u" cannot patch resource "namespaces" in API group "" in the namespace "n""#,
                place("", "", "namespaces"),
            ),
            ("somebody said no", None),
        ] {
            assert_eq!(Place::of(message), want, "{message}");
        }
    }
}

//! Built-in plugin `review-hosts`: turns what production is called into what a review environment is called.
//!
//! Hosts by whole-token match in every text of every object, namespaces in the places that hold one, cluster-scoped
//! objects refused. Nothing is guessed: a host in a routing field that has no target is an error. What slips through is
//! found by the host's own closure after the last plugin, which shares no code with this.

mod cluster_types;
mod config;
mod host;
mod namespace;
mod typed;

use lathe_sdk::{Descriptor, Location, Object, Outcome, Request, Scope, Transform, each_string};

use cluster_types::ClusterTypes;
use config::Config;
use host::HostMap;
use namespace::Namespaces;

/// The plugin.
pub struct ReviewHosts;

impl Transform for ReviewHosts {
    fn describe() -> Descriptor {
        Descriptor {
            name: "review-hosts",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Turns production hosts and namespaces into those of a review environment",
            config_schema: config::schema(),
            scope: Scope::Set,
        }
    }

    fn transform(request: &Request) -> Result<Outcome, String> {
        let config: Config = request.config()?;
        let environment = &request.environment;
        if environment.review.is_none() {
            return Err(format!(
                "environment `{}` is no review; limit this entry by `environments`",
                environment.name
            ));
        }
        let hosts = HostMap::new(&environment.hosts, &config.keep);
        let namespaces = Namespaces::new(&request.objects, &environment.namespace);
        let cluster_types = ClusterTypes::new(&request.objects);
        let mut outcome = Outcome::default();
        for object in &request.objects {
            if cluster_types.include(object) && !object.is("", "Namespace") {
                cluster_scoped(object, &config, &mut outcome);
                continue;
            }
            namespaces.apply(object, &mut outcome);
            typed::check(object, &hosts, &mut outcome);
            each_string(&object.value, &mut |pointer, text| {
                if is_text(object, pointer) {
                    rewrite(object, pointer, text, &hosts, &namespaces, &mut outcome);
                }
            });
        }
        namespaces.ensure(&request.objects, environment, &mut outcome);
        Ok(outcome)
    }
}

lathe_sdk::register!(ReviewHosts);

fn rewrite(
    object: &Object,
    pointer: &str,
    text: &str,
    hosts: &HostMap,
    namespaces: &Namespaces,
    outcome: &mut Outcome,
) {
    let rewritten = host::rewrite(
        text,
        |token| hosts.target(token).map(ToOwned::to_owned),
        |token, after| namespaces.service(token, after),
    );
    let now = rewritten.as_deref().unwrap_or(text);
    let followed = namespaces.follow_spelling(object, pointer, now).or_else(|| namespaces.follow_text(now));
    if let Some(new) = followed.or(rewritten) {
        outcome.set(object.key, pointer, new);
    }
}

/// Whether the string is text in which hosts may stand, and not a name, a type, a selector or an image.
fn is_text(object: &Object, pointer: &str) -> bool {
    let data = matches!(object.kind.as_str(), "ConfigMap" | "Secret") && !pointer.starts_with("/metadata/");
    if data {
        return pointer != "/apiVersion" && pointer != "/kind";
    }
    let types = ["apiVersion", "apiGroup"].iter().any(|name| pointer.rsplit('/').next() == Some(name));
    if types || pointer.contains("/apiGroups/") || pointer.starts_with("/metadata/finalizers/") {
        return false;
    }
    let fixed = [
        "/apiVersion",
        "/kind",
        "/metadata/name",
        "/metadata/generateName",
        "/metadata/namespace",
        "/metadata/labels/",
    ];
    if fixed.iter().any(|prefix| pointer == *prefix || (prefix.ends_with('/') && pointer.starts_with(prefix)))
    {
        return false;
    }
    let mut segments = pointer.rsplit('/');
    let last = segments.next().unwrap_or_default();
    let selector = pointer.contains("/matchLabels/")
        || pointer.contains("/selector/")
        || pointer.contains("/template/metadata/labels/");
    let qualified = last == "topologyKey"
        || (last == "key" && (pointer.contains("/tolerations/") || pointer.contains("/matchExpressions/")));
    !selector && !qualified && last != "image"
}

fn cluster_scoped(object: &Object, config: &Config, outcome: &mut Outcome) {
    let label = format!("{}/{}", object.kind, object.name);
    if config.drop.contains(&label) {
        outcome.drop_object(object.key);
        return;
    }
    let message = format!(
        "{label} is cluster-scoped, and a review must not touch what others share; take it out of the input or list it under `drop`"
    );
    outcome.error("cluster-scoped", message, Some(Location { object: object.key, pointer: String::new() }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use lathe_sdk::{Environment, Review, Value, json};

    fn request(objects: &[Value]) -> Request {
        let environment = Environment {
            name: "review".into(),
            project: "portal".into(),
            namespace: "portal-review-1-x".into(),
            review: Some(Review { id: "1".into(), slug: "review-1-x".into() }),
            hosts: [("portal.example.org".into(), "portal-review-1-x.review.example.net".into())].into(),
        };
        let objects = (0..).zip(objects).map(|(key, value)| Object {
            key,
            api_version: value["apiVersion"].as_str().unwrap().into(),
            kind: value["kind"].as_str().unwrap().into(),
            namespace: value["metadata"]["namespace"].as_str().unwrap_or_default().into(),
            name: value["metadata"]["name"].as_str().unwrap_or_default().into(),
            value: value.clone(),
        });
        let config = json!({"reviewDomain": "review.example.net", "hosts": {"portal.example.org": "portal"}, "zones": ["example.org"], "keep": ["aai.example.org"]});
        Request { config, environment, objects: objects.collect() }
    }

    #[test]
    fn text_changes_and_names_do_not() {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "portal.example.org", "namespace": "portal", "labels": {"app": "portal.example.org"}},
            "data": {"url": "https://portal.example.org/x", "mail": "a@portal.example.org", "db": "mongo.portal.svc.cluster.local"}});
        let outcome = ReviewHosts::transform(&request(&[map])).unwrap();
        let sets: Vec<_> = outcome.sets().collect();
        assert_eq!(
            sets,
            [
                (0, "/metadata/namespace", "\"portal-review-1-x\""),
                (0, "/data/db", "\"mongo.portal-review-1-x.svc.cluster.local\""),
                (0, "/data/url", "\"https://portal-review-1-x.review.example.net/x\""),
            ]
        );
    }

    #[test]
    fn what_others_share_and_hosts_without_a_target_are_refused() {
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"}});
        let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "namespace": "portal"},
            "spec": {"rules": [{"host": "other.example.org"}]}});
        let outcome = ReviewHosts::transform(&request(&[role, ingress])).unwrap();
        let codes: Vec<_> = outcome.findings().map(|(code, _)| code.to_owned()).collect();
        assert_eq!(codes, ["cluster-scoped", "unmapped-host"]);
    }
}

//! What keeps a review within bounds on a shared cluster: a quota, default limits, and a network of its own.

use lathe_sdk::{Object, Outcome, Value, json};

use crate::config::{Config, Network};

/// The name of the objects that are added.
const NAME: &str = "lathe-review";

/// Adds what the config asks for to the namespace.
pub(crate) fn add(objects: &[Object], namespace: &str, config: &Config, outcome: &mut Outcome) {
    let metadata = json!({"name": NAME, "namespace": namespace});
    let mut wanted = Vec::new();
    if !config.quota.is_empty() {
        let spec = json!({"hard": config.quota});
        wanted.push(json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}));
    }
    if let Some(limits) = &config.limit_range {
        let mut limit = json!({"type": "Container"});
        for (name, values) in [
            ("default", &limits.default),
            ("defaultRequest", &limits.default_request),
            ("max", &limits.max),
            ("min", &limits.min),
        ] {
            if !values.is_empty() {
                limit[name] = json!(values);
            }
        }
        let spec = json!({"limits": [limit]});
        wanted.push(json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": spec}));
    }
    if let Some(network) = &config.network_policy {
        let (version, kind) = ("networking.k8s.io/v1", "NetworkPolicy");
        let spec = policy(network, &config.shared_services);
        wanted.push(json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}));
    }
    for object in wanted {
        // A review that is rendered again has them already.
        if !objects.iter().any(|given| given.value == object) {
            outcome.add_object(&object);
        }
    }
}

/// Nothing in and nothing out, but within the namespace, to the cluster's DNS, and as the config says.
fn policy(network: &Network, shared_services: &[String]) -> Value {
    let own = json!({"podSelector": {}});
    let named =
        |name: &str| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    let mut from = vec![own.clone()];
    from.extend(network.from_namespaces.iter().map(|name| named(name)));
    let mut to = vec![own];
    let shared = shared_services.iter().filter_map(|service| service.rsplit_once('.'));
    let mut namespaces: Vec<&str> = shared.map(|(_, namespace)| namespace).collect();
    namespaces.extend(network.to_namespaces.iter().map(String::as_str));
    namespaces.sort_unstable();
    namespaces.dedup();
    to.extend(namespaces.into_iter().map(named));
    let dns = json!({
        "to": [named("kube-system")],
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
    });
    let mut egress = vec![json!({"to": to}), dns];
    for address in &network.to_addresses {
        let block = match &address.except {
            except if except.is_empty() => json!({"cidr": address.cidr}),
            except => json!({"cidr": address.cidr, "except": except}),
        };
        let ports: Vec<Value> =
            address.ports.iter().map(|port| json!({"port": port, "protocol": "TCP"})).collect();
        let mut rule = json!({"to": [{"ipBlock": block}]});
        if !ports.is_empty() {
            rule["ports"] = json!(ports);
        }
        egress.push(rule);
    }
    json!({
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": from}],
        "egress": egress,
    })
}

//! What two environments on one cluster cannot both have: ports of nodes, addresses, volumes, files of hosts.

use lathe_sdk::{Location, Object, Outcome, Value};

use crate::config::Config;
use crate::pod;

/// Volumes that are there already, with somebody's data.
const EXISTING: &[&str] = &[
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "fc",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "nfs",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

/// Takes away what would clash, and refuses what cannot be taken away.
pub(crate) fn apply(object: &Object, config: &Config, outcome: &mut Outcome) {
    match (object.group(), object.kind.as_str()) {
        ("", "Service") => service(object, outcome),
        ("", "Endpoints") | ("discovery.k8s.io", "EndpointSlice") => addresses(object, config, outcome),
        ("gateway.networking.k8s.io", "Gateway") if !object.value["spec"]["addresses"].is_null() => {
            outcome.remove(object.key, "/spec/addresses");
            tell(object, "/spec/addresses", "a review gets no address of its own", outcome);
        }
        ("", "PersistentVolumeClaim") => claim(object, &object.value["spec"], "/spec", outcome),
        ("apps", "StatefulSet") => {
            for (index, template) in
                object.value["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten().enumerate()
            {
                claim(
                    object,
                    &template["spec"],
                    &format!("/spec/volumeClaimTemplates/{index}/spec"),
                    outcome,
                );
            }
        }
        _ => {}
    }
    if let Some((at, spec)) = pod::spec(object) {
        pod_spec(object, at, spec, outcome);
    }
}

fn service(object: &Object, outcome: &mut Outcome) {
    let spec = &object.value["spec"];
    let mut remove = |name: &str| {
        if !spec[name].is_null() {
            outcome.remove(object.key, format!("/spec/{name}"));
        }
    };
    remove("loadBalancerIP");
    remove("externalIPs");
    remove("healthCheckNodePort");
    // `None` is no address but says that there is none.
    if spec["clusterIP"].as_str().is_some_and(|address| address != "None") {
        remove("clusterIP");
        remove("clusterIPs");
    }
    if matches!(spec["type"].as_str(), None | Some("ClusterIP")) {
        // It is for what comes from outside, which nothing does without external addresses.
        remove("externalTrafficPolicy");
    }
    if spec["type"] == "LoadBalancer" {
        for name in [
            "loadBalancerClass",
            "loadBalancerSourceRanges",
            "allocateLoadBalancerNodePorts",
            "externalTrafficPolicy",
        ] {
            remove(name);
        }
        outcome.set(object.key, "/spec/type", "ClusterIP");
        tell(object, "/spec/type", "a review gets no load balancer of its own", outcome);
    }
    for (index, port) in spec["ports"].as_array().into_iter().flatten().enumerate() {
        if !port["nodePort"].is_null() {
            outcome.remove(object.key, format!("/spec/ports/{index}/nodePort"));
        }
    }
}

/// Addresses that somebody wrote down are production's, unless reviews share what they lead to.
fn addresses(object: &Object, config: &Config, outcome: &mut Outcome) {
    let service = match object.value["metadata"]["labels"]["kubernetes.io/service-name"].as_str() {
        Some(service) => service,
        None => object.name.as_str(),
    };
    let shared = format!("{service}.{}", object.namespace);
    if !config.shared_services.contains(&shared) {
        let told = format!(
            "these addresses are production's; list `{shared}` under `sharedServices` if reviews may use them, or drop the object"
        );
        outcome.error("clash", told, Some(Location { object: object.key, pointer: String::new() }));
    }
}

fn claim(object: &Object, spec: &Value, at: &str, outcome: &mut Outcome) {
    if !spec["selector"].is_null() {
        let told = "this binds a volume made by hand, which holds production's data; a review claims its own";
        let at = Location { object: object.key, pointer: format!("{at}/selector") };
        outcome.error("clash", told, Some(at));
    }
    for source in ["dataSource", "dataSourceRef"].into_iter().filter(|name| !spec[*name].is_null()) {
        let told = "this is made of data that is there already; a review begins with its own";
        let at = Location { object: object.key, pointer: format!("{at}/{source}") };
        outcome.error("clash", told, Some(at));
    }
    if !spec["volumeName"].is_null() {
        outcome.remove(object.key, format!("{at}/volumeName"));
        tell(object, &format!("{at}/volumeName"), "a review claims a volume of its own", outcome);
    }
}

fn pod_spec(object: &Object, at: &str, spec: &Value, outcome: &mut Outcome) {
    let mut refuse = |pointer: String, told: &str| {
        outcome.error("clash", told, Some(Location { object: object.key, pointer }));
    };
    for (name, told) in [
        ("hostNetwork", "a review must not take the node's network"),
        ("hostPID", "a review must not see the node's processes"),
        ("hostIPC", "a review must not see the node's memory"),
    ] {
        if spec[name] == true {
            refuse(format!("{at}/{name}"), told);
        }
    }
    for (index, volume) in spec["volumes"].as_array().into_iter().flatten().enumerate() {
        for kind in EXISTING.iter().filter(|kind| !volume[**kind].is_null()) {
            let told = "a review must not use files that are there already, of the node or of production";
            refuse(format!("{at}/volumes/{index}/{kind}"), told);
        }
    }
    for (pointer, container) in pod::containers(at, spec) {
        for (index, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
            if port["hostPort"].as_u64().is_some_and(|port| port > 0) {
                refuse(
                    format!("{pointer}/ports/{index}/hostPort"),
                    "a review must not take a port of the node",
                );
            }
        }
    }
}

fn tell(object: &Object, pointer: &str, told: &str, outcome: &mut Outcome) {
    outcome.info("clash", told, Some(Location { object: object.key, pointer: pointer.to_owned() }));
}

//! What two environments on one cluster cannot both have: ports of nodes, addresses, volumes, files of hosts.

use lathe_sdk::{Location, Object, Outcome, Value};

use crate::pod;

/// Takes away what would clash, and refuses what cannot be taken away.
pub(crate) fn apply(object: &Object, outcome: &mut Outcome) {
    match (object.group(), object.kind.as_str()) {
        ("", "Service") => service(object, outcome),
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

fn claim(object: &Object, spec: &Value, at: &str, outcome: &mut Outcome) {
    if !spec["volumeName"].is_null() {
        outcome.remove(object.key, format!("{at}/volumeName"));
        tell(object, &format!("{at}/volumeName"), "a review claims a volume of its own", outcome);
    }
}

fn pod_spec(object: &Object, at: &str, spec: &Value, outcome: &mut Outcome) {
    let mut refuse = |pointer: String, told: &str| {
        outcome.error("clash", told, Some(Location { object: object.key, pointer }));
    };
    if spec["hostNetwork"] == true {
        refuse(format!("{at}/hostNetwork"), "a review must not take the node's network");
    }
    for (index, volume) in spec["volumes"].as_array().into_iter().flatten().enumerate() {
        if !volume["hostPath"].is_null() {
            refuse(format!("{at}/volumes/{index}/hostPath"), "a review must not use the node's files");
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

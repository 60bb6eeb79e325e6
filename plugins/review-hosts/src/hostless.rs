//! Routes without a host, which answer for every host of the controller or gateway that reviews share.

use std::collections::BTreeSet;

use lathe_sdk::{Location, Object, Outcome, Value};

const GATEWAY: &str = "gateway.networking.k8s.io";

/// Reports that the field claims every host.
pub(crate) fn report(outcome: &mut Outcome, object: &Object, pointer: String) {
    let at = Location { object: object.key, pointer };
    outcome.error("hostless", "this claims every host of what reviews share; name a host", Some(at));
}

/// Names of the input's own Gateways, which the review does not share.
pub(crate) fn gateways(objects: &[Object]) -> BTreeSet<&str> {
    let own = objects.iter().filter(|object| object.kind == "Gateway" && object.group() == GATEWAY);
    own.map(|object| object.name.as_str()).collect()
}

/// Whether a route hangs on Gateways of the input alone, whose listeners name hosts, or on Services within the mesh.
fn is_own(object: &Object, gateways: &BTreeSet<&str>) -> bool {
    let parents = object.value["spec"]["parentRefs"].as_array();
    let own = |parent: &Value| {
        let here = parent["namespace"].as_str().is_none_or(|namespace| namespace == object.namespace);
        let gateway = matches!(parent["kind"].as_str(), None | Some("Gateway"))
            && parent["name"].as_str().is_some_and(|name| gateways.contains(name));
        parent["kind"] == "Service" || here && gateway
    };
    parents.is_some_and(|parents| !parents.is_empty() && parents.iter().all(own))
}

/// Reports the object's routes that name no host.
pub(crate) fn check(object: &Object, gateways: &BTreeSet<&str>, outcome: &mut Outcome) {
    let spec = &object.value["spec"];
    let mut report = |pointer: String| report(outcome, object, pointer);
    let empty = |value: &Value| match value {
        Value::Array(items) => items.is_empty(),
        value => value.as_str().is_none_or(str::is_empty),
    };
    let items = |name: &str| spec[name].as_array().into_iter().flatten().enumerate();
    match (object.group(), object.kind.as_str()) {
        ("networking.k8s.io" | "extensions", "Ingress") => {
            for backend in ["defaultBackend", "backend"].into_iter().filter(|name| !spec[*name].is_null()) {
                report(format!("/spec/{backend}"));
            }
            for (index, _) in items("rules").filter(|(_, rule)| empty(&rule["host"])) {
                report(format!("/spec/rules/{index}"));
            }
        }
        (
            "gateway.networking.k8s.io" | "gateway.networking.x-k8s.io",
            "Gateway" | "ListenerSet" | "XListenerSet",
        ) => {
            for (index, _) in items("listeners").filter(|(_, listener)| empty(&listener["hostname"])) {
                report(format!("/spec/listeners/{index}"));
            }
        }
        ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute" | "TLSRoute")
            if empty(&spec["hostnames"]) && !is_own(object, gateways) =>
        {
            report("/spec/hostnames".to_owned());
        }
        ("projectcontour.io", "HTTPProxy")
            if !spec["virtualhost"].is_null() && empty(&spec["virtualhost"]["fqdn"]) =>
        {
            report("/spec/virtualhost".to_owned());
        }
        ("traefik.io" | "traefik.containo.us", "IngressRoute" | "IngressRouteTCP") => {
            for (index, _) in items("routes").filter(|(_, route)| empty(&route["match"])) {
                report(format!("/spec/routes/{index}/match"));
            }
        }
        ("networking.istio.io", "Gateway") => {
            // Behind these a host is not looked at.
            let plain = |server: &Value| {
                matches!(server["port"]["protocol"].as_str(), Some("TCP" | "MONGO" | "MYSQL" | "REDIS"))
            };
            for (index, _) in items("servers").filter(|(_, server)| plain(server)) {
                report(format!("/spec/servers/{index}/port/protocol"));
            }
        }
        ("getambassador.io", "Mapping") if empty(&spec["hostname"]) && empty(&spec["host"]) => {
            report("/spec/hostname".to_owned());
        }
        // These claim a port of what reviews share, and know no hosts.
        ("gateway.networking.k8s.io", "TCPRoute" | "UDPRoute") if is_own(object, gateways) => {}
        ("gateway.networking.k8s.io", "TCPRoute" | "UDPRoute")
        | ("traefik.io" | "traefik.containo.us", "IngressRouteUDP")
        | ("k8s.nginx.org", "TransportServer")
        | ("configuration.konghq.com", "TCPIngress" | "UDPIngress") => report("/spec".to_owned()),
        _ => {}
    }
}

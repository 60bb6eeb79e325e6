//! Fields that claim a host: every one of them has to be known, or two environments would claim the same.

use lathe_sdk::{Location, Object, Outcome, Value};

use crate::host::HostMap;

/// Group, kind and path of the fields; `*` is each item of a list.
const FIELDS: &[(&str, &str, &str)] = &[
    ("networking.k8s.io", "Ingress", "spec/rules/*/host"),
    ("networking.k8s.io", "Ingress", "spec/tls/*/hosts/*"),
    ("gateway.networking.k8s.io", "Gateway", "spec/listeners/*/hostname"),
    ("gateway.networking.k8s.io", "HTTPRoute", "spec/hostnames/*"),
    ("gateway.networking.k8s.io", "GRPCRoute", "spec/hostnames/*"),
    ("gateway.networking.k8s.io", "TLSRoute", "spec/hostnames/*"),
    ("route.openshift.io", "Route", "spec/host"),
    ("projectcontour.io", "HTTPProxy", "spec/virtualhost/fqdn"),
    ("cert-manager.io", "Certificate", "spec/dnsNames/*"),
    ("cert-manager.io", "Certificate", "spec/commonName"),
    ("externaldns.k8s.io", "DNSEndpoint", "spec/endpoints/*/dnsName"),
];

/// Reports each routing host of the object that the environment does not know.
pub(crate) fn check(object: &Object, hosts: &HostMap, outcome: &mut Outcome) {
    claims_every_host(object, outcome);
    for (group, kind, path) in FIELDS {
        if object.is(group, kind) {
            let path: Vec<&str> = path.split('/').collect();
            walk(&object.value, &path, &mut String::new(), &mut |pointer, host| {
                if !hosts.knows(host) {
                    let at = Location { object: object.key, pointer: pointer.to_owned() };
                    let message = format!(
                        "`{host}` has no review host; add it to `hosts`, or to `keep` if it may stay"
                    );
                    outcome.error("unmapped-host", message, Some(at));
                }
            });
        }
    }
}

/// A route without a host answers for every host of the controller or gateway that reviews share.
fn claims_every_host(object: &Object, outcome: &mut Outcome) {
    let spec = &object.value["spec"];
    let mut report = |pointer: String| {
        let at = Location { object: object.key, pointer };
        outcome.error("hostless", "this claims every host of what reviews share; name a host", Some(at));
    };
    let empty = |value: &Value| match value {
        Value::Array(items) => items.is_empty(),
        value => value.as_str().is_none_or(str::is_empty),
    };
    let items = |name: &str| spec[name].as_array().into_iter().flatten().enumerate();
    match (object.group(), object.kind.as_str()) {
        ("networking.k8s.io", "Ingress") => {
            if !spec["defaultBackend"].is_null() {
                report("/spec/defaultBackend".to_owned());
            }
            for (index, _) in items("rules").filter(|(_, rule)| empty(&rule["host"])) {
                report(format!("/spec/rules/{index}"));
            }
        }
        ("gateway.networking.k8s.io", "Gateway") => {
            for (index, _) in items("listeners").filter(|(_, listener)| empty(&listener["hostname"])) {
                report(format!("/spec/listeners/{index}"));
            }
        }
        ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute" | "TLSRoute")
            if empty(&spec["hostnames"]) =>
        {
            report("/spec/hostnames".to_owned());
        }
        ("projectcontour.io", "HTTPProxy")
            if !spec["virtualhost"].is_null() && empty(&spec["virtualhost"]["fqdn"]) =>
        {
            report("/spec/virtualhost".to_owned());
        }
        ("networking.istio.io", "VirtualService") => {
            for (index, _) in items("hosts").filter(|(_, host)| *host == "*") {
                report(format!("/spec/hosts/{index}"));
            }
        }
        ("networking.istio.io", "Gateway") => {
            for (index, server) in items("servers") {
                if server["hosts"].as_array().into_iter().flatten().any(|host| host == "*" || host == "*/*") {
                    report(format!("/spec/servers/{index}/hosts"));
                }
            }
        }
        ("traefik.io", "IngressRoute") => {
            let named = |route: &Value| route["match"].as_str().is_some_and(|rule| rule.contains("Host"));
            for (index, _) in items("routes").filter(|(_, route)| !named(route)) {
                report(format!("/spec/routes/{index}/match"));
            }
        }
        _ => {}
    }
}

fn walk(value: &Value, path: &[&str], at: &mut String, visit: &mut impl FnMut(&str, &str)) {
    let Some((token, rest)) = path.split_first() else {
        if let Some(host) = value.as_str() {
            visit(at, host);
        }
        return;
    };
    let length = at.len();
    if *token == "*" {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            at.push_str(&format!("/{index}"));
            walk(item, rest, at, visit);
            at.truncate(length);
        }
    } else if let Some(member) = value.get(*token) {
        at.push('/');
        at.push_str(token);
        walk(member, rest, at, visit);
        at.truncate(length);
    }
}

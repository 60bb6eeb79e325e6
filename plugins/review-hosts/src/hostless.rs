//! Routes without a host, which answer for every host of the controller or gateway that reviews share.

use lathe_sdk::{Location, Object, Outcome, Value};

/// Reports that the field claims every host.
pub(crate) fn report(outcome: &mut Outcome, object: &Object, pointer: String) {
    let at = Location { object: object.key, pointer };
    outcome.error("hostless", "this claims every host of what reviews share; name a host", Some(at));
}

/// Reports the object's routes that name no host.
pub(crate) fn check(object: &Object, outcome: &mut Outcome) {
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
            if empty(&spec["hostnames"]) =>
        {
            report("/spec/hostnames".to_owned());
        }
        ("projectcontour.io", "HTTPProxy")
            if !spec["virtualhost"].is_null() && empty(&spec["virtualhost"]["fqdn"]) =>
        {
            report("/spec/virtualhost".to_owned());
        }
        ("traefik.io" | "traefik.containo.us", "IngressRoute" | "IngressRouteTCP") => {
            let named = |route: &Value| route["match"].as_str().is_some_and(|rule| rule.contains("Host"));
            for (index, _) in items("routes").filter(|(_, route)| !named(route)) {
                report(format!("/spec/routes/{index}/match"));
            }
        }
        _ => {}
    }
}

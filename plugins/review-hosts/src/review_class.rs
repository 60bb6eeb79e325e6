//! What all reviews share in place of production's: the issuer of certificates, a wildcard certificate, credentials for
//! images.

use lathe_sdk::{Object, Outcome, Value, json};

use crate::config::Config;
use crate::pod;

const CLUSTER_ISSUER: &str = "cert-manager.io/cluster-issuer";
const ISSUER: &str = "cert-manager.io/issuer";

/// Puts the review class's in production's place, where production has one.
pub(crate) fn apply(object: &Object, config: &Config, outcome: &mut Outcome) {
    let annotation = |name: &str| {
        let pointer = format!("/metadata/annotations/{}", lathe_sdk::escape(name));
        (!object.value["metadata"]["annotations"][name].is_null()).then_some(pointer)
    };
    if let Some(issuer) = &config.cluster_issuer {
        if let Some(pointer) = annotation(CLUSTER_ISSUER) {
            outcome.set(object.key, pointer, issuer.as_str());
        }
        if object.is("cert-manager.io", "Certificate")
            && object.value["spec"]["issuerRef"]["kind"] == "ClusterIssuer"
        {
            outcome.set(object.key, "/spec/issuerRef/name", issuer.as_str());
        }
    }
    if let Some(secret) = &config.tls_secret {
        let mut any = false;
        let mut put = |pointer: String| {
            outcome.set(object.key, pointer, secret.as_str());
            any = true;
        };
        let spec = &object.value["spec"];
        let items = |value: &'_ Value| value.as_array().map_or(0, Vec::len);
        match (object.group(), object.kind.as_str()) {
            ("networking.k8s.io" | "extensions", "Ingress") => {
                for index in 0..items(&spec["tls"]) {
                    put(format!("/spec/tls/{index}/secretName"));
                }
            }
            ("gateway.networking.k8s.io" | "gateway.networking.x-k8s.io", _) => {
                for listener in 0..items(&spec["listeners"]) {
                    let references = &spec["listeners"][listener]["tls"]["certificateRefs"];
                    for index in 0..items(references) {
                        put(format!("/spec/listeners/{listener}/tls/certificateRefs/{index}/name"));
                    }
                }
            }
            ("traefik.io" | "traefik.containo.us", _) if spec["tls"]["secretName"].is_string() => {
                put("/spec/tls/secretName".to_owned());
            }
            ("networking.istio.io", "Gateway") => {
                for server in 0..items(&spec["servers"]) {
                    if spec["servers"][server]["tls"]["credentialName"].is_string() {
                        put(format!("/spec/servers/{server}/tls/credentialName"));
                    }
                }
            }
            _ => {}
        }
        // cert-manager would write its own certificate over the shared one.
        for name in [CLUSTER_ISSUER, ISSUER].into_iter().filter(|_| any) {
            if let Some(pointer) = annotation(name) {
                outcome.remove(object.key, pointer);
            }
        }
    }
    if let Some(names) = &config.image_pull_secrets {
        let names: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        let account = object.is("", "ServiceAccount") && !object.value["imagePullSecrets"].is_null();
        let place = pod::spec(object).filter(|(_, spec)| !spec["imagePullSecrets"].is_null());
        let at = if account { Some("") } else { place.map(|(at, _)| at) };
        if let Some(at) = at {
            outcome.set(object.key, format!("{at}/imagePullSecrets"), names);
        }
    }
}

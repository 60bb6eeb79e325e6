//! What all reviews share in place of production's: the issuer of certificates, a wildcard certificate, credentials for
//! images.

use std::collections::BTreeSet;

use lathe_sdk::{Object, Outcome, Value, each_string, json};

use crate::config::Config;
use crate::pod;

const CLUSTER_ISSUER: &str = "cert-manager.io/cluster-issuer";

/// Annotations at which cert-manager makes a certificate for an Ingress or Gateway.
const ISSUERS: &[&str] = &[
    CLUSTER_ISSUER,
    "cert-manager.io/issuer",
    "cert-manager.io/issuer-kind",
    "cert-manager.io/issuer-group",
    "kubernetes.io/tls-acme",
];

/// Where objects name the Secret of the certificate for their hosts; `*` is each item of a list.
const CERTIFICATES: &[(&[&str], &str)] = &[
    (&["networking.k8s.io", "extensions"], "spec/tls/*/secretName"),
    (
        &["gateway.networking.k8s.io", "gateway.networking.x-k8s.io"],
        "spec/listeners/*/tls/certificateRefs/*/name",
    ),
    (&["traefik.io", "traefik.containo.us"], "spec/tls/secretName"),
    (&["traefik.io", "traefik.containo.us"], "spec/defaultCertificate/secretName"),
    (&["networking.istio.io"], "spec/servers/*/tls/credentialName"),
    (&["projectcontour.io"], "spec/virtualhost/tls/secretName"),
    (&["k8s.nginx.org"], "spec/tls/secret"),
];

/// The Secrets that the shared certificate takes the place of: those that routes name for their hosts, and nobody for anything else.
pub(crate) fn certificates(config: &Config, objects: &[Object]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if config.tls_secret.is_none() {
        return names;
    }
    let mut own = BTreeSet::new();
    for object in objects {
        places(object, &mut |pointer, name| {
            names.insert(name.to_owned());
            own.insert((object.key, pointer.to_owned()));
        });
    }
    for object in objects {
        let certificate = object.is("cert-manager.io", "Certificate");
        each_string(&object.value, &mut |pointer, text| {
            let other = pointer != "/metadata/name"
                && !(certificate && pointer == "/spec/secretName")
                && !own.contains(&(object.key, pointer.to_owned()));
            let name = text.rsplit('/').next().unwrap_or(text);
            if other && names.contains(name) {
                names.remove(name);
            }
        });
    }
    names
}

/// Whether the object stays: not a certificate that the shared one takes the place of.
pub(crate) fn keeps(object: &Object, config: &Config, certificates: &BTreeSet<String>) -> bool {
    let secret = object.value["spec"]["secretName"].as_str();
    let replaced =
        |shared: &String| secret.is_some_and(|secret| secret == shared || certificates.contains(secret));
    !object.is("cert-manager.io", "Certificate") || !config.tls_secret.as_ref().is_some_and(replaced)
}

/// Puts the review class's in production's place, where production has one. `certificates` are the Secrets that the shared one
/// takes the place of.
pub(crate) fn apply(
    object: &Object,
    config: &Config,
    certificates: &BTreeSet<String>,
    outcome: &mut Outcome,
) {
    if let Some(secret) = &config.tls_secret {
        let (mut any, mut others) = (false, false);
        places(object, &mut |pointer, name| {
            // One that something else uses as well goes on being made.
            if certificates.contains(name) || name == secret {
                any = true;
                outcome.set(object.key, pointer, secret.as_str());
            } else {
                others = true;
            }
        });
        any &= !others;
        // A reference to a Gateway's certificate may lead into another namespace; the shared one is in the review's own.
        for listener in 0..object.value["spec"]["listeners"].as_array().map_or(0, Vec::len) {
            let references = &object.value["spec"]["listeners"][listener]["tls"]["certificateRefs"];
            for (index, reference) in references.as_array().into_iter().flatten().enumerate() {
                if !reference["namespace"].is_null() {
                    let at = format!("/spec/listeners/{listener}/tls/certificateRefs/{index}/namespace");
                    outcome.remove(object.key, at);
                }
            }
        }
        // cert-manager would write its own certificate over the shared one.
        for pointer in ISSUERS.iter().filter(|_| any).filter_map(|name| annotation(object, name)) {
            outcome.remove(object.key, pointer);
        }
        let resolver = "/spec/tls/certResolver";
        if any && object.value.pointer(resolver).is_some() {
            outcome.remove(object.key, resolver);
        }
    } else if let Some(issuer) = &config.cluster_issuer
        && [CLUSTER_ISSUER, "kubernetes.io/tls-acme"].iter().any(|name| annotation(object, name).is_some())
    {
        let pointer = format!("/metadata/annotations/{}", lathe_sdk::escape(CLUSTER_ISSUER));
        outcome.set(object.key, pointer, issuer.as_str());
    }
    if let Some(issuer) = &config.cluster_issuer
        && object.is("cert-manager.io", "Certificate")
        && object.value["spec"]["issuerRef"]["kind"] == "ClusterIssuer"
        && matches!(object.value["spec"]["issuerRef"]["group"].as_str(), None | Some("cert-manager.io"))
    {
        outcome.set(object.key, "/spec/issuerRef/name", issuer.as_str());
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

fn annotation(object: &Object, name: &str) -> Option<String> {
    let there = !object.value["metadata"]["annotations"][name].is_null();
    there.then(|| format!("/metadata/annotations/{}", lathe_sdk::escape(name)))
}

fn places(object: &Object, visit: &mut dyn FnMut(&str, &str)) {
    for (groups, path) in CERTIFICATES {
        if groups.contains(&object.group()) {
            let path: Vec<&str> = path.split('/').collect();
            crate::typed::walk(&object.value, &path, &mut String::new(), visit);
        }
    }
}

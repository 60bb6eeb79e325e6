//! Names in certificates: what does not fit is left out.

use lathe_sdk::{Location, Object, Outcome};

/// The most bytes of a common name (RFC 5280 appendix A, ub-common-name).
const LONGEST: usize = 64;

/// Takes a common name away that has become too long: certificates name their hosts as alternatives all the same.
pub(crate) fn common_name(
    object: &Object,
    rewritten: impl Fn(&str) -> Option<String>,
    outcome: &mut Outcome,
) {
    let certificate = object.is("cert-manager.io", "Certificate");
    let annotations = &object.value["metadata"]["annotations"];
    for (pointer, text) in [
        ("/spec/commonName", object.value["spec"]["commonName"].as_str().filter(|_| certificate)),
        (
            "/metadata/annotations/cert-manager.io~1common-name",
            annotations["cert-manager.io/common-name"].as_str(),
        ),
    ] {
        let now = text.and_then(|text| rewritten(text).or_else(|| Some(text.to_owned())));
        if now.is_some_and(|now| now.len() > LONGEST) {
            outcome.remove(object.key, pointer);
            let at = Location { object: object.key, pointer: pointer.to_owned() };
            let told = "the common name would be longer than 64 bytes and is left out; the certificate names its hosts as alternatives";
            outcome.info("common-name", told, Some(at));
        }
    }
    let spec = &object.value["spec"];
    let nameless = ["dnsNames", "uris", "ipAddresses", "emailAddresses"]
        .iter()
        .all(|list| spec[*list].as_array().is_none_or(Vec::is_empty));
    if certificate
        && nameless
        && let Some(name) = spec["commonName"].as_str()
    {
        let now = rewritten(name).unwrap_or_else(|| name.to_owned());
        if now.len() > LONGEST {
            outcome.set(object.key, "/spec/dnsNames", vec![now]);
        }
    }
}

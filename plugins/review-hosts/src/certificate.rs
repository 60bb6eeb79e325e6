//! Names in certificates: what does not fit is left out.

use lathe_sdk::{Location, Object, Outcome, Value};

/// The most bytes of a common name (RFC 5280 appendix A, ub-common-name).
const LONGEST: usize = 64;

/// Takes a common name away that has become too long: the certificate names its host as an alternative instead.
pub(crate) fn common_name(
    object: &Object,
    rewritten: impl Fn(&str) -> Option<String>,
    outcome: &mut Outcome,
) {
    let mut tell = |pointer: &str| {
        outcome.remove(object.key, pointer);
        let at = Location { object: object.key, pointer: pointer.to_owned() };
        let told = "the common name would be longer than 64 bytes and is left out; the certificate names its host as an alternative";
        outcome.info("common-name", told, Some(at));
    };
    let too_long = |text: &Value| {
        let text = text.as_str()?;
        let now = rewritten(text).unwrap_or_else(|| text.to_owned());
        (now.len() > LONGEST).then_some(now)
    };
    // Of a route's certificate the hosts are the alternatives.
    if too_long(&object.value["metadata"]["annotations"]["cert-manager.io/common-name"]).is_some() {
        tell("/metadata/annotations/cert-manager.io~1common-name");
    }
    let spec = &object.value["spec"];
    if object.is("cert-manager.io", "Certificate")
        && let Some(name) = too_long(&spec["commonName"])
    {
        tell("/spec/commonName");
        let names = spec["dnsNames"].as_array();
        let listed = |text: &Value| {
            text.as_str().is_some_and(|text| rewritten(text).as_deref().unwrap_or(text) == name)
        };
        match names {
            None => outcome.set(object.key, "/spec/dnsNames", vec![name]),
            Some(names) if names.iter().any(listed) => {}
            Some(_) => outcome.insert(object.key, "/spec/dnsNames/-", name),
        }
    }
}

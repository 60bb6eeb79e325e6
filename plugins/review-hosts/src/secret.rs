//! Secrets: values that were revealed are rewritten within, what is bound to its place is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lathe_sdk::{Location, Object, Outcome};

use crate::text::Rewriter;
use crate::walk::Role;

/// Rewrites the text within a field of a Secret's `data`. What is no base64, or holds no text, is left alone; so are
/// credentials for images.
pub(crate) fn data(pointer: &str, text: &str, role: Role, rewriter: &Rewriter<'_>) -> Option<String> {
    if is_docker_config(pointer) {
        return None;
    }
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let inner = String::from_utf8(STANDARD.decode(compact).ok()?).ok()?;
    let named = if role == Role::Namespaces { rewriter.namespaces.follow_list(&inner) } else { None };
    named.or_else(|| rewriter.followed(&inner)).map(|new| STANDARD.encode(new))
}

/// Whether the field holds credentials for registries of images.
pub(crate) fn is_docker_config(pointer: &str) -> bool {
    pointer.ends_with("/.dockerconfigjson") || pointer.ends_with("/.dockercfg")
}

/// Refuses what would break in another namespace or with another text.
pub(crate) fn check(object: &Object, outcome: &mut Outcome) {
    let mut tell = |error: bool, code: &str, pointer: &str, told: &str| {
        let at = Some(Location { object: object.key, pointer: pointer.to_owned() });
        if error { outcome.error(code, told, at) } else { outcome.warning(code, told, at) }
    };
    if object.is("bitnami.com", "SealedSecret") {
        let annotations = &object.value["metadata"]["annotations"];
        if annotations["sealedsecrets.bitnami.com/cluster-wide"] != "true" {
            let told = "this is sealed for its namespace and opens in no other; seal one for reviews, or make it cluster-wide";
            tell(true, "sealed-secret", "", told);
        }
    }
    if object.value["sops"].is_object() {
        tell(
            true,
            "sops",
            "/sops",
            "this is encrypted, and its MAC does not fit a changed text; decrypt it before",
        );
    }
    if object.is("", "Secret") && object.value["type"] == "kubernetes.io/tls" {
        let told = "this certificate is for production's hosts; reviews need one for theirs (`tlsSecret`, or an issuer)";
        tell(false, "static-certificate", "", told);
    }
}

/// Whether the text was encrypted by sops.
pub(crate) fn is_encrypted(text: &str) -> bool {
    text.contains("ENC[AES256_GCM,") || text.trim_end().starts_with("ENC[") && text.trim_end().ends_with(']')
}

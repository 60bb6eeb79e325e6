//! What the Secret of a registered client holds, and under which keys.

/// The kinds of applications there are.
const NAMES: &[&str] = &["custom", "hedgedoc", "hedgedoc-2", "jupyterhub", "oauth2-proxy", "spring-boot"];

/// Fields that follow from the issuer's own metadata (`OpenID` Connect Discovery 1.0 section 3) and the name of each there.
pub(crate) const ENDPOINTS: &[(&str, &str)] = &[
    ("authorization-endpoint", "authorization_endpoint"),
    ("token-endpoint", "token_endpoint"),
    ("userinfo-endpoint", "userinfo_endpoint"),
    ("end-session-endpoint", "end_session_endpoint"),
    ("jwks-uri", "jwks_uri"),
];

/// Whether there is such a profile.
pub(crate) fn is_known(profile: &str) -> bool {
    NAMES.contains(&profile)
}

/// Field of the client (`client-id`, …) and the key of the Secret that holds it.
///
/// `secret` says whether the client has one, and `issuer` whether the pipeline names its issuer.
pub(crate) fn keys(profile: &str, secret: bool, issuer: bool) -> Vec<(&'static str, &'static str)> {
    let mut keys = vec![("client-id", "client-id")];
    if secret {
        keys.push(("client-secret", "client-secret"));
    }
    // Spring's own word for it.
    if profile == "spring-boot" {
        keys.push(("issuer", "issuer-uri"));
    } else if issuer {
        keys.push(("issuer", "issuer"));
    }
    if issuer {
        keys.extend(ENDPOINTS.iter().map(|(field, _)| (*field, *field)));
    }
    keys
}

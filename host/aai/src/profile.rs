//! What the Secret of a registered client holds, per kind of application.

/// Field of the client (`client-id`, …) and the key of the Secret that holds it; `None` for an unknown profile.
pub(crate) fn keys(profile: &str) -> Option<Vec<(&'static str, &'static str)>> {
    let both = [("client-id", "client-id"), ("client-secret", "client-secret")];
    match profile {
        "hedgedoc" | "jupyterhub" => Some(both.into()),
        "spring-boot" => Some(both.into_iter().chain([("issuer", "issuer-uri")]).collect()),
        _ => None,
    }
}

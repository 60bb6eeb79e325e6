//! Where a provider may send users back to: exact addresses on the environment's own hosts.
//!
//! Providers often take wildcards, relative paths, plain http and an empty list (Keycloak 26 takes all of them), so they are
//! refused here (RFC 9700 section 2.1, RFC 7591 section 5).

use std::collections::BTreeSet;

use reqwest::Url;

/// Looks whether a user may be sent there.
pub(crate) fn check(uri: &str, hosts: &BTreeSet<&str>) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("the redirect URI `{uri}` {why}"));
    if uri.is_empty()
        || !uri.bytes().all(|byte| byte.is_ascii_graphic())
        || uri.contains(['*', '#', '\\', '<', '>', '"'])
    {
        return wrong("has a wildcard, a fragment, a space, or a character that no URI has");
    }
    let Ok(url) = Url::parse(uri) else { return wrong("is not https") };
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return wrong("is not https");
    }
    let authority =
        uri.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return wrong("holds a login");
    }
    if !hosts.contains(authority) {
        return wrong("is not on a host of this client");
    }
    // What readers would spell otherwise, a provider may compare otherwise.
    if url.as_str() != uri && url.as_str().strip_suffix('/') != Some(uri) {
        return wrong(
            "is not as URLs are written: it has `..`, upper case, or a port that goes without saying",
        );
    }
    Ok(())
}

/// Looks whether it can be the host of a client.
pub(crate) fn check_host(host: &str) -> Result<(), String> {
    let named = host.rsplit_once(':').map_or(host, |(name, port)| {
        if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if named.is_empty() || !named.bytes().all(fine) || named.starts_with('.') || named.ends_with('.') {
        return Err(format!("`{host}` is no host that users can be sent to"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_providers_let_pass_is_refused() {
        let hosts: BTreeSet<&str> = ["p.example.net", "127.0.0.1:8080"].into();
        for good in [
            "https://p.example.net/cb",
            "https://p.example.net/cb?x=y",
            "https://p.example.net",
            "http://127.0.0.1:8080/cb",
        ] {
            assert_eq!(check(good, &hosts), Ok(()), "{good}");
        }
        for bad in [
            "http://p.example.net/cb",
            "https://*.example.net/cb",
            "https://p.example.net/*",
            "https://other.example.net/cb",
            "https://u@p.example.net/cb",
            "https://p.example.net@evil.example/cb",
            "https://p.example.net/cb#x",
            "https://p.example.net:443/cb",
            "https://p.example.net/a/../cb",
            "https://p.example.net\\@evil.example/",
            "https://P.example.net/cb",
            "https:p.example.net/cb",
            "javascript:alert(1)",
            "//p.example.net/cb",
            "/cb",
            "",
        ] {
            assert!(check(bad, &hosts).is_err(), "{bad}");
        }
        for bad in ["*.example.net", "", "a b", "x/y", "UP.example", ".a", "a@b"] {
            assert!(check_host(bad).is_err(), "{bad}");
        }
        assert_eq!(check_host("127.0.0.1:8080"), Ok(()));
    }
}

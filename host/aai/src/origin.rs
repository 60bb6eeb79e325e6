//! Which addresses a provider's tokens may go to.

use reqwest::Url;

/// A URL that a credential may be sent to: https, or http on loopback, without userinfo and fragment.
pub(crate) fn checked(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "it is no URL".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a login".to_owned());
    }
    if url.fragment().is_some() || text.contains('\\') {
        return Err("it holds more than a host, a path and a query".to_owned());
    }
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err("it is no `https://` address; tokens would be sent for all to see".to_owned());
    }
    Ok(url)
}

/// Whether both are of one origin (RFC 6454): scheme, host and port.
pub(crate) fn is_same(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_over_tls_or_nowhere() {
        for good in
            ["https://aai.example.org/oauth2", "http://127.0.0.1:8080/realms/a", "http://localhost/x?y=z"]
        {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in [
            "http://aai.example.org",
            "ftp://x",
            "https://u:p@x",
            "https://x/#y",
            "x",
            "http://127.0.0.1.example.org",
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
        let url = |text: &str| checked(text).unwrap();
        assert!(is_same(&url("https://a/x"), &url("https://a:443/y")));
        assert!(!is_same(&url("https://a/x"), &url("https://a:444/x")));
        assert!(!is_same(&url("https://a/x"), &url("https://b/x")));
    }
}

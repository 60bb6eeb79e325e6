//! What an issuer says of itself (`OpenID` Connect Discovery 1.0, RFC 8414).

use std::collections::BTreeMap;

use reqwest::{Method, Url};
use serde_json::Value;

use crate::error::AaiError;
use crate::http::{Ask, Body, Http, Login};
use crate::origin;
use crate::profile::ENDPOINTS;

/// An issuer's own metadata, checked.
#[derive(Clone, Debug)]
pub(crate) struct Discovery {
    /// Endpoints that applications need, by field.
    pub(crate) endpoints: BTreeMap<String, String>,
    /// Where clients are registered; `None` where they are not, and why it must not be used.
    pub(crate) registration: Result<Option<Url>, AaiError>,
    /// Where tokens are given.
    pub(crate) token: Option<Url>,
}

impl Discovery {
    /// Asks the issuer. What it says of itself has to name the issuer, exactly.
    pub(crate) async fn read(http: &Http, issuer: &str) -> Result<Self, AaiError> {
        let untrusted = |why: String| AaiError::Untrusted { issuer: issuer.to_owned(), why };
        let own = origin::checked(issuer).map_err(untrusted)?;
        let openid = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let mut answer = http.send(&ask(&openid)).await?;
        if answer.status == 404 {
            // RFC 8414 section 3: between host and path.
            let mut url = own.clone();
            url.set_path(&format!(
                "/.well-known/oauth-authorization-server{}",
                own.path().trim_end_matches('/')
            ));
            answer = http.send(&ask(url.as_str())).await?;
        }
        if !answer.is_ok() {
            let (status, told) = (answer.status, answer.told(&[]));
            return Err(match status {
                500.. => AaiError::Unavailable { issuer: issuer.to_owned(), why: format!("status {status}") },
                _ => untrusted(format!("it has no metadata (status {status}: {told})")),
            });
        }
        let Some(Value::Object(metadata)) = answer.json() else {
            return Err(untrusted("its metadata is no JSON object".to_owned()));
        };
        let text = |name: &str| metadata.get(name).and_then(Value::as_str);
        if text("issuer") != Some(issuer) {
            let other = text("issuer").unwrap_or("nobody");
            return Err(untrusted(format!("its metadata is that of `{other}`")));
        }
        let mut endpoints = BTreeMap::new();
        for (field, name) in ENDPOINTS {
            if let Some(url) = text(name).filter(|text| !text.is_empty()) {
                origin::checked(url).map_err(|why| untrusted(format!("its {name}: {why}")))?;
                endpoints.insert((*field).to_owned(), url.to_owned());
            }
        }
        // What is sent there are credentials, and they are for the issuer alone.
        let near = |name: &str| -> Result<Option<Url>, AaiError> {
            let Some(text) = text(name).filter(|text| !text.is_empty()) else { return Ok(None) };
            let url = origin::checked(text).map_err(|why| untrusted(format!("its {name}: {why}")))?;
            if !origin::is_same(&url, &own) {
                return Err(untrusted(format!(
                    "its {name} is of another origin, {}",
                    url.origin().ascii_serialization()
                )));
            }
            Ok(Some(url))
        };
        let registration = near("registration_endpoint");
        // Of another origin, it is for applications; what is asked for here is asked elsewhere then.
        let token = near("token_endpoint").ok().flatten();
        Ok(Self { endpoints, registration, token })
    }
}

fn ask(url: &str) -> Ask<'_> {
    Ask { method: Method::GET, url, what: "its metadata", login: Login::None, body: Body::None }
}

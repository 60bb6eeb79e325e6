//! Dynamic client registration (RFC 7591) and its management (RFC 7592).

use reqwest::{Method, Url};
use serde_json::Value;

use super::{Reading, segment};
use crate::error::AaiError;
use crate::http::{Answer, Ask, Body, Login};
use crate::metadata::Metadata;
use crate::provider::Provider;
use crate::record::Registration;
use crate::secret::SecretText;

/// Registers a client: by the initial access token, else by the account, else as anybody.
pub(super) async fn register(provider: &Provider<'_>, metadata: &Metadata) -> Result<Reading, AaiError> {
    let what = "the registration";
    let url = provider.registration().await?;
    let without = provider.without().await?;
    let token = match provider.spec.token(provider.sources)? {
        Some(token) => Some(token),
        None => provider.bearer().await?.cloned(),
    };
    let document = metadata.document(without);
    let login = token.as_ref().map_or(Login::None, Login::Bearer);
    let ask = Ask { method: Method::POST, url: url.as_str(), what, login, body: Body::Json(&document) };
    let answer = provider.http.send(&ask).await?;
    let sent: Vec<&SecretText> = token.iter().collect();
    let document = provider.document(what, &Method::POST, &answer, &sent)?;
    let (registration, flaw) = registration_of(provider, &document, None);
    Ok(Reading { document, registration, flaw })
}

/// Reads a client (RFC 7592 section 2.1).
pub(super) async fn read(
    provider: &Provider<'_>,
    registration: &Registration,
) -> Result<Option<Reading>, AaiError> {
    let what = "the reading of a client";
    let Some(answer) = send(provider, registration, Method::GET, what, Body::None).await? else {
        return Ok(None);
    };
    let token = registration.token.as_ref();
    let document = provider.document(what, &Method::GET, &answer, &token.into_iter().collect::<Vec<_>>())?;
    let (registration, flaw) = registration_of(provider, &document, Some(registration));
    Ok(Some(Reading { document, registration, flaw }))
}

/// Changes a client (RFC 7592 section 2.2).
pub(super) async fn update(
    provider: &Provider<'_>,
    registration: &Registration,
    metadata: &Metadata,
    has: &Value,
) -> Result<Reading, AaiError> {
    let what = "the change of a client";
    let sent = metadata.over(has, &registration.client_id, provider.without().await?);
    let answer = send(provider, registration, Method::PUT, what, Body::Json(&sent))
        .await?
        .ok_or_else(|| unsupported(provider, what))?;
    let secrets = [registration.token.as_ref(), registration.client_secret.as_ref()];
    let secrets: Vec<_> = secrets.into_iter().flatten().collect();
    let document = provider.document(what, &Method::PUT, &answer, &secrets)?;
    let (registration, flaw) = registration_of(provider, &document, Some(registration));
    Ok(Reading { document, registration, flaw })
}

/// Takes a client back (RFC 7592 section 2.3).
pub(super) async fn delete(provider: &Provider<'_>, registration: &Registration) -> Result<(), AaiError> {
    let what = "the deletion of a client";
    let answer = send(provider, registration, Method::DELETE, what, Body::None)
        .await?
        .ok_or_else(|| unsupported(provider, what))?;
    provider.deleted(what, &answer, &registration.token.iter().collect::<Vec<_>>())
}

/// The error of a provider that knows no such request.
fn unsupported(provider: &Provider<'_>, what: &'static str) -> AaiError {
    let (issuer, told) = (provider.issuer(), "it knows no such request".to_owned());
    AaiError::Refused { issuer, what, status: 405, told }
}

/// Where a client is managed; `None` where the provider did not tell (RFC 7591 alone), or nobody is let in.
async fn way<'a>(
    provider: &'a Provider<'_>,
    registration: &'a Registration,
) -> Result<Option<(Url, &'a SecretText)>, AaiError> {
    let url = match &registration.client_uri {
        Some(uri) => provider.own(uri, "registration_client_uri")?,
        None if provider.without().await?.is_empty() => return Ok(None),
        // Keycloak has it below the endpoint where it was registered.
        None => {
            let id = segment(&registration.client_id)?;
            provider.own(&format!("{}/{id}", provider.registration().await?), "the client's address")?
        }
    };
    let bearer = if registration.token.is_none() { provider.bearer().await? } else { None };
    Ok(registration.token.as_ref().or(bearer).map(|token| (url, token)))
}

/// Asks for one client: by its own token, else by the account. `None` where the provider knows no such way (405, 501).
async fn send(
    provider: &Provider<'_>,
    registration: &Registration,
    method: Method,
    what: &'static str,
    body: Body<'_>,
) -> Result<Option<Answer>, AaiError> {
    let reads = method == Method::GET;
    let Some((url, token)) = way(provider, registration).await? else {
        if reads {
            return Ok(None);
        }
        let why = "the provider did not tell where it is managed (RFC 7592), or nobody is let in".to_owned();
        return Err(AaiError::OutOfReach {
            issuer: provider.issuer(),
            client: registration.client_id.clone(),
            why,
        });
    };
    let ask = Ask { method, url: url.as_str(), what, login: Login::Bearer(token), body };
    let answer = provider.http.send(&ask).await?;
    match answer.status {
        405 | 501 => Ok(None),
        // A client that may not read itself (RFC 7592 section 2.1).
        403 if reads && registration.token.is_some() => Ok(None),
        // Behind the client's own token 401 says that it is gone; behind the account's, that the account is not let in.
        401 if registration.token.is_some() => Err(provider.lost(registration)),
        404 => Err(provider.lost(registration)),
        _ => Ok(Some(answer)),
    }
}

/// What a document tells of how the client is reached; what it does not tell stays as it was.
fn registration_of(
    provider: &Provider<'_>,
    document: &Value,
    before: Option<&Registration>,
) -> (Registration, Option<AaiError>) {
    let text = |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut flaw = None;
    let client_uri = match text("registration_client_uri") {
        // An address that must not be used is as good as none.
        Some(uri) => match provider.own(uri, "registration_client_uri") {
            Ok(_) => Some(uri.to_owned()),
            // Of one that is known already, the address stays.
            Err(_) if before.is_some_and(|before| before.client_uri.is_some()) => None,
            Err(error) => {
                flaw = Some(error);
                None
            }
        },
        None => None,
    };
    let client_id = text("client_id").map(ToOwned::to_owned);
    let expires = document.get("client_secret_expires_at").and_then(Value::as_u64);
    let registration = Registration {
        client_id: client_id.or_else(|| Some(before?.client_id.clone())).unwrap_or_default(),
        client_secret: text("client_secret").map(SecretText::from).or_else(|| before?.client_secret.clone()),
        secret_expires_at: expires.or_else(|| Some(before?.secret_expires_at)).unwrap_or_default(),
        client_uri: client_uri.or_else(|| before?.client_uri.clone()),
        token: text("registration_access_token").map(SecretText::from).or_else(|| before?.token.clone()),
    };
    if before.is_some_and(|before| before.client_id != registration.client_id) {
        let why = "its answer is about another client".to_owned();
        flaw = Some(AaiError::Untrusted { issuer: provider.issuer(), why });
    }
    (registration, flaw)
}

//! Keycloak's own registration endpoint, by a service account: who registers chooses id and secret, so that what a killed run began
//! can be found and finished.

use std::collections::BTreeSet;

use reqwest::{Method, Url};
use serde_json::{Map, Value, json};

use super::{Reading, segment, sweep};
use crate::error::AaiError;
use crate::http::{Answer, Ask, Body, Login};
use crate::intent::AuthMethod;
use crate::metadata::Metadata;
use crate::provider::Provider;
use crate::record::Registration;
use crate::secret::SecretText;

/// Scopes of Keycloak's own that give no attribute of a person.
const TECHNICAL: &[&str] = &["acr", "basic", "roles", "service_account", "web-origins"];

/// What separates addresses in an attribute of Keycloak's.
const SEPARATOR: &str = "##";

/// The attribute that says how a client has to show who it is.
const METHOD: &str = "client.secret.authentication.allowed.method";

/// Registers the client under the id and with the secret that were chosen for it. One that is there already has to carry the marker.
pub(super) async fn register(
    provider: &Provider<'_>,
    metadata: &Metadata,
    presumed: &Registration,
    may_adopt: bool,
) -> Result<Reading, AaiError> {
    let what = "the registration";
    let document = over(metadata, presumed, &json!({}));
    let url = endpoint(provider).await?;
    let answer = send(provider, Method::POST, &url, what, Body::Json(&document)).await?;
    let in_use = answer.status == 400 && answer.told(&[]).contains("Client Identifier in use");
    let has = if in_use {
        let found = get(provider, presumed).await?;
        let own = sweep::marked_with(metadata.text("client_name"));
        let name = found.get("name").and_then(Value::as_str).unwrap_or_default();
        if own.is_none() || sweep::marked_with(name) != own {
            let why =
                format!("a client `{}` is there that does not carry this one's marker", presumed.client_id);
            return Err(AaiError::Untrusted { issuer: provider.issuer(), why });
        }
        if !may_adopt {
            let why = format!("client `{}` is there, and nothing here registered it", presumed.client_id);
            return Err(AaiError::Claimed { issuer: provider.issuer(), why });
        }
        found
    } else {
        object(provider, what, &Method::POST, &answer, presumed)?
    };
    put(provider, metadata, presumed, &has).await
}

/// Reads the client.
pub(super) async fn read(provider: &Provider<'_>, registration: &Registration) -> Result<Reading, AaiError> {
    Ok(reading(registration, &get(provider, registration).await?))
}

/// Changes the client.
pub(super) async fn update(
    provider: &Provider<'_>,
    registration: &Registration,
    metadata: &Metadata,
) -> Result<Reading, AaiError> {
    let has = get(provider, registration).await?;
    put(provider, metadata, registration, &has).await
}

/// Gives the client the secret of its registration.
pub(super) async fn renew(provider: &Provider<'_>, registration: &Registration) -> Result<(), AaiError> {
    let what = "the change of a client's secret";
    let mut document = get(provider, registration).await?;
    if let (Some(map), Some(secret)) = (document.as_object_mut(), &registration.client_secret) {
        map.insert("secret".to_owned(), secret.expose().into());
    }
    let answer =
        send(provider, Method::PUT, &address(provider, registration).await?, what, Body::Json(&document))
            .await?;
    object(provider, what, &Method::PUT, &answer, registration).map(drop)
}

/// Takes the client back.
pub(super) async fn delete(provider: &Provider<'_>, registration: &Registration) -> Result<(), AaiError> {
    let what = "the deletion of a client";
    let answer =
        send(provider, Method::DELETE, &address(provider, registration).await?, what, Body::None).await?;
    if answer.status == 404 {
        return Err(provider.lost(registration));
    }
    provider.deleted(what, &answer, &[])
}

async fn get(provider: &Provider<'_>, registration: &Registration) -> Result<Value, AaiError> {
    let what = "the reading of a client";
    let answer =
        send(provider, Method::GET, &address(provider, registration).await?, what, Body::None).await?;
    object(provider, what, &Method::GET, &answer, registration)
}

/// Writes what is wanted over what is there, where that is something else.
async fn put(
    provider: &Provider<'_>,
    metadata: &Metadata,
    registration: &Registration,
    has: &Value,
) -> Result<Reading, AaiError> {
    let document = over(metadata, registration, has);
    // Of the answer to a registration, all but the token comes back.
    let mut known = has.clone();
    if let Some(map) = known.as_object_mut() {
        map.remove("registrationAccessToken");
    }
    if document == known {
        return Ok(reading(registration, has));
    }
    let what = "the change of a client";
    let answer =
        send(provider, Method::PUT, &address(provider, registration).await?, what, Body::Json(&document))
            .await?;
    Ok(reading(registration, &object(provider, what, &Method::PUT, &answer, registration)?))
}

async fn endpoint(provider: &Provider<'_>) -> Result<Url, AaiError> {
    let url = provider.registration().await?.as_str();
    let Some(base) = url.strip_suffix("/clients-registrations/openid-connect") else {
        let told = format!(
            "{} is no Keycloak: it registers clients at {url}; `mode: dcr` does without",
            provider.spec.issuer
        );
        return Err(AaiError::Settings(told));
    };
    provider.own(&format!("{base}/clients-registrations/default"), "its registration endpoint")
}

async fn address(provider: &Provider<'_>, registration: &Registration) -> Result<Url, AaiError> {
    let text = format!("{}/{}", endpoint(provider).await?, segment(&registration.client_id)?);
    provider.own(&text, "the client's address")
}

async fn send(
    provider: &Provider<'_>,
    method: Method,
    url: &Url,
    what: &'static str,
    body: Body<'_>,
) -> Result<Answer, AaiError> {
    let Some(token) = provider.bearer().await? else {
        return Err(AaiError::Settings(format!("{}: mode `keycloak` needs `account`", provider.spec.issuer)));
    };
    provider.http.send(&Ask { method, url: url.as_str(), what, login: Login::Bearer(token), body }).await
}

/// The document of an answer. A client that is not there is an error of its own.
fn object(
    provider: &Provider<'_>,
    what: &'static str,
    method: &Method,
    answer: &Answer,
    registration: &Registration,
) -> Result<Value, AaiError> {
    if answer.status == 404 {
        return Err(provider.lost(registration));
    }
    provider.document(what, method, answer, &registration.client_secret.iter().collect::<Vec<_>>())
}

fn words(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    list.map(ToOwned::to_owned).collect()
}

/// The client as Keycloak represents it: all that is there, and over it what is wanted.
fn over(metadata: &Metadata, registration: &Registration, has: &Value) -> Value {
    let mut map = has.as_object().cloned().unwrap_or_default();
    map.remove("registrationAccessToken");
    let is_public = metadata.text("token_endpoint_auth_method") == AuthMethod::None.name();
    let mut attributes: Map<String, Value> =
        map.get("attributes").and_then(Value::as_object).cloned().unwrap_or_default();
    let logout = metadata.words("post_logout_redirect_uris").join(SEPARATOR);
    // Without any, `-` says so; an empty text would leave what was there before.
    let logout = if logout.is_empty() { "-".to_owned() } else { logout };
    attributes.insert("post.logout.redirect.uris".to_owned(), logout.into());
    let method = metadata.text("token_endpoint_auth_method");
    if is_public {
        attributes.insert("pkce.code.challenge.method".to_owned(), "S256".into());
    } else {
        attributes.insert(METHOD.to_owned(), method.into());
    }
    let asked: Vec<String> = metadata.words("scope").into_iter().filter(|scope| scope != "openid").collect();
    let mut optional = asked.clone();
    if map.contains_key("defaultClientScopes") {
        // What the realm gives to all clients, but for what was not asked for.
        let mut given = words(map.get("defaultClientScopes"));
        given.retain(|scope| asked.contains(scope) || TECHNICAL.contains(&scope.as_str()));
        optional.retain(|scope| !given.contains(scope));
        map.insert("defaultClientScopes".to_owned(), same_order(map.get("defaultClientScopes"), given));
    }
    map.insert("optionalClientScopes".to_owned(), same_order(map.get("optionalClientScopes"), optional));
    let uris = metadata.words("redirect_uris");
    let origins: BTreeSet<String> =
        uris.iter().filter_map(|uri| Some(Url::parse(uri).ok()?.origin().ascii_serialization())).collect();
    map.insert("webOrigins".to_owned(), same_order(map.get("webOrigins"), origins.into_iter().collect()));
    map.insert("redirectUris".to_owned(), same_order(map.get("redirectUris"), uris));
    for (name, value) in [
        ("clientId", Value::from(registration.client_id.as_str())),
        ("name", metadata.text("client_name").into()),
        ("protocol", "openid-connect".into()),
        ("enabled", true.into()),
        ("publicClient", is_public.into()),
        ("bearerOnly", false.into()),
        ("standardFlowEnabled", true.into()),
        ("implicitFlowEnabled", false.into()),
        ("directAccessGrantsEnabled", false.into()),
        ("serviceAccountsEnabled", false.into()),
        ("attributes", Value::Object(attributes)),
    ] {
        map.insert(name.to_owned(), value);
    }
    if let Some(secret) = registration.client_secret.as_ref().filter(|_| !is_public) {
        map.insert("clientAuthenticatorType".to_owned(), "client-secret".into());
        map.insert("secret".to_owned(), secret.expose().into());
    }
    Value::Object(map)
}

/// The list as it is where it has the same words, so that order alone makes no change.
fn same_order(has: Option<&Value>, wanted: Vec<String>) -> Value {
    let is_same = |has: &&Value| {
        let own: BTreeSet<String> = words(Some(has)).into_iter().collect();
        own == wanted.iter().cloned().collect()
    };
    has.filter(is_same).cloned().unwrap_or_else(|| wanted.into())
}

/// Keycloak's representation by the names of RFC 7591.
fn reading(before: &Registration, document: &Value) -> Reading {
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let flag = |name: &str| document.get(name).and_then(Value::as_bool).unwrap_or_default();
    let logout =
        document.pointer("/attributes/post.logout.redirect.uris").and_then(Value::as_str).unwrap_or_default();
    let logout: Vec<&str> = logout.split(SEPARATOR).filter(|uri| !uri.is_empty() && *uri != "-").collect();
    let grants = [
        ("standardFlowEnabled", "authorization_code"),
        ("implicitFlowEnabled", "implicit"),
        ("directAccessGrantsEnabled", "password"),
        ("serviceAccountsEnabled", "client_credentials"),
    ];
    let mut grants: Vec<&str> =
        grants.into_iter().filter(|(own, _)| flag(own)).map(|(_, grant)| grant).collect();
    if flag("standardFlowEnabled") {
        grants.push("refresh_token");
    }
    let mut scopes = words(document.get("defaultClientScopes"));
    scopes.extend(words(document.get("optionalClientScopes")));
    let mut metadata = json!({
        "redirect_uris": document.get("redirectUris").cloned().unwrap_or_else(|| json!([])),
        "post_logout_redirect_uris": logout,
        "grant_types": grants,
        "client_name": text("name").unwrap_or_default(),
        "scope": scopes.join(" "),
    });
    let method =
        document.get("attributes").and_then(|attributes| attributes.get(METHOD)).and_then(Value::as_str);
    let method = if flag("publicClient") { Some(AuthMethod::None.name()) } else { method };
    if let (Some(method), Some(map)) = (method, metadata.as_object_mut()) {
        map.insert("token_endpoint_auth_method".to_owned(), method.into());
    }
    // Who may not see secrets is shown asterisks.
    let secret = text("secret").filter(|text| !text.is_empty() && !text.bytes().all(|byte| byte == b'*'));
    let secret = secret.filter(|_| !flag("publicClient")).map(SecretText::from);
    let registration =
        Registration { client_secret: secret.or_else(|| before.client_secret.clone()), ..before.clone() };
    Reading { document: metadata, registration, flaw: None }
}

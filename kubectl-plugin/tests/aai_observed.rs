//! What Keycloak answers, request by request: where a new one answers otherwise, this shows it before anybody's login does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use serde_json::{Value, json};
use support::keycloak::{Keycloak, Reply};

/// The standard's endpoint, and Keycloak's own.
const STANDARD: &str = "/realms/aai/clients-registrations/openid-connect";
const OWN: &str = "/realms/aai/clients-registrations/default";

const CALLBACK: &str = "https://app.example.org/cb";

struct Seen {
    keycloak: Keycloak,
}

impl Seen {
    fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> Reply {
        let login = format!("Bearer {token}");
        let mut headers = vec![("Content-Type", "application/json")];
        if !token.is_empty() {
            headers.push(("Authorization", login.as_str()));
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.keycloak.send(method, path, &headers, &body)
    }
}

/// An answer that has this status and holds this text.
fn is(what: &str, reply: &Reply, status: u16, text: &str) {
    assert_eq!(reply.status, status, "{what}: {}", reply.body);
    assert!(reply.body.contains(text), "{what}: {text:?} is not in {}", reply.body);
}

fn text(document: &Value, name: &str) -> String {
    document[name].as_str().unwrap_or_else(|| panic!("{name} is not in {document}")).to_owned()
}

#[test]
#[ignore = "needs Keycloak"]
fn registration_by_the_standard() {
    let seen = Seen { keycloak: Keycloak::start() };
    let token = seen.keycloak.initial_token(30);
    let post = |token: &str, body: &Value| seen.ask("POST", STANDARD, token, body);
    let plain = json!({"client_name": "a", "redirect_uris": [CALLBACK], "scope": "profile email"});
    is("anonymous", &post("", &plain), 403, "Policy 'Trusted Hosts' rejected request");
    let with = |name: &str, value: Value| {
        let mut body = plain.clone();
        body[name] = value;
        body
    };
    let openid = post(&token, &with("scope", json!("openid profile email")));
    is("scope openid", &openid, 403, "Not permitted to use specified clientScope");
    is(
        "client_id in the body",
        &post(&token, &with("client_id", json!("x"))),
        400,
        "Client Identifier included",
    );
    is(
        "a field that it does not know",
        &post(&token, &with("bogus", json!(1))),
        400,
        "Invalid json representation",
    );
    is(
        "a statement",
        &post(&token, &with("software_statement", json!("x"))),
        400,
        "Invalid json representation",
    );
    for uri in ["*", "https://*.example.org/cb", "/cb", "http://app.example.org/cb"] {
        is(uri, &post(&token, &with("redirect_uris", json!([uri]))), 201, "client_id");
    }
    is("no redirect at all", &post(&token, &with("redirect_uris", json!([]))), 201, "client_id");
    for uri in ["https://app.example.org/cb#x", "javascript:alert(1)"] {
        is(uri, &post(&token, &with("redirect_uris", json!([uri]))), 400, "invalid_redirect_uri");
    }
    let public = post(&token, &with("token_endpoint_auth_method", json!("none")));
    is("a public client", &public, 201, "\"none\"");
    assert_eq!(public.json().get("client_secret"), None);
    let keyless = post(&token, &with("token_endpoint_auth_method", json!("private_key_jwt")));
    is("keys that are not there", &keyless, 400, "Client metadata invalid");
    let ignored = post(&token, &with("client_secret", json!("chosen-by-the-client"))).json();
    assert_ne!(ignored["client_secret"], "chosen-by-the-client");
    for name in ["contacts", "tos_uri", "software_id"] {
        let value =
            if name == "contacts" { json!(["a@example.org"]) } else { json!("https://example.org/x") };
        let reply = post(&token, &with(name, value));
        assert_eq!((reply.status, reply.json().get(name).cloned()), (201, None), "{name} is not told back");
    }
    let once = seen.keycloak.initial_token(1);
    assert_eq!(post(&once, &plain).status, 201);
    is("a token that is used up", &post(&once, &plain), 401, "No remaining count");
    is("no token of this realm", &post("x", &plain), 401, "Failed decode token");
    let empty = seen.ask("POST", STANDARD, &token, &Value::Null);
    is("an empty body", &empty, 500, "unknown_error");
}

#[test]
#[ignore = "needs Keycloak"]
fn management_by_the_standard() {
    let seen = Seen { keycloak: Keycloak::start() };
    let token = seen.keycloak.initial_token(5);
    let body = json!({"client_name": "a", "redirect_uris": [CALLBACK], "scope": "profile email", "post_logout_redirect_uris": ["https://app.example.org/"]});
    let made = seen.ask("POST", STANDARD, &token, &body).json();
    assert_eq!(made["response_types"], json!(["code", "none"]));
    assert_eq!(made["client_secret_expires_at"], 0);
    let (id, first) = (text(&made, "client_id"), text(&made, "registration_access_token"));
    let path = format!("{STANDARD}/{id}");
    assert_eq!(text(&made, "registration_client_uri"), format!("{}{path}", seen.keycloak.address()));
    let read = seen.ask("GET", &path, &first, &Value::Null).json();
    assert_eq!(text(&read, "registration_access_token"), first, "reading gives no other token");
    assert_eq!(read["client_secret"], made["client_secret"]);
    is(
        "no client_id",
        &seen.ask("PUT", &path, &first, &json!({"redirect_uris": [CALLBACK]})),
        400,
        "Client Identifier modified",
    );
    let less = json!({"client_id": id, "redirect_uris": ["https://app.example.org/other"]});
    let changed = seen.ask("PUT", &path, &first, &less);
    assert_eq!(changed.status, 200, "a change that failed gave no other token: {}", changed.body);
    let changed = changed.json();
    assert_eq!(changed["client_name"], "a", "a change merges");
    assert_eq!(
        changed["post_logout_redirect_uris"],
        json!(["https://app.example.org/"]),
        "and leaves what it does not name"
    );
    let second = text(&changed, "registration_access_token");
    assert_ne!(second, first);
    is("the token before", &seen.ask("GET", &path, &first, &Value::Null), 401, "invalid_token");
    let account = seen.keycloak.token();
    let read = seen.ask("GET", &path, &account, &Value::Null);
    assert_eq!(
        (read.status, read.json().get("registration_access_token").cloned()),
        (200, None),
        "the account changes no token"
    );
    assert_eq!(seen.ask("DELETE", &path, &second, &Value::Null).status, 204);
    is("gone, by its token", &seen.ask("GET", &path, &second, &Value::Null), 401, "invalid_token");
    is("gone, by the account", &seen.ask("GET", &path, &account, &Value::Null), 404, "Client not found");
}

#[test]
#[ignore = "needs Keycloak"]
fn registration_by_keycloaks_own_endpoint() {
    let seen = Seen { keycloak: Keycloak::start() };
    let account = seen.keycloak.token();
    let body = json!({"clientId": "lathe.a", "name": "a", "redirectUris": [CALLBACK], "secret": "chosen", "optionalClientScopes": ["email"]});
    let made = seen.ask("POST", OWN, &account, &body);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.json()["secret"], "chosen");
    assert_eq!(
        made.json()["defaultClientScopes"],
        json!(["basic"]),
        "scopes of the realm go where others are named"
    );
    is("the same id", &seen.ask("POST", OWN, &account, &body), 400, "Client Identifier in use");
    let path = format!("{OWN}/lathe.a");
    let read = seen.ask("GET", &path, &account, &Value::Null);
    assert_eq!((read.status, &read.json()["secret"]), (200, &json!("chosen")), "the account sees the secret");
    assert_eq!(read.json().get("registrationAccessToken"), None);
    let mut document = read.json();
    document["redirectUris"] = json!(["https://app.example.org/other"]);
    document["secret"] = "another".into();
    let changed = seen.ask("PUT", &path, &account, &document).json();
    assert_eq!(
        (&changed["redirectUris"], &changed["secret"]),
        (&json!(["https://app.example.org/other"]), &json!("another"))
    );
    let lists = seen
        .ask("PUT", &path, &account, &json!({"clientId": "lathe.a", "defaultClientScopes": ["profile"]}))
        .json();
    assert_eq!(lists["optionalClientScopes"], json!([]), "one list of scopes resets the other");
    assert_eq!(seen.ask("DELETE", &path, &account, &Value::Null).status, 204);
    is("gone", &seen.ask("DELETE", &path, &account, &Value::Null), 404, "Client not found");
    is(
        "a list by attribute",
        &seen.ask("GET", "/admin/realms/aai/clients?q=a:b", &account, &Value::Null),
        400,
        "not allowed for search",
    );
}

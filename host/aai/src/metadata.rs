//! What is asked of a provider for a client (RFC 7591 section 2), canonical, and held against what it gave.

use std::collections::BTreeSet;

use lathe_manifest::digest;
use serde_json::{Map, Value, json};

use crate::intent::{Declared, Intent};

/// The client metadata that an intent asks for. Its members are sorted, and lists are sets in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata(Map<String, Value>);

/// Metadata that has a list of words for its value.
const LISTS: &[&str] = &["redirect_uris", "post_logout_redirect_uris", "grant_types"];

/// Grants that nobody asked for are harmless where these alone are more.
const HARMLESS: &[&str] = &["refresh_token"];

impl Metadata {
    /// Of an intent.
    pub fn of(declared: &Declared) -> Self {
        let Intent { name, title, redirect_uris, post_logout_redirect_uris, .. } = &declared.intent;
        let Intent { scopes, grant_types, auth_method, contacts, .. } = &declared.intent;
        let set = |list: &[String]| -> Value {
            list.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect::<Vec<_>>().into()
        };
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| drop(map.insert(name.to_owned(), value));
        put("client_name", format!("{} {}", title.as_ref().unwrap_or(name), declared.marker()).into());
        put("redirect_uris", set(redirect_uris));
        // Always there, for a provider that merges would keep what was there before.
        put("post_logout_redirect_uris", set(post_logout_redirect_uris));
        put("token_endpoint_auth_method", auth_method.name().into());
        put("grant_types", set(grant_types));
        put("response_types", json!(["code"]));
        put("application_type", "web".into());
        if !scopes.is_empty() {
            let scopes: BTreeSet<&str> = scopes.iter().map(String::as_str).collect();
            put("scope", scopes.into_iter().collect::<Vec<_>>().join(" ").into());
        }
        if !contacts.is_empty() {
            put("contacts", set(contacts));
        }
        Self(map)
    }

    /// The digest of what is asked for: where it is the same, nothing has changed.
    pub fn digest(&self) -> String {
        // Sorted, whatever order the map keeps.
        let sorted: std::collections::BTreeMap<&String, &Value> = self.0.iter().collect();
        let text = serde_json::to_string(&sorted).unwrap_or_default();
        digest::named(&digest::sha256(text.as_bytes()))
    }

    /// The document that is sent to register the client, without scopes that the provider knows as no scope of clients.
    pub(crate) fn document(&self, without: &[&str]) -> Value {
        let mut map = self.0.clone();
        if let Some(Value::String(scope)) = map.get_mut("scope") {
            let left: Vec<&str> = scope.split(' ').filter(|scope| !without.contains(scope)).collect();
            *scope = left.join(" ");
        }
        Value::Object(map)
    }

    /// The document that updates the client (RFC 7592 section 2.2): all that the provider has, and over it what is asked for. So it is
    /// right where the provider merges and where it replaces.
    pub(crate) fn over(&self, has: &Value, client_id: &str, without: &[&str]) -> Value {
        let mut map = has.as_object().cloned().unwrap_or_default();
        for name in [
            "registration_access_token",
            "registration_client_uri",
            "client_secret_expires_at",
            "client_id_issued_at",
        ] {
            map.remove(name);
        }
        if let Value::Object(own) = self.document(without) {
            map.extend(own);
        }
        map.insert("client_id".to_owned(), client_id.into());
        Value::Object(map)
    }

    /// In what the provider's document differs from what was asked for, a line for each field. What it does not tell cannot be
    /// compared, and what it adds is its own business, but for where users are sent and for grants.
    pub(crate) fn differences(&self, has: &Value, without: &[&str]) -> Vec<String> {
        let words = |value: &Value| -> BTreeSet<String> {
            let list = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            list.map(ToOwned::to_owned).collect()
        };
        let mut told = Vec::new();
        for name in LISTS {
            let (Some(asked), Some(given)) = (self.0.get(*name), has.get(*name)) else { continue };
            let (asked, mut given) = (words(asked), words(given));
            if *name == "grant_types" {
                given.retain(|grant| asked.contains(grant) || !HARMLESS.contains(&grant.as_str()));
            }
            if asked != given {
                told.push(difference(name, &asked, &given));
            }
        }
        for name in ["token_endpoint_auth_method", "client_name"] {
            let (Some(asked), Some(given)) = (self.0.get(name), has.get(name)) else { continue };
            if asked != given {
                told.push(format!("{name} is {given}, and not {asked}"));
            }
        }
        let scopes = |value: &Value| -> BTreeSet<String> {
            let text = value.as_str().unwrap_or_default();
            text.split(' ')
                .filter(|word| !word.is_empty() && !without.contains(word))
                .map(ToOwned::to_owned)
                .collect()
        };
        if let (Some(asked), Some(given)) = (self.0.get("scope"), has.get("scope")) {
            let (asked, given) = (scopes(asked), scopes(given));
            if !asked.is_subset(&given) {
                told.push(difference("scope", &asked, &given));
            }
        }
        if has.get("redirect_uris").is_none() {
            told.push("redirect_uris are not told".to_owned());
        }
        told
    }

    /// One member as words.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Array(list)) => {
                list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
            }
            Some(Value::String(text)) => text.split(' ').map(ToOwned::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// One member as text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

fn difference(name: &str, asked: &BTreeSet<String>, given: &BTreeSet<String>) -> String {
    let list = |words: Vec<&String>| {
        words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    let (lacks, more) = (list(asked.difference(given).collect()), list(given.difference(asked).collect()));
    match (lacks.is_empty(), more.is_empty()) {
        (false, true) => format!("{name} lacks {lacks}"),
        (true, _) => format!("{name} has {more} more"),
        (false, false) => format!("{name} lacks {lacks} and has {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn metadata(change: &str, to: &str) -> Metadata {
        let json = r#"{"name":"p","profile":"custom","secretName":"s","hosts":["a.example","b.example"],"redirectUris":["https://b.example/cb","https://a.example/cb"],"scopes":["openid","profile"]}"#;
        let declared = Declared::parse(&json.replace(change, to), &["p", "prod", ""], &BTreeMap::new());
        Metadata::of(&declared.unwrap())
    }

    #[test]
    fn order_does_not_count_and_content_does() {
        let one = metadata("", "");
        let two = metadata(
            r#"["https://b.example/cb","https://a.example/cb"]"#,
            r#"["https://a.example/cb","https://b.example/cb","https://a.example/cb"]"#,
        );
        assert_eq!(one.digest(), two.digest());
        assert_ne!(one.digest(), metadata("profile\"]", "email\"]").digest());
        assert!(one.text("client_name").starts_with("p [lathe:"));
        assert_eq!(one.document(&["openid"])["scope"], "profile");
    }

    #[test]
    fn what_is_given_is_held_against_what_was_asked() {
        let asked = metadata("", "");
        let name = asked.text("client_name").to_owned();
        let mut has = json!({
            "client_name": name, "redirect_uris": ["https://a.example/cb", "https://b.example/cb"],
            "grant_types": ["authorization_code", "refresh_token"], "scope": "profile email", "new": 1,
        });
        assert!(asked.differences(&has, &["openid"]).is_empty());
        assert_eq!(asked.differences(&has, &[]), ["scope lacks `openid` and has `email` more"]);
        has["redirect_uris"] = json!(["https://a.example/cb", "https://evil.example/cb"]);
        has["grant_types"] = json!(["authorization_code", "password"]);
        has["token_endpoint_auth_method"] = "none".into();
        assert_eq!(
            asked.differences(&has, &["openid"]),
            [
                "redirect_uris lacks `https://b.example/cb` and has `https://evil.example/cb` more",
                "grant_types has `password` more",
                "token_endpoint_auth_method is \"none\", and not \"client_secret_basic\"",
            ]
        );
        let sent =
            asked.over(&json!({"x": 1, "registration_access_token": "t", "client_secret": "s"}), "id", &[]);
        assert_eq!(sent["x"], 1);
        assert_eq!(sent["client_id"], "id");
        assert_eq!(sent["client_secret"], "s");
        assert_eq!(sent.get("registration_access_token"), None);
    }
}

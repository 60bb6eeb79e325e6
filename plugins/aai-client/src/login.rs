//! A client that has been declared: what its application's variables have to be.

use lathe_sdk::Value;
use lathe_sdk::json;
use lathe_sdk::oidc_clients::Binding;

use crate::config::{AuthMethod, Client};
use crate::literal::What;
use crate::profile::{self, Profile, Source};

/// A client and where its data will be.
pub(crate) struct Login<'a> {
    /// What the config says of it.
    pub(crate) client: &'a Client,
    /// The Secret that will hold the client's data.
    pub(crate) secret: &'a str,
    /// Field and key of what it will hold.
    pub(crate) keys: &'a [(String, String)],
    /// The redirect URI of the first host.
    pub(crate) redirect: Option<&'a str>,
    /// What its application reads.
    pub(crate) variables: Vec<Variable>,
}

/// A variable that the application reads.
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) what: What,
    /// What it has to be.
    pub(crate) wanted: Wanted,
}

/// What a variable has to be.
pub(crate) enum Wanted {
    /// The value of this key of the client's Secret.
    Key(String),
    /// This text.
    Text(String),
    /// This text, where the input has one.
    TextWhereSet(String),
    /// A comma list with this item.
    Listed(String),
    /// Not there: a public client has no secret.
    Absent,
}

impl<'a> Login<'a> {
    /// Fits what the application reads to what the Secret will hold.
    pub(crate) fn new(
        client: &'a Client,
        binding: &'a Binding,
        redirects: &'a [String],
    ) -> Result<Self, String> {
        let redirect = redirects.first().map(String::as_str);
        let keys = binding.keys.as_slice();
        let public = profile::auth_method(client) == AuthMethod::None;
        let mut variables = Vec::new();
        for (name, source) in profile::variables(client)? {
            let (what, wanted) = match source {
                Source::Field(field) => {
                    let key = keys.iter().find(|(have, _)| *have == field).map(|(_, key)| key);
                    let wanted = match key {
                        Some(key) => Wanted::Key(key.clone()),
                        None if public && field == "client-secret" => Wanted::Absent,
                        None => continue,
                    };
                    (What::of_field(&field), wanted)
                }
                Source::Redirect | Source::RedirectWhereSet => {
                    let Some(text) = redirect.map(ToOwned::to_owned) else { continue };
                    let always = source == Source::Redirect;
                    (What::Callback, if always { Wanted::Text(text) } else { Wanted::TextWhereSet(text) })
                }
                Source::Names => (What::Other, Wanted::Listed(client.registration().to_owned())),
            };
            variables.push(Variable { name, what, wanted });
        }
        Ok(Self { client, secret: &binding.secret_name, keys, redirect, variables })
    }

    /// Whether the Secret will hold the field.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.keys.iter().any(|(have, _)| have == field)
    }

    /// Whether two names are the same variable to the application.
    pub(crate) fn is_same(&self, name: &str, other: &str) -> bool {
        name == other || self.client.profile == Profile::SpringBoot && uniform(name) == uniform(other)
    }

    /// The item of a container's `env` that reads a key of the Secret.
    pub(crate) fn reference(&self, name: &str, key: &str) -> Value {
        let reference = json!({"name": self.secret, "key": key});
        json!({"name": name, "valueFrom": {"secretKeyRef": reference}})
    }
}

/// A name as Spring's relaxed binding compares it.
pub(crate) fn uniform(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

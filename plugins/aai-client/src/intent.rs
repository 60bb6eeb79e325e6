//! What a client has to be, in this environment.

use lathe_sdk::{Outcome, Request, Value, json};

use crate::config::Client;
use crate::profile;

/// What is declared to the host, and the redirect URIs in it.
pub(crate) struct Intent {
    /// As the contract has it.
    pub(crate) json: Value,
    /// The redirect URIs; the first one is that of the first host.
    pub(crate) redirects: Vec<String>,
}

impl Intent {
    /// The intent; `None` where a host of the client has no place in a review.
    pub(crate) fn new(
        client: &Client,
        request: &Request,
        outcome: &mut Outcome,
    ) -> Result<Option<Self>, String> {
        client.check()?;
        let Some(hosts) = hosts(client, request, outcome) else { return Ok(None) };
        let join = |paths: &[String]| -> Vec<String> {
            let uris = |host| paths.iter().map(move |path| format!("https://{host}{path}"));
            hosts.iter().flat_map(uris).collect()
        };
        let redirects = join(&profile::callbacks(client)?);
        let mut grants = vec!["authorization_code"];
        if client.scopes.iter().any(|scope| scope == "offline_access") {
            grants.push("refresh_token");
        }
        let mut json = json!({
            "name": client.name,
            "profile": client.profile.name(),
            "secretName": client.secret_name,
            "hosts": hosts,
            "redirectUris": redirects,
            "postLogoutRedirectUris": join(&client.post_logout),
            "scopes": client.scopes,
            "grantTypes": grants,
            "authMethod": profile::auth_method(client).name(),
            "contacts": client.contacts,
        });
        for (member, text) in [("title", &client.title), ("issuer", &client.issuer), ("ttl", &client.ttl)] {
            if let Some(text) = text {
                json[member] = json!(text);
            }
        }
        Ok(Some(Self { json, redirects }))
    }
}

/// The client's hosts as they are called in this environment.
fn hosts(client: &Client, request: &Request, outcome: &mut Outcome) -> Option<Vec<String>> {
    let environment = &request.environment;
    let mut hosts = Vec::new();
    for host in client.hosts.iter().map(|host| host.to_lowercase()) {
        match environment.hosts.get(&host) {
            Some(target) => hosts.push(target.clone()),
            None if environment.review.is_none() => hosts.push(host),
            None => {
                let message = format!(
                    "client `{}`: `{host}` has no review host; add it to review-hosts' `hosts`",
                    client.name
                );
                outcome.error("unmapped-host", message, None);
                return None;
            }
        }
    }
    Some(hosts)
}

//! Flags of the command line that go before variables: those of the client are taken away, or told where they cannot be.

use lathe_sdk::Value;

use crate::env::Problem;
use crate::literal::{Literals, What};
use crate::login::{Login, uniform};
use crate::profile::{self, Profile};

/// Takes the client's flags out of `command` and `args`. Tells whether a callback was among them.
pub(crate) fn remove(
    container: &mut Value,
    login: &Login<'_>,
    literals: &mut Literals,
    problems: &mut Vec<Problem>,
) -> bool {
    let mut redirected = false;
    // The two lists are one command line: a flag's value may be the first item of the other.
    let mut pending = None;
    for list in ["command", "args"] {
        let Some(items) = container.get_mut(list).and_then(Value::as_array_mut) else { continue };
        let mut index = 0;
        items.retain(|item| {
            let at = index;
            index += 1;
            let text = item.as_str().unwrap_or_default();
            if let Some(what) = pending.take() {
                literals.note(what, text);
                return false;
            }
            match read(text, login) {
                Read::Other => {}
                Read::Within => problems.push(Problem {
                    pointer: format!("/{list}/{at}"),
                    message: "a flag in this text goes before the client's variables; take it out".to_owned(),
                }),
                Read::Elsewhere => problems.push(Problem {
                    pointer: format!("/{list}/{at}"),
                    message:
                        "with `--alpha-config` OAuth2 Proxy reads its client from a file, not from variables"
                            .to_owned(),
                }),
                Read::Flag(what, value) => {
                    redirected |= what == What::Callback;
                    match value {
                        Some(value) => literals.note(what, value),
                        None if login.client.profile == Profile::SpringBoot => {}
                        None => pending = Some(what),
                    }
                    return false;
                }
            }
            true
        });
    }
    redirected
}

/// What one item of a command line is.
enum Read<'t> {
    /// Nothing of the client's.
    Other,
    /// A flag of the client's, with its value where it has one.
    Flag(What, Option<&'t str>),
    /// A text that has such a flag in it.
    Within,
    /// A flag by which none of the client's variables is read.
    Elsewhere,
}

fn read<'t>(text: &'t str, login: &Login<'_>) -> Read<'t> {
    let words = || text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '\\'));
    if login.client.profile == Profile::OAuth2Proxy && words().any(is_alpha_config) {
        return Read::Elsewhere;
    }
    if let Some((what, value)) = flag(text, login) {
        return Read::Flag(what, value);
    }
    let several = words().nth(1).is_some();
    if several && words().any(|word| flag(word, login).is_some()) { Read::Within } else { Read::Other }
}

fn is_alpha_config(word: &str) -> bool {
    word.starts_with('-') && word.trim_start_matches('-').split('=').next() == Some("alpha-config")
}

/// What a flag of the client's holds, and its value; also of Java's `-Dname=value`.
pub(crate) fn flag<'t>(word: &'t str, login: &Login<'_>) -> Option<(What, Option<&'t str>)> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    let name = name.strip_prefix("--").or_else(|| name.strip_prefix('-'))?;
    let what = match login.client.profile {
        Profile::OAuth2Proxy => match name {
            "client-id" => What::Id,
            "client-secret" => What::Secret,
            "client-secret-file" => What::Other,
            "redirect-url" => What::Callback,
            "oidc-issuer-url" if login.client.issuer.is_some() && login.has("issuer") => What::Other,
            _ => return None,
        },
        Profile::JupyterHub => {
            let (class, name) = name.split_once('.')?;
            let known = class.ends_with("OAuthenticator").then(|| trait_of(name, login)).flatten();
            known?
        }
        Profile::SpringBoot => property(name.strip_prefix('D').unwrap_or(name), value, login)?,
        Profile::Custom | Profile::HedgeDoc | Profile::HedgeDoc2 => return None,
    };
    Some((what, value))
}

/// What a trait of `JupyterHub`'s login holds, if it is for this client to say.
pub(crate) fn trait_of(name: &str, login: &Login<'_>) -> Option<What> {
    Some(match name {
        "client_id" => What::Id,
        "client_secret" => What::Secret,
        "oauth_callback_url" => What::Callback,
        "authorize_url" if login.has("authorization-endpoint") => What::Other,
        "token_url" if login.has("token-endpoint") => What::Other,
        "userdata_url" if login.has("userinfo-endpoint") => What::Other,
        _ => return None,
    })
}

/// What a property of Spring's holds, if it is for this client to say. A callback that is a template fits each host.
pub(crate) fn property(name: &str, value: Option<&str>, login: &Login<'_>) -> Option<What> {
    let name: String =
        name.chars().filter(|c| !matches!(c, '-' | '_')).collect::<String>().to_ascii_lowercase();
    let rest = name.strip_prefix("spring.security.oauth2.client.")?;
    let of = |kind: &str, id: &str| {
        let rest = rest.strip_prefix(kind)?;
        let (have, field) = rest.rsplit_once('.')?;
        (uniform(have) == uniform(id)).then_some(field)
    };
    match of("registration.", login.client.registration()) {
        Some("clientid") => return Some(What::Id),
        Some("clientsecret") => return Some(What::Secret),
        Some("redirecturi") if value.is_none_or(|value| !is_template(value)) => {
            return Some(What::Callback);
        }
        _ => {}
    }
    let issuer = login.client.issuer.is_some() && login.has("issuer");
    let field = of("provider.", profile::provider(login.client));
    (issuer && field == Some("issueruri")).then_some(What::Other)
}

/// Whether Spring makes the callback from the host that it is asked under.
pub(crate) fn is_template(callback: &str) -> bool {
    callback.contains("{baseUrl}") || callback.contains("{baseHost}")
}

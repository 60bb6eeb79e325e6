//! Clients that carry Lathe's marker, found through Keycloak's administration by the service account.

use reqwest::Method;
use serde_json::Value;

use crate::error::AaiError;
use crate::http::{Ask, Body, Login, encode};
use crate::provider::Provider;

/// How many clients are asked for at once.
const PAGE: usize = 200;

/// No realm has more.
const PAGES: usize = 500;

/// A client of the provider with Lathe's marker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    /// Its `client_id`.
    pub(crate) client_id: String,
    /// The key in its marker.
    pub(crate) key: String,
    /// Its internal id.
    id: String,
}

impl Provider<'_> {
    /// All clients with a marker, sorted; `None` where the provider has no list that the pipeline lets Lathe see.
    pub(crate) async fn marked(&self) -> Result<Option<Vec<Listed>>, AaiError> {
        let Some(base) = self.administration() else { return Ok(None) };
        let Some(token) = self.bearer().await? else { return Ok(None) };
        let what = "the list of clients";
        let (mut found, mut sees) = (Vec::new(), false);
        for page in 0..PAGES {
            let url = format!("{base}/clients?first={}&max={PAGE}", page * PAGE);
            let url = self.own(&url, what)?;
            let ask = Ask {
                method: Method::GET,
                url: url.as_str(),
                what,
                login: Login::Bearer(token),
                body: Body::None,
            };
            let answer = self.http.send(&ask).await?;
            let Some(Value::Array(list)) = answer.json().filter(|_| answer.is_ok()) else {
                return Err(self.refused(what, &answer, &[token]));
            };
            let own = self.spec.account.as_ref().map(|account| account.client_id.as_str());
            sees |= list.iter().any(|client| client.get("clientId").and_then(Value::as_str) == own);
            found.extend(list.iter().filter_map(listed));
            if list.len() < PAGE {
                break;
            }
        }
        // Who may see some clients only is shown a list without an error.
        let account = self.spec.account.as_ref().map(|account| account.client_id.as_str());
        if !sees {
            let why = format!("its account `{}` may not list clients", account.unwrap_or_default());
            return Err(AaiError::Untrusted { issuer: self.issuer(), why });
        }
        found.sort();
        Ok(Some(found))
    }

    /// Deletes a client that the list has.
    pub(crate) async fn delete_listed(&self, listed: &Listed) -> Result<(), AaiError> {
        let (Some(base), Some(token)) = (self.administration(), self.bearer().await?) else { return Ok(()) };
        let what = "the deletion of a client";
        let url = self.own(&format!("{base}/clients/{}", encode(&listed.id)), what)?;
        let ask = Ask {
            method: Method::DELETE,
            url: url.as_str(),
            what,
            login: Login::Bearer(token),
            body: Body::None,
        };
        let answer = self.http.send(&ask).await?;
        // Somebody else may have been faster.
        if answer.is_ok() || answer.status == 404 {
            Ok(())
        } else {
            Err(self.refused(what, &answer, &[token]))
        }
    }

    /// Where Keycloak administers the realm; `None` where the issuer is not called as Keycloak's are.
    pub(super) fn administration(&self) -> Option<String> {
        let (base, realm) = self.spec.issuer.trim_end_matches('/').rsplit_once("/realms/")?;
        (!realm.contains('/')).then(|| format!("{base}/admin/realms/{realm}"))
    }
}

fn listed(client: &Value) -> Option<Listed> {
    let text = |name: &str| client.get(name).and_then(Value::as_str);
    let key = marked_with(text("name")?)?;
    Some(Listed { client_id: text("clientId")?.to_owned(), key: key.to_owned(), id: text("id")?.to_owned() })
}

/// The key of the marker at the end of a client's name.
pub(crate) fn marked_with(name: &str) -> Option<&str> {
    let (_, key) = name.strip_suffix(']')?.rsplit_once("[lathe:")?;
    (key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_stand_at_the_end() {
        assert_eq!(marked_with("Portal [lathe:0123456789ab]"), Some("0123456789ab"));
        for name in ["Portal", "[lathe:0123456789ab] x", "x [lathe:0123]", "x [lathe:0123456789zz]"] {
            assert_eq!(marked_with(name), None, "{name}");
        }
    }
}

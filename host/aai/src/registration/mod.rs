//! Registration with a provider: what the modes that register have in common.

mod dcr;
mod keycloak;
mod sweep;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::AaiError;
use crate::http::encode;
use crate::intent::AuthMethod;
use crate::issuer::Mode;
use crate::metadata::Metadata;
use crate::provider::Provider;
use crate::record::{Record, Registration};
use crate::secret::SecretText;

pub(crate) use sweep::{Listed, marked_with};

/// A client as the provider tells of it, and what lets Lathe in to it by now.
pub(crate) struct Reading {
    /// Its metadata, by the names of RFC 7591.
    pub(crate) document: Value,
    /// Its registration.
    pub(crate) registration: Registration,
    /// What must not be used of it, if anything.
    pub(crate) flaw: Option<AaiError>,
}

impl Provider<'_> {
    /// Scopes that the provider knows as none of clients.
    pub(crate) async fn without(&self) -> Result<&'static [&'static str], AaiError> {
        // Keycloak refuses a registration that asks for it, and grants it to every client.
        let keycloak = self.registration().await?.path().contains("/clients-registrations/");
        Ok(if keycloak { &["openid"] } else { &[] })
    }

    /// Registers a client.
    ///
    /// `presumed` is what was chosen for it, where that is chosen here; `may_adopt` lets a client that has its id become this one.
    pub(crate) async fn register(
        &self,
        metadata: &Metadata,
        presumed: Option<&Registration>,
        may_adopt: bool,
    ) -> Result<Reading, AaiError> {
        match presumed {
            Some(presumed) => keycloak::register(self, metadata, presumed, may_adopt).await,
            None => dcr::register(self, metadata).await,
        }
    }

    /// Reads a client; `None` where the provider lets nobody read.
    pub(crate) async fn read(&self, registration: &Registration) -> Result<Option<Reading>, AaiError> {
        match self.spec.mode {
            Mode::Keycloak => keycloak::read(self, registration).await.map(Some),
            _ => dcr::read(self, registration).await,
        }
    }

    /// Changes a client; `has` is how it was read.
    pub(crate) async fn update(
        &self,
        registration: &Registration,
        metadata: &Metadata,
        has: &Value,
    ) -> Result<Reading, AaiError> {
        match self.spec.mode {
            Mode::Keycloak => keycloak::update(self, registration, metadata).await,
            _ => dcr::update(self, registration, metadata, has).await,
        }
    }

    /// Takes a client back.
    pub(crate) async fn delete(&self, registration: &Registration) -> Result<(), AaiError> {
        match self.spec.mode {
            Mode::Keycloak => keycloak::delete(self, registration).await,
            _ => dcr::delete(self, registration).await,
        }
    }

    /// Gives a client the secret of this registration; only where secrets are chosen here.
    pub(crate) async fn renew(&self, registration: &Registration) -> Result<(), AaiError> {
        keycloak::renew(self, registration).await
    }

    /// Whether id and secret of clients are chosen here, so that a client can be found again whatever became of a run.
    pub(crate) fn chooses(&self) -> bool {
        self.spec.mode == Mode::Keycloak
    }

    /// Id and secret that are chosen for a client.
    pub(crate) fn choose(record: &Record) -> Result<Registration, AaiError> {
        let has_secret = record.keys.contains_key("client-secret");
        Ok(Registration {
            client_id: client_id(&record.identity, &record.name, &record.key),
            client_secret: if has_secret { Some(new_secret()?) } else { None },
            secret_expires_at: 0,
            client_uri: None,
            token: None,
        })
    }
}

/// A secret that nobody can guess: 256 random bits, base64url.
pub(crate) fn new_secret() -> Result<SecretText, AaiError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut())
        .map_err(|error| AaiError::Settings(format!("there is no randomness: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes.as_ref()).into())
}

/// `lathe.PROJECT.ENVIRONMENT.REVIEW.NAME.KEY`; the key alone tells it from others.
pub(crate) fn client_id(identity: &[String; 3], name: &str, key: &str) -> String {
    let parts = identity.iter().map(String::as_str).chain([name, key]);
    let parts: Vec<&str> = std::iter::once("lathe").chain(parts).filter(|part| !part.is_empty()).collect();
    let id = parts.join(".");
    if id.len() > LONGEST_ID { format!("lathe.{key}") } else { id }
}

/// Keycloak keeps no longer ones.
const LONGEST_ID: usize = 200;

/// A client's id as one segment of a path.
fn segment(id: &str) -> Result<String, AaiError> {
    if id.is_empty() || id.bytes().all(|byte| byte == b'.') {
        return Err(AaiError::Settings(format!("`{id}` is no id of a client")));
    }
    Ok(encode(id))
}

impl Reading {
    /// What keeps the client from being used: less than was asked for, or a part that is missing.
    pub(crate) fn fault(&self, metadata: &Metadata, issuer: &str, without: &[&str]) -> Option<AaiError> {
        if let Some(flaw) = &self.flaw {
            return Some(flaw.clone());
        }
        let Registration { client_id, client_secret, .. } = &self.registration;
        let mut told = Vec::new();
        if client_id.is_empty() {
            told.push("it has no client_id".to_owned());
        }
        let is_public = metadata.text("token_endpoint_auth_method") == AuthMethod::None.name();
        if !is_public && client_secret.as_ref().is_none_or(SecretText::is_empty) {
            told.push("it has no client_secret".to_owned());
        }
        told.extend(metadata.differences(&self.document, without));
        if told.is_empty() {
            return None;
        }
        let (issuer, client) = (issuer.to_owned(), client_id.clone());
        Some(AaiError::Weaker { issuer, client, differences: told.join("; ") })
    }
}

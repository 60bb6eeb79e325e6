//! An issuer of the pipeline: who it is, and by which way clients come into being there.

use std::path::{Component, Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::AaiError;
use crate::origin;
use crate::secret::SecretText;

/// One issuer. Variables and files with credentials are named, never their content.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerSpec {
    /// The issuer as its tokens name it (`OpenID` Connect Discovery 1.0), such as `https://aai.example.org/realms/main`.
    pub issuer: String,
    /// How clients come into being.
    pub mode: Mode,
    /// Certificates of the authorities to trust (PEM), relative to the pipeline's folder; default is the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// `dcr` and `keycloak`: the variable that holds the initial access token (RFC 7591 section 3); without one and without an
    /// account, clients are registered anonymously.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// The file that holds it, relative to the pipeline's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// `dcr` and `keycloak`: a service account of Keycloak that may manage clients, and so find those that were left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// `pool` and `static`: the client that was registered by hand; `{slot}` stands for the slot of the review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The variable that holds its secret; `{slot}` stands for the slot in upper case, with `_` for `-`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_env: Option<String>,
    /// The file that holds its secret, relative to the pipeline's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<String>,
}

/// A client that acts for itself (RFC 6749 section 4.4).
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Account {
    /// Its id.
    pub client_id: String,
    /// The variable that holds its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_env: Option<String>,
    /// The file that holds its secret, relative to the pipeline's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<String>,
}

/// How clients come into being.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Dynamic registration (RFC 7591, RFC 7592).
    Dcr,
    /// Keycloak's own endpoint, where the id of a client is chosen by who registers it.
    Keycloak,
    /// Clients registered by hand, one for each slot of the environment's pool.
    Pool,
    /// Registered by somebody else, who is given a file with what is needed.
    Request,
    /// One client, registered by hand.
    Static,
}

impl Mode {
    /// As the pipeline has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dcr => "dcr",
            Self::Keycloak => "keycloak",
            Self::Pool => "pool",
            Self::Request => "request",
            Self::Static => "static",
        }
    }
}

/// Where credentials come from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The pipeline's folder.
    pub folder: &'a Path,
    /// A variable of the process environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl IssuerSpec {
    /// What of the settings does not add up, a line for each, as it goes on behind the issuer's place in the pipeline.
    pub fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Err(why) = origin::checked(&self.issuer) {
            wrong.push(format!(".issuer: {why}"));
        } else if self.issuer.contains('?') {
            wrong.push(".issuer: an issuer has no query".to_owned());
        }
        let token = self.token_env.is_some() || self.token_file.is_some();
        let registers = matches!(self.mode, Mode::Dcr | Mode::Keycloak);
        let given = matches!(self.mode, Mode::Pool | Mode::Static);
        let has_secret = self.client_secret_env.is_some() || self.client_secret_file.is_some();
        let mode = self.mode.name();
        for (name, is_there, fits) in [
            ("tokenEnv` or `tokenFile", token, registers),
            ("account", self.account.is_some(), registers),
            ("clientId", self.client_id.is_some(), given),
            ("clientSecretEnv` or `clientSecretFile", has_secret, given),
        ] {
            if is_there && !fits {
                wrong.push(format!(": mode `{mode}` has no `{name}`"));
            }
        }
        if given && self.client_id.is_none() {
            wrong.push(format!(": mode `{mode}` needs `clientId`"));
        }
        if self.mode == Mode::Keycloak && self.account.is_none() {
            wrong.push(": mode `keycloak` needs `account`".to_owned());
        }
        let account = self.account.as_ref().and_then(|account| account.client_secret_file.as_ref());
        let files = [self.ca.as_ref(), self.token_file.as_ref(), self.client_secret_file.as_ref(), account];
        for file in files.into_iter().flatten() {
            let path = Path::new(file);
            if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
                wrong.push(format!(": `{file}` leads out of the pipeline's folder"));
            }
        }
        let pairs = [
            ("token", self.token_env.is_some() && self.token_file.is_some()),
            ("clientSecret", self.client_secret_env.is_some() && self.client_secret_file.is_some()),
        ];
        let twice = pairs.into_iter().filter(|(_, both)| *both);
        wrong.extend(
            twice.map(|(name, _)| format!(": `{name}Env` and `{name}File` are given; one is enough")),
        );
        if let Some(Account { client_secret_env, client_secret_file, .. }) = &self.account
            && client_secret_env.is_some() == client_secret_file.is_some()
        {
            wrong.push(".account: it needs `clientSecretEnv` or `clientSecretFile`".to_owned());
        }
        wrong
    }

    /// The initial access token; `None` where the pipeline names none.
    pub(crate) fn token(&self, sources: Sources<'_>) -> Result<Option<SecretText>, AaiError> {
        self.credential(
            "its initial access token",
            self.token_env.as_deref(),
            self.token_file.as_deref(),
            sources,
        )
    }

    /// Id and secret of the service account; `None` where the pipeline names none.
    pub(crate) fn account(&self, sources: Sources<'_>) -> Result<Option<(String, SecretText)>, AaiError> {
        let Some(account) = &self.account else { return Ok(None) };
        let Account { client_id, client_secret_env, client_secret_file } = account;
        let (env, file) = (client_secret_env.as_deref(), client_secret_file.as_deref());
        let secret = self.credential("the secret of its account", env, file, sources)?;
        Ok(secret.map(|secret| (client_id.clone(), secret)))
    }

    /// Id and secret of the client that was registered by hand, for a slot of a pool.
    pub(crate) fn given(
        &self,
        slot: Option<&str>,
        sources: Sources<'_>,
    ) -> Result<(String, Option<SecretText>), AaiError> {
        let id = self.client_id.clone().unwrap_or_default();
        let Some(slot) = slot else {
            let env = self.client_secret_env.as_deref();
            let names = [Some(id.as_str()), env, self.client_secret_file.as_deref()];
            if names.into_iter().flatten().any(|name| name.contains("{slot}")) {
                let told = format!(
                    "issuer {}: `{{slot}}` has no meaning in an environment without a pool",
                    self.issuer
                );
                return Err(AaiError::Settings(told));
            }
            let secret =
                self.credential("the client's secret", env, self.client_secret_file.as_deref(), sources)?;
            return Ok((id, secret));
        };
        let variable = slot.to_uppercase().replace('-', "_");
        let env = self.client_secret_env.as_ref().map(|name| name.replace("{slot}", &variable));
        let file = self.client_secret_file.as_ref().map(|name| name.replace("{slot}", slot));
        let secret = self.credential("the client's secret", env.as_deref(), file.as_deref(), sources)?;
        Ok((id.replace("{slot}", slot), secret))
    }

    /// The variables and files that it takes credentials from, for policies: `env://NAME`, `file://NAME`.
    pub fn credentials(&self) -> Vec<(&'static str, String)> {
        let account = self.account.as_ref();
        let account_env = account.and_then(|account| account.client_secret_env.as_ref());
        let account_file = account.and_then(|account| account.client_secret_file.as_ref());
        let env = [self.token_env.as_ref(), self.client_secret_env.as_ref(), account_env];
        let file = [self.token_file.as_ref(), self.client_secret_file.as_ref(), account_file];
        let env = env.into_iter().flatten().map(|name| ("env", format!("env://{name}")));
        let file = file.into_iter().flatten().map(|name| ("file", format!("file://{name}")));
        env.chain(file).collect()
    }

    /// The same without what must not be used on the word of a record alone: credentials of others than the client itself.
    #[must_use]
    pub fn without_credentials(&self) -> Self {
        Self { account: None, token_env: None, token_file: None, ca: None, ..self.clone() }
    }

    /// The certificates to trust; `None` where the pipeline names none.
    pub fn authority(&self, sources: Sources<'_>) -> Result<Option<String>, AaiError> {
        let Some(file) = &self.ca else { return Ok(None) };
        let read = std::fs::read_to_string(sources.folder.join(file));
        read.map(Some).map_err(|error| AaiError::Settings(format!("{file}: {error}")))
    }

    fn credential(
        &self,
        what: &str,
        env: Option<&str>,
        file: Option<&str>,
        sources: Sources<'_>,
    ) -> Result<Option<SecretText>, AaiError> {
        let missing = |told: String| Err(AaiError::NoCredential(format!("{}: {what}: {told}", self.issuer)));
        let text = match (env, file) {
            (None, None) => return Ok(None),
            (Some(name), _) => match (sources.variable)(name) {
                Some(text) => text,
                None => return missing(format!("the variable `{name}` is not set")),
            },
            (None, Some(file)) => match std::fs::read_to_string(sources.folder.join(file)) {
                Ok(text) => text,
                Err(error) => return missing(format!("{file}: {error}")),
            },
        };
        let text = SecretText::from(text.trim());
        if text.is_empty() {
            return missing(format!("`{}` is empty", env.or(file).unwrap_or_default()));
        }
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> IssuerSpec {
        serde_json::from_str(&format!("{{\"issuer\":\"https://aai.example.org\",{text}}}")).unwrap()
    }

    #[test]
    fn settings_fit_the_mode() {
        for good in [
            r#""mode":"dcr""#,
            r#""mode":"dcr","tokenEnv":"T""#,
            r#""mode":"keycloak","account":{"clientId":"bot","clientSecretEnv":"S"}"#,
            r#""mode":"pool","clientId":"p-{slot}","clientSecretEnv":"S_{slot}""#,
            r#""mode":"request""#,
        ] {
            assert!(spec(good).check().is_empty(), "{good}: {:?}", spec(good).check());
        }
        for bad in [
            r#""mode":"static""#,
            r#""mode":"keycloak""#,
            r#""mode":"request","tokenEnv":"T""#,
            r#""mode":"dcr","clientId":"x""#,
            r#""mode":"dcr","tokenEnv":"T","tokenFile":"f""#,
            r#""mode":"dcr","account":{"clientId":"bot"}"#,
        ] {
            assert_eq!(spec(bad).check().len(), 1, "{bad}: {:?}", spec(bad).check());
        }
        let mut plain = spec(r#""mode":"dcr""#);
        plain.issuer = "http://aai.example.org".to_owned();
        assert!(plain.check()[0].contains("for all to see"));
    }

    #[test]
    fn a_slot_names_client_and_variable() {
        let variable = |name: &str| (name == "S_RV_1").then(|| "secret\n".to_owned());
        let sources = Sources { folder: Path::new("/"), variable: &variable };
        let spec = spec(r#""mode":"pool","clientId":"p-{slot}","clientSecretEnv":"S_{slot}""#);
        let (id, secret) = spec.given(Some("rv-1"), sources).unwrap();
        assert_eq!((id.as_str(), secret.unwrap().expose()), ("p-rv-1", "secret"));
        assert!(matches!(spec.given(Some("rv-2"), sources), Err(AaiError::NoCredential(_))));
        assert!(matches!(spec.given(None, sources), Err(AaiError::Settings(_))));
    }
}

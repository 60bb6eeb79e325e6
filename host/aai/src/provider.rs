//! One identity provider: the way to it, what it says of itself, and what lets Lathe in.

use tokio::sync::OnceCell;

use reqwest::{Method, Url};
use serde_json::Value;

use crate::discovery::Discovery;
use crate::error::AaiError;
use crate::http::{Answer, Ask, Body, Http, Login};
use crate::issuer::{IssuerSpec, Sources};
use crate::origin;
use crate::record::Registration;
use crate::secret::SecretText;

/// A provider, for one run.
pub(crate) struct Provider<'a> {
    pub(crate) spec: IssuerSpec,
    pub(crate) http: Http,
    pub(crate) sources: Sources<'a>,
    discovery: OnceCell<Discovery>,
    bearer: OnceCell<Option<SecretText>>,
}

impl<'a> Provider<'a> {
    pub(crate) fn new(
        spec: &IssuerSpec,
        authority: Option<&str>,
        sources: Sources<'a>,
    ) -> Result<Self, AaiError> {
        let http = Http::new(&spec.issuer, authority)?;
        let (discovery, bearer) = (OnceCell::new(), OnceCell::new());
        Ok(Self { spec: spec.clone(), http, sources, discovery, bearer })
    }

    /// How messages call it.
    pub(crate) fn issuer(&self) -> String {
        self.spec.issuer.clone()
    }

    /// What it says of itself.
    pub(crate) async fn discovery(&self) -> Result<&Discovery, AaiError> {
        self.discovery.get_or_try_init(|| Discovery::read(&self.http, &self.spec.issuer)).await
    }

    /// Where clients are registered.
    pub(crate) async fn registration(&self) -> Result<&Url, AaiError> {
        let other = "`mode: pool`, `request` or `static` does without";
        let issuer = self.issuer();
        match &self.discovery().await?.registration {
            Ok(Some(url)) => Ok(url),
            Ok(None) => Err(AaiError::Settings(format!("{issuer} offers no dynamic registration; {other}"))),
            Err(error) => Err(AaiError::Untrusted { issuer, why: format!("{error}; {other}") }),
        }
    }

    /// The access token of the service account (RFC 6749 section 4.4); `None` where the pipeline names none.
    pub(crate) async fn bearer(&self) -> Result<Option<&SecretText>, AaiError> {
        self.bearer.get_or_try_init(|| self.log_in()).await.map(Option::as_ref)
    }

    async fn log_in(&self) -> Result<Option<SecretText>, AaiError> {
        let Some((id, secret)) = self.spec.account(self.sources)? else { return Ok(None) };
        let what = "the login of its account";
        let Some(url) = &self.discovery().await?.token else {
            let why = "it has no token endpoint of its own origin".to_owned();
            return Err(AaiError::Untrusted { issuer: self.issuer(), why });
        };
        let body = Body::Form(&[("grant_type", "client_credentials")]);
        let login = Login::Basic(&id, &secret);
        let ask = Ask { method: Method::POST, url: url.as_str(), what, login, body };
        let away = |why: String| AaiError::Unavailable { issuer: self.issuer(), why };
        // A login changes nothing, so what is unknown of it is no more than that there was none.
        let answer = match self.http.send(&ask).await {
            Err(AaiError::Unknown { why, .. }) => return Err(away(why)),
            answer => answer?,
        };
        if answer.status >= 500 {
            return Err(away(format!("{what}: it answers with status {}", answer.status)));
        }
        let json = answer.json().filter(|_| answer.is_ok());
        let Some(token) = json.as_ref().and_then(|json| json.get("access_token")?.as_str()) else {
            return Err(self.refused(what, &answer, &[&secret]));
        };
        Ok(Some(token.into()))
    }

    /// The JSON object of an answer of success; else why there is none. Behind 500 and more, and behind what is no JSON, somebody may
    /// have been at work; who only reads is told that the provider is away.
    pub(crate) fn document(
        &self,
        what: &'static str,
        method: &Method,
        answer: &Answer,
        sent: &[&SecretText],
    ) -> Result<Value, AaiError> {
        let issuer = self.issuer();
        match (answer.status, answer.json()) {
            (200..=299, Some(document @ Value::Object(_))) => Ok(document),
            (300..=399, _) => {
                let why =
                    format!("{what}: it sends elsewhere (status {}), which is not followed", answer.status);
                Err(AaiError::Untrusted { issuer, why })
            }
            (status @ (200..=299 | 500..), _) => {
                let why = if status < 300 {
                    "its answer is no JSON object".to_owned()
                } else {
                    format!("it answers with status {status}")
                };
                Err(if *method == Method::GET {
                    AaiError::Unavailable { issuer, why }
                } else {
                    AaiError::Unknown { issuer, what, why }
                })
            }
            _ => Err(self.refused(what, answer, sent)),
        }
    }

    /// Whether an answer to a deletion is one of success.
    pub(crate) fn deleted(
        &self,
        what: &'static str,
        answer: &Answer,
        sent: &[&SecretText],
    ) -> Result<(), AaiError> {
        // A success has no body that would have to be read.
        if answer.is_ok() {
            return Ok(());
        }
        self.document(what, &Method::DELETE, answer, sent).map(drop)
    }

    /// The error of a client that is not there, or not for Lathe to see.
    pub(crate) fn lost(&self, registration: &Registration) -> AaiError {
        AaiError::Lost { issuer: self.issuer(), client: registration.client_id.clone() }
    }

    /// The error of an answer that is none of success.
    pub(crate) fn refused(&self, what: &'static str, answer: &Answer, sent: &[&SecretText]) -> AaiError {
        let (issuer, status, told) = (self.issuer(), answer.status, answer.told(sent));
        AaiError::Refused { issuer, what, status, told }
    }

    /// An address that the provider names for credentials; it has to be of the issuer's own origin.
    pub(crate) fn own(&self, text: &str, what: &str) -> Result<Url, AaiError> {
        let untrusted =
            |why: String| AaiError::Untrusted { issuer: self.issuer(), why: format!("{what}: {why}") };
        let url = origin::checked(text).map_err(untrusted)?;
        let own = origin::checked(&self.spec.issuer).map_err(untrusted)?;
        if origin::is_same(&url, &own) {
            Ok(url)
        } else {
            Err(untrusted(format!("it is of another origin, {}", url.origin().ascii_serialization())))
        }
    }
}

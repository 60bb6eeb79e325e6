//! Requests to an `OpenBao` or Vault server: bounded in time and size, tried again where that can help.

use std::error::Error as _;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client as Http, Method, StatusCode, redirect};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::bytes::SecretBytes;
use crate::error::Why;
use crate::mask::Mask;
use crate::node::Node;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is made that could not be answered.
const TRIES: u32 = 5;
/// No request is begun later than this after the first, for one server.
const PATIENCE: Duration = Duration::from_mins(1);
/// After so many requests that were given up, the server is taken for one that is away.
const MOST_GIVEN_UP: usize = 3;
/// All answers of a run together.
const LARGEST_RUN: usize = 128 << 20;
/// The longest that is waited between two tries, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Larger answers hold nothing that a cluster takes.
const LARGEST: usize = 8 << 20;

/// The address of a server in one spelling; refused where a token would be sent in the clear, or elsewhere than it seems.
pub(super) fn checked(address: &str) -> Result<String, Why> {
    let wrong = |told: &str| Why::Policy(format!("the server's address {told}"));
    let parsed = reqwest::Url::parse(address).map_err(|_| wrong("is no URL"))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(wrong("holds a login"));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() || address.contains('\\') {
        return Err(wrong("holds more than a host and a path"));
    }
    let local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if parsed.scheme() != "https" && !(parsed.scheme() == "http" && local) {
        return Err(Why::Tls(
            "the address is no `https://` one; a token would be sent for all to see".to_owned(),
        ));
    }
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}

/// A connection to one server.
pub(super) struct Client {
    http: Http,
    address: String,
    namespace: Option<String>,
    /// How many requests were given up for the server's sake: after some, no more are made.
    given_up: AtomicUsize,
    /// How many bytes were read.
    read: AtomicUsize,
    /// When this run's patience ends.
    ends: Instant,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: SecretBytes,
    sent: Sent,
}

/// What was sent and is not to be told, whoever repeats it.
#[derive(Clone)]
struct Sent(std::sync::Arc<Mask>);

impl Sent {
    fn of(token: Option<&str>, body: Option<&serde_json::Value>) -> Self {
        let texts = body.and_then(serde_json::Value::as_object).into_iter().flat_map(|map| map.values());
        let texts = texts.filter_map(serde_json::Value::as_str).filter(|text| text.len() > 16);
        let all: Vec<SecretBytes> = token.into_iter().chain(texts).map(SecretBytes::from).collect();
        Self(std::sync::Arc::new(Mask::new(&all)))
    }
}

/// What the server says is wrong.
#[derive(Default, Deserialize)]
struct Told {
    #[serde(default)]
    errors: Vec<String>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

impl Client {
    /// A client for an address that was checked; `ca` are PEM certificates to trust in place of the machine's.
    pub(super) fn new(address: &str, ca: Option<&[u8]>, namespace: Option<String>) -> Result<Self, Why> {
        // Whoever has set one before has set one that will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Where a redirect leads is for the pipeline to say, not for a server.
        let mut builder = Http::builder().timeout(TIMEOUT).redirect(redirect::Policy::none());
        if address.starts_with("http://") {
            builder = builder.no_proxy();
        }
        if let Some(pem) = ca {
            let wrong = |_| Why::Tls("the certificates of the authority cannot be read".to_owned());
            let certificates = Certificate::from_pem_bundle(pem).map_err(wrong)?;
            if certificates.is_empty() {
                return Err(Why::Tls("the file of the authority holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder.build().map_err(|_| Why::Tls("the TLS client cannot be set up".to_owned()))?;
        Ok(Self {
            http,
            address: address.to_owned(),
            namespace,
            given_up: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            ends: Instant::now() + PATIENCE,
        })
    }

    /// Makes a request, again where the server is busy or away. `path` is what comes behind `/v1/`, escaped.
    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        namespace: Option<&str>,
        token: Option<&str>,
        body: Option<&serde_json::Value>,
    ) -> Result<Answer, Why> {
        if self.given_up.load(Ordering::Relaxed) >= MOST_GIVEN_UP {
            return Err(Why::Unavailable(format!(
                "{} failed for others before, and was not asked",
                self.address
            )));
        }
        if Instant::now() > self.ends {
            return Err(Why::Unavailable(format!(
                "{} takes too long for all that is asked of it",
                self.address
            )));
        }
        let sent = Sent::of(token, body);
        let mut pause = Duration::from_millis(150);
        for tried in 1.. {
            let (why, asked) = match self.once(method.clone(), path, namespace, token, body, &sent).await {
                Ok((answer, after)) if answer.is_busy() => (answer.why("the server"), after),
                Ok((answer, _)) => return Ok(answer),
                Err(why) => (why, None),
            };
            let jitter = RandomState::new().hash_one(tried) % 100;
            let wait = asked.unwrap_or(pause) + Duration::from_millis(jitter);
            // A login that was sent may have been one, of a secret that is good for one.
            let last = tried >= TRIES || body.is_some() && !matches!(why, Why::RateLimit(_));
            if last || wait > LONGEST_PAUSE || Instant::now() + wait > self.ends || !why.is_outage() {
                self.given_up.fetch_add(usize::from(why.is_outage()), Ordering::Relaxed);
                return Err(why);
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        Err(Why::Unavailable("the server was not asked".to_owned()))
    }

    /// Ends a token: once, and not for long.
    pub(super) async fn revoke(&self, token: &str) {
        let sent = Sent::of(Some(token), None);
        let request = self.once(Method::POST, "auth/token/revoke-self", None, Some(token), None, &sent);
        // What cannot be revoked ends by its time to live.
        let _ = tokio::time::timeout(Duration::from_secs(3), request).await;
    }

    async fn once(
        &self,
        method: Method,
        path: &str,
        namespace: Option<&str>,
        token: Option<&str>,
        body: Option<&serde_json::Value>,
        sent: &Sent,
    ) -> Result<(Answer, Option<Duration>), Why> {
        let mut request = self.http.request(method, format!("{}/v1/{path}", self.address));
        request = request.header("X-Vault-Request", "true");
        if let Some(namespace) = namespace.or(self.namespace.as_deref()) {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(token) = token {
            let mut value = reqwest::header::HeaderValue::from_str(token)
                .map_err(|_| Why::Auth("the token holds what no header can hold".to_owned()))?;
            value.set_sensitive(true);
            request = request.header("X-Vault-Token", value);
        }
        if let Some(body) = body {
            let text = Zeroizing::new(body.to_string());
            request = request.header("Content-Type", "application/json").body(text.as_bytes().to_vec());
        }
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        let after = response.headers().get("Retry-After").and_then(|value| value.to_str().ok()?.parse().ok());
        let status = response.status();
        let mut body = SecretBytes::default();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            let all = self.read.fetch_add(chunk.len(), Ordering::Relaxed);
            if body.expose().len() + chunk.len() > LARGEST || all > LARGEST_RUN {
                return Err(Why::Size(format!(
                    "{} answers with more than {} MiB",
                    self.address,
                    LARGEST >> 20
                )));
            }
            body.push(&chunk);
        }
        Ok((Answer { status, body, sent: sent.clone() }, after.map(Duration::from_secs)))
    }

    /// Why there is no answer; without what was sent.
    fn failed(&self, error: &reqwest::Error) -> Why {
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if inner.is::<rustls::Error>() || text.contains("certificate") {
                return Why::Tls(format!("{}: {text}", self.address));
            }
            cause = inner.source();
        }
        if error.is_builder() {
            return Why::Policy("the request cannot be made: a name in it cannot be sent".to_owned());
        }
        let what = if error.is_timeout() {
            "does not answer in time"
        } else if error.is_connect() {
            "cannot be reached"
        } else {
            "ended the connection"
        };
        Why::Unavailable(format!("{} {what}", self.address))
    }
}

impl Answer {
    /// Whether it may be another one later.
    fn is_busy(&self) -> bool {
        // Of an OpenBao or Vault that has to catch up, or stands by.
        let later = matches!(self.status.as_u16(), 412 | 472 | 473);
        later || self.status == StatusCode::TOO_MANY_REQUESTS || self.status.is_server_error()
    }

    /// What the answer holds.
    pub(super) fn json(&self) -> Result<Node, Why> {
        Node::json(self.body.expose()).map_err(|_| {
            Why::Answer("the server's answer is no JSON, or too deep; is a proxy in between?".to_owned())
        })
    }

    /// What the answer holds, as a type that has no secrets but those it wipes.
    pub(super) fn read<T: for<'a> Deserialize<'a>>(&self) -> Result<T, Why> {
        // serde_json's messages quote what they could not read.
        let wrong = |_| Why::Answer("the server's answer is not the one that was expected".to_owned());
        serde_json::from_slice(self.body.expose()).map_err(wrong)
    }

    /// The first error that the server tells, on one line.
    pub(super) fn told(&self) -> Option<String> {
        let told: Told = serde_json::from_slice(self.body.expose()).unwrap_or_default();
        let first = told.errors.into_iter().chain(told.warnings.into_iter().flatten()).next()?;
        let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(self.sent.0.hide(&line).chars().take(300).collect())
    }

    /// Whether a 404 is the store's own word for what is not there, and no proxy's or router's.
    fn is_stores(&self) -> bool {
        let told = serde_json::from_slice::<Told>(self.body.expose());
        let has_errors =
            self.body.text().is_some_and(|text| text.contains("\"errors\"") || text.contains("\"data\""));
        told.is_ok_and(|told| told.errors.is_empty() && told.warnings.is_none()) && has_errors
    }

    /// Why the answer is none that was hoped for; `what` was asked for.
    pub(super) fn why(&self, what: &str) -> Why {
        let status = self.status;
        let told = self.told().map(|told| format!(": {told}")).unwrap_or_default();
        match status {
            StatusCode::FORBIDDEN => Why::Forbidden(format!("the login may not read {what}")),
            StatusCode::NOT_FOUND if self.is_stores() => Why::NotFound(format!("there is no {what}")),
            StatusCode::TOO_MANY_REQUESTS => Why::RateLimit("the server asks for fewer requests".to_owned()),
            _ if self.is_busy() => Why::Unavailable(format!("the server fails ({}){told}", status.as_u16())),
            _ => Why::Answer(format!("the server answers {} to {what}{told}", status.as_u16())),
        }
    }
}

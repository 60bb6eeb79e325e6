//! Requests to the API server, retried where that is worth it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use kube::Client;
use kube::core::Status;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use crate::connect::{Cluster, told};

/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;

/// The first pause between two attempts; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// The longest pause, whatever the server asks for.
const LONGEST: Duration = Duration::from_secs(10);

/// How often a request is sent whose connection broke.
const CONNECTIONS: u32 = 3;

/// How long a webhook that does not answer is waited for, in the whole run.
const WEBHOOK: Duration = Duration::from_secs(30);

/// What is asked of the server; a text is the body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask<'a> {
    Read,
    /// Names, labels and the like alone, without what the objects hold.
    ReadMetadata,
    /// A server-side apply.
    Apply(&'a str),
    Create(&'a str),
    Replace(&'a str),
    /// A JSON patch (RFC 6902).
    Patch(&'a str),
    /// With delete options.
    Delete(&'a str),
}

/// Why a request had no answer to work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Nobody answered, or not in time, or not in HTTP and TLS.
    #[error("{server} cannot be reached: {why}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// The causes.
        why: String,
    },
    /// The server does not know who asks: no, wrong or expired credentials (401).
    #[error("{server} does not accept the credentials (401 Unauthorized)")]
    Unauthorized {
        /// The server's address.
        server: String,
    },
    /// The kubeconfig's credentials could not be had.
    #[error("the credentials for {server} cannot be had: {why}")]
    Credentials {
        /// The server's address.
        server: String,
        /// Why.
        why: String,
    },
    /// It was not sent, because the run is to end.
    #[error("{0}")]
    Halted(&'static str),
    /// The server answered with an error (RFC 9110 4xx and 5xx).
    #[error("the server answered {}: {}", .0.code, .0.message)]
    Answered(Box<Status>),
}

impl RequestError {
    /// Whether the request certainly changed nothing. Behind an answer of 500 and more somebody may have been at work;
    /// not behind that of a body that makes no object.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Unauthorized { .. } | Self::Credentials { .. } | Self::Halted(_) => true,
            Self::Unreachable { .. } => false,
            Self::Answered(status) => status.code < 500 || status.message.contains("typed patch object"),
        }
    }
}

/// One server and the way to it.
#[derive(Clone)]
pub(crate) struct Requests {
    client: Client,
    server: String,
    known: Arc<Known>,
    halt: Halt,
}

/// What ends a run at the next safe point: nothing new is asked of the server then, and what is under way is heard of.
#[derive(Clone, Debug, Default)]
pub struct Halt {
    why: Arc<OnceLock<&'static str>>,
    /// Until when the run may go on without another word, by the clock that goes on while a machine sleeps.
    until: Arc<Mutex<Option<(Timestamp, &'static str)>>>,
}

impl Halt {
    /// Ends the run; `why` is what is told of it. The first reason counts.
    pub fn now(&self, why: &'static str) {
        let _ = self.why.set(why);
    }

    /// Ends the run after this time, unless it is called again before.
    pub(crate) fn after(&self, until: Timestamp, why: &'static str) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some((until, why));
    }

    /// Why the run is to end, if it is.
    pub fn why(&self) -> Option<&'static str> {
        if self.why.get().is_none()
            && let Some((until, why)) = *self.until.lock().unwrap_or_else(PoisonError::into_inner)
            && Timestamp::now() > until
        {
            self.now(why);
        }
        self.why.get().copied()
    }
}

/// What a run has seen of the server so far.
#[derive(Default)]
struct Known {
    /// There was an answer, so that the server is there and a connection that breaks is worth another.
    answered: OnceLock<()>,
    /// When a webhook failed first.
    webhook: OnceLock<Instant>,
}

impl Requests {
    pub(crate) fn of(cluster: &Cluster) -> Self {
        Self::with(cluster, Halt::default())
    }

    /// Requests of a run that can be ended.
    pub(crate) fn with(cluster: &Cluster, halt: Halt) -> Self {
        let Cluster { client, server, .. } = cluster;
        Self { client: client.clone(), server: server.clone(), known: Arc::default(), halt }
    }

    /// The same, for what is done after the end of the run.
    pub(crate) fn unhalted(&self) -> Self {
        Self { halt: Halt::default(), ..self.clone() }
    }

    pub(crate) fn halt(&self) -> &Halt {
        &self.halt
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The answer's text.
    pub(crate) async fn send(&self, path: &str, ask: Ask<'_>) -> Result<String, RequestError> {
        let mut attempt = 1;
        loop {
            if let Some(why) = self.halt.why() {
                return Err(RequestError::Halted(why));
            }
            let error = match self.client.request_text(request(path, ask)).await {
                Ok(text) => {
                    let _ = self.known.answered.set(());
                    return Ok(text);
                }
                Err(error) => error,
            };
            let pause = PAUSE * 2_u32.pow(attempt - 1);
            let pause = match error {
                kube::Error::Api(status) => {
                    let _ = self.known.answered.set(());
                    let webhook = status.code == 500 && status.message.contains("failed calling webhook");
                    let since = webhook.then(|| self.known.webhook.get_or_init(Instant::now).elapsed());
                    let waits = since.is_some_and(|since| since < WEBHOOK);
                    // Behind 504 it may have been done, and what creates anew would do it twice.
                    let worth = matches!(status.code, 429 | 503)
                        || status.code == 504 && !matches!(ask, Ask::Create(_));
                    let busy = worth && attempt < ATTEMPTS;
                    if !busy && !waits {
                        return Err(self.answered(status));
                    }
                    tracing::info!(code = status.code, attempt, webhook, "the server is busy");
                    let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
                    pause.max(Duration::from_secs(asked.into())).min(LONGEST)
                }
                error => {
                    // What was sent may have taken effect; asking again for the same is harmless, but for what creates anew.
                    let again = !matches!(ask, Ask::Create(_)) && self.known.answered.get().is_some();
                    if !again || attempt >= CONNECTIONS || !is_broken(&error) {
                        return Err(self.lost(&error));
                    }
                    tracing::info!(attempt, "the connection broke");
                    pause
                }
            };
            sleep(pause).await;
            attempt = (attempt + 1).min(ATTEMPTS);
        }
    }

    /// The same; `None` where there is no such thing.
    pub(crate) async fn find(&self, path: &str, ask: Ask<'_>) -> Result<Option<String>, RequestError> {
        match self.send(path, ask).await {
            Ok(text) => Ok(Some(text)),
            Err(RequestError::Answered(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An answer as what was asked for. One that is something else must not pass for one that holds nothing.
    pub(crate) fn parse<T: DeserializeOwned>(&self, text: &str) -> Result<T, RequestError> {
        serde_json::from_str(text).map_err(|_| RequestError::Unreachable {
            server: self.server.clone(),
            why: "its answer is not what was asked for".to_owned(),
        })
    }

    /// What is at a path, if there is something, and what time it is for the server.
    pub(crate) async fn read_at(
        &self,
        path: &str,
    ) -> Result<(Option<String>, Option<Timestamp>), RequestError> {
        let text = self.find(path, Ask::Read).await?;
        let request = request(path, Ask::Read).map(kube::client::Body::from);
        let response = self.client.send(request).await.map_err(|error| self.error(error))?;
        let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        Ok((text, date.map(|date| date.timestamp())))
    }

    /// The error of a request that some other part of the client sent.
    pub(crate) fn error(&self, error: kube::Error) -> RequestError {
        match error {
            kube::Error::Api(status) => self.answered(status),
            error => self.lost(&error),
        }
    }

    fn answered(&self, status: Box<Status>) -> RequestError {
        if status.code == 401 {
            return RequestError::Unauthorized { server: self.server.clone() };
        }
        RequestError::Answered(status)
    }

    fn lost(&self, error: &kube::Error) -> RequestError {
        let server = self.server.clone();
        match error {
            kube::Error::Auth(error) => RequestError::Credentials { server, why: credentials(error) },
            // Its own words name the proxy's address, which may hold a password.
            kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } => {
                RequestError::Unreachable { server, why: "the proxy's protocol is not supported".to_owned() }
            }
            error => RequestError::Unreachable { server, why: cause(error) },
        }
    }
}

/// Why credentials could not be had. What an exec plugin was given and printed may be one, so it is not told.
pub(crate) fn credentials(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError;
    match error {
        AuthError::AuthExecStart(error) => format!("the exec plugin cannot be run: {error}"),
        AuthError::AuthExecRun { out, .. } => format!("the exec plugin failed: {}", out.status),
        AuthError::ReadTokenFile(error, path) => format!("{}: {error}", path.display()),
        AuthError::MissingCommand => "the exec plugin has no command".to_owned(),
        AuthError::ExecMissingClusterInfo => {
            "the exec plugin asks for a cluster that is not there".to_owned()
        }
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            "the exec plugin printed no credentials".to_owned()
        }
        _ => "the kubeconfig's credentials make none that can be sent".to_owned(),
    }
}

/// The innermost causes, which say more than that a service had an error.
fn cause(error: &kube::Error) -> String {
    let whole = told(error);
    let whole = ["ServiceError: ", "HyperError: ", "client error (Connect): "]
        .iter()
        .fold(whole, |text, prefix| text.replacen(prefix, "", 1));
    whole.replace('\n', " ")
}

/// Whether the way to the server broke, and not what was found at its end.
fn is_broken(error: &kube::Error) -> bool {
    matches!(error, kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_))
}

fn request(path: &str, ask: Ask<'_>) -> http::Request<Vec<u8>> {
    let json = "application/json";
    let (method, kind, body) = match ask {
        Ask::Read | Ask::ReadMetadata => (Method::GET, "", ""),
        Ask::Apply(body) => (Method::PATCH, "application/apply-patch+yaml", body),
        Ask::Create(body) => (Method::POST, json, body),
        Ask::Replace(body) => (Method::PUT, json, body),
        Ask::Patch(body) => (Method::PATCH, "application/json-patch+json", body),
        Ask::Delete(body) => (Method::DELETE, json, body),
    };
    let accept = match ask {
        Ask::ReadMetadata => {
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
        }
        _ => json,
    };
    let mut request = http::Request::new(body.as_bytes().to_vec());
    // Paths are made of percent-encoded parts, so this holds; a bad one would ask for `/`, which answers 404.
    *request.uri_mut() = path.parse().unwrap_or_default();
    *request.method_mut() = method;
    let headers = request.headers_mut();
    headers.insert(http::header::ACCEPT, http::HeaderValue::from_static(accept));
    if !kind.is_empty() {
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    }
    request
}

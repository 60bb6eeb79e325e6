//! Requests to the API server, retried where that is worth it.

use std::time::Duration;

use kube::Client;
use kube::core::Status;
use tokio::time::sleep;

use crate::connect::told;

/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;

/// The first pause between two attempts; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// The longest pause, whatever the server asks for.
const LONGEST: Duration = Duration::from_secs(10);

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
    /// The server answered with an error (RFC 9110 4xx and 5xx).
    #[error("the server answered {}: {}", .0.code, .0.message)]
    Answered(Box<Status>),
}

impl RequestError {
    /// Whether the request certainly changed nothing. Behind an answer of 500 and more somebody may have been at work;
    /// not behind that of a body that makes no object.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Unauthorized { .. } | Self::Credentials { .. } => true,
            Self::Unreachable { .. } => false,
            Self::Answered(status) => status.code < 500 || status.message.contains("typed patch object"),
        }
    }
}

/// One server and the way to it.
#[derive(Clone)]
pub(crate) struct Requests {
    pub(crate) client: Client,
    pub(crate) server: String,
}

impl Requests {
    /// The answer's text; `body` makes a server-side apply of it.
    pub(crate) async fn send(&self, path: &str, body: Option<&str>) -> Result<String, RequestError> {
        let mut attempt = 1;
        loop {
            let error = match self.client.request_text(request(path, body)).await {
                Ok(text) => return Ok(text),
                Err(error) => error,
            };
            let kube::Error::Api(status) = error else { return Err(self.lost(&error)) };
            let worth = matches!(status.code, 429 | 503 | 504);
            if !worth || attempt == ATTEMPTS {
                return Err(self.answered(status));
            }
            let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            let pause = PAUSE * 2_u32.pow(attempt - 1);
            tracing::info!(code = status.code, attempt, "the server is busy");
            sleep(pause.max(Duration::from_secs(asked.into())).min(LONGEST)).await;
            attempt += 1;
        }
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

fn request(path: &str, body: Option<&str>) -> http::Request<Vec<u8>> {
    let mut request = http::Request::new(body.unwrap_or_default().as_bytes().to_vec());
    // Paths are made of percent-encoded parts, so this holds; a bad one would ask for `/`, which answers 404.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
    if body.is_some() {
        *request.method_mut() = http::Method::PATCH;
        let json = http::HeaderValue::from_static("application/apply-patch+yaml");
        request.headers_mut().insert(http::header::CONTENT_TYPE, json);
    }
    request
}

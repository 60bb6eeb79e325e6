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
    #[error("{}", .0.message)]
    Answered(Box<Status>),
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
        let (server, why) = (self.server.clone(), cause(error));
        match error {
            // What an exec plugin prints may be a credential, so only that it failed is told.
            kube::Error::Auth(error) => {
                let why = told(error).lines().next().unwrap_or_default().to_owned();
                RequestError::Credentials { server, why }
            }
            _ => RequestError::Unreachable { server, why },
        }
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

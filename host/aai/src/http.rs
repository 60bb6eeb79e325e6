//! Requests to an identity provider: bounded in time and size, to no other origin than the issuer's, and never sent twice where
//! the first may have taken effect.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Method, redirect};
use serde_json::Value;
use tokio::time::sleep;
use zeroize::Zeroizing;

use crate::error::AaiError;
use crate::secret::SecretText;

/// How long one request may take, its answer included.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Larger answers hold nothing that is needed.
const LARGEST: usize = 1 << 20;

/// How often a request is made that reached nobody, or was put off (429).
const TRIES: u32 = 4;

/// The first pause between two tries; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(300);

/// The longest pause, whatever the provider asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The way to one provider.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    /// How messages call it.
    issuer: String,
}

/// One request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    /// What messages call it.
    pub(crate) what: &'static str,
    pub(crate) login: Login<'a>,
    pub(crate) body: Body<'a>,
}

/// What a request carries to be let in.
#[derive(Clone, Copy)]
pub(crate) enum Login<'a> {
    None,
    Bearer(&'a SecretText),
    /// HTTP Basic, form-encoded first (RFC 6749 section 2.3.1).
    Basic(&'a str, &'a SecretText),
}

/// What is sent.
pub(crate) enum Body<'a> {
    None,
    Json(&'a Value),
    Form(&'a [(&'a str, &'a str)]),
    /// A form that is encoded already.
    Encoded(&'a str),
}

/// An answer, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

/// Why there is no answer.
enum Lost {
    /// Nobody has read the request.
    NotSent(String),
    /// Somebody may have.
    Sent(String),
}

impl Http {
    /// `ca` are PEM certificates to trust in place of the machine's. No redirect is followed: where one leads is for the pipeline
    /// to say.
    pub(crate) fn new(issuer: &str, ca: Option<&str>) -> Result<Self, AaiError> {
        // Whoever has set one before has set one that will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none());
        if issuer.starts_with("http://") {
            builder = builder.no_proxy();
        }
        if let Some(pem) = ca {
            let wrong = || {
                AaiError::Settings(format!("the certificates of the authority of {issuer} cannot be read"))
            };
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| wrong())?;
            if certificates.is_empty() {
                return Err(wrong());
            }
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build();
        let client = client.map_err(|_| AaiError::Settings("the TLS client cannot be set up".to_owned()))?;
        Ok(Self { client, issuer: issuer.to_owned() })
    }

    /// Makes a request. It is made again where nobody has read it, or the provider puts it off; and a reading one wherever that helps.
    pub(crate) async fn send(&self, ask: &Ask<'_>) -> Result<Answer, AaiError> {
        let reads = ask.method == Method::GET;
        let mut pause = PAUSE;
        let mut tried = 1;
        loop {
            let last = tried >= TRIES;
            let (why, asked) = match self.once(ask, None).await {
                Ok(answer) => {
                    let busy = answer.status == 429 || reads && matches!(answer.status, 502..=504);
                    if !busy || last {
                        return if busy { Err(self.away(&answer)) } else { Ok(answer) };
                    }
                    (format!("status {}", answer.status), answer.retry_after())
                }
                Err(Lost::Sent(why)) if !reads => {
                    let (issuer, what) = (self.issuer.clone(), ask.what);
                    return Err(AaiError::Unknown { issuer, what, why });
                }
                Err(Lost::NotSent(why) | Lost::Sent(why)) => {
                    if last || why.contains("certificate") {
                        return Err(AaiError::Unavailable { issuer: self.issuer.clone(), why });
                    }
                    (why, None)
                }
            };
            tracing::info!(what = ask.what, why, tried, "asked again");
            sleep(asked.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause *= 2;
            tried += 1;
        }
    }

    fn away(&self, answer: &Answer) -> AaiError {
        let why = format!("it answers with status {}", answer.status);
        AaiError::Unavailable { issuer: self.issuer.clone(), why }
    }

    /// Makes a request of a browser: with cookies, and once.
    pub(crate) async fn send_with(&self, ask: &Ask<'_>, cookies: &str) -> Result<Answer, AaiError> {
        self.once(ask, Some(cookies)).await.map_err(|lost| {
            let (Lost::NotSent(why) | Lost::Sent(why)) = lost;
            AaiError::Unavailable { issuer: self.issuer.clone(), why }
        })
    }

    async fn once(&self, ask: &Ask<'_>, cookies: Option<&str>) -> Result<Answer, Lost> {
        let kind = if cookies.is_some() { "text/html" } else { "application/json" };
        let mut request = self.client.request(ask.method.clone(), ask.url).header("Accept", kind);
        if let Some(cookies) = cookies.filter(|cookies| !cookies.is_empty()) {
            request = request.header("Cookie", cookies);
        }
        let unsent = |_| Lost::NotSent("a credential holds what no header can hold".to_owned());
        let login = match ask.login {
            Login::None => None,
            Login::Bearer(token) => Some(format!("Bearer {}", token.expose())),
            Login::Basic(id, secret) => Some(basic(id, secret)),
        };
        if let Some(login) = login.map(Zeroizing::new) {
            let mut value = HeaderValue::from_str(&login).map_err(unsent)?;
            value.set_sensitive(true);
            request = request.header("Authorization", value);
        }
        request = match &ask.body {
            Body::None => request,
            Body::Json(json) => request.header("Content-Type", "application/json").body(json.to_string()),
            Body::Form(pairs) => {
                request.header("Content-Type", "application/x-www-form-urlencoded").body(form(pairs))
            }
            Body::Encoded(text) => {
                request.header("Content-Type", "application/x-www-form-urlencoded").body((*text).to_owned())
            }
        };
        let lost = |error: reqwest::Error| {
            let why = cause(&error);
            if error.is_connect() || error.is_builder() { Lost::NotSent(why) } else { Lost::Sent(why) }
        };
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| Lost::Sent(cause(&error)))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(Lost::Sent("its answer is larger than 1 MiB".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

impl Answer {
    /// The body as JSON; `None` where it is none.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether it is one of success.
    pub(crate) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What the provider says is wrong: `error` and `error_description` (RFC 6749, RFC 7591), shortened, without what was sent.
    pub(crate) fn told(&self, sent: &[&SecretText]) -> String {
        let json = self.json();
        let text = |name: &str| json.as_ref()?.get(name)?.as_str().map(ToOwned::to_owned);
        let parts: Vec<String> =
            ["error", "error_description", "errorMessage"].iter().filter_map(|name| text(name)).collect();
        let mut told = if parts.is_empty() {
            let kind =
                self.headers.get("Content-Type").and_then(|kind| kind.to_str().ok()).unwrap_or("unknown");
            let kind: String = kind.chars().filter(char::is_ascii_graphic).take(40).collect();
            format!("its answer does not say why ({} bytes of {kind})", self.body.len())
        } else {
            parts.join(": ")
        };
        for secret in sent.iter().filter(|secret| secret.expose().len() > 3) {
            told = told.replace(secret.expose(), "(…)");
        }
        let mut short: String = told.chars().filter(|c| !c.is_control()).take(300).collect();
        if short.len() < told.len() {
            short.push('…');
        }
        short
    }

    fn retry_after(&self) -> Option<Duration> {
        self.headers.get("Retry-After")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
    }
}

/// HTTP Basic of a client (RFC 6749 section 2.3.1).
fn basic(id: &str, secret: &SecretText) -> String {
    use base64::Engine as _;
    let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret.expose())));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()))
}

/// `application/x-www-form-urlencoded`, with `%20` for a space, which every reader takes.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3).
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The innermost cause, without the address, which messages name anyway.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = next.to_string();
        cause = next.source();
    }
    text
}

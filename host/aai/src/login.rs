//! A login as a user of an application would have it: the authorization code flow with PKCE (RFC 6749 section 4.1, RFC 7636), over
//! HTTP, with a provider that has a login form of its own.

mod page;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, Url};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::AaiError;
use crate::http::{Answer, Ask, Body, Http, form};
use crate::intent::AuthMethod;
use crate::origin;
use crate::record::{Record, Registration};
use crate::registration::new_secret;
use crate::secret::SecretText;
use page::{Cookies, Page};

/// How many pages there may be between the first address and the application.
const PAGES: usize = 12;

/// A login to try.
pub struct Login<'a> {
    /// The client.
    pub record: &'a Record,
    /// Where the user is to be sent back to.
    pub redirect_uri: &'a str,
    /// The user.
    pub user: &'a str,
    /// The user's password.
    pub password: &'a SecretText,
    /// Is told of each step when it is done.
    pub tell: &'a dyn Fn(Step, &str),
}

/// The steps of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The issuer's metadata.
    Discovery,
    /// The authorization request (RFC 6749 section 4.1.1).
    Authorization,
    /// The user's name and password.
    Form,
    /// The way back to the application, with a code.
    Redirect,
    /// The code for tokens.
    Token,
    /// Who the user is.
    Userinfo,
}

impl Step {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Authorization => "authorization request",
            Self::Form => "login form",
            Self::Redirect => "redirect to the application",
            Self::Token => "code for tokens",
            Self::Userinfo => "user info",
        }
    }
}

/// Where a login failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the login fails at the {}: {why}", .step.name())]
pub struct LoginError {
    /// At which step.
    pub step: Step,
    /// Why.
    pub why: String,
}

fn at<E: ToString>(step: Step) -> impl Fn(E) -> LoginError {
    move |why| LoginError { step, why: why.to_string() }
}

fn fails<T>(step: Step, why: impl Into<String>) -> Result<T, LoginError> {
    Err(LoginError { step, why: why.into() })
}

impl Login<'_> {
    /// Logs in, and gives what the provider tells of the user, by claim.
    pub async fn run(&self) -> Result<BTreeMap<String, String>, LoginError> {
        let record = self.record;
        let issuer = &record.issuer.issuer;
        let Some(registration) = &record.registration else {
            return fails(Step::Discovery, "the client is not registered");
        };
        let http = Http::new(issuer, record.authority.as_deref()).map_err(at(Step::Discovery))?;
        let discovery =
            crate::discovery::Discovery::read(&http, issuer).await.map_err(at(Step::Discovery))?;
        let endpoint = |field: &str| {
            let missing =
                || LoginError { step: Step::Discovery, why: format!("the issuer names no {field}") };
            discovery.endpoints.get(field).cloned().ok_or_else(missing)
        };
        let (authorization, token) = (endpoint("authorization-endpoint")?, endpoint("token-endpoint")?);
        // The client's secret is for the issuer, and so is the token of the user.
        for url in [Some(&token), discovery.endpoints.get("userinfo-endpoint")].into_iter().flatten() {
            let checked = |text: &str| origin::checked(text).map_err(at(Step::Discovery));
            if !origin::is_same(&checked(url)?, &checked(issuer)?) {
                return fails(
                    Step::Discovery,
                    format!("{url} is of another origin, and secrets are not sent there"),
                );
            }
        }
        (self.tell)(Step::Discovery, issuer);
        let random = || new_secret().map_err(at(Step::Authorization));
        let (state, nonce, verifier) = (random()?, random()?, random()?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()));
        let scope = if record.scopes.is_empty() { "openid".to_owned() } else { record.scopes.join(" ") };
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &registration.client_id),
            ("redirect_uri", self.redirect_uri),
            ("scope", &scope),
            ("state", state.expose()),
            ("nonce", nonce.expose()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if authorization.contains('?') { '&' } else { '?' };
        let back = self.to_code(&http, &format!("{authorization}{joint}{query}")).await?;
        let sent: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
        if let Some(error) = sent.get("error") {
            let more = sent.get("error_description").map(|text| format!(": {text}")).unwrap_or_default();
            return fails(Step::Redirect, format!("{error}{more}"));
        }
        if sent.get("state").map(String::as_str) != Some(state.expose()) {
            return fails(Step::Redirect, "it comes back with another `state` than was sent");
        }
        if sent.get("iss").is_some_and(|iss| iss != issuer) {
            return fails(Step::Redirect, "it comes back from another issuer (RFC 9207)");
        }
        let Some(code) = sent.get("code") else {
            return fails(Step::Redirect, "it comes back without a code");
        };
        (self.tell)(Step::Redirect, self.redirect_uri);
        let tokens = self.redeem(&http, &token, registration, code, &verifier).await?;
        self.check_id_token(&tokens, registration, nonce.expose())?;
        (self.tell)(Step::Token, &token);
        let mut claims = claims(&tokens).unwrap_or_default();
        if let Ok(url) = endpoint("userinfo-endpoint") {
            claims.extend(userinfo(&http, &url, &tokens).await?);
            (self.tell)(Step::Userinfo, &url);
        }
        let shown = claims.into_iter().filter_map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            let technical = ["nonce", "at_hash", "c_hash", "sid", "jti"].contains(&name.as_str());
            (!technical).then_some((name, text))
        });
        Ok(shown.collect())
    }

    /// From the first address over the login form to the address that the application would be called at.
    async fn to_code(&self, http: &Http, first: &str) -> Result<Url, LoginError> {
        let own = origin::checked(&self.record.issuer.issuer).map_err(at(Step::Authorization))?;
        let mut cookies = Cookies::default();
        let mut url = Url::parse(first).map_err(at(Step::Authorization))?;
        let (mut step, mut body) = (Step::Authorization, None);
        for _ in 0..PAGES {
            if !origin::is_same(&url, &own) {
                let elsewhere = url.origin().ascii_serialization();
                return fails(
                    step,
                    format!(
                        "it leads to {elsewhere}, and a password is only given to the issuer's own pages"
                    ),
                );
            }
            let answer = page::fetch(http, &url, &cookies, body.take()).await.map_err(at(step))?;
            cookies.take(&answer);
            if (300..400).contains(&answer.status) {
                let place =
                    answer.headers.get("Location").and_then(|place| place.to_str().ok()).unwrap_or_default();
                let next = url.join(place).map_err(at(step))?;
                if is_back(&next, self.redirect_uri) {
                    return Ok(next);
                }
                url = next;
                continue;
            }
            let page = Page::read(&answer.text());
            if answer.status != 200 {
                return fails(step, format!("status {}{}", answer.status, page.told()));
            }
            if step == Step::Form {
                return fails(
                    step,
                    format!("the name or the password is not accepted, or more is asked{}", page.told()),
                );
            }
            let told = page.told();
            let Some((action, mut fields)) = page.login() else {
                return fails(step, format!("there is no form with a password on the page{told}"));
            };
            (self.tell)(Step::Authorization, url.path());
            url = url.join(&action).map_err(at(step))?;
            step = Step::Form;
            for (name, value) in &mut fields {
                match value {
                    page::Field::User => *value = page::Field::Other(self.user.to_owned()),
                    page::Field::Password => *value = page::Field::Other(self.password.expose().to_owned()),
                    page::Field::Other(_) => {}
                }
                tracing::debug!(name, "a field of the login form");
            }
            let pairs: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.text())).collect();
            body = Some(form(&pairs));
        }
        fails(step, "it leads from page to page")
    }

    async fn redeem(
        &self,
        http: &Http,
        url: &str,
        registration: &Registration,
        code: &str,
        verifier: &SecretText,
    ) -> Result<Value, LoginError> {
        let step = Step::Token;
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri),
            ("code_verifier", verifier.expose()),
        ];
        let none = SecretText::default();
        let secret = registration.client_secret.as_ref().unwrap_or(&none);
        let id = registration.client_id.as_str();
        let login = match self.record.auth_method {
            AuthMethod::ClientSecretBasic => crate::http::Login::Basic(id, secret),
            AuthMethod::ClientSecretPost => {
                pairs.extend([("client_id", id), ("client_secret", secret.expose())]);
                crate::http::Login::None
            }
            AuthMethod::None => {
                pairs.push(("client_id", id));
                crate::http::Login::None
            }
        };
        let ask = Ask {
            method: Method::POST,
            url,
            what: "the exchange of a code",
            login,
            body: Body::Form(&pairs),
        };
        let answer = http.send(&ask).await.map_err(at(step))?;
        match answer.json() {
            Some(tokens) if answer.is_ok() => Ok(tokens),
            _ => fails(step, format!("status {}: {}", answer.status, answer.told(&[secret, verifier]))),
        }
    }

    /// What an application has to check (`OpenID` Connect Core 1.0 section 3.1.3.7). The token comes from the provider itself, by TLS, so
    /// its signature says no more.
    fn check_id_token(
        &self,
        tokens: &Value,
        registration: &Registration,
        nonce: &str,
    ) -> Result<(), LoginError> {
        let asked = self.record.scopes.is_empty() || self.record.scopes.iter().any(|scope| scope == "openid");
        let Some(claims) = claims(tokens) else {
            return if asked { fails(Step::Token, "there is no id token that can be read") } else { Ok(()) };
        };
        let is_for = |audience: &Value| match audience {
            Value::String(one) => *one == registration.client_id,
            Value::Array(all) => all.iter().any(|one| *one == registration.client_id.as_str()),
            _ => false,
        };
        if claims.get("iss").and_then(Value::as_str) != Some(&self.record.issuer.issuer) {
            return fails(Step::Token, "the id token is of another issuer");
        }
        if !claims.get("aud").is_some_and(is_for) {
            return fails(Step::Token, "the id token is for another client");
        }
        if claims.get("nonce").and_then(Value::as_str) != Some(nonce) {
            return fails(Step::Token, "the id token is of another login (nonce)");
        }
        Ok(())
    }
}

async fn userinfo(
    http: &Http,
    url: &str,
    tokens: &Value,
) -> Result<serde_json::Map<String, Value>, LoginError> {
    let step = Step::Userinfo;
    let token: SecretText = tokens.get("access_token").and_then(Value::as_str).unwrap_or_default().into();
    let login = crate::http::Login::Bearer(&token);
    let ask = Ask { method: Method::GET, url, what: "user info", login, body: Body::None };
    let answer: Answer = http.send(&ask).await.map_err(|error: AaiError| at(step)(error))?;
    match answer.json() {
        Some(Value::Object(claims)) if answer.is_ok() => Ok(claims),
        _ => fails(step, format!("status {}: {}", answer.status, answer.told(&[&token]))),
    }
}

/// The claims of the id token (RFC 7519 section 3).
fn claims(tokens: &Value) -> Option<serde_json::Map<String, Value>> {
    let body = tokens.get("id_token")?.as_str()?.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

/// Whether an address is the application's, with what the provider adds to it.
fn is_back(url: &Url, redirect_uri: &str) -> bool {
    let Ok(wanted) = Url::parse(redirect_uri) else { return false };
    origin::is_same(url, &wanted) && url.path() == wanted.path()
}

//! An identity provider that does what it is told: RFC 7591 and 7592 in memory, and whatever else a test wants of an answer.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::Request;

/// What becomes of one request.
pub enum Turn {
    /// As it should.
    Fine,
    /// This status and body, of this content type.
    Say(u16, &'static str, String),
    /// A redirect.
    Elsewhere(String),
    /// What it should do is done, and nothing is answered.
    Hang,
    /// What it should do is done, and a byte of the answer comes now and then.
    Drip,
    /// What it should do is done, and its document is changed.
    Change(fn(&mut Value, &str)),
}

/// What has happened at the provider.
#[derive(Default)]
pub struct Seen {
    /// Method and path, of each request.
    pub asked: Vec<String>,
    /// The whole head of each request.
    pub heads: Vec<String>,
    /// The documents of the clients, by id, each with its token.
    pub clients: BTreeMap<String, (Value, String)>,
    /// All tokens and secrets that were ever given.
    pub given: Vec<String>,
    made: usize,
}

type Judge = dyn Fn(&str, usize) -> Turn + Send + Sync;

pub struct Provider {
    pub issuer: String,
    pub seen: Arc<Mutex<Seen>>,
    judge: Arc<Mutex<Box<Judge>>>,
}

/// How the provider changes a client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// What is left out stays.
    Merges,
    /// What is left out goes.
    Replaces,
}

impl Provider {
    pub fn start() -> Self {
        Self::with(Put::Replaces)
    }

    pub fn with(put: Put) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let fine: Box<Judge> = Box::new(|_, _| Turn::Fine);
        let judge = Arc::new(Mutex::new(fine));
        let (own, shared, judges) = (issuer.clone(), seen.clone(), judge.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (issuer, seen, judge) = (own.clone(), shared.clone(), judges.clone());
                std::thread::spawn(move || serve(stream, &issuer, put, &seen, &judge));
            }
        });
        Self { issuer, seen, judge }
    }

    /// Decides about each request by its first line (`POST /register`) and how many of that line there were before.
    pub fn judge(&self, judge: impl Fn(&str, usize) -> Turn + Send + Sync + 'static) {
        *self.judge.lock().unwrap() = Box::new(judge);
    }

    /// How many requests began so.
    pub fn count(&self, start: &str) -> usize {
        self.seen.lock().unwrap().asked.iter().filter(|line| line.starts_with(start)).count()
    }

    /// The clients that are registered.
    pub fn clients(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clients.values().map(|(document, _)| document.clone()).collect()
    }
}

fn serve(
    mut client: TcpStream,
    issuer: &str,
    put: Put,
    seen: &Mutex<Seen>,
    judge: &Mutex<Box<Judge>>,
) -> Option<()> {
    // Connections are kept open by the other side.
    loop {
        let request = Request::read(&mut client)?;
        let line = request.head.lines().next()?.to_owned();
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let line = format!("{method} {path}");
        let before = {
            let mut seen = seen.lock().unwrap();
            let before = seen.asked.iter().filter(|own| **own == line).count();
            seen.asked.push(line.clone());
            seen.heads.push(request.head.clone());
            before
        };
        let turn = judge.lock().unwrap()(&line, before);
        let drips = matches!(turn, Turn::Drip);
        let (status, kind, body, more) = match turn {
            Turn::Say(status, kind, body) => (status, kind, body, String::new()),
            Turn::Elsewhere(place) => (302, "text/html", String::new(), format!("Location: {place}\r\n")),
            Turn::Fine | Turn::Hang | Turn::Drip | Turn::Change(_) => {
                let (status, mut document) =
                    fine(&method, &path, &request, issuer, put, &mut seen.lock().unwrap());
                if let Turn::Change(change) = turn {
                    change(&mut document, issuer);
                }
                let body = if document.is_null() { String::new() } else { document.to_string() };
                if matches!(turn, Turn::Hang) {
                    std::thread::sleep(Duration::from_mins(1));
                    return None;
                }
                (status, "application/json", body, String::new())
            }
        };
        let more = if status == 429 { format!("{more}Retry-After: 1\r\n") } else { more };
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\n{more}Content-Length: {}\r\n\r\n",
            body.len()
        );
        client.write_all(head.as_bytes()).ok()?;
        if drips {
            for byte in body.as_bytes() {
                client.write_all(&[*byte]).ok()?;
                std::thread::sleep(Duration::from_millis(500));
            }
        }
        client.write_all(body.as_bytes()).ok()?;
    }
}

fn fine(
    method: &str,
    path: &str,
    request: &Request,
    issuer: &str,
    put: Put,
    seen: &mut Seen,
) -> (u16, Value) {
    let token = request.head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("authorization").then(|| value.trim_start_matches("Bearer ").to_owned())
    });
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    let id = path.strip_prefix("/register/").map(ToOwned::to_owned);
    match (method, path, id) {
        ("GET", "/.well-known/openid-configuration", _) => (
            200,
            json!({
                "issuer": issuer,
                "authorization_endpoint": format!("{issuer}/auth"),
                "token_endpoint": format!("{issuer}/token"),
                "userinfo_endpoint": format!("{issuer}/userinfo"),
                "registration_endpoint": format!("{issuer}/register"),
            }),
        ),
        ("POST", "/register", _) => {
            seen.made += 1;
            let (id, secret, token) = (
                format!("id-{}", seen.made),
                format!("secret-of-{}-abcdefgh", seen.made),
                format!("token-of-{}-abcdefgh", seen.made),
            );
            let mut document = body;
            document["client_id"] = id.as_str().into();
            document["client_secret"] = secret.as_str().into();
            document["client_secret_expires_at"] = 0.into();
            seen.given.extend([secret, token.clone()]);
            seen.clients.insert(id.clone(), (document.clone(), token.clone()));
            (201, told(document, &id, &token, issuer))
        }
        (_, _, Some(id)) => {
            let Some((document, own)) = seen.clients.get(&id).cloned() else {
                return (401, json!({"error": "invalid_token"}));
            };
            if token.as_deref() != Some(own.as_str()) {
                return (401, json!({"error": "invalid_token"}));
            }
            match method {
                "GET" => (200, told(document, &id, &own, issuer)),
                "DELETE" => {
                    seen.clients.remove(&id);
                    (204, Value::Null)
                }
                _ => {
                    let mut next = if put == Put::Merges { document.clone() } else { json!({}) };
                    for (name, value) in body.as_object().into_iter().flatten() {
                        next[name] = value.clone();
                    }
                    next["client_secret"] = document["client_secret"].clone();
                    // Each change gives another token.
                    let token = format!("{own}-x");
                    seen.given.push(token.clone());
                    seen.clients.insert(id.clone(), (next.clone(), token.clone()));
                    (200, told(next, &id, &token, issuer))
                }
            }
        }
        _ => (404, json!({"error": "not_found"})),
    }
}

fn told(mut document: Value, id: &str, token: &str, issuer: &str) -> Value {
    document["registration_access_token"] = token.into();
    document["registration_client_uri"] = format!("{issuer}/register/{id}").into();
    document
}

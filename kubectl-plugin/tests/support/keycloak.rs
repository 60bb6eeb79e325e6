//! A Keycloak of a test's own: its database in a folder of its own, on loopback, with the realm `aai`.
#![allow(clippy::panic, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "the environment says where the program is")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::proxy::{Deed, Judge, serve_judged};

/// The account that may manage clients, its secret, the test user and his password: all of the realm's file.
pub const BOT: &str = "lathe-bot";
pub const USER: &str = "alice";
pub const PASSWORD: &str = "example-only";

/// How long it may take to start; measured are 6 s on an idle machine.
const LONGEST: Duration = Duration::from_mins(2);

pub struct Keycloak {
    /// Where it says to be; requests there may be judged before it sees them.
    pub port: u16,
    judge: Arc<Mutex<Arc<Judge>>>,
    process: Child,
    folder: TempDir,
}

/// An answer: status, headers, body.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}: {}", self.status, self.body))
    }
}

impl Keycloak {
    pub fn start() -> Self {
        let tool = std::env::var("LATHE_TEST_KEYCLOAK").unwrap();
        let tool = Path::new(&tool);
        let folder = tempfile::Builder::new().prefix("lathe-keycloak-").tempdir().unwrap();
        let own = folder.path();
        for name in ["data/h2", "data/log", "tmp"] {
            fs::create_dir_all(own.join(name)).unwrap();
        }
        for name in ["lib", "providers", "conf", "themes"] {
            symlink(tool.join("keycloak").join(name), own.join(name)).unwrap();
        }
        let database = own.join("data/h2/keycloakdb.mv.db");
        fs::copy(tool.join("seed/keycloakdb.mv.db"), &database).unwrap();
        fs::set_permissions(&database, fs::Permissions::from_mode(0o600)).unwrap();
        let inner = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let front = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = front.local_addr().unwrap().port();
        let pass: Arc<Judge> = Arc::new(|_: &str| Deed::Pass);
        let judge = Arc::new(Mutex::new(pass));
        let judges = judge.clone();
        std::thread::spawn(move || {
            for stream in front.incoming().flatten() {
                let judge = judges.lock().unwrap().clone();
                std::thread::spawn(move || {
                    serve_judged(stream, &format!("127.0.0.1:{inner}"), judge.as_ref())
                });
            }
        });
        let home = own.display();
        let log = fs::File::create(own.join("log")).unwrap();
        let mut java = Command::new("java");
        java.args(["-Xms64m", "-Xmx384m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"])
            .args(["-Dfile.encoding=UTF-8", "-Djava.net.preferIPv4Stack=true", "-Duser.language=en"])
            .arg("-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory")
            .args(["java.util", "java.util.concurrent", "java.security", "java.lang"].map(|name| format!("--add-opens=java.base/{name}=ALL-UNNAMED")))
            .arg("-Djava.util.logging.manager=org.jboss.logmanager.LogManager")
            .arg(format!("-Djava.io.tmpdir={home}/tmp"))
            .arg(format!("-Dkc.home.dir={home}"))
            .arg(format!("-Djboss.server.config.dir={home}/conf"))
            .arg("-Dpicocli.disable.closures=true")
            .arg("-cp")
            .arg(tool.join("keycloak/lib/quarkus-run.jar"))
            .args(["io.quarkus.bootstrap.runner.QuarkusEntryPoint", "start", "--optimized", "--cache=local", "--http-enabled=true", "--http-host=127.0.0.1"])
            .arg(format!("--http-port={inner}"))
            .arg(format!("--hostname=http://127.0.0.1:{port}"))
            .current_dir(own)
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", own)
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut keycloak = Self { port, judge, process: java.spawn().unwrap(), folder };
        let started = Instant::now();
        loop {
            if keycloak
                .try_send("GET", "/realms/aai/.well-known/openid-configuration", &[], "")
                .is_some_and(|reply| reply.status == 200)
            {
                return keycloak;
            }
            let ended = keycloak.process.try_wait().unwrap().is_some();
            if ended || started.elapsed() > LONGEST {
                let log = fs::read_to_string(keycloak.folder.path().join("log")).unwrap_or_default();
                panic!("Keycloak does not start: {log}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Decides about each request by its first line.
    pub fn judged(&self, judge: impl Fn(&str) -> Deed + Send + Sync + 'static) {
        *self.judge.lock().unwrap() = Arc::new(judge);
    }

    /// The server's address.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The issuer of the realm.
    pub fn issuer(&self) -> String {
        format!("{}/realms/aai", self.address())
    }

    fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Reply> {
        send(&format!("127.0.0.1:{}", self.port), method, path, headers, body)
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.try_send(method, path, headers, body).unwrap()
    }

    /// A request with JSON, by the account.
    pub fn asked(&self, method: &str, path: &str, body: &Value) -> Reply {
        let login = format!("Bearer {}", self.token());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &[("Authorization", &login), ("Content-Type", "application/json")], &body)
    }

    /// An access token of the account.
    pub fn token(&self) -> String {
        let form = format!("grant_type=client_credentials&client_id={BOT}&client_secret={PASSWORD}");
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        let reply = self.send("POST", "/realms/aai/protocol/openid-connect/token", &kind, &form);
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// An initial access token that is good for this many registrations.
    pub fn initial_token(&self, count: u32) -> String {
        let body = json!({"count": count, "expiration": 3600});
        let reply = self.asked("POST", "/admin/realms/aai/clients-initial-access", &body);
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    /// All clients that carry Lathe's marker.
    pub fn clients(&self) -> Vec<Value> {
        let reply = self.asked("GET", "/admin/realms/aai/clients?first=0&max=500", &Value::Null);
        let Value::Array(all) = reply.json() else { panic!("{}", reply.body) };
        all.into_iter()
            .filter(|client| client["name"].as_str().is_some_and(|name| name.contains("[lathe:")))
            .collect()
    }

    /// The clients whose redirect URIs are on this host.
    pub fn clients_of(&self, host: &str) -> Vec<Value> {
        let on = |client: &Value| {
            client["redirectUris"]
                .as_array()
                .is_some_and(|all| all.iter().any(|uri| uri.as_str().is_some_and(|uri| uri.contains(host))))
        };
        self.clients().into_iter().filter(on).collect()
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One request, its answer read to the end of the connection.
pub fn send(server: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<Reply> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    // Of HTTP 1.0, which knows no chunks.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {server}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).ok()?;
    let whole = String::from_utf8_lossy(&whole).into_owned();
    let (head, body) = whole.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Reply { status, head: head.to_owned(), body: body.to_owned() })
}

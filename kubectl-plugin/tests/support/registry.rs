//! A registry of the CNCF's, on a port of its own, with or without a password.
#![allow(clippy::disallowed_methods, reason = "a test is told by its environment where its tools are")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Who may use the registry.
pub enum User {
    Anyone,
    Tester,
}

/// The password of `tester`, of this test's registry alone.
pub const PASSWORD: &str = "secret";
/// User and password as Docker keeps them.
pub const AUTH: &str = "dGVzdGVyOnNlY3JldA==";
const HTPASSWD: &str = "tester:$2a$04$sRvxgWLPgqnwLKG96UFNAOtCFgAeGi4ZcZuf5zlTDOJE1Gm9zSpUa\n";

pub struct Registry {
    pub address: String,
    folder: tempfile::TempDir,
    process: Child,
}

impl Registry {
    pub fn start(user: &User) -> Self {
        let program = std::env::var("LATHE_TEST_REGISTRY").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // Free now; that another program takes it within a moment is unlikely.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let auth = match user {
            User::Anyone => String::new(),
            User::Tester => {
                format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", path("htpasswd").display())
            }
        };
        fs::write(path("htpasswd"), HTPASSWD).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}, maintenance: {{uploadpurging: {{enabled: false}}}}}}\nhttp: {{addr: \"{address}\", relativeurls: true}}\n{auth}",
            path("data").display()
        );
        fs::write(path("config.yml"), config).unwrap();
        let process = Command::new(program)
            .arg("serve")
            .arg(path("config.yml"))
            .env_clear()
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(fs::File::create(path("log")).unwrap())
            .spawn()
            .unwrap();
        let registry = Self { address, folder, process };
        let started = Instant::now();
        while TcpStream::connect(&registry.address).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "{}",
                fs::read_to_string(registry.folder.path().join("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        registry
    }

    /// Where it keeps its data.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A registry that knows fewer media types, as GitLab's does: it stands before another and answers for it where those are used.
pub struct Narrow {
    pub address: String,
}

impl Narrow {
    pub fn before(registry: &Registry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let behind = registry.address.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let behind = behind.clone();
                std::thread::spawn(move || pass(stream, &behind));
            }
        });
        Self { address }
    }
}

/// One request and its answer; the connection is closed after it.
fn pass(client: TcpStream, behind: &str) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, mut length, mut chunked) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        chunked |= lower.starts_with("transfer-encoding:");
        if line == "\r\n" {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    assert!(!chunked, "{head}");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut client = client;
    if String::from_utf8_lossy(&body).contains("vnd.wasm.config.v0+json") {
        let told = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"manifest invalid","detail":"unknown media type: application/vnd.wasm.config.v0+json"}]}"#.replace("manifest invalid", "unknown media type");
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{told}",
            told.len()
        );
        return client.write_all(answer.as_bytes()).ok();
    }
    let mut upstream = TcpStream::connect(behind).ok()?;
    upstream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).ok()?;
    upstream.write_all(&body).ok()?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).ok()?;
    client.write_all(&answer).ok()
}

//! A real `OpenBao` in memory, on a port of its own, and a way to it that counts and spoils requests.
#![allow(clippy::disallowed_methods, reason = "a test is told by its environment where its tools are")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::http::{Request, answer};
use super::{Place, Run, finish};

/// The root token of a test's own server.
pub const ROOT: &str = "root-of-a-test";

pub struct Bao {
    pub address: String,
    program: String,
    pub place: Place,
    process: Child,
}

impl Bao {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with a certificate of an authority of its own, which lies in `ca()`.
    pub fn with_tls() -> Self {
        Self::with(&["-dev-tls"])
    }

    fn with(flags: &[&str]) -> Self {
        let program = std::env::var("LATHE_TEST_BAO").unwrap();
        let place = Place::new();
        // Free now; that another program takes it within a moment is unlikely.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let scheme = if flags.is_empty() { "http" } else { "https" };
        let mut command = Command::new(&program);
        command.args(["server", "-dev", "-dev-no-store-token"]).args(flags);
        command
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        if !flags.is_empty() {
            fs::create_dir(place.path("tls")).unwrap();
            command.arg(format!("-dev-tls-cert-dir={}", place.path("tls").display()));
        }
        let process = command
            .env_clear()
            .env("HOME", place.folder.path())
            .stdout(fs::File::create(place.path("out")).unwrap())
            .stderr(fs::File::create(place.path("err")).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let bao = Self { address: format!("{scheme}://127.0.0.1:{port}"), program, place, process };
        let started = Instant::now();
        while bao.run(&["status"], "").code != 0 {
            let err = fs::read_to_string(bao.place.path("err")).unwrap();
            assert!(started.elapsed() < Duration::from_secs(30), "{err}");
            std::thread::sleep(Duration::from_millis(50));
        }
        bao
    }

    /// The certificate of the authority.
    pub fn ca(&self) -> PathBuf {
        let folder = fs::read_dir(self.place.path("tls")).unwrap().flatten().map(|entry| entry.path());
        folder.into_iter().find(|path| path.to_string_lossy().contains("-ca")).unwrap()
    }

    pub fn run(&self, arguments: &[&str], stdin: &str) -> Run {
        self.run_as(ROOT, arguments, stdin)
    }

    fn run_as(&self, token: &str, arguments: &[&str], stdin: &str) -> Run {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().env("HOME", self.place.folder.path());
        command.env("BAO_ADDR", &self.address).env("BAO_TOKEN", token);
        if self.address.starts_with("https") {
            command.env("BAO_SKIP_VERIFY", "true");
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Who reads nothing of its input may be gone.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        finish(child.wait_with_output().unwrap())
    }

    /// Standard output of a command that has to succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.with_body(arguments, "")
    }

    /// The same, with a body.
    pub fn with_body(&self, arguments: &[&str], body: &str) -> String {
        let run = self.run(arguments, body);
        assert_eq!(run.code, 0, "bao {arguments:?}: {}", run.stderr);
        run.stdout
    }

    /// Posts to the API, without a process of its own.
    pub fn post(&self, path: &str, body: &str) {
        let mut server = TcpStream::connect(self.address.trim_start_matches("http://")).unwrap();
        let length = body.len();
        write!(server, "POST /v1/{path} HTTP/1.1\r\nhost: bao\r\nx-vault-token: {ROOT}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        server.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    }

    /// A token under a policy, which is made of its rules.
    pub fn token(&self, name: &str, rules: &str) -> String {
        self.policy(name, rules);
        self.ok(&["token", "create", &format!("-policy={name}"), "-field=token"]).trim().to_owned()
    }

    pub fn policy(&self, name: &str, rules: &str) {
        self.with_body(&["policy", "write", name, "-"], rules);
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.ok(&["list", "-format=json", "auth/token/accessors"]).matches('"').count() / 2
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// What becomes of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The first so many reads are answered with a status.
    First(usize, u16),
    /// All reads are answered with a status.
    Always(u16),
    /// Every other connection is closed without an answer.
    HalfDead,
    /// Nothing is answered.
    Silent,
}

/// A way to a server.
pub struct Front {
    pub address: String,
    state: Arc<Mutex<State>>,
}

struct State {
    fault: Fault,
    requests: Vec<String>,
    met: usize,
}

impl Front {
    pub fn start(bao: &Bao, fault: Fault) -> Self {
        let upstream = bao.address.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { fault, requests: Vec::new(), met: 0 }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (upstream, state) = (upstream.clone(), shared.clone());
                std::thread::spawn(move || serve(stream, &upstream, &state));
            }
        });
        Self { address, state }
    }

    pub fn set(&self, fault: Fault) {
        let mut state = self.state.lock().unwrap();
        state.fault = fault;
        state.met = 0;
        state.requests.clear();
    }

    /// Method and path of each request since the fault was set.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

fn serve(mut client: TcpStream, upstream: &str, state: &Mutex<State>) -> Option<()> {
    let request = Request::read(&mut client)?;
    let first = request.head.lines().next()?.to_owned();
    let is_read = first.starts_with("GET ") && !first.contains("/sys/");
    let (fault, met) = {
        let mut state = state.lock().unwrap();
        state.requests.push(first.trim_end_matches(" HTTP/1.1").to_owned());
        state.met += usize::from(is_read);
        (state.fault, state.met)
    };
    let spoilt = r#"{"errors":["spoilt"]}"#;
    match fault {
        Fault::First(count, code) if is_read && met <= count => return answer(&mut client, code, spoilt),
        Fault::Always(code) if is_read => return answer(&mut client, code, spoilt),
        Fault::HalfDead if met % 2 == 1 => return None,
        Fault::Silent => {
            std::thread::sleep(Duration::from_mins(1));
            return None;
        }
        _ => {}
    }
    client.write_all(&request.forward(upstream)?).ok()
}

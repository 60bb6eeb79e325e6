//! An API server that spoils some of its answers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::cluster::Cluster;
use super::http::{Request, answer};

/// What the proxy does to an apply that is no dry run.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Answers itself.
    Status(u16),
    /// Lets the first pass and answers the second itself.
    StatusOnce(u16),
    /// Lets it pass, and answers with this instead.
    AfterStatus(u16),
    /// Lets it pass, and closes the connection.
    Close,
}

/// What becomes of one request.
pub enum Deed {
    Pass,
    /// It is answered, and not passed on.
    Answer(u16, String),
    /// The connection ends before it is passed on.
    Cut,
    /// It is passed on, and then this is done before the answer is.
    Then(Box<dyn FnOnce() + Send>),
    /// It is passed on, and its answer takes this long.
    Slow(std::time::Duration),
}

/// Decides about each request, by its first line.
pub type Judge = dyn Fn(&str) -> Deed + Send + Sync;

/// Serves one connection; `None` where it ended early.
type Work = dyn Fn(TcpStream, &str) -> Option<()> + Send + Sync;

/// The API server without TLS (`kubectl proxy`), and something before it that spoils answers.
pub struct Proxy {
    pub address: String,
    state: Arc<Mutex<(Fault, usize)>>,
    behind: Child,
}

impl Proxy {
    pub fn start(cluster: &Cluster) -> Self {
        let state = Arc::new(Mutex::new((Fault::Close, 0)));
        let shared = state.clone();
        Self::serve(
            cluster,
            state,
            Arc::new(move |stream: TcpStream, upstream: &str| serve(stream, upstream, &shared)),
        )
    }

    /// One that asks about every request.
    pub fn judged(cluster: &Cluster, judge: impl Fn(&str) -> Deed + Send + Sync + 'static) -> Self {
        let judge: Arc<Judge> = Arc::new(judge);
        let state = Arc::new(Mutex::new((Fault::Close, 0)));
        Self::serve(
            cluster,
            state,
            Arc::new(move |stream: TcpStream, upstream: &str| serve_judged(stream, upstream, judge.as_ref())),
        )
    }

    fn serve(cluster: &Cluster, state: Arc<Mutex<(Fault, usize)>>, work: Arc<Work>) -> Self {
        let mut behind = Command::new(&cluster.kubectl)
            .args(["--kubeconfig", &cluster.kubeconfig, "proxy", "--port=0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(behind.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let upstream = line.trim().rsplit(' ').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (upstream, work) = (upstream.clone(), work.clone());
                std::thread::spawn(move || work(stream, &upstream));
            }
        });
        Self { address, state, behind }
    }

    pub fn inject(&self, fault: Fault) {
        *self.state.lock().unwrap() = (fault, 0);
    }

    /// How many requests met the fault since it was set.
    pub fn injected(&self) -> usize {
        self.state.lock().unwrap().1
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.behind.kill().unwrap();
        self.behind.wait().unwrap();
    }
}

fn serve(mut client: TcpStream, upstream: &str, state: &Mutex<(Fault, usize)>) -> Option<()> {
    let request = Request::read(&mut client)?;
    let real = request.head.starts_with("PATCH ") && !request.head.contains("dryRun");
    let fault = real.then(|| {
        let mut state = state.lock().unwrap();
        state.1 += 1;
        *state
    });
    let spoil = |client: &mut TcpStream, code: u16| {
        let status = format!(
            r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"spoilt","code":{code}}}"#
        );
        answer(client, code, &status)
    };
    if let Some((Fault::Status(code), _) | (Fault::StatusOnce(code), 2..)) = fault {
        return spoil(&mut client, code);
    }
    let whole = request.forward(upstream)?;
    match fault {
        Some((Fault::AfterStatus(code), _)) => spoil(&mut client, code),
        Some((Fault::Close, _)) => None,
        _ => client.write_all(&whole).ok(),
    }
}

pub fn serve_judged(mut client: TcpStream, upstream: &str, judge: &Judge) -> Option<()> {
    let request = Request::read(&mut client)?;
    match judge(request.head.lines().next().unwrap_or_default()) {
        Deed::Answer(code, body) => answer(&mut client, code, &body),
        Deed::Cut => None,
        Deed::Pass => client.write_all(&request.forward(upstream)?).ok(),
        Deed::Then(deed) => {
            let whole = request.forward(upstream)?;
            deed();
            client.write_all(&whole).ok()
        }
        Deed::Slow(time) => {
            let whole = request.forward(upstream)?;
            std::thread::sleep(time);
            client.write_all(&whole).ok()
        }
    }
}

/// A failure as the API server tells it.
pub fn failure(code: u16, message: &str) -> Deed {
    let body = format!(
        r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","message":"{message}","code":{code}}}"#
    );
    Deed::Answer(code, body)
}

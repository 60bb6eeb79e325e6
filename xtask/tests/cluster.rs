//! The test cluster leaves nothing behind, however its run ends.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A run with a cluster: itself, its folder, its servers' pids.
struct Run {
    child: Child,
    folder: PathBuf,
    servers: Vec<String>,
}

fn start() -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("cluster")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let folder = Path::new(line.trim().split_once('=').unwrap().1).parent().unwrap().to_owned();
    let files = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    let pids = files.filter(|path| path.extension().is_some_and(|ending| ending == "pid"));
    let servers: Vec<String> = pids.map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(servers.len(), 3);
    Run { child, folder, servers }
}

impl Run {
    fn end(&mut self, signal: &str) {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap();
    }

    /// How many of the servers still run a program; one that ended and that nobody asked about has none.
    fn running(&self) -> usize {
        self.servers.iter().filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok()).count()
    }
}

#[test]
#[ignore = "needs the servers: cargo xtask test"]
fn a_cluster_ends_with_its_run() {
    for signal in ["-INT", "-TERM"] {
        let mut run = start();
        assert_eq!(run.running(), 3);
        run.end(signal);
        assert_eq!(run.running(), 0, "{signal}");
        assert!(!run.folder.exists(), "{signal}");
    }
    // Nobody can clean up after this but the next run.
    let mut killed = start();
    killed.end("-KILL");
    assert_eq!(killed.running(), 3);
    let mut next = start();
    assert_eq!(killed.running(), 0);
    assert!(!killed.folder.exists());
    next.end("-INT");
}

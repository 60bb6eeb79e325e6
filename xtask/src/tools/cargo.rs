//! Programs from crates; the lock file that a crate is published with pins the rest by checksum.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Tool, said};
use crate::process::cargo;

/// A program that a crate holds.
pub(crate) struct Crate {
    name: &'static str,
    version: &'static str,
    /// Further arguments for `cargo install`.
    features: &'static [&'static str],
}

/// Checks licences, sources and duplicates.
pub(crate) const CARGO_DENY: Crate = Crate { name: "cargo-deny", version: "0.20.2", features: &[] };

/// Builds the book; its server and watcher are left out.
pub(crate) const MDBOOK: Crate =
    Crate { name: "mdbook", version: "0.5.4", features: &["--no-default-features", "--features=search"] };

impl Crate {
    /// The program, where it is or would be.
    pub(crate) fn program(&self) -> anyhow::Result<PathBuf> {
        Ok(self.place()?.join("bin").join(self.name))
    }
}

impl Tool for Crate {
    fn name(&self) -> &'static str {
        self.name
    }

    fn pins(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let compiler = said(cargo(&["--version"]))?;
        let words = [self.version].into_iter().chain(self.features.iter().copied());
        Ok(words.map(Into::into).chain([compiler]).collect())
    }

    fn commands(&self, work: &Path) -> Vec<Command> {
        let mut install = cargo(&["install", "--locked", "--version", self.version, self.name]);
        install.args(self.features).arg("--root").arg(work.join("out"));
        install.env("CARGO_TARGET_DIR", work.join("target")).env_remove("RUSTC_WORKSPACE_WRAPPER");
        vec![install]
    }
}

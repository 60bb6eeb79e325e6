//! Programs from crates; the lock file that a crate is published with pins the rest by checksum.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use super::{cache, demand_space, exclusive};
use crate::process::{self, cargo, exists};

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
    /// Builds the program if it is not there.
    pub(crate) fn build(&self) -> anyhow::Result<()> {
        if self.is_built() {
            return Ok(());
        }
        let _alone = exclusive()?;
        if self.is_built() {
            return Ok(());
        }
        demand_space()?;
        let folder = cache()?.join(format!("{}-{}", self.name, self.version));
        let target = folder.join("target");
        let mut install = cargo(&["install", "--locked", "--version", self.version, self.name]);
        install.args(self.features).arg("--root").arg(&folder);
        install.env("CARGO_TARGET_DIR", &target).env_remove("RUSTC_WORKSPACE_WRAPPER");
        process::run(install)?;
        // Only the program is kept.
        fs::remove_dir_all(&target).context("removing what the build left")
    }

    /// Whether the program is there.
    pub(crate) fn is_built(&self) -> bool {
        exists(&self.program())
    }

    /// Where the program is: in the cache, or wherever the shell finds it.
    pub(crate) fn program(&self) -> PathBuf {
        let Self { name, version, .. } = self;
        let cached = cache().ok().map(|cache| cache.join(format!("{name}-{version}/bin/{name}")));
        cached.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
    }
}

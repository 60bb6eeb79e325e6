//! Programs from crates.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use super::{cache, demand_space, exclusive};
use crate::process::{self, cargo, exists};

/// cargo-deny's version; its lock file pins the rest by checksum.
const CARGO_DENY: &str = "0.20.2";

pub(super) fn build_deny() -> anyhow::Result<()> {
    if exists(&cargo_deny()) {
        return Ok(());
    }
    let _alone = exclusive()?;
    demand_space()?;
    let folder = cache()?.join(format!("cargo-deny-{CARGO_DENY}"));
    let target = folder.join("target");
    let mut install = cargo(&["install", "--locked", "--version", CARGO_DENY, "cargo-deny", "--root"]);
    install.arg(&folder).env("CARGO_TARGET_DIR", &target).env_remove("RUSTC_WORKSPACE_WRAPPER");
    process::run(install)?;
    // Only the program is kept.
    fs::remove_dir_all(&target).context("removing what the build left")
}

/// Where cargo-deny is: in the cache, or wherever the shell finds it.
pub(crate) fn cargo_deny() -> PathBuf {
    let cached = cache().ok().map(|cache| cache.join(format!("cargo-deny-{CARGO_DENY}/bin/cargo-deny")));
    cached.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("cargo-deny"))
}

//! `tools`: pinned programs that tests need, built by their ordinary package clients into a cache outside the checkout.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::process::{self, cargo, command, exists, root};

/// cargo-deny's version; its lock file pins the rest by checksum.
const CARGO_DENY: &str = "0.20.2";

pub(crate) fn run() -> anyhow::Result<()> {
    oracle()?;
    if exists(&cargo_deny()) {
        return Ok(());
    }
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

/// Builds the program that prints kubectl's reading of YAML, and tells where it is.
pub(crate) fn oracle() -> anyhow::Result<PathBuf> {
    let source = root().join("xtask/tools/yaml-oracle");
    let program = cache()?.join("yaml-oracle");
    let mut build = command("go", &["build", "-trimpath", "-o"]);
    build.arg(&program).arg(".").current_dir(source).env("GOFLAGS", "-mod=readonly");
    process::run(build)?;
    Ok(program)
}

/// `$XDG_CACHE_HOME/lathe/tools`, made if it is not there.
fn cache() -> anyhow::Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").filter(|base| !base.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let folder = base.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("lathe/tools");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

//! `tools`: pinned programs that tests need, built by their ordinary package clients into a cache outside the checkout.
//!
//! Each lies in a folder whose name ends in a hash over all that decides its bytes, so that a change to a pin builds
//! anew and nothing else does. A folder appears whole or not at all.

mod cargo;
mod go;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, bail};

pub(crate) use cargo::{CARGO_DENY, MDBOOK};
pub(crate) use go::{ETCD, KUBERNETES, KUSTOMIZE, ORACLE};

/// Below this, a build could fill the disk of a machine that others use too.
const LEAST_FREE_GIB: u64 = 15;

/// Builds what is missing, one at a time.
pub(crate) fn run() -> anyhow::Result<()> {
    for module in [&ORACLE, &ETCD, &KUBERNETES, &KUSTOMIZE] {
        module.folder()?;
    }
    for program in [&CARGO_DENY, &MDBOOK] {
        program.build()?;
    }
    Ok(())
}

/// `$XDG_CACHE_HOME/lathe/tools`, made if it is not there.
fn cache() -> anyhow::Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").filter(|base| !base.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let folder = base.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("lathe/tools");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// Keeps other builds into the cache waiting until it is dropped; ends with its process, however that ends.
fn exclusive() -> anyhow::Result<File> {
    let path = cache()?.join("lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    file.lock().with_context(|| path.display().to_string())?;
    Ok(file)
}

/// Refuses to build where the disk is nearly full.
fn demand_space() -> anyhow::Result<()> {
    let folder = cache()?;
    let output = Command::new("df").arg("-Pk").arg(&folder).output().context("df")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let kibibytes = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3));
    let free =
        kibibytes.and_then(|number| number.parse::<u64>().ok()).context("df printed no figures")? >> 20;
    if free < LEAST_FREE_GIB {
        bail!("{} has {free} GiB free, and building tools needs {LEAST_FREE_GIB}", folder.display());
    }
    Ok(())
}

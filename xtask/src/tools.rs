//! `tools`: pinned programs that tests need, built by their ordinary package clients into a cache outside the checkout.
//!
//! Each lies in a folder whose name ends in a hash over its pins, flags and compiler, so that a change to one builds anew
//! and nothing else does. It is built in a folder beside that and renamed, so that it appears whole or not at all.

mod cargo;
mod go;
mod keycloak;
mod script;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use sha2::{Digest as _, Sha256};

use crate::process::{self, root};

pub(crate) use cargo::{CARGO_DENY, MDBOOK};
pub(crate) use go::{ETCD, HELM, KRM_FUNCTION, KUBERNETES, KUSTOMIZE, ORACLE, REGISTRY, SOPS};
pub(crate) use keycloak::KEYCLOAK;
pub(crate) use script::{OPENBAO, PYYAML, YAML_1_2};

/// Below this, a build could fill the disk of a machine that others use too.
const LEAST_FREE_GIB: u64 = 15;

/// Something that is built once.
pub(crate) trait Tool {
    /// The name of its folder, before the hash.
    fn name(&self) -> &'static str;

    /// All that decides what is built.
    fn pins(&self) -> anyhow::Result<Vec<Vec<u8>>>;

    /// The commands that build it in `work`, into `work/out`, in order.
    fn commands(&self, work: &Path) -> Vec<Command>;

    /// Its folder, where it is or would be.
    fn place(&self) -> anyhow::Result<PathBuf> {
        let mut hash = Sha256::new();
        for pin in self.pins()? {
            hash.update(pin.len().to_le_bytes());
            hash.update(&pin);
        }
        let hash: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Ok(cache()?.join(format!("{}-{hash}", self.name())))
    }

    /// Whether it is there.
    fn is_built(&self) -> bool {
        self.place().is_ok_and(|folder| folder.is_dir())
    }

    /// Its folder, built if it is not there.
    fn folder(&self) -> anyhow::Result<PathBuf> {
        let folder = self.place()?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let alone = exclusive("build")?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let work = cache()?.join("build");
        // What a killed build left: nobody else builds now, and it may be what fills the disk.
        remove(&work)?;
        demand_space()?;
        process::remove_at_end(&work);
        fs::create_dir_all(work.join("out"))?;
        let built = self.commands(&work).into_iter().try_for_each(|mut command| {
            // A build that outlives this process keeps the lock, for it keeps writing.
            command.stdin(Stdio::from(alone.try_clone()?));
            process::run(command)
        });
        let kept = built.and_then(|()| Ok(fs::rename(work.join("out"), &folder)?));
        remove(&work)?;
        kept.map(|()| folder)
    }
}

/// Builds what is missing, one at a time.
pub(crate) fn run() -> anyhow::Result<()> {
    let all: [&dyn Tool; 13] = [
        &ORACLE,
        &ETCD,
        &KUBERNETES,
        &KUSTOMIZE,
        &REGISTRY,
        &KRM_FUNCTION,
        &SOPS,
        &OPENBAO,
        &KEYCLOAK,
        &PYYAML,
        &YAML_1_2,
        &CARGO_DENY,
        &MDBOOK,
    ];
    all.iter().try_for_each(|tool| tool.folder().map(drop))
}

/// `$XDG_CACHE_HOME/lathe/tools`, made if it is not there.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").filter(|base| !base.is_empty()).map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let folder = base.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?.join("lathe/tools");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// Keeps others waiting who ask for the same lock, until it is dropped or its process ends.
pub(crate) fn exclusive(name: &str) -> anyhow::Result<File> {
    let path = cache()?.join(format!("{name}.lock"));
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.with_context(|| path.display().to_string())?;
    file.lock().with_context(|| path.display().to_string())?;
    Ok(file)
}

/// Where a tool's pins lie in this repository.
fn source(name: &str) -> PathBuf {
    root().join("xtask/tools").join(name)
}

/// Name and content of each file of a tool's pins.
fn files(name: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(source(name))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let mut pins = Vec::new();
    for path in paths {
        pins.push(path.file_name().unwrap_or_default().as_encoded_bytes().to_vec());
        pins.push(fs::read(&path).with_context(|| path.display().to_string())?);
    }
    Ok(pins)
}

/// What a program says of itself.
fn said(mut command: Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(output.stdout)
}

/// Refuses to build where the disk is nearly full.
fn demand_space() -> anyhow::Result<()> {
    let folder = cache()?;
    let text = said({
        let mut df = Command::new("df");
        df.arg("-Pk").arg(&folder);
        df
    })?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let kibibytes = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3));
    let free =
        kibibytes.and_then(|number| number.parse::<u64>().ok()).context("df printed no figures")? >> 20;
    if free < LEAST_FREE_GIB {
        bail!("{} has {free} GiB free, and building tools needs {LEAST_FREE_GIB}", folder.display());
    }
    Ok(())
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

//! A file of leases: read, changed and written by one process at a time.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use lathe_pipeline::Leases;

use crate::command::project::{write_atomically, write_privately};
use crate::console::Failure;

/// Changes the leases in the file, which is made if it is missing. Others that change it wait.
pub(crate) fn change<T>(path: &Path, change: impl FnOnce(&mut Leases) -> T) -> anyhow::Result<T> {
    // A link leads to the file that everybody locks.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let path = real.as_path();
    let name = path.display().to_string();
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return Err(Failure::usage(format!("{name} is no plain file")).into());
    }
    let cannot = || format!("{name} cannot be written");
    let locked = lock(path).with_context(cannot)?;
    let bytes = fs::read(path).with_context(|| format!("{name} cannot be read"))?;
    let before = parse(&name, &bytes)?;
    let mut leases = before.clone();
    let done = change(&mut leases);
    if leases != before || bytes.is_empty() {
        if leases.generated.is_empty() {
            write_atomically(path, leases.to_json().as_bytes())?;
        } else {
            write_privately(path, leases.to_json().as_bytes())?;
        }
    }
    drop(locked);
    Ok(done)
}

/// The leases in the file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Leases> {
    let name = path.display().to_string();
    if fs::metadata(path).is_ok_and(|meta| meta.is_dir()) {
        return Err(Failure::usage(format!("{name} is a folder")).into());
    }
    let bytes = fs::read(path).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    parse(&name, &bytes)
}

/// The same; a file that is missing holds nothing.
pub(crate) fn read_or_new(path: &Path) -> anyhow::Result<Leases> {
    if path.exists() { read(path) } else { Ok(Leases::default()) }
}

fn parse(name: &str, bytes: &[u8]) -> anyhow::Result<Leases> {
    if bytes.is_empty() {
        return Ok(Leases::default());
    }
    Ok(Leases::parse(name, bytes)
        .map_err(|problems| Failure::refused("the file of leases is wrong", &problems))?)
}

/// The file, locked. Who waited for it may hold one that has been replaced since.
fn lock(path: &Path) -> std::io::Result<File> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.lock()?;
        let (own, now) = (file.metadata()?, fs::metadata(path)?);
        if (own.dev(), own.ino()) == (now.dev(), now.ino()) {
            return Ok(file);
        }
    }
}

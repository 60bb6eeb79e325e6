//! `lock`: the examples' lock files, written anew.

use std::fs;

use crate::process::{self, cargo, root};

pub(crate) fn run() -> anyhow::Result<()> {
    let mut folders: Vec<String> = fs::read_dir(root().join("examples"))?
        .flatten()
        .filter(|entry| entry.path().join("lathe.yaml").is_file())
        .map(|entry| format!("examples/{}", entry.file_name().to_string_lossy()))
        .collect();
    folders.sort();
    for folder in &folders {
        process::run(cargo(&[
            "run",
            "--release",
            "--quiet",
            "--package",
            "kubectl-lathe",
            "--",
            "lock",
            "-p",
            folder,
        ]))?;
    }
    Ok(())
}

//! `dist`: the release binary under both of its names, and its checksums.

use std::fs;
use std::os::unix::fs::symlink;

use crate::process::{self, cargo, command, root};

pub(crate) fn run() -> anyhow::Result<()> {
    process::run(cargo(&["build", "--release", "--locked", "--package", "kubectl-lathe"]))?;
    let folder = root().join("target/dist");
    fs::create_dir_all(&folder)?;
    fs::copy(root().join("target/release/kubectl-lathe"), folder.join("kubectl-lathe"))?;
    let flux = folder.join("flux-lathe");
    if flux.symlink_metadata().is_ok() {
        fs::remove_file(&flux)?;
    }
    symlink("kubectl-lathe", flux)?;
    let mut sums = command("sha256sum", &["kubectl-lathe"]);
    sums.current_dir(&folder).stdout(fs::File::create(folder.join("SHA256SUMS"))?);
    process::run(sums)
}

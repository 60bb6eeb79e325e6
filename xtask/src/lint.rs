//! `lint`: formatting, clippy with warnings as errors. Dependencies are a tier of `test`.

use clap::Args;

use crate::process::{self, cargo, command};
use crate::tools;

#[derive(Args)]
pub(crate) struct Flags {
    /// Format the code instead of checking it
    #[arg(long)]
    fix: bool,
}

pub(crate) fn run(flags: &Flags) -> anyhow::Result<()> {
    if flags.fix {
        return run_command(&["fmt", "--all"]);
    }
    run_command(&["fmt", "--all", "--check"])?;
    // In release mode, so that wasmtime is not built a second time just to be looked at.
    run_command(&[
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ])
}

fn run_command(arguments: &[&str]) -> anyhow::Result<()> {
    process::run(cargo(arguments))
}

/// `cargo deny`, without the advisory database, which is no package of a registry.
pub(crate) fn deny() -> anyhow::Result<()> {
    let program = tools::CARGO_DENY.program()?.display().to_string();
    process::run(command(&program, &["--locked", "check", "bans", "licenses", "sources"]))
}

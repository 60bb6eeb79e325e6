//! `fuzz`: libFuzzer over what reads bytes, on the compiler that builds everything else.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::process::{self, cargo, root};

/// What `cargo fuzz` asks of a nightly compiler, less the sanitizer: coverage by LLVM's own pass.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Targets that are tried on every run of all tests, and for how many seconds.
pub(crate) const TRIED: &[&str] = &["read", "review", "round_trip"];
pub(crate) const SECONDS: u32 = 20;

#[derive(Args)]
pub(crate) struct Flags {
    /// The target, a file under `fuzz/fuzz_targets`
    target: String,
    /// For how many seconds
    #[arg(long, default_value_t = 600)]
    seconds: u32,
}

impl Flags {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        run(&self.target, self.seconds)
    }
}

/// Reads all manifests there are, and then what becomes of them. A finding stays under target/fuzz/artifacts.
pub(crate) fn run(target: &str, seconds: u32) -> anyhow::Result<()> {
    let folder = root().join("target/fuzz");
    let (found, artifacts) = (folder.join("corpus").join(target), folder.join("artifacts"));
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&artifacts)?;
    let mut command =
        cargo(&["run", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--bin", target]);
    if matches!(target, "component" | "secrets") {
        command.args(["--features", target]);
    }
    // Named, so that build scripts and macros, which run here, are built without coverage.
    let host = host()?;
    command.args(["--target", &host, "--"]).env("RUSTFLAGS", COVERAGE).env("CARGO_TARGET_DIR", &folder);
    command.arg(found).args(seeds()).args([
        format!("-max_total_time={seconds}"),
        format!("-artifact_prefix={}/{target}-", artifacts.display()),
        "-max_len=16384".to_owned(),
        "-timeout=10".to_owned(),
        "-rss_limit_mb=2048".to_owned(),
        "-print_final_stats=1".to_owned(),
        "-verbosity=0".to_owned(),
    ]);
    process::run(command)
}

/// Manifests to begin with: those of this repository, and those beside the checkout.
fn seeds() -> Vec<PathBuf> {
    let folders = ["host/manifest/tests/data", "examples", "kubectl-plugin/tests/cases", "../shared/corpus"];
    folders.iter().map(|folder| root().join(folder)).filter(|folder| folder.is_dir()).collect()
}

/// The triple of this machine.
fn host() -> anyhow::Result<String> {
    let output = std::process::Command::new("rustc").args(["--print", "host-tuple"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

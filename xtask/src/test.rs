//! `test`: the tiers, in order of what they need.

use anyhow::bail;
use clap::Args;

use crate::process::{self, cargo, exists, root};
use crate::{lint, tools};

#[derive(Args)]
pub(crate) struct Flags {
    /// Fail where a program that a tier needs is missing, instead of skipping the tier
    #[arg(long)]
    require_all: bool,
}

/// What a tier needs beside Rust, and how it is called.
struct Tier {
    name: &'static str,
    program: &'static str,
    run: fn() -> anyhow::Result<()>,
}

const TIERS: &[Tier] = &[
    Tier { name: "unit, golden and command line tests", program: "cargo", run: rust },
    Tier { name: "kubectl's reading of YAML (sigs.k8s.io/yaml)", program: "go", run: oracle },
    Tier { name: "licences, sources and duplicates of dependencies", program: "cargo-deny", run: lint::deny },
];

pub(crate) fn run(flags: &Flags) -> anyhow::Result<()> {
    if flags.require_all {
        tools::run()?;
    }
    let mut skipped = Vec::new();
    for tier in TIERS {
        if is_there(tier.program) {
            eprintln!("== {}", tier.name);
            (tier.run)()?;
        } else {
            skipped.push(format!("{} (needs {})", tier.name, tier.program));
        }
    }
    if !root().join("../shared/corpus").is_dir() {
        eprintln!("SKIPPED: real manifests (data beside the checkout that is not part of it)");
    }
    for tier in &skipped {
        eprintln!("SKIPPED: {tier}");
    }
    if flags.require_all && !skipped.is_empty() {
        bail!("tiers were skipped, and --require-all was given");
    }
    Ok(())
}

fn is_there(program: &str) -> bool {
    match program {
        "cargo" => true,
        "go" => std::process::Command::new("go")
            .arg("version")
            .output()
            .is_ok_and(|output| output.status.success()),
        _ => exists(&tools::cargo_deny()),
    }
}

fn rust() -> anyhow::Result<()> {
    process::run(cargo(&["test", "--release", "--workspace", "--locked"]))
}

fn oracle() -> anyhow::Result<()> {
    let program = tools::oracle()?;
    let mut command = cargo(&[
        "test",
        "--release",
        "--locked",
        "--package",
        "lathe-manifest",
        "--test",
        "oracle",
        "--",
        "--ignored",
    ]);
    command.env("LATHE_ORACLE", program);
    process::run(command)
}

//! `test`: the tiers, in order of what they need.

use std::process::Command;

use anyhow::bail;
use clap::Args;

use crate::cluster::Cluster;
use crate::process::{self, cargo, root};
use crate::{lint, tools};

#[derive(Args)]
pub(crate) struct Flags {
    /// Build what a tier needs and fail where that cannot be, instead of skipping the tier
    #[arg(long)]
    require_all: bool,
}

/// A part of the tests and what it needs beside Rust.
struct Tier {
    name: &'static str,
    needs: &'static str,
    is_there: fn() -> bool,
    run: fn() -> anyhow::Result<()>,
}

const TIERS: &[Tier] = &[
    Tier { name: "unit, golden and command line tests", needs: "cargo", is_there: || true, run: rust },
    Tier { name: "kubectl's reading of YAML (sigs.k8s.io/yaml)", needs: "go", is_there: go, run: oracle },
    Tier {
        name: "a real API server",
        needs: "`cargo xtask tools`",
        is_there: || [&tools::ETCD, &tools::KUBERNETES].iter().all(|module| module.is_built()),
        run: on_cluster,
    },
    Tier {
        name: "licences, sources and duplicates of dependencies",
        needs: "`cargo xtask tools`",
        is_there: || tools::CARGO_DENY.is_built(),
        run: lint::deny,
    },
];

pub(crate) fn run(flags: &Flags) -> anyhow::Result<()> {
    if flags.require_all {
        tools::run()?;
    }
    let mut skipped = Vec::new();
    for tier in TIERS {
        if (tier.is_there)() {
            eprintln!("== {}", tier.name);
            (tier.run)()?;
        } else {
            skipped.push(format!("{} (needs {})", tier.name, tier.needs));
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

fn go() -> bool {
    Command::new("go").arg("version").output().is_ok_and(|output| output.status.success())
}

fn rust() -> anyhow::Result<()> {
    process::run(cargo(&["test", "--release", "--workspace", "--locked"]))
}

fn oracle() -> anyhow::Result<()> {
    let mut command = ignored("lathe-manifest", "oracle");
    command.env("LATHE_ORACLE", tools::ORACLE.folder()?.join("yaml-oracle"));
    process::run(command)
}

fn on_cluster() -> anyhow::Result<()> {
    process::run(ignored("xtask", "cluster"))?;
    let cluster = Cluster::start()?;
    let mut command = ignored("kubectl-lathe", "cluster");
    command.env("LATHE_TEST_KUBECONFIG", cluster.kubeconfig());
    command.env("LATHE_TEST_KUBECTL", cluster.kubectl());
    process::run(command)
}

/// The tests of a file that need more than Rust.
fn ignored(package: &str, test: &str) -> Command {
    let mut command = cargo(&["test", "--release", "--locked", "--package", package, "--test", test]);
    command.args(["--", "--ignored"]);
    command
}

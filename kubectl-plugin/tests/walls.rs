//! The walls of the house, as Cargo and the sources show them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use support::root;

/// The packages that a package is built from, itself left out; normal dependencies only.
fn dependencies(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--locked",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned);
    names.filter(|name| name != package).collect()
}

#[test]
fn crates_know_only_what_they_may() {
    let lathe = |name: &str| -> Vec<String> {
        dependencies(name).into_iter().filter(|other| other.starts_with("lathe-")).collect()
    };
    assert!(lathe("lathe-manifest").is_empty());
    for name in ["lathe-runtime", "lathe-secrets", "lathe-aai", "lathe-cluster", "lathe-registry"] {
        assert_eq!(lathe(name), ["lathe-manifest"], "{name}");
    }
    let pure = [
        "tokio",
        "futures",
        "wasmtime",
        "wasmparser",
        "wit-bindgen",
        "kube",
        "k8s-openapi",
        "reqwest",
        "hyper",
    ];
    let manifest = dependencies("lathe-manifest");
    assert!(manifest.contains("serde_json"));
    for banned in pure {
        assert!(!manifest.contains(banned), "lathe-manifest depends on {banned}");
    }
    assert!(!lathe("lathe-pipeline").contains(&"lathe-registry".to_owned()), "the pipeline asks a Supply");
    for guest in ["lathe-plugin-secrets", "lathe-plugin-aai-client", "lathe-plugin-review-hosts"] {
        assert_eq!(lathe(guest), ["lathe-sdk"], "{guest}");
    }
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !["target", "node_modules", ".tools"].iter().any(|name| path.ends_with(name)) {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn nothing_under_host_prints_exits_or_reads_the_environment() {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("host")).unwrap().flatten() {
        sources(&entry.path().join("src"), &mut found);
    }
    assert!(found.len() > 30);
    for (file, text) in &found {
        for banned in [
            "println!",
            "eprintln!",
            "print!(",
            "dbg!",
            "process::exit",
            "env::var",
            "env::args",
            "SystemTime::now",
        ] {
            assert!(!text.contains(banned), "{file}: {banned}");
        }
    }
}

#[test]
fn no_module_is_longer_than_500_lines() {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    let mut lengths: Vec<usize> = Vec::new();
    for (file, text) in &found {
        let lines = text.lines().count();
        assert!(lines <= 500, "{file} has {lines} lines");
        lengths.push(lines);
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] < 200, "median {}", lengths[lengths.len() / 2]);
}

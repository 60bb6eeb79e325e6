//! The walls of the house, as Cargo and the sources show them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use support::root;

/// Package → packages it is built from, itself left out; normal dependencies only.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let metadata: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
        .collect();
    let mut direct: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let of = direct.entry(names[node["id"].as_str().unwrap()].to_owned()).or_default();
        for dependency in node["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                of.insert(names[dependency["pkg"].as_str().unwrap()].to_owned());
            }
        }
    }
    let reach = |start: &str| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = direct[start].iter().map(String::as_str).collect();
        while let Some(name) = open.pop() {
            if seen.insert(name.to_owned()) {
                open.extend(direct.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        seen
    };
    direct
        .keys()
        .filter(|name| name.starts_with("lathe-") || *name == "kubectl-lathe")
        .map(|n| (n.clone(), reach(n)))
        .collect()
}

#[test]
fn crates_know_only_what_they_may() {
    let all = dependencies();
    let lathe = |name: &str| -> Vec<&str> {
        all[name].iter().map(String::as_str).filter(|other| other.starts_with("lathe-")).collect()
    };
    assert!(lathe("lathe-manifest").is_empty());
    for name in ["lathe-runtime", "lathe-secrets", "lathe-aai", "lathe-cluster"] {
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
    for banned in pure {
        assert!(!all["lathe-manifest"].contains(banned), "lathe-manifest depends on {banned}");
    }
    for guest in ["lathe-plugin-secrets", "lathe-plugin-aai-client", "lathe-plugin-review-hosts"] {
        assert_eq!(lathe(guest), ["lathe-sdk"], "{guest}");
    }
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
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

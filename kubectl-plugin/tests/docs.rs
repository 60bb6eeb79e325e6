//! The README and the guide tell the truth.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::fs;

use support::{console, root};

#[test]
fn the_readme_tells_the_truth() {
    console::run(&root().join("README.md"), &[]);
}

#[test]
fn the_guide_tells_the_truth() {
    for entry in fs::read_dir(root().join("docs/guide")).unwrap().flatten() {
        // What needs a cluster, toolchains or a registry is run where there are these.
        let elsewhere = ["apply.md", "down.md", "languages.md", "publish.md", "register.md", "rights.md"];
        let is_page = entry.path().extension().is_some_and(|extension| extension == "md");
        if is_page && !elsewhere.iter().any(|page| entry.file_name() == *page) {
            console::run(&entry.path(), &[]);
        }
    }
}

#[test]
fn the_readme_names_the_two_commands() {
    // Other tests run what these two commands run.
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(
        "cargo run --release -p kubectl-lathe -- render -p examples/portal --env review --review 42\n"
    ));
    assert!(readme.contains("\ncargo xtask test\n"));
}

//! `docs`: every page is in the summary and every link of the summary leads to a page; mdbook builds the book.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use crate::process::{self, cargo, command, root};
use crate::tools::{self, Tool as _};

#[derive(Args)]
pub(crate) struct Flags {
    /// Write the generated pages anew: the command line's reference and the schemas; a test says when that is due
    #[arg(long)]
    write: bool,
    /// Build mdbook where it is missing, instead of checking the links only
    #[arg(long)]
    require_all: bool,
}

pub(crate) fn run(flags: &Flags) -> anyhow::Result<()> {
    if flags.write {
        let mut generate =
            cargo(&["test", "--release", "--locked", "--package", "kubectl-lathe", "reference"]);
        generate.env("LATHE_BLESS", "1");
        process::run(generate)?;
    }
    if flags.require_all {
        tools::MDBOOK.folder()?;
    }
    let source = root().join("docs");
    let summary = fs::read_to_string(source.join("SUMMARY.md"))?;
    let linked: BTreeSet<PathBuf> = summary
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| source.join(link))
        .collect();
    let mut pages = BTreeSet::new();
    collect(&source, &mut pages)?;
    let lost: Vec<_> = pages.difference(&linked).filter(|page| !page.ends_with("SUMMARY.md")).collect();
    let dead: Vec<_> = linked.difference(&pages).collect();
    if !lost.is_empty() || !dead.is_empty() {
        bail!("pages that no link leads to: {lost:?}; links that lead nowhere: {dead:?}");
    }
    if tools::MDBOOK.is_built() {
        return process::run(command(&tools::MDBOOK.program()?.display().to_string(), &["build"]));
    }
    eprintln!(
        "SKIPPED: building the book (needs `cargo xtask tools`); its {} pages are all linked",
        pages.len() - 1
    );
    Ok(())
}

fn collect(folder: &Path, pages: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|ending| ending == "md") {
            pages.insert(path);
        }
    }
    Ok(())
}

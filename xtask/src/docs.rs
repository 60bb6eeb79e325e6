//! `docs`: every page is in the summary and every link of the summary leads to a page; mdbook builds it where it is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::process::{self, command, exists, root};

pub(crate) fn run() -> anyhow::Result<()> {
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
    if exists(Path::new("mdbook")) {
        return process::run(command("mdbook", &["build"]));
    }
    eprintln!("SKIPPED: building the book (needs mdbook); its {} pages are all linked", pages.len() - 1);
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

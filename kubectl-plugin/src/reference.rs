//! The reference of the command line, made from clap's own words; a test keeps it current.
#![allow(clippy::disallowed_methods, reason = "a test is told by its environment whether to write")]

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use clap_markdown::MarkdownOptions;

use crate::cli::Cli;

#[test]
fn the_reference_is_what_clap_says() {
    let options = MarkdownOptions::new()
        .title("Command line".to_owned())
        .show_footer(false)
        .show_table_of_contents(false);
    let page =
        clap_markdown::help_markdown_command_custom(&Cli::command().bin_name("kubectl lathe"), &options);
    let page: String = page.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/command-line.md");
    if std::env::var_os("LATHE_BLESS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == page, "docs/reference/command-line.md is stale; `cargo xtask docs --write` writes it");
}

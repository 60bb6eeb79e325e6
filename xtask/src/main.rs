//! `cargo xtask VERB`: the one list of developer verbs.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a developer's tool talks to its developer")]
#![allow(clippy::disallowed_methods, reason = "a developer's tool reads the environment it is run in")]

mod bench;
mod cluster;
mod dist;
mod docs;
mod fuzz;
mod lint;
mod lock;
mod process;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The one list of developer verbs
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the tests, tier by tier
    Test(test::Flags),
    /// Check formatting and lints
    Lint(lint::Flags),
    /// Measure what Lathe costs, small and large, beside kustomize and sigs.k8s.io/yaml
    Bench(bench::Flags),
    /// Kill applies at times that nobody chose, over and over, on a cluster of its own
    Soak(test::Soak),
    /// Fuzz what reads bytes
    Fuzz(fuzz::Flags),
    /// Run a program and print microseconds of wall and processor time, and bytes of memory
    #[command(hide = true)]
    Measure(bench::Measure),
    /// Build the pinned programs that tests need, into a cache outside the checkout
    Tools,
    /// Run the cluster that tests use, until Ctrl-C
    Cluster,
    /// Build the book, whose pages must all be linked
    Docs(docs::Flags),
    /// Build the release binary and its checksum into target/dist
    Dist,
    /// Write the lock files of the examples anew, after a change to a built-in plugin
    Lock,
}

fn main() -> ExitCode {
    let verb = Cli::parse().verb;
    let result = process::end_with_signals().and_then(|()| match verb {
        Verb::Test(flags) => test::run(&flags),
        Verb::Lint(flags) => lint::run(&flags),
        Verb::Bench(flags) => bench::run(&flags),
        Verb::Soak(flags) => flags.run(),
        Verb::Fuzz(flags) => flags.run(),
        Verb::Measure(measure) => measure.run(),
        Verb::Tools => tools::run(),
        Verb::Cluster => cluster::run(),
        Verb::Docs(flags) => docs::run(&flags),
        Verb::Dist => dist::run(),
        Verb::Lock => lock::run(),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! `kubectl lathe` and `flux lathe`: chooses the entry by the name it was called by, runs, maps the result to an exit code.

mod cli;
mod command;
mod console;
mod diff;
mod entry;
#[cfg(test)]
mod reference;
mod settings;
mod supply;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    match entry::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => console::report(&error),
    }
}

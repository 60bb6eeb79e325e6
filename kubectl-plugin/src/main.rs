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

/// Values of secrets stand in memory: no core dump takes them to a disk, and no other process of the user reads them.
fn keep_memory_private() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // What the system does not grant it does not grant; the values are wiped all the same.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

fn main() -> ExitCode {
    keep_memory_private();
    let arguments: Vec<_> = std::env::args_os().collect();
    match entry::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => console::report(&error),
    }
}

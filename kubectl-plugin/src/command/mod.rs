//! One module per command; each takes its flags and the settings and does one thing.

mod aai;
mod applied;
mod apply;
mod check;
mod client_store;
mod clients;
mod compile;
mod completion;
mod connection;
mod diff;
mod down;
mod explain;
mod gc;
mod lock;
mod output_dir;
mod plugin;
mod progress;
mod project;
mod render;
mod replay;
mod review;
mod secrets;
mod set_place;
mod status;
mod version;
mod wanted;
mod world;

use crate::cli::Command;
use crate::console;
use crate::settings::Settings;

/// Runs the command.
pub(crate) fn run(command: &Command, settings: &Settings) -> anyhow::Result<()> {
    if settings.namespace.is_some() && !matches!(command, Command::Apply(_) | Command::Diff(_)) {
        console::warn("`--namespace` has no effect here; the pipeline's environments name their namespaces");
    }
    match command {
        Command::Render(flags) => render::run(flags, settings),
        Command::Apply(flags) => apply::run(flags, settings),
        Command::Diff(flags) => diff::run(flags, settings),
        Command::Status(flags) => status::run(flags, settings),
        Command::Down(flags) => down::run(flags, settings),
        Command::Gc(flags) => gc::run(flags, settings),
        Command::Lock(flags) => lock::run(flags, settings),
        Command::Check(flags) => check::run(flags, settings),
        Command::Explain(flags) => explain::run(flags, settings),
        Command::Replay(flags) => replay::run(flags, settings),
        Command::Aai(verb) => aai::dispatch(verb, settings),
        Command::Secrets(verb) => secrets::dispatch(verb, settings),
        Command::Review(verb) => review::dispatch(verb, settings),
        Command::Plugin(verb) => plugin::dispatch(verb, settings),
        Command::Version(flags) => version::run(flags),
        Command::Completion(flags) => completion::run(flags),
        Command::CompilePlugin(flags) => compile::run(flags),
    }
}

//! The ways in: kubectl and Flux call the same binary by different names.

mod flux;
mod kubectl;

use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::cli::Cli;
use crate::command;
use crate::console::Failure;
use crate::settings::Settings;

/// Runs the command line. `arguments[0]` is the name that the binary was called by.
pub(crate) fn run(arguments: Vec<OsString>) -> anyhow::Result<()> {
    let name = arguments.first().map(Path::new).and_then(Path::file_stem).and_then(|name| name.to_str());
    let host = if name.is_some_and(|name| name.starts_with("flux-")) { flux::NAME } else { kubectl::NAME };
    let command = Cli::command().bin_name(host);
    let matches = match command.try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            error.print()?;
            return if code == 0 { Ok(()) } else { Err(Failure::told(code).into()) };
        }
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|error| Failure::usage(error.to_string()))?;
    let settings = Settings::resolve(&cli.global, cli.policy.clone(), cli.bundle.clone(), host)
        .map_err(Failure::usage)?;
    settings.start_logging();
    command::run(&cli.command, &settings)
}

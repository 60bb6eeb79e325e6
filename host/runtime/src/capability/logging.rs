//! The capability `logging`: messages for the plugin's author, kept up to a limit, never part of the output.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::lathe::transform::logging::{self, Level};
use crate::state::State;

/// Adds the capability.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    logging::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl logging::Host for State {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.enter(message.len())?;
        let level = match level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
        };
        self.keep_log(level, &message);
        Ok(())
    }
}

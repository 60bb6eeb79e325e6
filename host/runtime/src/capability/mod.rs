//! What a plugin may call, one module per capability, each with the one function that puts it into a linker.

pub mod clients;
mod logging;
pub(crate) mod runtime_stubs;
pub mod secrets;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings;
use crate::state::State;

pub use clients::{Binding, Clients};
pub use secrets::{Encoding, Secrets};

/// The capabilities of one call. What is `None` is not granted.
#[derive(Default)]
pub struct Capabilities {
    /// The right `secrets`.
    pub secrets: Option<Box<dyn Secrets>>,
    /// The right `oidc-clients`.
    pub clients: Option<Box<dyn Clients>>,
    /// The right `logging`.
    pub logging: bool,
    /// The plugin is only asked what it is; each capability is there and traps.
    pub(crate) describing: bool,
}

impl Capabilities {
    pub(crate) fn describing() -> Self {
        Self { describing: true, ..Self::default() }
    }
}

/// A linker with just what is granted.
pub(crate) fn link(linker: &mut Linker<State>, granted: &Capabilities) -> wasmtime::Result<()> {
    runtime_stubs::add_to_linker(linker)?;
    bindings::lathe::transform::types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    if granted.logging || granted.describing {
        logging::add_to_linker(linker)?;
    }
    if granted.secrets.is_some() || granted.describing {
        secrets::add_to_linker(linker)?;
    }
    if granted.clients.is_some() || granted.describing {
        clients::add_to_linker(linker)?;
    }
    Ok(())
}

impl bindings::lathe::transform::types::Host for State {}

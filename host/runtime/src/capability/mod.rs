//! What a plugin may call, one module per capability, each with the one function that puts it into a linker.

pub mod clients;
mod logging;
pub(crate) mod preview1;
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
}

/// A linker with just what is granted; `None` links all of it, for a call in which each of it traps.
pub(crate) fn link(linker: &mut Linker<State>, granted: Option<&Capabilities>) -> wasmtime::Result<()> {
    let has = |test: fn(&Capabilities) -> bool| granted.is_none_or(test);
    runtime_stubs::add_to_linker(linker)?;
    bindings::lathe::transform::types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    if has(|granted| granted.logging) {
        logging::add_to_linker(linker)?;
    }
    if has(|granted| granted.secrets.is_some()) {
        secrets::add_to_linker(linker)?;
    }
    if has(|granted| granted.clients.is_some()) {
        clients::add_to_linker(linker)?;
    }
    Ok(())
}

impl bindings::lathe::transform::types::Host for State {}

//! The capability `oidc-clients`: login clients declared while rendering, registered by others later.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::lathe::transform::oidc_clients;
use crate::state::State;

pub use crate::bindings::lathe::transform::oidc_clients::Binding;

/// Takes a plugin's declarations. Never fails; notes what it refuses and answers all the same.
pub trait Clients: Send {
    /// Where the data of the client that this intent (JSON) declares will be.
    fn declare(&mut self, intent: &str) -> Binding;
}

/// Adds the capability.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    oidc_clients::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl oidc_clients::Host for State {
    fn declare(&mut self, intent: String) -> wasmtime::Result<Binding> {
        self.enter(intent.len())?;
        let none = || Binding { secret_name: String::new(), keys: Vec::new() };
        Ok(self.capabilities.clients.as_mut().map_or_else(none, |clients| clients.declare(&intent)))
    }
}

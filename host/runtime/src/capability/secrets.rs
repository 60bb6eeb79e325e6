//! The capability `secrets`: tokens that stand for secrets. No call fails, so asking teaches a plugin nothing.

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::lathe::transform::secrets;
use crate::state::State;

pub use crate::bindings::lathe::transform::secrets::Encoding;

/// Answers a plugin's questions about secrets. Never fails; notes what it refuses and answers all the same.
pub trait Secrets: Send {
    /// A token for the reference that stands at this place of the input. `object` is the position in the request.
    fn open(&mut self, object: u32, pointer: &str, reference: &str) -> String;

    /// A token for the encoded form of a text that holds tokens.
    fn encode(&mut self, text: &str, encoding: Encoding) -> String;
}

/// Adds the capability.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    secrets::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl secrets::Host for State {
    fn open(&mut self, at: secrets::Location, reference: String) -> wasmtime::Result<String> {
        self.enter(at.pointer.len() + reference.len())?;
        Ok(self
            .capabilities
            .secrets
            .as_mut()
            .map(|s| s.open(at.object, &at.pointer, &reference))
            .unwrap_or_default())
    }

    fn encode(&mut self, text: String, encoding: Encoding) -> wasmtime::Result<String> {
        self.enter(text.len())?;
        Ok(self.capabilities.secrets.as_mut().map(|s| s.encode(&text, encoding)).unwrap_or_default())
    }
}

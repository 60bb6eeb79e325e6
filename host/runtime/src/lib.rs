//! The sandbox: runs WebAssembly transform components (world `lathe:transform`) under limits and grants.
//!
//! A plugin is untrusted. What it may call is a closed list, read off its import section before anything is compiled;
//! what is not on the list is refused by name. Fuel decides when it has run too long, so that the same input always
//! stops at the same place; a wall-clock deadline over the whole call protects whoever waits, and compiling has one of its own.
//! A plugin gets no file, network, clock or randomness: what a language's runtime asks of those is answered by
//! constants and counters ([`capability`]).

mod bindings;
mod cache;
pub mod capability;
mod compile;
mod component;
mod engine;
mod error;
mod krm;
mod limits;
mod state;

pub use bindings::lathe::transform::types;
pub use compile::{Compiler, compile_here, precompile};
pub use component::{Import, Native, Plugin, Tier};
pub use engine::{Runtime, Transformed};
pub use error::{CompileError, PluginError, PluginErrorKind, RuntimeError};
pub use limits::Limits;

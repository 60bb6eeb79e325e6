//! Kubernetes manifests: read as kubectl reads them, edited by JSON pointer, ordered and written canonically.
//!
//! This crate is pure: text and bytes in, text and bytes out. It knows no file system, no cluster, no WebAssembly.
//! What a manifest *means* is defined by kubectl (sigs.k8s.io/yaml over documents split by apimachinery's reader);
//! where this crate cannot agree with it, it refuses the input with file, line and column instead of guessing.
//!
//! The way through it: [`Reader`] takes files and gives [`Object`]s, [`edit`] changes them, [`order`] sorts them,
//! [`write`](mod@write) prints them.

pub mod digest;
pub mod edit;
mod error;

mod excerpt;
pub mod identity;
pub mod json;
pub mod leaf;
mod object;
pub mod order;
pub mod pointer;
mod read;
mod scalar;
mod split;
mod time;
mod value;
pub mod write;
mod yaml;

pub use edit::{Edit, EditError};
pub use error::{Position, ReadError, ReadErrorKind};
pub use identity::{Identity, IdentityConflict};
pub use object::{Object, Source};
pub use pointer::Pointer;
pub use read::{ReadOptions, Reader};
pub use value::{Map, Number, Value};

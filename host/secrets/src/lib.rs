//! Secrets by token, never by value.
//!
//! Before the first plugin, [`Seal`] replaces what the Secrets of the input hold by tokens and notes where references
//! stand; plugins place tokens; at the end [`Seal::verify`] demands that each sits where it was opened, and
//! [`Seal::fill`] puts the references back or values in. Values are read by [`provider`]s, in the host, last of all.

mod encoding;
mod error;
pub mod provider;
pub mod reference;
mod reveal;
mod seal;
mod sink;
mod token;

pub use encoding::Encoding;
pub use error::{SecretError, SecretErrorKind};
pub use seal::{Fill, Filled, Seal, is_secret_field};
pub use token::PREFIX as TOKEN_PREFIX;

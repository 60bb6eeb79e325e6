//! Secrets by token, never by value.
//!
//! Before the first plugin, [`Seal`] replaces what the Secrets of the input hold by tokens and notes where references
//! stand; plugins place tokens; at the end [`Seal::verify`] demands that each sits where it was opened, and
//! [`Seal::fill`] puts the references back or values in. Values are read by [`provider`]s, in the host, last of all.

mod bytes;
mod encoding;
mod error;
mod fill;
mod generated;
mod guard;
mod jsonpath;
mod lines;
mod live;
mod mapping;
mod mask;
mod modifier;
mod node;
pub mod output;
pub mod provider;
pub mod reference;
mod reveal;
mod rules;
mod seal;
mod shape;
mod sink;
mod sops;
mod token;

pub use bytes::SecretBytes;
pub use encoding::Encoding;
pub use error::{SecretError, SecretErrorKind, Why};
pub use fill::{Fill, Filled, Noted};
pub use generated::{GeneratedValues, keyed_digest};
pub use live::{Live, LiveSecret, REFERENCES_ANNOTATION};
pub use mapping::{Generate, MappedSecret, Mapping};
pub use mask::Mask;
pub use rules::Rules;
pub use seal::{Seal, is_secret_field};
pub use shape::check_secret;
pub use token::PREFIX as TOKEN_PREFIX;

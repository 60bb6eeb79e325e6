//! Guests that misbehave, for the sandbox's tests: one by what its config says, others by how they are made.
#![allow(clippy::expect_used, reason = "what is made here is the same each time")]

pub mod crafted;

/// The component. Its config is `{"do": NAME}`; see `guest/src/lib.rs` for the names.
pub const GUEST: &[u8] = include!(concat!(env!("OUT_DIR"), "/guest.rs"));

//! A guest that misbehaves in the way its config says, for the sandbox's tests.

/// The component. Its config is `{"do": NAME}`; see `guest/src/lib.rs` for the names.
pub const GUEST: &[u8] = include!(concat!(env!("OUT_DIR"), "/guest.rs"));

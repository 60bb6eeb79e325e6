//! Misbehaving guests for the sandbox tests.

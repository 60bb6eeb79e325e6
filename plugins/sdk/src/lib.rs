//! Write a Lathe transform plugin in Rust.

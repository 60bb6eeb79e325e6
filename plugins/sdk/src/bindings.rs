//! The contract of wit/transform/v0.1 as wit-bindgen writes it in Rust. Hidden but for what the crate re-exports.
#![allow(unsafe_code, reason = "wit-bindgen's generated glue crosses the component boundary by raw pointers")]
#![allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated code")]
#![allow(clippy::all, clippy::pedantic, clippy::allow_attributes_without_reason, reason = "generated code")]

wit_bindgen::generate!({
    path: "../../wit/transform/v0.1",
    world: "full",
    pub_export_macro: true,
    default_bindings_module: "lathe_sdk::bindings",
});

//! Plugins in OCI registries and in folders of OCI's image layout.
//!
//! A plugin is one layer of an image; its identity is the sha256 of that layer, which is the sha256 of the wasm. OCI
//! Distribution Specification 1.1, OCI Image Specification 1.1, and the CNCF's layout for wasm in OCI images. A tag means
//! nothing but the manifest that it leads to at the moment, so it is followed once, and the digest kept.

mod artifact;
mod client;
mod error;
mod layout;
mod store;

pub use artifact::MediaTypes;
pub use client::{Access, Found, Pushed, Registry};
pub use error::RegistryError;
pub use layout::{Image, Layout};
pub use oci_client::Reference;
pub use store::Store;

/// The largest plugin that is taken, in bytes; Python's are some 20 MB.
pub const LARGEST: u64 = 256 << 20;

/// Reads `REGISTRY/REPOSITORY:TAG` or `REGISTRY/REPOSITORY@sha256:…`. A registry has to be named: there is no default that
/// would be right for most.
pub fn reference(text: &str) -> Result<Reference, RegistryError> {
    let wrong = |why: &str| RegistryError::Reference(text.to_owned(), why.to_owned());
    let (registry, rest) = text.split_once('/').ok_or_else(|| wrong("it names no registry"))?;
    if !registry.contains(['.', ':']) && registry != "localhost" {
        return Err(wrong("it names no registry"));
    }
    let named = rest.contains(':') || rest.contains('@');
    if !named {
        return Err(wrong("it names neither a tag nor a digest"));
    }
    text.parse().map_err(|error: oci_client::ParseError| wrong(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_name_registry_and_tag_or_digest() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for text in [
            "127.0.0.1:5000/a:1",
            "registry.example.org/a/b:v1",
            &format!("r.example.org/a@{digest}"),
            "localhost/a:1",
        ] {
            assert_eq!(reference(text).unwrap().to_string(), *text);
        }
        for text in [
            "a:1",
            "a/b:1",
            "r.example.org/a",
            "r.example.org/a@sha256:12",
            "r.example.org/A:1",
            "",
            "r.example.org:5000/a",
        ] {
            assert!(reference(text).is_err(), "{text}");
        }
    }
}

//! What a plugin's image is made of: a small config and the wasm as its one layer, the same bytes each time.

use std::collections::BTreeMap;

use lathe_manifest::digest;
use oci_client::client::{Config, ImageLayer};
use oci_client::manifest::OciImageManifest;

use crate::store::is_digest;

/// Which media types an image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaTypes {
    /// Those of the CNCF's specification.
    Standard,
    /// Older ones, which registries know that take no others, as GitLab's (gitlab-org/container-registry#1869).
    Module,
}

impl MediaTypes {
    fn config(self) -> &'static str {
        match self {
            Self::Standard => "application/vnd.wasm.config.v0+json",
            Self::Module => "application/vnd.module.wasm.config.v1+json",
        }
    }

    fn layer(self) -> &'static str {
        match self {
            Self::Standard => "application/wasm",
            Self::Module => "application/vnd.wasm.content.layer.v1+wasm",
        }
    }
}

/// Media types of layers that hold wasm.
const LAYERS: &[&str] = &[
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
];

/// A plugin as an image.
pub(crate) struct Artifact {
    pub(crate) layer: ImageLayer,
    pub(crate) config: Config,
    pub(crate) manifest: OciImageManifest,
}

impl Artifact {
    /// Puts the wasm into an image. Nothing in it tells when or where.
    pub(crate) fn new(wasm: Vec<u8>, types: MediaTypes, annotations: &BTreeMap<String, String>) -> Self {
        // A component's version word has a layer in its upper half (component-model/design/mvp/Binary.md).
        let os = if wasm.get(6) == Some(&1) { "wasip2" } else { "wasip1" };
        let config = serde_json::json!({
            "architecture": "wasm",
            "os": os,
            "layerDigests": [digest::of_bytes(&wasm)],
        });
        let config = Config::new(config.to_string(), types.config().to_owned(), None);
        let layer = ImageLayer::new(wasm, types.layer().to_owned(), None);
        let annotations = (!annotations.is_empty()).then(|| annotations.clone());
        let mut manifest = OciImageManifest::build(std::slice::from_ref(&layer), &config, annotations);
        manifest.media_type = Some("application/vnd.oci.image.manifest.v1+json".to_owned());
        Self { layer, config, manifest }
    }
}

/// Digest and size of the wasm of an image. `Err` says why it is no plugin's.
pub(crate) fn wasm_of(manifest: &OciImageManifest) -> Result<(String, u64), String> {
    let [layer] = manifest.layers.as_slice() else {
        return Err(format!("it has {} layers, and a plugin has one", manifest.layers.len()));
    };
    if !LAYERS.contains(&layer.media_type.as_str()) {
        let known: String = layer.media_type.chars().take(100).collect();
        return Err(format!("its layer is of type {known}, and wasm is expected"));
    }
    if !is_digest(&layer.digest) {
        return Err("its layer is named by something else than a sha256".to_owned());
    }
    let size = u64::try_from(layer.size).map_err(|_| "its layer has a size below nothing".to_owned())?;
    if size > crate::LARGEST {
        return Err(format!("its layer has {size} bytes, and {} are taken", crate::LARGEST));
    }
    Ok((layer.digest.clone(), size))
}

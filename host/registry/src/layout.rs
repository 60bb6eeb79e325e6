//! A bundle of plugins for clusters without a network: a folder in OCI's image layout, which registry tools read and write
//! as well (image-spec, image-layout.md).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lathe_manifest::digest;
use oci_client::Reference;
use oci_client::manifest::OciImageManifest;
use serde::{Deserialize, Serialize};

use crate::artifact::{self, Artifact, MediaTypes};
use crate::error::RegistryError;
use crate::store;

/// Names an image of an index by its whole reference.
const NAME: &str = "org.opencontainers.image.ref.name";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A folder in OCI's image layout.
#[derive(Clone, Debug)]
pub struct Layout {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: String,
    manifests: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Layout {
    /// The bundle in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The wasm with this digest.
    pub fn get(&self, name: &str, wasm: &str) -> Result<Vec<u8>, RegistryError> {
        let path = self.blob(wasm);
        if !path.exists() {
            self.index()?;
            return Err(self.missing(name));
        }
        let bytes = read(&path)?;
        let found = digest::of_bytes(&bytes);
        if found != wasm {
            let (place, expected) = (path.display().to_string(), wasm.to_owned());
            return Err(RegistryError::Digest { place, expected, found });
        }
        Ok(bytes)
    }

    /// The digests of manifest and wasm that a reference leads to in this bundle.
    pub fn resolve(&self, reference: &Reference) -> Result<(String, String), RegistryError> {
        let name = reference.to_string();
        let index = self.index()?;
        let named = |entry: &&Entry| {
            entry.annotations.get(NAME) == Some(&name) || reference.digest() == Some(entry.digest.as_str())
        };
        let entry = index.manifests.iter().find(named);
        let entry = entry.ok_or_else(|| self.missing(&name))?;
        let bytes = self.get(&name, &entry.digest)?;
        let manifest: OciImageManifest =
            serde_json::from_slice(&bytes).map_err(|error| self.broken(&error))?;
        let (wasm, _) =
            artifact::wasm_of(&manifest).map_err(|why| RegistryError::NoPlugin { reference: name, why })?;
        Ok((entry.digest.clone(), wasm))
    }

    /// Makes the bundle hold just these plugins: reference and wasm.
    pub fn write(&self, plugins: &BTreeMap<String, Vec<u8>>) -> Result<(), RegistryError> {
        if self.folder.exists() && fs::read_dir(&self.folder).is_ok_and(|mut files| files.next().is_some()) {
            // What is no bundle is nobody's to write into.
            self.index()?;
        }
        let mut manifests = Vec::new();
        for (reference, wasm) in plugins {
            let Artifact { layer, config, manifest } =
                Artifact::new(wasm.clone(), MediaTypes::Standard, &BTreeMap::new());
            let manifest = serde_json::to_vec(&manifest).map_err(|error| self.broken(&error))?;
            for bytes in [&layer.data[..], &config.data[..], &manifest] {
                store::write(&self.blob(&digest::of_bytes(bytes)), bytes)?;
            }
            let annotations = BTreeMap::from([(NAME.to_owned(), reference.clone())]);
            let (digest, size) = (digest::of_bytes(&manifest), manifest.len() as u64);
            manifests.push(Entry { media_type: MANIFEST.to_owned(), digest, size, annotations });
        }
        let index = Index { schema_version: 2, media_type: INDEX.to_owned(), manifests };
        let index = serde_json::to_vec(&index).map_err(|error| self.broken(&error))?;
        store::write(&self.folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        store::write(&self.folder.join("index.json"), &index)
    }

    fn index(&self) -> Result<Index, RegistryError> {
        let bytes = read(&self.folder.join("index.json"))
            .map_err(|error| RegistryError::Bundle { folder: self.folder.clone(), why: error.to_string() })?;
        serde_json::from_slice(&bytes).map_err(|error| self.broken(&error))
    }

    fn missing(&self, name: &str) -> RegistryError {
        RegistryError::NotBundled { name: name.to_owned(), folder: self.folder.clone() }
    }

    fn broken(&self, error: &serde_json::Error) -> RegistryError {
        RegistryError::Bundle { folder: self.folder.clone(), why: error.to_string() }
    }

    fn blob(&self, digest: &str) -> PathBuf {
        // What is no digest leads nowhere.
        let hex = digest.strip_prefix("sha256:").filter(|_| store::is_digest(digest));
        self.folder.join("blobs/sha256").join(hex.unwrap_or("none"))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RegistryError> {
    let failed = |error| RegistryError::File { path: path.to_owned(), error };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > crate::LARGEST {
        return Err(failed(std::io::Error::other(format!("{length} bytes are too many"))));
    }
    fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_gives_what_was_put_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("bundle"));
        let name = "r.example.org/a:1".to_owned();
        let wasm = digest::of_bytes(b"wasm");
        layout.write(&BTreeMap::from([(name.clone(), b"wasm".to_vec())])).unwrap();
        let reference = crate::reference(&name).unwrap();
        let (manifest, found) = layout.resolve(&reference).unwrap();
        assert_eq!(found, wasm);
        let by_digest = crate::reference(&format!("r.example.org/a@{manifest}")).unwrap();
        assert_eq!(layout.resolve(&by_digest).unwrap(), (manifest, wasm.clone()));
        assert_eq!(layout.get(&name, &wasm).unwrap(), b"wasm");
        let other = crate::reference("r.example.org/b:1").unwrap();
        assert!(matches!(layout.resolve(&other), Err(RegistryError::NotBundled { .. })));
        fs::write(layout.blob(&wasm), b"wasn").unwrap();
        assert!(matches!(layout.get(&name, &wasm), Err(RegistryError::Digest { .. })));
        for digest in ["sha256:../../../etc/passwd", "sha256:", "x"] {
            assert!(matches!(layout.get(&name, digest), Err(RegistryError::NotBundled { .. })));
        }
        // Again, and into what is none.
        layout.write(&BTreeMap::new()).unwrap();
        fs::remove_file(folder.path().join("bundle/index.json")).unwrap();
        assert!(matches!(layout.write(&BTreeMap::new()), Err(RegistryError::Bundle { .. })));
    }
}

//! A bundle of plugins for clusters without a network: a folder in OCI's image layout, which registry tools read and write
//! as well (image-spec, image-layout.md).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use lathe_manifest::digest;
use oci_client::Reference;
use oci_client::manifest::OciImageManifest;
use serde::{Deserialize, Serialize};

use crate::artifact;
use crate::error::RegistryError;
use crate::store::{self, read};

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
    #[serde(default)]
    media_type: Option<String>,
    manifests: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// A plugin as a registry has it, byte by byte.
#[derive(Clone, Debug)]
pub struct Image {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The config that the manifest names.
    pub config: Vec<u8>,
    /// The wasm.
    pub wasm: Vec<u8>,
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
        let called =
            |entry: &Entry| entry.annotations.as_ref().is_some_and(|all| all.get(NAME) == Some(&name));
        // A name says nothing against a digest.
        let named = |entry: &&Entry| match reference.digest() {
            Some(digest) => entry.digest == digest,
            None => called(entry),
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

    /// The image whose manifest has this digest.
    pub fn image(&self, name: &str, manifest: &str) -> Result<Image, RegistryError> {
        let bytes = self.get(name, manifest)?;
        let parsed: OciImageManifest = serde_json::from_slice(&bytes).map_err(|error| self.broken(&error))?;
        let (wasm, _) = artifact::wasm_of(&parsed)
            .map_err(|why| RegistryError::NoPlugin { reference: name.to_owned(), why })?;
        let (config, wasm) = (self.get(name, &parsed.config.digest)?, self.get(name, &wasm)?);
        Ok(Image { manifest: bytes, config, wasm })
    }

    /// Makes the bundle hold these plugins: reference and image.
    pub fn write(&self, plugins: &BTreeMap<String, Image>) -> Result<(), RegistryError> {
        if self.folder.exists() && fs::read_dir(&self.folder).is_ok_and(|mut files| files.next().is_some()) {
            // What is no bundle is nobody's to write into.
            self.index()?;
        }
        let mut manifests = Vec::new();
        for (reference, Image { manifest, config, wasm }) in plugins {
            for bytes in [wasm, config, manifest] {
                store::write(&self.blob(&digest::of_bytes(bytes)), bytes)?;
            }
            let annotations = Some(BTreeMap::from([(NAME.to_owned(), reference.clone())]));
            let (digest, size) = (digest::of_bytes(manifest), manifest.len() as u64);
            manifests.push(Entry { media_type: MANIFEST.to_owned(), digest, size, annotations });
        }
        let index = Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Artifact, MediaTypes};

    fn image(wasm: &[u8]) -> Image {
        let Artifact { config, manifest, .. } =
            Artifact::new(wasm.to_vec(), MediaTypes::Standard, &BTreeMap::new());
        let manifest = serde_json::to_vec(&manifest).unwrap();
        Image { manifest, config: config.data.to_vec(), wasm: wasm.to_vec() }
    }

    #[test]
    fn a_name_says_nothing_against_a_digest() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let (asked, other) = (image(b"asked"), image(b"other"));
        let name = format!("r.example.org/a@{}", digest::of_bytes(&asked.manifest));
        layout.write(&BTreeMap::from([(name.clone(), other)])).unwrap();
        let reference = crate::reference(&name).unwrap();
        assert!(matches!(layout.resolve(&reference), Err(RegistryError::NotBundled { .. })));
        layout.write(&BTreeMap::from([(name, asked)])).unwrap();
        assert_eq!(layout.resolve(&reference).unwrap().1, digest::of_bytes(b"asked"));
    }

    #[test]
    fn bundles_of_other_tools_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let image = image(b"wasm");
        let name = "r.example.org/a:1".to_owned();
        layout.write(&BTreeMap::from([(name, image.clone())])).unwrap();
        let digest = digest::of_bytes(&image.manifest);
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"x","digest":"{digest}","size":1,"annotations":null}}]}}"#
        );
        fs::write(folder.path().join("index.json"), index).unwrap();
        let reference = crate::reference(&format!("r.example.org/a@{digest}")).unwrap();
        assert!(layout.resolve(&reference).is_ok());
    }

    #[test]
    fn a_bundle_gives_what_was_put_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("bundle"));
        let name = "r.example.org/a:1".to_owned();
        let wasm = digest::of_bytes(b"wasm");
        let image = image(b"wasm");
        layout.write(&BTreeMap::from([(name.clone(), image.clone())])).unwrap();
        let reference = crate::reference(&name).unwrap();
        let (manifest, found) = layout.resolve(&reference).unwrap();
        assert_eq!(found, wasm);
        let by_digest = crate::reference(&format!("r.example.org/a@{manifest}")).unwrap();
        assert_eq!(layout.resolve(&by_digest).unwrap(), (manifest.clone(), wasm.clone()));
        assert_eq!(layout.image(&name, &manifest).unwrap().manifest, image.manifest);
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

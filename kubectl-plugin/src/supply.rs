//! Where plugins come from that are no files: this binary, a registry, what was fetched before, a bundle.

use std::cell::OnceCell;

use lathe_pipeline::{Builtin, Lock, Supply};
use lathe_registry::{Access, Image, Layout, Reference, Registry, RegistryError, Store};

use crate::settings::{Settings, builtin};

/// The plugins that a command may use.
pub(crate) struct Plugins<'a> {
    settings: &'a Settings,
    want: Want<'a>,
    registry: OnceCell<Registry>,
}

/// How a reference to a registry is understood.
pub(crate) enum Want<'a> {
    /// As it is at this moment: its tag is followed.
    Latest,
    /// As the lock has it, whatever its tag leads to by now.
    Locked(Option<&'a Lock>),
    /// As the lock has it, without asking anybody.
    Offline(Option<&'a Lock>),
}

impl<'a> Plugins<'a> {
    pub(crate) fn new(settings: &'a Settings, want: Want<'a>) -> Self {
        Self { settings, want, registry: OnceCell::new() }
    }

    /// The client, set up when it is needed first.
    pub(crate) fn client(&self) -> Result<&Registry, RegistryError> {
        if let Some(registry) = self.registry.get() {
            return Ok(registry);
        }
        let registry = Registry::new(Access { docker_config: self.settings.docker_config.clone() })?;
        Ok(self.registry.get_or_init(|| registry))
    }

    fn store(&self) -> Option<Store> {
        self.settings.plugins.as_ref().map(Store::new)
    }

    /// The wasm that a reference leads to now, and the digest of its manifest.
    pub(crate) fn latest(&self, reference: &Reference) -> Result<(Vec<u8>, String), RegistryError> {
        if let Some(bundle) = &self.settings.bundle {
            let bundle = Layout::new(bundle);
            let (manifest, wasm) = bundle.resolve(reference)?;
            return Ok((bundle.get(&reference.to_string(), &wasm)?, manifest));
        }
        let registry = self.client()?;
        let found = registry.resolve(reference)?;
        let bytes = self.kept(&found.wasm, || registry.pull(reference, &found))?;
        Ok((bytes, found.manifest))
    }

    /// The wasm with this digest: kept, or fetched and kept.
    fn kept(
        &self,
        wasm: &str,
        fetch: impl FnOnce() -> Result<Vec<u8>, RegistryError>,
    ) -> Result<Vec<u8>, RegistryError> {
        let store = self.store();
        if let Some(bytes) = store.as_ref().and_then(|store| store.get(wasm)) {
            return Ok(bytes);
        }
        let bytes = fetch()?;
        if let Some(Err(error)) = store.map(|store| store.put(&bytes)) {
            tracing::warn!("a plugin could not be kept: {error}");
        }
        Ok(bytes)
    }

    /// The image that the lock has for a reference, as it is to be bundled.
    pub(crate) fn image(&self, text: &str, lock: &Lock) -> Result<Image, String> {
        let told = |error: RegistryError| error.to_string();
        let (wasm, manifest) = self.locked(text, Some(lock), true)?;
        let manifest = manifest.ok_or("the lock has no manifest for it; `lock` writes one")?;
        let image = if let Some(bundle) = &self.settings.bundle {
            Layout::new(bundle).image(text, &manifest)
        } else {
            let reference = lathe_registry::reference(text).map_err(told)?;
            self.client().and_then(|client| client.image(&reference, &manifest, wasm.clone()))
        };
        let image = image.map_err(told)?;
        if image.wasm == wasm {
            Ok(image)
        } else {
            Err("its manifest and its wasm do not belong together".to_owned())
        }
    }

    fn locked(
        &self,
        text: &str,
        lock: Option<&Lock>,
        ask: bool,
    ) -> Result<(Vec<u8>, Option<String>), String> {
        let told = |error: RegistryError| error.to_string();
        let locked = lock.and_then(|lock| lock.plugins.get(&format!("oci:{text}")));
        let locked = locked.ok_or("the lock does not have it")?;
        let wasm = locked.digest.as_str();
        let reference = lathe_registry::reference(text).map_err(told)?;
        if reference.digest().is_some() && reference.digest() != locked.manifest.as_deref() {
            return Err("the lock has another manifest than this digest".to_owned());
        }
        let bytes = match &self.settings.bundle {
            Some(bundle) => Layout::new(bundle).get(text, wasm),
            None => self.kept(wasm, || {
                if ask {
                    self.client()?.pull_by_digest(&reference, wasm)
                } else {
                    Err(RegistryError::Offline(wasm.to_owned()))
                }
            }),
        };
        Ok((bytes.map_err(told)?, locked.manifest.clone()))
    }
}

impl Supply for Plugins<'_> {
    fn builtin(&self, name: &str) -> Option<Builtin> {
        builtin(name)
    }

    fn registry(&self, text: &str) -> Result<(Vec<u8>, Option<String>), String> {
        match self.want {
            Want::Locked(lock) => self.locked(text, lock, true),
            Want::Offline(lock) => self.locked(text, lock, false),
            Want::Latest => {
                let reference = lathe_registry::reference(text).map_err(|error| error.to_string())?;
                let (bytes, manifest) = self.latest(&reference).map_err(|error| error.to_string())?;
                Ok((bytes, Some(manifest)))
            }
        }
    }
}

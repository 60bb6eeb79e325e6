//! The plugins that a pipeline names: where their bytes are, and what those are.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use lathe_runtime::{Limits, Native, Plugin};

use crate::file::Pipeline;
use crate::problem::Problem;
use crate::scope::{Grant, WriteRule};

/// A plugin that is part of Lathe.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its version.
    pub version: &'static str,
    /// `sha256:…` over what it was built from.
    pub source: &'static str,
    /// The component.
    pub wasm: &'static [u8],
    /// The component compiled.
    pub native: Native,
    /// What it says of itself.
    pub descriptor: &'static str,
}

/// Where plugins come from that are no files.
pub trait Supply {
    /// The plugin of this name that is part of Lathe.
    fn builtin(&self, name: &str) -> Option<Builtin>;

    /// The wasm that a reference to a registry stands for, and the digest of the manifest that led to it. `Err` says why it
    /// cannot be had.
    fn registry(&self, reference: &str) -> Result<(Vec<u8>, Option<String>), String>;
}

/// One plugin of a pipeline.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The component.
    pub plugin: Plugin,
    /// Version and source digest, if it is part of Lathe.
    pub builtin: Option<Builtin>,
    /// The digest of its manifest, if it comes from a registry.
    pub manifest: Option<String>,
    /// What its calls may use, the highest of all entries that name it.
    pub limits: Limits,
    /// Where it may write, by all entries that name it.
    pub writes: BTreeSet<WriteRule>,
    /// What it may do besides, by all entries that name it.
    pub grants: BTreeSet<Grant>,
    /// The Secrets that it may see into, by all entries that name it.
    pub reveal: BTreeSet<String>,
}

/// The plugins of a pipeline, by the name that it gives them.
#[derive(Clone, Debug, Default)]
pub struct Plugins(pub(crate) BTreeMap<String, Prepared>);

impl Plugins {
    /// Finds and inspects each plugin that the pipeline names. Compiles nothing. `folder` is the pipeline's.
    pub fn prepare(pipeline: &Pipeline, folder: &Path, supply: &dyn Supply) -> Result<Self, Vec<Problem>> {
        let mut plugins: BTreeMap<String, Prepared> = BTreeMap::new();
        let mut problems = Vec::new();
        for transform in &pipeline.transforms {
            let name = &transform.plugin;
            if !plugins.contains_key(name) {
                match Self::one(name, folder, supply) {
                    Ok(prepared) => {
                        let limits = transform.limits.clone().unwrap_or_default();
                        plugins.insert(name.clone(), Prepared { limits, ..prepared });
                    }
                    Err(problem) => problems.push(problem),
                }
            }
            if let Some(prepared) = plugins.get_mut(name) {
                prepared.limits = prepared.limits.at_least(&transform.limits.clone().unwrap_or_default());
                prepared.writes.extend(transform.writes.iter().cloned());
                prepared.grants.extend(transform.grants.iter().copied());
                prepared.reveal.extend(transform.reveal.iter().cloned());
            }
        }
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(Self(plugins)) } else { Err(problems) }
    }

    /// One plugin by name, without a pipeline.
    pub fn one(name: &str, folder: &Path, supply: &dyn Supply) -> Result<Prepared, Problem> {
        let problem = |message: String| Problem::new("plugin", message);
        if let Some(short) = name.strip_prefix("builtin:") {
            let builtin =
                supply.builtin(short).ok_or_else(|| problem(format!("there is no plugin `{name}`")))?;
            let plugin = Plugin::new(name, Cow::Borrowed(builtin.wasm))?.with_native(builtin.native);
            let plugin = plugin.with_descriptor(builtin.descriptor);
            return Ok(Prepared { builtin: Some(builtin), ..Prepared::of(plugin) });
        }
        if let Some(reference) = name.strip_prefix("oci:") {
            let (bytes, manifest) =
                supply.registry(reference).map_err(|why| problem(format!("plugin `{name}`: {why}")))?;
            return Ok(Prepared { manifest, ..Prepared::of(Plugin::new(name, bytes)?) });
        }
        let file = folder.join(name.strip_prefix("path:").unwrap_or(name));
        if fs::metadata(&file).is_ok_and(|meta| !meta.is_file()) {
            return Err(problem(format!("plugin `{name}` is no plain file")));
        }
        let bytes = fs::read(file).map_err(|error| problem(format!("plugin `{name}`: {error}")))?;
        Ok(Prepared::of(Plugin::new(name, bytes)?))
    }

    /// One plugin, under its own name.
    pub fn of(prepared: Prepared) -> Self {
        Self([(prepared.plugin.name.clone(), prepared)].into())
    }

    /// The same plugins, but for one that takes another's place under its name.
    #[must_use]
    pub fn with(mut self, name: &str, plugin: Plugin) -> Self {
        if let Some(prepared) = self.0.get_mut(name) {
            prepared.plugin = plugin;
        }
        self
    }

    /// The plugins in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Prepared)> {
        self.0.iter().map(|(name, prepared)| (name.as_str(), prepared))
    }
}

impl Prepared {
    fn of(plugin: Plugin) -> Self {
        let (limits, writes, grants) = (Limits::default(), BTreeSet::new(), BTreeSet::new());
        Self { plugin, builtin: None, manifest: None, limits, writes, grants, reveal: BTreeSet::new() }
    }
}

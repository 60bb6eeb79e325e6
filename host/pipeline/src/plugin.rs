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

/// One plugin of a pipeline.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The component.
    pub plugin: Plugin,
    /// Version and source digest, if it is part of Lathe.
    pub builtin: Option<Builtin>,
    /// What its calls may use, the highest of all entries that name it.
    pub limits: Limits,
    /// Where it may write, by all entries that name it.
    pub writes: BTreeSet<WriteRule>,
    /// What it may do besides, by all entries that name it.
    pub grants: BTreeSet<Grant>,
}

/// The plugins of a pipeline, by the name that it gives them.
#[derive(Clone, Debug, Default)]
pub struct Plugins(pub(crate) BTreeMap<String, Prepared>);

impl Plugins {
    /// Finds and inspects each plugin that the pipeline names. Compiles nothing. `folder` is the pipeline's.
    pub fn prepare(
        pipeline: &Pipeline,
        folder: &Path,
        builtins: &dyn Fn(&str) -> Option<Builtin>,
    ) -> Result<Self, Vec<Problem>> {
        let mut plugins: BTreeMap<String, Prepared> = BTreeMap::new();
        let mut problems = Vec::new();
        for transform in &pipeline.transforms {
            let name = &transform.plugin;
            if !plugins.contains_key(name) {
                match Self::one(name, folder, builtins) {
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
            }
        }
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(Self(plugins)) } else { Err(problems) }
    }

    /// One plugin by name, without a pipeline.
    pub fn one(
        name: &str,
        folder: &Path,
        builtins: &dyn Fn(&str) -> Option<Builtin>,
    ) -> Result<Prepared, Problem> {
        let (plugin, builtin) = prepare(name, folder, builtins)?;
        let (limits, writes, grants) = (Limits::default(), BTreeSet::new(), BTreeSet::new());
        Ok(Prepared { plugin, builtin, limits, writes, grants })
    }

    /// The plugins in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Prepared)> {
        self.0.iter().map(|(name, prepared)| (name.as_str(), prepared))
    }
}

fn prepare(
    name: &str,
    folder: &Path,
    builtins: &dyn Fn(&str) -> Option<Builtin>,
) -> Result<(Plugin, Option<Builtin>), Problem> {
    let problem = |message: String| Problem::new("plugin", message);
    if let Some(short) = name.strip_prefix("builtin:") {
        let builtin = builtins(short).ok_or_else(|| problem(format!("there is no plugin `{name}`")))?;
        let plugin = Plugin::new(name, Cow::Borrowed(builtin.wasm))?.with_native(builtin.native);
        let plugin = plugin.with_descriptor(builtin.descriptor);
        return Ok((plugin, Some(builtin)));
    }
    let path = name.strip_prefix("path:").unwrap_or(name);
    let file = folder.join(path);
    if fs::metadata(&file).is_ok_and(|meta| !meta.is_file()) {
        return Err(problem(format!("plugin `{name}` is no plain file")));
    }
    let bytes = fs::read(file).map_err(|error| problem(format!("plugin `{name}`: {error}")))?;
    Ok((Plugin::new(name, bytes)?, None))
}

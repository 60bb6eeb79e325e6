//! `plugin push`, `pull` and `bundle`: plugins and OCI registries.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lathe_pipeline::{Lock, Problem, Supply as _};
use lathe_registry::{Layout, MediaTypes, RegistryError};
use lathe_runtime::Plugin;

use crate::cli::{Bundle, Pull, Push, Types};
use crate::command::project::{Project, write_through};
use crate::console::{self, Failure};
use crate::settings::Settings;
use crate::supply::{Plugins, Want};

fn failed(error: &RegistryError) -> anyhow::Error {
    let usage = matches!(error, RegistryError::Reference(..));
    let told = error.to_string();
    if usage { Failure::usage(told).into() } else { Failure::refused(told, &[]).into() }
}

pub(crate) fn push(flags: &Push, settings: &Settings) -> anyhow::Result<()> {
    let name = flags.file.display().to_string();
    let wasm = fs::read(&flags.file).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    let plugin = Plugin::new(&format!("path:{name}"), wasm)
        .map_err(|error| Failure::refused("what is no plugin is not published", &[error.into()]))?;
    let text = flags.reference.trim_start_matches("oci:");
    let reference = lathe_registry::reference(text).map_err(|error| failed(&error))?;
    if reference.digest().is_some() {
        return Err(
            Failure::usage(format!("`{text}`: a digest follows from what is published; name a tag")).into()
        );
    }
    let mut annotations = BTreeMap::new();
    for annotation in &flags.annotation {
        let (key, value) = annotation.split_once('=').ok_or_else(|| {
            Failure::usage(format!("`--annotation` takes key=value, and this is `{annotation}`"))
        })?;
        annotations.insert(key.to_owned(), value.to_owned());
    }
    let types = flags.media_types.map(|types| match types {
        Types::Standard => MediaTypes::Standard,
        Types::Module => MediaTypes::Module,
    });
    let plugins = Plugins::new(settings, Want::Latest);
    let client = plugins.client().map_err(|error| failed(&error))?;
    let pushed =
        client.push(&reference, plugin.bytes(), types, &annotations).map_err(|error| failed(&error))?;
    if types.is_none() && pushed.types == MediaTypes::Module {
        console::note("the registry does not know the standard's media types; the older ones were used");
    }
    console::note(&format!("oci:{reference}: {} (wasm {})", pushed.manifest, pushed.wasm));
    Ok(())
}

pub(crate) fn pull(flags: &Pull, settings: &Settings) -> anyhow::Result<()> {
    let Some(text) = &flags.reference else {
        if flags.output.is_some() {
            return Err(Failure::usage("`--output` is for one plugin, named by its reference").into());
        }
        let lock = lock(flags.pipeline.as_deref())?;
        let supply = Plugins::new(settings, Want::Locked(Some(&lock)));
        for name in each(&lock, |name| supply.registry(name))?.keys() {
            console::note(&format!("oci:{name} is here"));
        }
        return Ok(());
    };
    let text = text.trim_start_matches("oci:");
    let reference = lathe_registry::reference(text).map_err(|error| failed(&error))?;
    let plugins = Plugins::new(settings, Want::Latest);
    let (wasm, manifest) = plugins.latest(&reference).map_err(|error| failed(&error))?;
    let plugin = Plugin::new(&format!("oci:{text}"), wasm)
        .map_err(|error| Failure::refused("what was fetched cannot be used", &[error.into()]))?;
    console::note(&format!("oci:{text}: {manifest} (wasm {})", plugin.digest));
    match &flags.output {
        Some(file) => write_through(file, plugin.bytes()),
        None => Ok(()),
    }
}

pub(crate) fn bundle(flags: &Bundle, settings: &Settings) -> anyhow::Result<()> {
    let lock = lock(flags.pipeline.as_deref())?;
    let supply = Plugins::new(settings, Want::Locked(Some(&lock)));
    let plugins = each(&lock, |name| supply.image(name, &lock))?;
    Layout::new(&flags.folder).write(&plugins).map_err(|error| failed(&error))?;
    console::note(&format!("{}: plugins: {}", flags.folder.display(), plugins.len()));
    Ok(())
}

fn lock(pipeline: Option<&Path>) -> anyhow::Result<Lock> {
    let project = Project::need(pipeline)?;
    let file = project.lock_file().display().to_string();
    project.lock()?.ok_or_else(|| Failure::refused(format!("{file} is missing"), &[]).into())
}

/// Does something for each plugin of the lock that comes from a registry; the answers by reference.
fn each<T>(lock: &Lock, ask: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<BTreeMap<String, T>> {
    let (mut answers, mut problems) = (BTreeMap::new(), Vec::new());
    for name in lock.plugins.keys().filter_map(|name| name.strip_prefix("oci:")) {
        match ask(name) {
            Ok(answer) => drop(answers.insert(name.to_owned(), answer)),
            Err(why) => problems.push(Problem::new("plugin", format!("oci:{name}: {why}"))),
        }
    }
    if problems.is_empty() {
        return Ok(answers);
    }
    Err(Failure::refused("a plugin of the lock cannot be had", &problems).into())
}

//! A plugin's project on disk, and the plugins that flags name.

use std::fs;
use std::path::Path;

use lathe_pipeline::{PluginFile, Plugins, Prepared};
use lathe_runtime::Limits;

use crate::cli::LimitFlags;
use crate::command::project::within_policies;
use crate::console::Failure;
use crate::settings::Settings;
use crate::supply::{self, Want};

/// The file of the project in this folder.
pub(super) fn file(folder: &Path) -> anyhow::Result<PluginFile> {
    let path = folder.join("plugin.yaml");
    let name = path.display().to_string();
    let bytes = fs::read(&path).map_err(|error| {
        Failure::usage(format!("{name}: {error}")).with_hint("`plugin new NAME --lang LANG` starts a plugin")
    })?;
    PluginFile::parse(&name, &bytes)
        .map_err(|problems| Failure::refused("the plugin's file is wrong", &problems).into())
}

/// The plugin of this name, as it is now.
pub(super) fn plugin(name: &str, settings: &Settings) -> anyhow::Result<Prepared> {
    let prepared = Plugins::one(name, Path::new(""), &supply::Plugins::new(settings, Want::Latest))
        .map_err(|problem| Failure::refused("the plugin cannot be used", &[problem]))?;
    within_policies(&Plugins::of(prepared.clone()), settings)?;
    Ok(prepared)
}

impl LimitFlags {
    /// The limits, with what the flags say in place of what stands there.
    pub(super) fn over(&self, limits: &Limits) -> Limits {
        Limits {
            fuel: self.fuel.unwrap_or(limits.fuel),
            deadline_ms: self.deadline_ms.unwrap_or(limits.deadline_ms),
            compile_ms: self.compile_ms.unwrap_or(limits.compile_ms),
            memory_bytes: self.memory_bytes.unwrap_or(limits.memory_bytes),
            table_elements: self.table_elements.unwrap_or(limits.table_elements),
            output_bytes: self.output_bytes.unwrap_or(limits.output_bytes),
            host_calls: self.host_calls.unwrap_or(limits.host_calls),
            log_bytes: self.log_bytes.unwrap_or(limits.log_bytes),
        }
    }
}

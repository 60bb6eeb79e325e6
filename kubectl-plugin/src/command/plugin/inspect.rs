//! `plugin inspect`: what a component is and asks for.

use std::fmt::Write as _;

use super::project;
use crate::cli::{Format, Inspect};
use crate::command::project::runtime;
use crate::console::{self, Failure};
use crate::settings::Settings;

pub(crate) fn run(flags: &Inspect, settings: &Settings) -> anyhow::Result<()> {
    let refuse = |problem| Failure::refused("the plugin cannot be used", &[problem]);
    let prepared = project::plugin(&flags.plugin, settings)?;
    let limits = flags.limits.over(&prepared.limits);
    let described =
        runtime(settings)?.describe(&prepared.plugin, &limits).map_err(|error| refuse(error.into()))?;
    let description: serde_json::Value = serde_json::from_str(&described)
        .map_err(|error| Failure::refused(format!("the plugin's description is no JSON: {error}"), &[]))?;
    let plugin = &prepared.plugin;
    let imports: Vec<String> = plugin.imports.iter().map(ToString::to_string).collect();
    if flags.output == Format::Json {
        let value = serde_json::json!({
            "plugin": plugin.name,
            "digest": plugin.digest,
            "source": prepared.builtin.map(|builtin| builtin.source),
            "manifest": prepared.manifest,
            "world": plugin.tier.world(),
            "bytes": plugin.size(),
            "imports": imports,
            "rights": plugin.rights(),
            "description": description,
        });
        return console::print(&format!("{value:#}\n"));
    }
    let mut out = String::new();
    let text = |name: &str| description[name].as_str().unwrap_or("?").to_owned();
    let rights = plugin.rights();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{} {}: {}", text("name"), text("version"), text("summary"));
    let _ = writeln!(out, "digest:  {}", plugin.digest);
    let _ = writeln!(out, "size:    {} bytes", plugin.size());
    let _ = writeln!(out, "world:   {}", plugin.tier.world());
    let _ = writeln!(out, "scope:   {}", text("scope"));
    let _ =
        writeln!(out, "rights:  {}", if rights.is_empty() { "none".to_owned() } else { rights.join(", ") });
    let _ = writeln!(out, "imports:");
    for import in imports {
        let _ = writeln!(out, "  {import}");
    }
    let _ = writeln!(out, "config:  {}", description["configSchema"]);
    console::print(&out)
}

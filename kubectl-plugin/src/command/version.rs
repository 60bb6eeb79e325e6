//! `version`: this program's version and its built-in plugins.

use std::fmt::Write as _;

use lathe_manifest::digest;

use crate::cli::{Format, Version};
use crate::console;

pub(crate) fn run(flags: &Version) -> anyhow::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    if flags.output == Format::Json {
        let plugins: Vec<_> = lathe_bundle::BUILTINS
            .iter()
            .map(|b| serde_json::json!({"name": b.name, "version": b.version, "digest": digest::of_bytes(b.wasm), "source": b.source}))
            .collect();
        let value = serde_json::json!({"version": version, "plugins": plugins});
        return console::print(&format!("{value:#}\n"));
    }
    let mut out = format!("kubectl-lathe {version}\n");
    for builtin in lathe_bundle::BUILTINS {
        // Writing to a String cannot fail.
        let _ =
            writeln!(out, "builtin:{} {} {}", builtin.name, builtin.version, digest::of_bytes(builtin.wasm));
    }
    console::print(&out)
}

//! Builds the built-in plugins, compiles them for the target, asks them what they are, and writes what `src/lib.rs` includes.

use std::fmt::Write as _;
use std::fs;

use lathe_runtime::{Limits, Plugin};

fn main() -> Result<(), String> {
    let root = lathe_component_build::root()?;
    let packages = [
        ("lathe-plugin-aai-client", "plugins/aai-client"),
        ("lathe-plugin-review-hosts", "plugins/review-hosts"),
        ("lathe-plugin-secrets", "plugins/secrets"),
    ];
    let (host, target) = lathe_component_build::host_and_target()?;
    let runtime = lathe_runtime::Runtime::new(None, None).map_err(|error| error.to_string())?;
    let mut code = String::new();
    for component in lathe_component_build::build(&root, &packages)? {
        let wasm = fs::read(&component.wasm).map_err(|error| error.to_string())?;
        // Only the host's own kind of processor is compiled for; elsewhere the plugins are compiled when they are run.
        let native = match lathe_runtime::precompile(&wasm, &target) {
            Err(error) if target == host => return Err(error.to_string()),
            native => native.unwrap_or_default(),
        };
        let file = component.wasm.with_extension("native");
        fs::write(&file, native).map_err(|error| error.to_string())?;
        let name = component.package.trim_start_matches("lathe-plugin-");
        let plugin = Plugin::new(name, wasm).map_err(|error| error.to_string())?;
        let descriptor = runtime.describe(&plugin, &Limits::default()).map_err(|error| error.to_string())?;
        // Writing to a String cannot fail.
        let _ = writeln!(
            code,
            "Builtin {{ name: {name:?}, version: env!(\"CARGO_PKG_VERSION\"), source: {:?}, wasm: include_bytes!({:?}), native: include_bytes!({:?}), descriptor: {descriptor:?} }},",
            component.source,
            component.wasm.display().to_string(),
            file.display().to_string(),
        );
    }
    lathe_component_build::write("builtins.rs", &format!("&[{code}]"))
}

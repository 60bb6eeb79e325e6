//! `plugin build`: runs the command that a project's plugin.yaml holds, and makes a component of a core module.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use lathe_pipeline::PluginFile;
use lathe_runtime::Plugin;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::project;
use crate::cli::Build;
use crate::command::project::write_atomically;
use crate::console::{self, Failure};

pub(crate) fn run(flags: &Build) -> anyhow::Result<()> {
    let file = project::file(&flags.folder)?;
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", &file.build]).current_dir(&flags.folder).stdin(Stdio::null());
    // What tools print is no output of this command.
    shell.stdout(std::io::stderr());
    let status = shell.status().context("`sh` cannot be run")?;
    if !status.success() {
        let told = format!("the build of plugin `{}` failed with {status}", file.metadata.name);
        return Err(Failure::refused(told, &[])
            .with_hint("the command stands in plugin.yaml, under `build`")
            .into());
    }
    let path = flags.folder.join(&file.wasm);
    let wasm = read(&path)?;
    let wasm = match &file.world {
        Some(world) if is_core_module(&wasm) => {
            let component = componentize(wasm, &flags.folder.join("wit"), world)?;
            write_atomically(&path, &component)?;
            component
        }
        _ => wasm,
    };
    tell(&file, &path, wasm)
}

fn tell(file: &PluginFile, path: &Path, wasm: Vec<u8>) -> anyhow::Result<()> {
    let plugin = Plugin::new(&format!("path:{}", file.wasm), wasm)
        .map_err(|error| Failure::refused("what was built cannot be used", &[error.into()]))?;
    let rights = plugin.rights();
    let rights = if rights.is_empty() { "none".to_owned() } else { rights.join(", ") };
    console::note(&format!(
        "{}: {}, {} bytes, {}, rights: {rights}",
        path.display(),
        plugin.digest,
        plugin.size(),
        plugin.tier.world()
    ));
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())).into())
}

/// Puts a world's interface around a core module.
fn componentize(mut module: Vec<u8>, wit: &Path, world: &str) -> anyhow::Result<Vec<u8>> {
    let made = (|| -> anyhow::Result<Vec<u8>> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(wit)?;
        let world = resolve.select_world(&[package], Some(world))?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
        ComponentEncoder::default().module(&module)?.validate(true).encode()
    })();
    made.map_err(|error| {
        let told = format!("no component of world `{world}` can be made of what was built: {error:#}");
        Failure::refused(told, &[]).into()
    })
}

/// A core module has nothing in the upper half of its version (component-model/design/mvp/Binary.md).
fn is_core_module(wasm: &[u8]) -> bool {
    wasm.starts_with(b"\0asm\x01\0\0\0")
}

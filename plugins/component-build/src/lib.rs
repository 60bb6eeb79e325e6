//! For build scripts: builds guests of this workspace as components, the same bytes from every folder and user.
#![allow(clippy::print_stdout, reason = "a build script talks to cargo by standard output")]

mod source;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

/// One guest that has been built.
#[derive(Debug)]
pub struct Component {
    /// The name of its package.
    pub package: String,
    /// The component's file, below the build script's `OUT_DIR`.
    pub wasm: PathBuf,
    /// `sha256:…` over all that the component is made of: equal sources are one plugin, whatever machine built it.
    pub source: String,
}

/// The top of the workspace, two folders above the crate whose build script this is. Asked for when the script runs, for
/// checkouts that share a target folder share the script too.
pub fn root() -> Result<PathBuf, String> {
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    folder.ancestors().nth(2).map(Path::to_owned).ok_or_else(|| "the crate lies in plugins/".to_owned())
}

/// The triples of the machine that builds and of the one that is built for.
pub fn host_and_target() -> Result<(String, String), String> {
    let text = |name| Ok::<_, String>(variable(name)?.to_string_lossy().into_owned());
    Ok((text("HOST")?, text("TARGET")?))
}

/// Builds packages of the workspace at `root`. To be called from a build script; tells cargo what to watch.
///
/// A compiler that lacks the target gets it by `rustup target add`, as rust-toolchain.toml asks.
pub fn build(root: &Path, packages: &[(&str, &str)]) -> Result<Vec<Component>, String> {
    let out = PathBuf::from(variable("OUT_DIR")?).join("guests");
    let sysroot = sysroot()?;
    if !sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        add_target()?;
    }
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.current_dir(root).args(["build", "--locked", "--profile", "plugin", "--target", TARGET]);
    for (package, _) in packages {
        cargo.args(["--package", package]);
    }
    cargo
        .env("CARGO_TARGET_DIR", &out)
        .env("CARGO_ENCODED_RUSTFLAGS", remaps(root, &sysroot)?)
        .env_remove("RUSTFLAGS")
        // Set by `cargo clippy`, whose driver leaves no component behind.
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err("the guests did not build".to_owned());
    }
    let mut built = Vec::new();
    for (package, folder) in packages {
        let file = out.join(TARGET).join("plugin").join(format!("{}.wasm", package.replace('-', "_")));
        let source = source::digest(root, package, Path::new(folder))?;
        built.push(Component { package: (*package).to_owned(), wasm: file, source });
    }
    Ok(built)
}

/// Writes a file of generated code into the build script's `OUT_DIR`.
pub fn write(name: &str, code: &str) -> Result<(), String> {
    fs::write(Path::new(&variable("OUT_DIR")?).join(name), code).map_err(|error| format!("{name}: {error}"))
}

#[allow(clippy::disallowed_methods, reason = "a build script is told everything by its environment")]
fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set; this runs in a build script"))
}

fn sysroot() -> Result<PathBuf, String> {
    let output = Command::new(variable("RUSTC")?)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("rustc: {error}"))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn add_target() -> Result<(), String> {
    let hint = format!("the compiler lacks the target {TARGET}; `rustup target add {TARGET}` adds it");
    let status = Command::new("rustup").args(["target", "add", TARGET]).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(hint),
    }
}

/// Compiler flags that keep this machine's folders out of the component.
fn remaps(root: &Path, sysroot: &Path) -> Result<OsString, String> {
    let mut flags = OsString::new();
    let mut remap = |from: &Path, to: &str| {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    };
    remap(&sysroot.join("lib/rustlib/src/rust"), "/rust");
    remap(root, "/lathe");
    let home = variable("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|_| variable("HOME").map(|h| Path::new(&h).join(".cargo")))?;
    if let Ok(registries) = fs::read_dir(home.join("registry/src")) {
        for registry in registries.flatten() {
            remap(&registry.path(), "/crates");
        }
    }
    Ok(flags)
}

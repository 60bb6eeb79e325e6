//! `plugin new`: a project in a language of choice, made of the example in that language with all that it needs beside it.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::cli::{Language, New};
use crate::console::{self, Failure};
use crate::settings::Settings;

/// A file of a project: its path and text.
type File = (&'static str, &'static str);

macro_rules! example {
    ($folder:literal: $($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../../examples/plugins/", $folder, "/", $file)))),*]
    };
}

const RUST: &[File] = example!("rust": ".gitignore", "Cargo.lock", "Cargo.toml", "plugin.yaml", "src/lib.rs");
const JS: &[File] =
    example!("js": ".gitignore", "lathe.js", "package-lock.json", "package.json", "plugin.js", "plugin.yaml");
const PYTHON: &[File] =
    example!("python": ".gitignore", "lathe.py", "plugin.py", "plugin.yaml", "requirements.txt");
const C: &[File] = example!("c": ".gitignore", "README.md", "bindings/pure.c", "bindings/pure.h", "json.c", "json.h",
    "lathe.c", "lathe.h", "plugin.c", "plugin.yaml", "requirements.txt");
const GO: &[File] = example!("go": ".gitignore", "go.mod", "lathe.go", "main.go", "plugin.yaml");

/// Tests that all of the examples pass.
const TESTS: &[File] = example!("cases": "basic/case.yaml", "basic/edits.yaml", "basic/input.yaml",
    "wrong-config/case.yaml", "wrong-config/input.yaml");

/// What the schema of a plugin refuses that describes itself, and what one says that cannot.
const DESCRIBED_TESTS: &[File] = example!("cases": "wrong-config/error.txt");
const GO_TESTS: &[File] = example!("go/tests": "wrong-config/error.txt");

/// The contract.
const WIT: &[File] = &[
    ("imports.wit", include_str!("../../../../wit/transform/v0.1/imports.wit")),
    ("types.wit", include_str!("../../../../wit/transform/v0.1/types.wit")),
    ("worlds.wit", include_str!("../../../../wit/transform/v0.1/worlds.wit")),
];

/// The SDK for Rust, which a project has its own copy of.
const SDK: &[File] = &[
    ("src/bindings.rs", include_str!("../../../../plugins/sdk/src/bindings.rs")),
    ("src/derive.rs", include_str!("../../../../plugins/sdk/src/derive.rs")),
    ("src/lib.rs", include_str!("../../../../plugins/sdk/src/lib.rs")),
    ("src/outcome.rs", include_str!("../../../../plugins/sdk/src/outcome.rs")),
    ("src/request.rs", include_str!("../../../../plugins/sdk/src/request.rs")),
];

/// The SDK's manifest outside of this workspace.
const SDK_MANIFEST: &str = r#"[package]
name = "lathe-sdk"
version = "0.1.0"
edition = "2024"
license = "Apache-2.0"
publish = false

[dependencies]
serde = { version = "1", features = ["derive"] }
serde_json = { version = "1", features = ["float_roundtrip", "unbounded_depth"] }
wit-bindgen = { version = "0.61", default-features = false, features = ["macros", "realloc"] }
"#;

pub(crate) fn run(flags: &New, settings: &Settings) -> anyhow::Result<()> {
    let name = &flags.name;
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let sound = name.len() <= 63
        && name.bytes().all(letter)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-');
    if !sound {
        return Err(Failure::usage(format!(
            "`{name}` is no name for a plugin: a letter, then letters, digits and `-`, all lower case"
        ))
        .into());
    }
    let folder = Path::new(name);
    // Made new, so that nothing of anybody's is written over.
    fs::create_dir(folder).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    let files = match flags.lang {
        Language::Rust => RUST,
        Language::Js => JS,
        Language::Python => PYTHON,
        Language::C => C,
        Language::Go => GO,
    };
    for (path, text) in files {
        write(&folder.join(path), &named(text, name))?;
    }
    let wrong = if flags.lang == Language::Go { GO_TESTS } else { DESCRIBED_TESTS };
    for (path, text) in TESTS.iter().chain(wrong) {
        write(&folder.join("tests").join(path), text)?;
    }
    if flags.lang != Language::Go {
        for (path, text) in WIT {
            write(&folder.join("wit").join(path), text)?;
        }
    }
    if flags.lang == Language::Rust {
        write(&folder.join("sdk/Cargo.toml"), SDK_MANIFEST)?;
        for (path, text) in SDK {
            write(&folder.join("sdk").join(path), &text.replace("../../wit/transform/v0.1", "../wit"))?;
        }
    }
    let program = settings.program;
    console::note(&format!(
        "{name}/ is ready: `{program} plugin build {name}`, then `{program} plugin test {name}`"
    ));
    Ok(())
}

/// The example's text, with the plugin's own name.
fn named(text: &str, name: &str) -> String {
    let mut text = text.replace("../../../plugins/sdk", "sdk");
    for (from, to) in [
        ("name: stamp}", format!("name: {name}}}")),
        ("name: \"stamp\"", format!("name: \"{name}\"")),
        ("name=\"stamp\"", format!("name=\"{name}\"")),
        (r#"\"name\":\"stamp\""#, format!(r#"\"name\":\"{name}\""#)),
        ("lathe_plugin_stamp.wasm", format!("lathe_plugin_{}.wasm", name.replace('-', "_"))),
        ("module example.com/stamp", format!("module example.com/{name}")),
        ("lathe-plugin-stamp", format!("lathe-plugin-{name}")),
    ] {
        text = text.replace(from, &to);
    }
    text
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let told = || format!("{} cannot be written", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(told)?;
    }
    fs::write(path, text).with_context(told)
}

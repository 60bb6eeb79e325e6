//! What plugins cost: to be ready, in the sandbox beside the same code natively, and in parts on all cores.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use super::subject::figures;
use super::{Figures, scale};
use crate::process::{self, root};

/// The most that a plugin may take to be ready when its code is kept, in milliseconds; what the sandbox may take of the same code
/// natively; and what parts on two cores may take of one call.
const READY_IN_RUST: f64 = 1.0;
const READY_IN_PYTHON: f64 = 5.0;
const OF_NATIVE: f64 = 3.5;
const OF_ONE_CALL: f64 = 0.75;

const OBJECTS: u32 = 10_000;

/// Builds the examples in Rust and Python, and measures them and review-hosts.
pub(super) fn measure(work: &Path, told: &mut Figures) -> anyhow::Result<()> {
    fs::create_dir_all(work)?;
    let manifests = work.join("manifests.yaml");
    fs::write(&manifests, scale::manifests(OBJECTS)?)?;
    let examples = root().join("examples/plugins");
    for language in ["rust", "python"] {
        let mut build = Command::new(root().join("target/release/kubectl-lathe"));
        build.args(["plugin", "build"]).arg(examples.join(language));
        process::run(build)?;
    }
    let output = Command::new(root().join("target/release/examples/plugin-cost"))
        .arg(work.join("cache"))
        .arg(&manifests)
        .arg(examples.join("rust/target/wasm32-wasip2/release/lathe_plugin_stamp.wasm"))
        .arg(examples.join("python/plugin.wasm"))
        .output()?;
    ensure!(output.status.success(), "plugin-cost: {}", String::from_utf8_lossy(&output.stderr));
    let [rust, python, natively, sandboxed, one, parts] = figures(&output.stdout)?.map(as_ms);
    told.text.push_str(&format!(
        "\n## Plugins\n\nreview-hosts and the example in Rust over {OBJECTS} objects; medians in one run. What the sandbox adds is the objects' way in and \
         out as text, code that is compiled fast rather than well, and counting fuel and time.\n\n| | |\n|---|---:|\n| review-hosts, natively | {natively:.0} ms |\n| \
         review-hosts, in the sandbox | {sandboxed:.0} ms |\n| the example, in one call | {one:.0} ms |\n| the example, in parts on all cores | {parts:.0} \
         ms |\n\n| | | limit |\n|---|---:|---:|\n"
    ));
    told.row("ready, Rust", &[rust], READY_IN_RUST, " ms");
    told.row("ready, Python", &[python], READY_IN_PYTHON, " ms");
    told.row("in the sandbox / natively", &[sandboxed / natively], OF_NATIVE, "");
    told.row("in parts / in one call", &[parts / one], OF_ONE_CALL, "");
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "microseconds of a measurement")]
fn as_ms(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

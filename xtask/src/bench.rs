//! `bench`: the portal's render, cold and warm, as medians of one run.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::process::{self, cargo, root};

const RUNS: usize = 50;

pub(crate) fn run() -> anyhow::Result<()> {
    process::run(cargo(&["build", "--release", "--package", "kubectl-lathe"]))?;
    // Outside of the checkout, in which compiled plugins are never kept.
    let home = std::env::temp_dir().join(format!("lathe-bench-{}", std::process::id()));
    render(&home)?;
    let warm = median(RUNS, || render(&home))?;
    let format = median(RUNS, || format_only(&home))?;
    let cold = median(5, || {
        // A home that is not there is a cold cache.
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        render(&home)
    })?;
    fs::remove_dir_all(&home)?;
    println!("machine: {} cores, {}", std::thread::available_parallelism()?, std::env::consts::ARCH);
    println!("portal, three plugins, warm: {:>8.1} ms (median of {RUNS})", milliseconds(warm));
    println!("portal, three plugins, cold: {:>8.1} ms (median of 5)", milliseconds(cold));
    println!("portal, formatting only:     {:>8.1} ms (median of {RUNS})", milliseconds(format));
    println!("warm / formatting:           {:>8.2}", warm.as_secs_f64() / format.as_secs_f64());
    Ok(())
}

fn render(home: &Path) -> anyhow::Result<Duration> {
    timed(home, &["render", "-p", "examples/portal", "--env", "review", "--review", "42"])
}

fn format_only(home: &Path) -> anyhow::Result<Duration> {
    timed(home, &["render", "-f", "examples/portal/manifests"])
}

fn timed(home: &Path, arguments: &[&str]) -> anyhow::Result<Duration> {
    let mut command = Command::new(root().join("target/release/kubectl-lathe"));
    command.args(arguments).current_dir(root()).env_clear().env("HOME", home);
    let started = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let took = started.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    Ok(took)
}

fn median(runs: usize, mut one: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    let mut all = (0..runs).map(|_| one()).collect::<anyhow::Result<Vec<_>>>()?;
    all.sort();
    Ok(all[all.len() / 2])
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

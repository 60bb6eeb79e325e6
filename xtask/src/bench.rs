//! `bench`: what Lathe costs, beside what others cost in the same run. Medians, processor and wall-clock time.

mod cluster;
mod plugins;
mod portal;
mod scale;
mod subject;

use std::fs;
use std::process::Command;

use anyhow::bail;
use clap::{Args, ValueEnum};

use crate::process::{self, cargo, root};
use crate::tools::{self, Tool as _};

pub(crate) use subject::Measure;

#[derive(Args)]
pub(crate) struct Flags {
    /// Keep the figures under docs/benchmarks, under today's date
    #[arg(long)]
    save: bool,
    /// Measure one part alone
    #[arg(long, value_enum, value_name = "PART", conflicts_with = "save")]
    only: Option<Part>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The portal, rendered
    Portal,
    /// Many objects, rendered
    Scale,
    /// Plugins
    Plugins,
    /// Many objects, applied to an API server
    Cluster,
}

/// Figures as a page, and the names of those over their limit.
#[derive(Default)]
struct Figures {
    text: String,
    over: Vec<String>,
}

impl Figures {
    /// A line of a table, with the most that each value may be.
    fn row(&mut self, name: &str, values: &[f64], limit: f64, unit: &str) {
        let shown: Vec<String> = values.iter().map(|value| format!("{value:.2}{unit}")).collect();
        self.text.push_str(&format!("| {name} | {} | {limit:.2}{unit} |\n", shown.join(" | ")));
        if values.iter().any(|value| *value > limit) {
            self.over.push(name.to_owned());
        }
    }
}

pub(crate) fn run(flags: &Flags) -> anyhow::Result<()> {
    process::run(cargo(&[
        "build",
        "--release",
        "--locked",
        "--package",
        "kubectl-lathe",
        "--bins",
        "--examples",
    ]))?;
    process::run(cargo(&["build", "--release", "--locked", "--package", "lathe-manifest", "--examples"]))?;
    let kustomize = tools::KUSTOMIZE.folder()?.join("kustomize");
    let oracle = tools::ORACLE.folder()?.join("yaml-oracle");
    // Outside of the checkout, in which compiled plugins are never kept.
    let work = std::env::temp_dir().join(format!("lathe-bench-{}", std::process::id()));
    process::remove_at_end(&work);
    let mut figures = Figures { text: machine(&kustomize.display().to_string()), over: Vec::new() };
    let parts = [Part::Portal, Part::Scale, Part::Plugins, Part::Cluster];
    let mut wanted = parts.into_iter().filter(|part| flags.only.is_none_or(|only| only == *part));
    let measured = wanted.try_for_each(|part| match part {
        Part::Portal => portal::measure(&work.join("portal"), &kustomize, &mut figures),
        Part::Scale => scale::measure(&work.join("scale"), &kustomize, &oracle, &mut figures),
        Part::Plugins => plugins::measure(&work.join("plugins"), &mut figures),
        Part::Cluster => cluster::measure(&work.join("cluster"), &mut figures),
    });
    fs::remove_dir_all(&work)?;
    measured?;
    println!("{}", figures.text);
    if flags.save {
        let date = said("date", &["-u", "+%F"]);
        fs::write(
            root().join(format!("docs/benchmarks/{date}.md")),
            format!("# {date}\n\n{}", figures.text),
        )?;
    }
    if !figures.over.is_empty() {
        bail!("over the limit: {}", figures.over.join(", "));
    }
    Ok(())
}

/// What it was measured on and with.
fn machine(kustomize: &str) -> String {
    format!(
        "{}, {} cores, Linux {}; {}; kustomize {}. Each in turns with the others; medians.\n\n",
        processor(),
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        said("uname", &["-r"]),
        said("rustc", &["--version"]),
        said(kustomize, &["version"]),
    )
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |model| model.trim_matches([' ', '\t', ':']).to_owned(),
    )
}

/// The first line that a program prints; empty where there is no such program.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

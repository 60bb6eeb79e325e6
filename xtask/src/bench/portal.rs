//! `bench`: what a render costs, beside what others cost in the same run. Medians, processor and wall-clock time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};

use crate::process::{self, cargo, root};
use crate::tools::{self, Tool as _};

/// How often each program is run, in turns with the others, so that all have the same weather.
const RUNS: usize = 50;

/// What a render may cost at most, of `kustomize build` and of itself.
const OF_KUSTOMIZE: f64 = 1.5;
const COLD_MORE: Duration = Duration::from_millis(150);
const PLUGIN_SHARE: f64 = 0.25;

#[derive(Args)]
pub(crate) struct Flags {
    /// Keep the figures under docs/benchmarks, under today's date
    #[arg(long)]
    save: bool,
}

/// What one run of a program took.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

/// One program with arguments, and what its runs took.
struct Subject {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<&'static str>,
    folder: PathBuf,
    /// `HOME`; one that cannot be written is a cold start.
    home: PathBuf,
    costs: Vec<Cost>,
}

pub(crate) fn run(flags: &Flags) -> anyhow::Result<()> {
    process::run(cargo(&["build", "--release", "--locked", "--package", "kubectl-lathe"]))?;
    let kustomize = tools::KUSTOMIZE.folder()?.join("kustomize");
    // Outside of the checkout, in which compiled plugins are never kept.
    let work = std::env::temp_dir().join(format!("lathe-bench-{}", std::process::id()));
    process::remove_at_end(&work);
    let measured = lay(&work).and_then(|()| measure(&work, &kustomize));
    fs::remove_dir_all(&work)?;
    let (text, over) = measured?;
    println!("{text}");
    if flags.save {
        let date = said("date", &["-u", "+%F"]);
        fs::write(root().join(format!("docs/benchmarks/{date}.md")), format!("# {date}\n\n{text}"))?;
    }
    if !over.is_empty() {
        bail!("over the limit: {}", over.join(", "));
    }
    Ok(())
}

/// The portal without the Job that has only a prefix for a name, which kustomize refuses.
fn lay(work: &Path) -> anyhow::Result<()> {
    let (from, to) = (root().join("examples/portal"), work.join("portal"));
    fs::create_dir_all(to.join("manifests"))?;
    for file in ["lathe.yaml", "lathe.lock", "secrets.local.yaml"] {
        fs::copy(from.join(file), to.join(file))?;
    }
    let text = fs::read_to_string(from.join("manifests/portal.yaml"))?;
    let kept: Vec<&str> =
        text.split("\n---\n").filter(|document| !document.contains("generateName")).collect();
    ensure!(kept.len() < text.split("\n---\n").count(), "the portal has lost its Job");
    fs::write(to.join("manifests/portal.yaml"), kept.join("\n---\n"))?;
    fs::write(to.join("manifests/kustomization.yaml"), "resources: [portal.yaml]\n")?;
    // The pipeline's input is the folder, in which the kustomization is no manifest.
    let pipeline = fs::read_to_string(to.join("lathe.yaml"))?;
    fs::write(
        to.join("lathe.yaml"),
        pipeline.replace("inputs: [manifests/]", "inputs: [manifests/portal.yaml]"),
    )?;
    Ok(())
}

fn measure(work: &Path, kustomize: &Path) -> anyhow::Result<(String, Vec<String>)> {
    let lathe = root().join("target/release/kubectl-lathe");
    let render = vec!["render", "-p", "portal", "--env", "review", "--review", "42"];
    let subject = |name, program: &Path, arguments, home: PathBuf| Subject {
        name,
        program: program.to_owned(),
        arguments,
        folder: work.to_owned(),
        home,
        costs: Vec::with_capacity(RUNS),
    };
    let mut subjects = [
        subject("`kustomize build`", kustomize, vec!["build", "portal/manifests"], work.join("home")),
        subject("render, three plugins", &lathe, render.clone(), work.join("home")),
        subject("the same without a home", &lathe, render, PathBuf::from("/dev/null/none")),
        subject(
            "render `-f`, no plugin",
            &lathe,
            vec!["render", "-f", "portal/manifests/portal.yaml"],
            work.join("home"),
        ),
    ];
    for turn in 0..=RUNS {
        for subject in &mut subjects {
            let cost = subject.run()?;
            // The first turn fills caches, the system's as well.
            if turn > 0 {
                subject.costs.push(cost);
            }
        }
    }
    let plugins = plugins(&subjects[1])?;
    Ok(told(&subjects, &plugins))
}

impl Subject {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder).env_clear().env("HOME", &self.home);
        command
    }

    fn run(&self) -> anyhow::Result<Cost> {
        let (before, started) = (children()?, Instant::now());
        let status = self.command().stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        let wall = started.elapsed();
        ensure!(status.success(), "{}: {status}", self.name);
        Ok(Cost { wall, cpu: children()?.saturating_sub(before) })
    }

    fn median(&self, what: impl Fn(&Cost) -> Duration) -> Duration {
        median(self.costs.iter().map(what).collect())
    }
}

/// Processor time of all programs that were run so far.
fn children() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |value: nix::sys::time::TimeVal| {
        let (seconds, micros) = (u64::try_from(value.tv_sec()), u64::try_from(value.tv_usec()));
        Duration::from_secs(seconds.unwrap_or(0)) + Duration::from_micros(micros.unwrap_or(0))
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

/// Name, median time and fuel of each plugin's call, from what the render logs of itself.
fn plugins(render: &Subject) -> anyhow::Result<Vec<(String, Duration, u64)>> {
    let mut all: Vec<(String, Vec<Duration>, u64)> = Vec::new();
    for _ in 0..RUNS {
        let output = render.command().env("RUST_LOG", "lathe_runtime=debug").output()?;
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        for line in log.lines().filter(|line| line.contains(" ran ")) {
            let field = |name: &str| {
                let rest = line.split_once(&format!("{name}=")).map(|(_, rest)| rest);
                rest.and_then(|rest| rest.split(' ').next()).map(|text| text.trim_matches('"').to_owned())
            };
            let number = |name| field(name).and_then(|text| text.parse().ok()).context("a plugin's figures");
            let (name, micros, fuel) =
                (field("plugin").context("a plugin's name")?, number("us")?, number("fuel")?);
            match all.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, times, _)) => times.push(Duration::from_micros(micros)),
                None => all.push((name, vec![Duration::from_micros(micros)], fuel)),
            }
        }
    }
    ensure!(all.len() == 3, "the log tells of {} plugins", all.len());
    Ok(all.into_iter().map(|(name, times, fuel)| (name, median(times), fuel)).collect())
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// The figures as a page, and which of them are over their limit.
fn told(subjects: &[Subject; 4], plugins: &[(String, Duration, u64)]) -> (String, Vec<String>) {
    let [kustomize, warm, cold, _] = subjects;
    let mut text = format!(
        "Portal example without the Job that has only a prefix for a name. {RUNS} runs each, in turns, medians.\n\n\
         {}, {} cores, Linux {}; {}; kustomize {}.\n\n| | wall | processor |\n|---|---:|---:|\n",
        processor(),
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        said("uname", &["-r"]),
        said("rustc", &["--version"]),
        said(&kustomize.program.display().to_string(), &["version"]),
    );
    for subject in subjects {
        let (wall, cpu) = (subject.median(|cost| cost.wall), subject.median(|cost| cost.cpu));
        text.push_str(&format!("| {} | {:.1} ms | {:.1} ms |\n", subject.name, ms(wall), ms(cpu)));
    }
    text.push_str("\n| | wall | processor | limit |\n|---|---:|---:|---:|\n");
    let mut over = Vec::new();
    let mut row = |name: &str, wall: f64, cpu: f64, limit: f64, unit: &str| {
        text.push_str(&format!("| {name} | {wall:.2}{unit} | {cpu:.2}{unit} | {limit:.2}{unit} |\n"));
        if wall > limit || cpu > limit {
            over.push(name.to_owned());
        }
    };
    let both =
        |subject: &Subject| (ms(subject.median(|cost| cost.wall)), ms(subject.median(|cost| cost.cpu)));
    let ((their_wall, their_cpu), (wall, cpu), (cold_wall, cold_cpu)) =
        (both(kustomize), both(warm), both(cold));
    row("render / `kustomize build`", wall / their_wall, cpu / their_cpu, OF_KUSTOMIZE, "");
    row("render without a home - render", cold_wall - wall, cold_cpu - cpu, ms(COLD_MORE), " ms");
    for (name, time, _) in plugins {
        let share = ms(*time) / wall;
        row(&format!("{name} / render"), share, share, PLUGIN_SHARE, "");
    }
    text.push_str("\n| | call | fuel |\n|---|---:|---:|\n");
    for (name, time, fuel) in plugins {
        text.push_str(&format!("| {name} | {:.2} ms | {fuel} |\n", ms(*time)));
    }
    (text, over)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
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

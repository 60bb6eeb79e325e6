//! What a render of the portal example costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::Figures;
use super::subject::{Subject, median, ms};
use crate::process::root;

/// How often each program is run, in turns with the others, so that all have the same weather.
const RUNS: usize = 50;

/// What a render may cost at most, of `kustomize build` and of itself.
const OF_KUSTOMIZE: f64 = 1.5;
const COLD_MORE: Duration = Duration::from_millis(150);
const PLUGIN_SHARE: f64 = 0.25;

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

/// Runs all programs in turns, in a folder of its own.
pub(super) fn measure(work: &Path, kustomize: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    lay(work)?;
    let lathe = root().join("target/release/kubectl-lathe");
    let render = vec!["render", "-p", "portal", "--env", "review", "--review", "42"];
    let subject = |name, program: &Path, arguments: Vec<&str>, home: PathBuf| Subject {
        name,
        program: program.to_owned(),
        arguments: arguments.into_iter().map(ToOwned::to_owned).collect(),
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
            subject.run()?;
            // The first turn fills caches, the system's as well.
            if turn == 0 {
                subject.costs.clear();
            }
        }
    }
    tell(&subjects, &plugins(&subjects[1])?, figures);
    Ok(())
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

fn tell(subjects: &[Subject; 4], plugins: &[(String, Duration, u64)], figures: &mut Figures) {
    let [kustomize, warm, cold, _] = subjects;
    figures.text.push_str(&format!(
        "## One application\n\nThe portal example without the Job that has only a prefix for a name, {RUNS} runs each.\n\n\
         | | wall | processor |\n|---|---:|---:|\n"
    ));
    for subject in subjects {
        let (wall, cpu) = (subject.median(|cost| cost.wall), subject.median(|cost| cost.cpu));
        figures.text.push_str(&format!("| {} | {:.1} ms | {:.1} ms |\n", subject.name, ms(wall), ms(cpu)));
    }
    figures.text.push_str("\n| | wall | processor | limit |\n|---|---:|---:|---:|\n");
    let both =
        |subject: &Subject| [ms(subject.median(|cost| cost.wall)), ms(subject.median(|cost| cost.cpu))];
    let (theirs, own, without) = (both(kustomize), both(warm), both(cold));
    let of = |a: [f64; 2], b: [f64; 2]| [a[0] / b[0], a[1] / b[1]];
    figures.row("render / `kustomize build`", &of(own, theirs), OF_KUSTOMIZE, "");
    let more = [without[0] - own[0], without[1] - own[1]];
    figures.row("render without a home - render", &more, ms(COLD_MORE), " ms");
    for (name, time, _) in plugins {
        let share = ms(*time) / own[0];
        figures.row(&format!("{name} / render"), &[share, share], PLUGIN_SHARE, "");
    }
    figures.text.push_str("\n| | call | fuel |\n|---|---:|---:|\n");
    for (name, time, fuel) in plugins {
        figures.text.push_str(&format!("| {name} | {:.2} ms | {fuel} |\n", ms(*time)));
    }
}

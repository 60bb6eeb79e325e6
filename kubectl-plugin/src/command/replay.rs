//! `replay`: a transcript's render again, without asking anybody, and what another version of a plugin would change.

use std::fs;
use std::path::Path;

use lathe_manifest::write;
use lathe_pipeline::{Lock, Output, Plugins, Render, Rendered, Transcript};
use lathe_runtime::Plugin;

use super::project::{self, Project, Ready};
use super::render;
use crate::cli::Replay;
use crate::console::{self, Failure};
use crate::diff;
use crate::settings::Settings;

pub(crate) fn run(flags: &Replay, settings: &Settings) -> anyhow::Result<()> {
    let name = flags.transcript.display().to_string();
    let bytes = fs::read(&flags.transcript).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
    let transcript = Transcript::parse(&name, &bytes)
        .map_err(|problems| Failure::refused("the transcript is wrong", &problems))?;
    let project = Project::need(flags.source.pipeline.as_deref())?;
    let Transcript { environment, review, slot, .. } = &transcript;
    let environment = project.resolve(Some(environment), review.as_deref(), slot.as_deref())?;
    let ready = project.ready_offline(settings)?;
    let objects = project.inputs(&flags.source, &environment)?.objects;
    let rendered = |ready: &Ready, objects| {
        Render { record: true, ..project.render(ready, &environment, Output::References) }.run(objects)
    };
    let again = rendered(&ready, objects.clone());
    // Where the run was refused, what has changed since is the better answer.
    let now = render::transcript(&again);
    let differences = now.as_ref().map(|now| transcript.differences(now)).unwrap_or_default();
    if !differences.is_empty() {
        let summary = format!("this is not what {name} was taken down from");
        return Err(Failure::refused(summary, &differences).into());
    }
    without_problems(&again)?;
    let text = |run: &Rendered| write::yaml(run.objects.iter().map(|(_, object)| object));
    let Some(other) = &flags.plugin else { return console::print(&text(&again)) };
    let (plugin, file) = chosen(other, &ready.plugins)?;
    let replaced = replaced(ready, &plugin, &file, settings)?;
    let changed = rendered(&replaced, objects);
    without_problems(&changed)?;
    for (then, now) in
        again.report.plugins.iter().zip(&changed.report.plugins).filter(|(_, now)| now.plugin == plugin)
    {
        console::note(&format!("{plugin}: fuel was {}, is {}", then.fuel, now.fuel));
    }
    console::print(&diff::unified("recorded", &file, &text(&again), &text(&changed)))
}

fn without_problems(run: &Rendered) -> anyhow::Result<()> {
    match run.report.problems.as_slice() {
        [] => Ok(()),
        problems => Err(render::refused(problems, "nothing is replayed").into()),
    }
}

/// The plugin that `[NAME=]FILE` replaces, and the file.
fn chosen(flag: &str, plugins: &Plugins) -> anyhow::Result<(String, String)> {
    if let Some((name, file)) = flag.split_once('=') {
        if plugins.iter().any(|(known, _)| known == name) {
            return Ok((name.to_owned(), file.to_owned()));
        }
        return Err(Failure::usage(format!("the pipeline has no plugin `{name}`")).into());
    }
    let others: Vec<&str> =
        plugins.iter().filter(|(_, prepared)| prepared.builtin.is_none()).map(|(name, _)| name).collect();
    if let [only] = others.as_slice() {
        return Ok(((*only).to_owned(), flag.to_owned()));
    }
    let told =
        format!("`--plugin NAME={flag}` is needed: the pipeline has {} plugins of its own", others.len());
    Err(Failure::usage(told).into())
}

/// The same run with another plugin in the place of one. What it asks for beyond the lock is told, and given for this once.
fn replaced(ready: Ready, name: &str, file: &str, settings: &Settings) -> anyhow::Result<Ready> {
    let wasm = fs::read(Path::new(file)).map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    let plugin = Plugin::new(name, wasm)
        .map_err(|error| Failure::refused("the plugin cannot be used", &[error.into()]))?;
    let plugins = ready.plugins.with(name, plugin);
    project::within_policies(&plugins, settings)?;
    for line in ready.lock.differences(&plugins) {
        console::note(&line);
    }
    let lock = Lock::of(&plugins);
    Ok(Ready { plugins, lock, runtime: project::runtime(settings)? })
}

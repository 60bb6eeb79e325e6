//! `render`: the manifests of an environment, transformed, on standard output.

use std::mem::ManuallyDrop;

use lathe_manifest::{Object, digest, write};
use lathe_pipeline::{Render, Rendered, Transcript, Variables};

use super::output_dir;
use super::project::{self, Project};
use crate::cli::{self, ObjectFormat, SecretsMode};
use crate::console::{self, Failure};
use crate::settings::{Settings, variable};

pub(crate) fn run(flags: &cli::Render, settings: &Settings) -> anyhow::Result<()> {
    let Some(project) = Project::find(flags.source.pipeline.as_deref())? else {
        return format(flags, settings);
    };
    let environment = project.environment(&flags.target)?;
    let ready = project.ready(flags.update_lock, settings)?;
    let inputs = project.inputs(&flags.source, &environment)?;
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    let plain = flags.show_secrets || flags.secrets == SecretsMode::Plain;
    let values: Option<Variables<'_>> = if plain { Some(&variable) } else { None };
    let record = flags.transcript.is_some();
    let render = Render { record, ..project.render(&ready, &environment, values) };
    let rendered = render.run(inputs.objects);
    if let Some(file) = &flags.report {
        project::write_report(file, rendered.report.to_json().as_bytes(), &project, &flags.target)?;
    }
    rendered.report.warnings.iter().for_each(|warning| console::warn(warning));
    if !rendered.report.problems.is_empty() {
        return Err(refused(&rendered.report.problems, "nothing is written").into());
    }
    if let (Some(file), Some(transcript)) = (&flags.transcript, transcript(&rendered)) {
        project::write_report(file, transcript.to_json().as_bytes(), &project, &flags.target)?;
    }
    emit(rendered.objects.iter().map(|(_, object)| object), flags)
}

/// A run's transcript, with the digest of what is written unless that holds values of secrets.
pub(super) fn transcript(rendered: &Rendered) -> Option<Transcript> {
    let mut transcript = rendered.transcript.clone()?;
    if !rendered.holds_values {
        let text = write::yaml(rendered.objects.iter().map(|(_, object)| object));
        transcript.rendered = Some(digest::of_bytes(text.as_bytes()));
    }
    Some(transcript)
}

/// Without a pipeline: the objects as they are, in canonical form.
fn format(flags: &cli::Render, settings: &Settings) -> anyhow::Result<()> {
    if flags.source.filename.is_empty() {
        let failure = Failure::usage("there is nothing to render: no lathe.yaml here, no `-p`, no `-f`");
        return Err(failure
            .with_hint(format!("`{} render -f FILE` formats manifests", settings.program))
            .into());
    }
    let plain = flags.show_secrets || flags.secrets == SecretsMode::Plain;
    let target = flags.target.env.is_some() || flags.target.review.is_some();
    if target || flags.report.is_some() || flags.transcript.is_some() || flags.update_lock || plain {
        let failure = Failure::usage(
            "`--env`, `--review`, `--report`, `--transcript`, `--secrets` and `--update-lock` need a pipeline, and there is no lathe.yaml here",
        );
        return Err(failure.with_hint("name a pipeline by `-p DIR`").into());
    }
    // Not freed: the program is about to end, and taking a large tree apart takes as long as writing it.
    let inputs = ManuallyDrop::new(project::files(&flags.source)?);
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    if inputs.objects.is_empty() {
        console::warn("the input holds no object");
    }
    emit(inputs.objects.iter(), flags)
}

/// Writes the objects to where the flags say.
fn emit<'a>(objects: impl Iterator<Item = &'a Object>, flags: &cli::Render) -> anyhow::Result<()> {
    match &flags.output_dir {
        Some(folder) => output_dir::write(folder, objects, flags.output),
        None => console::print(&text(objects, flags.output)),
    }
}

/// Objects as one text.
pub(super) fn text<'a>(objects: impl Iterator<Item = &'a Object>, format: ObjectFormat) -> String {
    match format {
        ObjectFormat::Yaml => write::yaml(objects),
        ObjectFormat::Json => write::json_list(objects),
        ObjectFormat::Jsonl => write::json_lines(objects),
    }
}

/// What is told of a run that has problems.
pub(super) fn refused(problems: &[lathe_pipeline::Problem], outcome: &str) -> Failure {
    let count = problems.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    Failure::refused(format!("{count} {noun}; {outcome}"), problems)
}

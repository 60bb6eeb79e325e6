//! `render`: the manifests of an environment, transformed, on standard output.

use std::fs;
use std::mem::ManuallyDrop;
use std::path::Path;

use lathe_manifest::{Object, digest, write};
use lathe_pipeline::{Output, Problem, Render, Rendered, Transcript};
use lathe_secrets::output::{Previous, Recipients};
use lathe_secrets::provider::Surroundings;

use super::output_dir;
use super::project::{self, Project};
use super::world::World;
use crate::cli::{self, ObjectFormat, SecretsFlags, SecretsMode};
use crate::console::{self, Failure};
use crate::settings::{self, Settings, variable};

pub(crate) fn run(flags: &cli::Render, settings: &Settings) -> anyhow::Result<()> {
    let Some(project) = Project::find(flags.source.pipeline.as_deref())? else {
        return format(flags, settings);
    };
    if flags.values.mode() == SecretsMode::Plain && settings.ci && !flags.values.force_plain {
        let failure = Failure::usage(
            "values would be printed, and this runs in CI (`CI` is set), whose logs others read",
        );
        return Err(failure
            .with_hint("`apply` puts them into the cluster; `--force-plain` prints them")
            .into());
    }
    let environment = project.environment(&flags.target)?;
    let ready = project.ready(flags.update_lock, settings)?;
    let inputs = project.inputs(&flags.source, &environment)?;
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    let world = World::new(&project, settings, flags.values.offline)?;
    let world = world.with_file(flags.target.state.as_deref(), &environment);
    let cluster = |namespace: &str, name: &str| world.secret(namespace, name);
    let generated = |wanted: &_| world.generate(wanted);
    let around = world.surroundings(&cluster, &generated);
    let sops = sops(&flags.values, &around)?;
    let now = settings::now();
    let output = match (flags.values.mode(), &sops) {
        (SecretsMode::Plain, _) => Output::Values { around: &around, live: None, stamp: None },
        (SecretsMode::Sops, Some((recipients, previous))) => {
            Output::Sops { around: &around, recipients, previous: previous.as_ref(), now: &now }
        }
        (SecretsMode::Externalsecret, _) => Output::External { around: &around },
        _ => Output::References,
    };
    let record = flags.transcript.is_some();
    let render = Render { record, ..project.render(&ready, &environment, output) };
    let rendered = render.run(inputs.objects);
    if let Some(file) = &flags.report {
        project::write_report(file, rendered.report.to_json().as_bytes(), &project, &flags.target)?;
    }
    rendered.report.warnings.iter().for_each(|warning| console::warn(warning));
    if !rendered.report.problems.is_empty() {
        return Err(refused(&rendered.report.problems, "nothing is written").into());
    }
    world.keep()?;
    if let (Some(file), Some(transcript)) = (&flags.transcript, transcript(&rendered)) {
        project::write_report(file, transcript.to_json().as_bytes(), &project, &flags.target)?;
    }
    let private = rendered.holds_values;
    emit(rendered.objects.iter().map(|(_, object)| object), flags, private)
}

/// Who values are encrypted for, and the earlier output; `None` where nothing is encrypted.
fn sops(
    flags: &SecretsFlags,
    around: &Surroundings<'_>,
) -> anyhow::Result<Option<(Recipients, Option<Previous>)>> {
    if flags.mode() != SecretsMode::Sops {
        return match (&flags.previous, flags.age_recipient.is_empty()) {
            (None, true) => Ok(None),
            _ => Err(Failure::usage("`--age-recipient` and `--previous` are for `--secrets sops`").into()),
        };
    }
    let named = if flags.age_recipient.is_empty() {
        variable("SOPS_AGE_RECIPIENTS").into_iter().collect()
    } else {
        flags.age_recipient.clone()
    };
    let recipients = Recipients::parse(&named).map_err(|told| {
        Failure::usage(told)
            .with_hint("`--age-recipient age1…` or `SOPS_AGE_RECIPIENTS` says for whom to encrypt")
    })?;
    let previous = flags.previous.as_deref().map(|path| previous(path, around)).transpose()?;
    Ok(Some((recipients, previous)))
}

/// An earlier output: a file, or all files of a folder.
fn previous(path: &Path, around: &Surroundings<'_>) -> anyhow::Result<Previous> {
    let cannot = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(cannot)?;
        files = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml"));
        files.sort();
    }
    let mut text = String::new();
    for file in files {
        text.push_str("---\n");
        text.push_str(&fs::read_to_string(&file).map_err(cannot)?);
        text.push('\n');
    }
    Ok(Previous::parse(&text, around).map_err(|why| Failure::refused(why.to_string(), &[]))?)
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
    let plain = flags.values.mode() != SecretsMode::Refs;
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
    emit(inputs.objects.iter(), flags, false)
}

/// Writes the objects to where the flags say.
fn emit<'a>(
    objects: impl Iterator<Item = &'a Object>,
    flags: &cli::Render,
    private: bool,
) -> anyhow::Result<()> {
    match &flags.output_dir {
        Some(folder) => output_dir::write(folder, objects, flags.output, private),
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
pub(super) fn refused(problems: &[Problem], outcome: &str) -> Failure {
    let count = problems.len();
    let noun = if count == 1 { "problem" } else { "problems" };
    hinted(Failure::refused(format!("{count} {noun}; {outcome}"), problems), problems)
}

/// What is told, with what can be done about the first kind of problem that something can be done about.
pub(super) fn hinted(failure: Failure, problems: &[Problem]) -> Failure {
    let hint = problems.iter().find_map(|problem| match problem.code.as_str() {
        "secret-policy" if problem.message.contains("does not map it") => Some(
            "`environments.NAME.secrets` says what a reference stands for in a review: another one (`to`), or a value that is made (`generate: {}`)",
        ),
        "secret-sink" => Some("move the reference into a Secret and read it from there, or list the field under `secrets.sinks`"),
        "secret-decrypt" if problem.message.contains("no age identity") => {
            Some("`SOPS_AGE_KEY` or `SOPS_AGE_KEY_FILE` gives one")
        }
        _ => None,
    });
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

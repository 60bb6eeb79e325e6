//! `check`: renders each environment without printing it, and tells all that is wrong.

use lathe_pipeline::{Output, Problem, Render};

use super::project::{self, Project};
use super::render;
use crate::cli::{self, Target};
use crate::console;
use crate::settings::Settings;

/// The review that stands for all of them where none is named.
const ANY_REVIEW: &str = "check";

pub(crate) fn run(flags: &cli::Check, settings: &Settings) -> anyhow::Result<()> {
    let project = Project::need(flags.source.pipeline.as_deref())?;
    let ready = project.ready(false, settings)?;
    let mut problems: Vec<Problem> = Vec::new();
    // Standard input can be read once only.
    let files = if flags.source.filename.is_empty() { None } else { Some(project::files(&flags.source)?) };
    for target in targets(&project, &flags.target) {
        let environment = project.environment_or_any(&target)?;
        let inputs = match &files {
            Some(files) => files.clone(),
            None => project.inputs(&flags.source, &environment)?,
        };
        inputs.warnings.iter().for_each(|warning| console::warn(warning));
        let count = inputs.objects.len();
        let render = Render { check: true, ..project.render(&ready, &environment, Output::References) };
        let report = render.run(inputs.objects).report;
        let name = &environment.name;
        report.warnings.iter().for_each(|warning| console::warn(&format!("{name}: {warning}")));
        for object in &report.create_only {
            console::note(&format!(
                "{name}: {object} has only a prefix for a name: it can be created, not applied"
            ));
        }
        if report.problems.is_empty() {
            console::note(&format!("{name}: ok, {count} objects"));
        }
        problems.extend(report.problems.into_iter().map(|problem| {
            let message = format!("{name}: {}", problem.message);
            Problem { message, ..problem }
        }));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(render::refused(&problems, "nothing would be written").into())
    }
}

/// The environment that the flags name, or all of them.
fn targets(project: &Project, flags: &Target) -> Vec<Target> {
    let names = match &flags.env {
        Some(name) => vec![name.clone()],
        None => project.pipeline.environments.keys().cloned().collect(),
    };
    let review = |name: &String| {
        let is_review = project.pipeline.environments.get(name).is_some_and(|spec| spec.review);
        flags
            .review
            .clone()
            .or_else(|| is_review.then(|| ANY_REVIEW.to_owned()))
            .filter(|_| is_review || flags.env.is_some())
    };
    let target = |name: &String| Target { env: Some(name.clone()), review: review(name), ..flags.clone() };
    names.iter().map(target).collect()
}

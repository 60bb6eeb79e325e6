//! `review show`: slug, namespace, hosts and redirect URIs of a review.

use std::fmt::Write as _;

use lathe_pipeline::{Environment, Output, ReviewSummary};

use crate::cli::{ReviewFormat, Show};
use crate::command::project::{Project, write_report};
use crate::console::{self, Failure};
use crate::settings::Settings;

pub(crate) fn run(flags: &Show, settings: &Settings) -> anyhow::Result<()> {
    let project = Project::need(flags.source.pipeline.as_deref())?;
    let environment = project.environment(&flags.target)?;
    let clients = clients(&project, &environment, flags, settings)?;
    let summary = ReviewSummary::new(&environment, clients.as_deref())
        .ok_or_else(|| Failure::usage(format!("environment `{}` is no review", environment.name)))?;
    if let Some(file) = &flags.dotenv {
        let text = summary.to_dotenv().ok_or_else(|| {
            Failure::usage("the pipeline does not say which host of the review has its front page").with_hint(
                "`url: KEY` in the config of builtin:review-hosts names its service key; a wildcard has none",
            )
        })?;
        write_report(file, text.as_bytes(), &project, &flags.target)?;
    }
    match flags.output {
        ReviewFormat::Json => console::print(&summary.to_json()),
        ReviewFormat::Text => console::print(&text(&summary)),
    }
}

/// The login clients that the pipeline declares; `None` where it has no inputs to declare them from.
fn clients(
    project: &Project,
    environment: &Environment,
    flags: &Show,
    settings: &Settings,
) -> anyhow::Result<Option<Vec<lathe_pipeline::Declared>>> {
    let declares =
        project.pipeline.transforms_in(&environment.name).any(|(_, t)| t.plugin != "builtin:review-hosts");
    if !declares {
        return Ok(Some(Vec::new()));
    }
    if flags.source.filename.is_empty() && !project.has_inputs(environment) {
        console::note(
            "redirect URIs are left out: they follow from manifests, and the pipeline names no inputs",
        );
        return Ok(None);
    }
    let ready = project.ready(false, settings)?;
    let inputs = project.inputs(&flags.source, environment)?;
    let report = project.render(&ready, environment, Output::References).run(inputs.objects).report;
    if !report.problems.is_empty() {
        let count = report.problems.len();
        console::warn(&format!(
            "the review is refused for {count} problems, which `render` lists; redirect URIs may be missing"
        ));
    }
    Ok(Some(report.clients))
}

fn text(summary: &ReviewSummary) -> String {
    let mut out = String::new();
    let ReviewSummary { project, environment, review, .. } = summary;
    // Writing to a String cannot fail.
    let _ = writeln!(out, "review     {review} of {project} ({environment})");
    let _ = writeln!(out, "slug       {}", summary.slug);
    if let Some(slot) = &summary.slot {
        let _ = writeln!(out, "slot       {slot}");
    }
    let _ = writeln!(out, "namespace  {}", summary.namespace);
    if let Some(url) = &summary.url {
        let _ = writeln!(out, "url        {url}");
    }
    for host in &summary.hosts {
        let _ = writeln!(out, "host       {} for {}", host.host, host.source);
    }
    for (client, uris) in summary.redirect_uris.iter().flatten() {
        for uri in uris {
            let _ = writeln!(out, "redirect   {uri} ({client})");
        }
    }
    out
}

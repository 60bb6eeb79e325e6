//! `secrets check`: every reference of an environment, where it comes from, where it goes, and whether it is there.

use lathe_pipeline::{Output, Problem, SecretCheck};
use serde_json::json;

use super::project::Project;
use super::render;
use super::world::World;
use crate::cli::{Secrets, SecretsCheck, TableFormat};
use crate::console::{self, Failure};
use crate::settings::Settings;

pub(crate) fn dispatch(verb: &Secrets, settings: &Settings) -> anyhow::Result<()> {
    match verb {
        Secrets::Check(flags) => check(flags, settings),
    }
}

fn check(flags: &SecretsCheck, settings: &Settings) -> anyhow::Result<()> {
    let project = Project::need(flags.source.pipeline.as_deref())?;
    let environment = project.environment(&flags.target)?;
    let ready = project.ready(false, settings)?;
    let inputs = project.inputs(&flags.source, &environment)?;
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    let rendered = project.render(&ready, &environment, Output::References).run(inputs.objects);
    rendered.report.warnings.iter().for_each(|warning| console::warn(warning));
    let world = World::new(&project, settings, flags.offline)?.with_cluster(&environment);
    let cluster = |namespace: &str, name: &str| world.secret(namespace, name);
    // A value that is not made yet is made by an apply.
    let generated = |_: &_| Ok("generated".into());
    let around = world.surroundings(&cluster, &generated);
    let checks = rendered.check_secrets(&project.pipeline, &around);
    let text = match flags.output {
        TableFormat::Table => table(&checks),
        TableFormat::Json => as_json(&checks),
    };
    console::print(&text)?;
    let mut problems: Vec<Problem> = rendered.report.problems;
    let opened = rendered.report.secrets.iter().filter(|place| !place.address.is_empty());
    for place in opened.filter(|_| checks.is_empty()) {
        let told = "a reference stands here that was not resolved";
        problems.push(Problem::new("secret-unresolved", told).at(&place.object, &place.pointer));
    }
    problems.extend(checks.into_iter().filter_map(|check| check.problem));
    problems.sort();
    problems.dedup();
    if problems.is_empty() {
        return Ok(());
    }
    let count = problems.len();
    let summary = format!("{count} {}", if count == 1 { "problem" } else { "problems" });
    Err(render::hinted(Failure::refused(summary, &problems), &problems).into())
}

/// Columns as wide as what stands in them.
fn table(checks: &[SecretCheck]) -> String {
    let head = ["REFERENCE", "BACKEND", "VERSION", "STATUS", "SINK"].map(ToOwned::to_owned);
    let row = |check: &SecretCheck| {
        let status = check.problem.as_ref().map_or("ok", |problem| problem.code.as_str());
        let sink = format!("{} {}", check.object, check.pointer);
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        [check.address.clone(), dash(&check.backend), dash(&check.version), status.to_owned(), sink]
    };
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(checks.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |row: &[String; 5]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn as_json(checks: &[SecretCheck]) -> String {
    let row = |check: &SecretCheck| {
        json!({
            "reference": check.address,
            "backend": check.backend,
            "version": check.version,
            "status": check.problem.as_ref().map_or("ok", |problem| problem.code.as_str()),
            "object": check.object,
            "pointer": check.pointer,
        })
    };
    let rows: Vec<_> = checks.iter().map(row).collect();
    format!("{:#}\n", serde_json::Value::from(rows))
}

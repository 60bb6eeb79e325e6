//! `status` and `review list`: what is applied of each set, and how it is.

use std::fmt::Write as _;

use lathe_cluster::status::State;
use lathe_cluster::{Applied, Found, MemberHealth, sets};
use serde_json::json;

use super::connection;
use super::progress::state;
use super::set_place::Place;
use crate::cli::{self, TableFormat};
use crate::console::{self, Failure};
use crate::settings::Settings;

/// A set, and how its objects are where that was asked.
type Seen = (Found, Option<Vec<MemberHealth>>);

pub(crate) fn run(flags: &cli::Status, settings: &Settings) -> anyhow::Result<()> {
    let (env, review) = (flags.env.as_deref(), flags.review.as_deref());
    let seen = look(&flags.place, env, review, true, settings)?;
    match flags.output {
        TableFormat::Json => console::print(&to_json(&seen)),
        TableFormat::Table => console::print(&in_full(&seen)),
    }
}

/// `review list`.
pub(crate) fn list(flags: &cli::List, settings: &Settings) -> anyhow::Result<()> {
    let mut seen = look(&flags.place, flags.env.as_deref(), None, false, settings)?;
    seen.retain(|(found, _)| !found.set.review.is_empty());
    match flags.output {
        TableFormat::Json => console::print(&to_json(&seen)),
        TableFormat::Table => console::print(&table(&seen)),
    }
}

fn look(
    place: &cli::SetPlace,
    env: Option<&str>,
    review: Option<&str>,
    health: bool,
    settings: &Settings,
) -> anyhow::Result<Vec<Seen>> {
    let place = Place::find(place, env, review)?;
    let seen = connection::run(settings, place.pins.as_ref(), async |cluster, _| {
        let mut seen = Vec::new();
        for namespace in &place.ops_namespaces {
            let cannot = |error| Failure::usage(format!("the sets of {namespace}: {error}"));
            let found =
                sets(&cluster, namespace, place.project.as_deref(), env, review).await.map_err(cannot)?;
            for found in found {
                let health = if health { Some(found.health(&cluster).await.map_err(cannot)?) } else { None };
                seen.push((found, health));
            }
        }
        Ok(seen)
    })?;
    if seen.is_empty() {
        console::note("nothing is applied with an inventory here");
    }
    Ok(seen)
}

/// A set with its objects.
fn in_full(seen: &[Seen]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    for (found, health) in seen {
        let _ = writeln!(out, "{}", found.set.label());
        let applied = found.applied.clone().unwrap_or_default();
        for (name, text) in facts(&applied).into_iter().filter(|(_, text)| !text.is_empty()) {
            let _ = writeln!(out, "  {name:<10} {text}");
        }
        if found.applied.is_none() {
            let _ = writeln!(out, "  no apply of it has come to its end yet");
        }
        for member in health.iter().flatten() {
            let MemberHealth { object, health, changed_by } = member;
            let told = if changed_by.is_empty() {
                String::new()
            } else {
                format!(", changed by {}", changed_by.join(", "))
            };
            let _ = writeln!(out, "  {object}  {}{told}", words(health.state, &health.message));
        }
    }
    out
}

fn words(own: State, message: &str) -> String {
    if own == State::Current { "ok".to_owned() } else { format!("{}: {message}", state(own)) }
}

fn facts(applied: &Applied) -> [(&'static str, String); 7] {
    let Applied { namespace, commit, job, version, digest, at, expires, .. } = applied.clone();
    [
        ("namespace", namespace),
        ("applied", at),
        ("commit", commit),
        ("job", job),
        ("lathe", version),
        ("digest", digest),
        ("expires", expires),
    ]
}

/// A line for each review.
fn table(seen: &[Seen]) -> String {
    let mut rows =
        vec![["REVIEW", "ENVIRONMENT", "NAMESPACE", "APPLIED", "COMMIT", "EXPIRES"].map(ToOwned::to_owned)];
    rows.extend(seen.iter().map(|(found, _)| {
        let Applied { namespace, commit, at, expires, .. } = found.applied.clone().unwrap_or_default();
        let short = commit.get(..commit.floor_char_boundary(12)).unwrap_or_default().to_owned();
        let texts = [found.set.review.clone(), found.set.environment.clone(), namespace, at, short, expires];
        texts.map(|text| if text.is_empty() { "-".to_owned() } else { text })
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn to_json(seen: &[Seen]) -> String {
    let set = |(found, health): &Seen| {
        let applied = found.applied.as_ref().map(|applied| {
            json!({
                "namespace": applied.namespace, "commit": applied.commit, "job": applied.job,
                "generation": applied.generation, "lathe": applied.version, "digest": applied.digest,
                "at": applied.at, "expires": applied.expires,
            })
        });
        let objects = health.as_ref().map(|all| {
            let object = |member: &MemberHealth| {
                json!({
                    "object": member.object, "state": state(member.health.state),
                    "message": member.health.message, "changedBy": member.changed_by,
                })
            };
            all.iter().map(object).collect::<Vec<_>>()
        });
        json!({
            "project": found.set.project, "environment": found.set.environment, "review": found.set.review,
            "opsNamespace": found.set.ops_namespace, "applied": applied, "absentSince": found.absent, "objects": objects,
        })
    };
    let sets: Vec<_> = seen.iter().map(set).collect();
    format!("{:#}\n", json!({ "sets": sets }))
}

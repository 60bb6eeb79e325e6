//! `down`: an environment leaves the cluster.

use std::time::Duration;

use lathe_cluster::{Cluster, Down, Found, Halt, Outcome, Set, labelled_environments, sets};
use lathe_secrets::Mask;

use super::progress::Progress;
use super::set_place::Place;
use super::{applied, apply, connection};
use crate::cli;
use crate::console::{self, Failure};
use crate::settings::Settings;

pub(crate) fn run(flags: &cli::Down, settings: &Settings) -> anyhow::Result<()> {
    let place = Place::find(&flags.place, flags.env.as_deref(), flags.review.as_deref())?;
    let project = place.need_project()?.to_owned();
    if flags.review.is_none() && flags.env.is_none() {
        let failure = Failure::usage("which environment is to go is not said");
        return Err(failure.with_hint("`--review ID` names a review; `--env NAME` one that is none").into());
    }
    let is_own_name = flags.review.is_some();
    let progress = Progress::new(false);
    let outcomes = connection::run(settings, place.pins.as_ref(), async |cluster, halt| {
        let mut going = Vec::new();
        for namespace in &place.ops_namespaces {
            going.extend(named(&cluster, namespace, &project, flags).await?);
        }
        going.sort();
        if let [set] = going.as_slice()
            && !agreed(set, flags)?
        {
            return Err(Failure::refused("nothing is taken down", &[]).into());
        }
        if going.len() > 1 {
            let labels: Vec<String> = going.iter().map(Set::label).collect();
            let told = format!("several environments are called so: {}", labels.join(", "));
            return Err(Failure::usage(told).with_hint("`--env NAME` says which").into());
        }
        let mut outcomes = Vec::new();
        for set in going {
            outcomes.push(
                take_down(&cluster, &halt, set, None, flags.timeout, flags.holder.lock_timeout, &progress)
                    .await,
            );
        }
        Ok(outcomes)
    })?;
    progress.end();
    if outcomes
        .iter()
        .all(|outcome| outcome.entries.is_empty() && outcome.failures.is_empty() && outcome.lost.is_none())
    {
        let what = flags.review.as_ref().or(flags.env.as_ref()).map(String::as_str).unwrap_or_default();
        let what = if is_own_name { format!("review {what}") } else { format!("environment {what}") };
        let places: Vec<&str> = place.ops_namespaces.iter().map(String::as_str).collect();
        let places = places.join(", ");
        console::note(&format!(
            "nothing of {what} of {project} is on the cluster, by the records in {places}"
        ));
    }
    finish(outcomes)
}

/// The sets that flags name. One whose records are lost is known by its namespace, so it is named as flags say.
async fn named(
    cluster: &Cluster,
    ops_namespace: &str,
    project: &str,
    flags: &cli::Down,
) -> anyhow::Result<Vec<Set>> {
    let (environment, review) = (flags.env.as_deref(), flags.review.as_deref());
    let found = sets(cluster, ops_namespace, Some(project), environment, review).await;
    let found = found.map_err(|error| Failure::usage(format!("the sets of {ops_namespace}: {error}")))?;
    // Without a review's id, the environment that is none.
    let found =
        found.into_iter().map(|found| found.set).filter(|set| review.is_some() || set.review.is_empty());
    let found: Vec<Set> = found.collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let environments = match (environment, review) {
        (Some(environment), _) => vec![environment.to_owned()],
        (None, Some(review)) => {
            let labelled = labelled_environments(cluster, project, review).await;
            labelled.map_err(|error| Failure::usage(format!("the namespaces: {error}")))?
        }
        (None, None) => Vec::new(),
    };
    let set = |environment| Set {
        project: project.to_owned(),
        environment,
        review: review.unwrap_or_default().to_owned(),
        ops_namespace: ops_namespace.to_owned(),
    };
    Ok(environments.into_iter().map(set).collect())
}

/// Whether it is meant: on a terminal somebody is asked; elsewhere a review is, and another environment only with `--yes`.
fn agreed(set: &Set, flags: &cli::Down) -> anyhow::Result<bool> {
    if flags.yes {
        return Ok(true);
    }
    let question = format!(
        "{} and all that it has on the cluster is deleted, its volumes too, and whatever else is in its namespace",
        set.label()
    );
    match console::ask(&question) {
        Some(answer) => Ok(answer),
        None if !set.review.is_empty() => Ok(true),
        None => Err(Failure::refused(format!("{} is no review; nothing is taken down", set.label()), &[])
            .with_hint("`--yes` means it")
            .into()),
    }
}

/// Takes one set down.
pub(crate) async fn take_down(
    cluster: &Cluster,
    halt: &Halt,
    set: Set,
    seen: Option<Found>,
    timeout: Duration,
    patience: Duration,
    progress: &Progress,
) -> Outcome {
    let (holder, halt) = (applied::holder(), halt.clone());
    Down { set, seen, holder, patience, timeout, halt, tell: &|event| progress.tell(event) }
        .run(cluster)
        .await
}

/// Tells what is gone, and what is not.
pub(crate) fn finish(outcomes: Vec<Outcome>) -> anyhow::Result<()> {
    let mut all = Outcome::default();
    for outcome in outcomes {
        all.entries.extend(outcome.entries);
        all.failures.extend(outcome.failures);
        all.missing.extend(outcome.missing);
        outcome.warnings.iter().for_each(|warning| console::warn(warning));
        all.changed |= outcome.changed;
        all.lost = all.lost.or(outcome.lost);
    }
    let lines = all.entries.iter().map(|entry| format!("{} {}\n", entry.object, apply::words(entry.action)));
    let told = console::print(&lines.collect::<String>());
    if all.failures.is_empty() && all.lost.is_none() {
        return told;
    }
    Err(apply::failure(all, &Mask::default(), ["taken down in part", "nothing is taken down"]).into())
}

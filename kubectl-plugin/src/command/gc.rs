//! `gc`: reviews that nobody needs any more leave the cluster.

use std::collections::BTreeSet;
use std::io::Read as _;

use jiff::Timestamp;
use lathe_cluster::{Cluster, Found, end_leases, sets};
use lathe_pipeline::is_label_value;
use serde::Deserialize;

use super::connection;
use super::down::{self, Means};
use super::progress::Progress;
use super::set_place::Place;
use crate::cli;
use crate::console::{self, Failure};
use crate::settings::{Settings, now};

/// Which reviews are open, as `--open` tells it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    /// The project that the list is of.
    project: String,
    /// The ids.
    #[serde(rename = "open")]
    ids: BTreeSet<Id>,
    /// Whether these are all: a list that was cut off, or is of a failed request, says so by leaving it out.
    #[serde(default)]
    complete: bool,
}

/// A review's id; GitLab's are numbers.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

pub(crate) fn run(flags: &cli::Gc, settings: &Settings) -> anyhow::Result<()> {
    let place = Place::find(&flags.place, None, None)?;
    let project = place.need_project()?.to_owned();
    let open = flags.open.as_deref().map(|file| read_open(file, &project)).transpose()?;
    let progress = Progress::new(false);
    let outcomes = connection::run(settings, place.pins.as_ref(), async |cluster, halt| {
        let mut found = Vec::new();
        for namespace in &place.ops_namespaces {
            let own = sets(&cluster, namespace, Some(&project), None, None).await;
            found.extend(own.map_err(|error| Failure::usage(format!("the sets of {namespace}: {error}")))?);
        }
        found.retain(|found| !found.set.review.is_empty());
        let mut going = Vec::new();
        let mut missing = Vec::new();
        for found in found {
            match reason(&found, flags, open.as_ref()) {
                Some(Reason::Over(why)) => going.push((found, why)),
                Some(Reason::Missing) => missing.push((found, true)),
                None if open.is_some() && found.absent.is_some() => missing.push((found, false)),
                None => {}
            }
        }
        if going.len() > flags.max_delete {
            let labels: Vec<String> =
                going.iter().map(|(found, why)| format!("\n  {}: {why}", found.set.label())).collect();
            let told = format!(
                "{} reviews would be taken down, and `--max-delete` is {}; nothing is done{}",
                going.len(),
                flags.max_delete,
                labels.concat()
            );
            return Err(Failure::refused(told, &[]).into());
        }
        if !flags.dry_run {
            for namespace in &place.ops_namespaces {
                let ended = end_leases(&cluster, namespace, &project).await;
                let ended =
                    ended.map_err(|error| Failure::usage(format!("the leases of {namespace}: {error}")))?;
                for slot in ended {
                    console::note(&format!("the lease of slot {slot} ran out"));
                }
            }
        }
        let dry = if flags.dry_run { " (dry run)" } else { "" };
        for (found, is_missing) in &missing {
            note(&cluster, found, *is_missing, flags.dry_run).await?;
        }
        let means = Means {
            cluster: &cluster,
            halt: &halt,
            progress: &progress,
            settings,
            place: &place,
            timeout: flags.timeout,
            patience: flags.holder.lock_timeout,
        };
        let mut outcomes = Vec::new();
        for (found, why) in going {
            console::note(&format!("{}: {why}{dry}", found.set.label()));
            if !flags.dry_run {
                outcomes.push(means.take_down(found.set.clone(), Some(found)).await);
            }
        }
        Ok(outcomes)
    })?;
    progress.end();
    down::finish(outcomes)
}

/// Why a review goes, or may go soon.
enum Reason {
    Over(String),
    Missing,
}

fn reason(found: &Found, flags: &cli::Gc, open: Option<&BTreeSet<String>>) -> Option<Reason> {
    let now = Timestamp::now();
    let time = |text: &str| text.parse::<Timestamp>().ok();
    if let Some(expires) =
        found.expires.as_deref().filter(|text| time(text).is_some_and(|expires| expires < now))
    {
        return Some(Reason::Over(format!("it expired at {expires}")));
    }
    // An apply that did not come to its end shows that somebody needs it, too.
    let ended = found.applied.as_ref().map(|applied| applied.at.as_str());
    let last = ended.into_iter().chain(found.begun_at.as_deref()).filter_map(time).max();
    let age = last.map(|at| now.duration_since(at).unsigned_abs());
    if let (Some(last), Some(true)) = (last, flags.older_than.zip(age).map(|(most, age)| age > most)) {
        return Some(Reason::Over(format!("it was last applied at {last}")));
    }
    if open.is_none_or(|open| open.contains(&found.set.review)) {
        return None;
    }
    Some(match &found.absent {
        Some(since) => Reason::Over(format!("it is not open, and was not at {since}")),
        None => Reason::Missing,
    })
}

/// Notes that a review is missing for the first time, or is open again.
async fn note(cluster: &Cluster, found: &Found, is_missing: bool, dry_run: bool) -> anyhow::Result<()> {
    let label = found.set.label();
    if is_missing {
        console::note(&format!("{label}: it is not open; the next run takes it down if that is still so"));
    }
    if dry_run {
        return Ok(());
    }
    let since = is_missing.then(now);
    let noted = found.note_absent(cluster, since.as_deref()).await;
    Ok(noted.map_err(|error| Failure::refused(format!("{label}: {error}"), &[]))?)
}

fn read_open(file: &str, project: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().lock().read_to_string(&mut text).map(drop),
        file => std::fs::read_to_string(file).map(|read| text = read),
    };
    read.map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    let refused = |told: String| Failure::refused(format!("{file}: {told}; nothing is taken down"), &[]);
    let open: Open = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    if open.project != project {
        return Err(refused(format!("it is of project `{}`, and not of `{project}`", open.project)).into());
    }
    if !open.complete {
        return Err(refused(
            "it does not say `\"complete\": true`, so reviews may be missing in it".to_owned(),
        )
        .into());
    }
    let text = |id: Id| match id {
        Id::Number(number) => number.to_string(),
        Id::Text(text) => text,
    };
    let ids: BTreeSet<String> = open.ids.into_iter().map(text).collect();
    match ids.iter().find(|id| id.is_empty() || !is_label_value(id)) {
        None => Ok(ids),
        Some(id) => Err(refused(format!("`{id}` can be no id of a review")).into()),
    }
}

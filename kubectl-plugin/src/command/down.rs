//! `down`: an environment leaves the cluster.

use std::cell::RefCell;
use std::time::Duration;

use lathe_cluster::{
    Cluster, Down, Errand as _, Found, Halt, Outcome, RequestError, Set, in_turn, labelled_environments, sets,
};
use lathe_secrets::Mask;

use super::client_store::ClusterStore;
use super::clients::Retiring;
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
        for set in going {
            outcomes.push(means.take_down(set, None).await);
        }
        Ok(outcomes)
    })?;
    progress.end();
    if outcomes.iter().all(|(outcome, clients)| {
        outcome.entries.is_empty()
            && outcome.failures.is_empty()
            && outcome.lost.is_none()
            && clients.is_empty()
    }) {
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
            let mut all = labelled.map_err(|error| Failure::usage(format!("the namespaces: {error}")))?;
            let store = ClusterStore { cluster, namespace: ops_namespace };
            let known = store.of_project(Some(project)).await;
            let known =
                known.map_err(|why| Failure::usage(format!("the clients of {ops_namespace}: {why}")))?;
            let own = known.into_iter().map(|kept| kept.record.identity);
            all.extend(own.filter(|identity| identity[2] == *review).map(|[_, environment, _]| environment));
            all.sort();
            all.dedup();
            all
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

/// What taking down needs beside the set.
pub(crate) struct Means<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) halt: &'a Halt,
    pub(crate) progress: &'a Progress,
    pub(crate) settings: &'a Settings,
    pub(crate) place: &'a Place,
    pub(crate) timeout: Duration,
    /// How long another run is waited for.
    pub(crate) patience: Duration,
}

/// What came of it, and a line for each login client.
pub(crate) type Taken = (Outcome, Vec<String>);

impl Means<'_> {
    /// Takes one set down.
    pub(crate) async fn take_down(&self, set: Set, seen: Option<Found>) -> Taken {
        let Self { cluster, halt, progress, settings, place, timeout, patience } = *self;
        let retiring = Retiring { cluster, set: &set, halt, settings, place, lines: RefCell::default() };
        let down = Down {
            set: set.clone(),
            seen,
            holder: applied::holder(),
            patience,
            timeout,
            clients: Some(&retiring),
            halt: halt.clone(),
            tell: &|event| progress.tell(event),
        };
        let mut outcome = down.run(cluster).await;
        if outcome.failures.is_empty() && outcome.lost.is_none() && !outcome.stays {
            match self.leftovers(&set, &retiring).await {
                Ok((changed, failures)) => {
                    outcome.changed |= changed;
                    outcome.failures.extend(failures);
                }
                Err(error) => outcome.lost = Some(error),
            }
        }
        (outcome, retiring.lines.into_inner())
    }

    /// What is kept of clients whose environment is gone already. One that came back in between keeps its own.
    async fn leftovers(
        &self,
        set: &Set,
        retiring: &Retiring<'_>,
    ) -> Result<(bool, Vec<lathe_cluster::Failure>), RequestError> {
        if retiring.is_done().await {
            return Ok((false, Vec::new()));
        }
        let wait = |holder: &str| self.progress.tell(lathe_cluster::Event::Waits { holder });
        let (holder, halt) = (applied::holder(), self.halt);
        let Set { project, environment, review, ops_namespace } = set;
        let work = async || {
            let review = (!review.is_empty()).then_some(review.as_str());
            let found = sets(self.cluster, ops_namespace, Some(project), Some(environment), review).await?;
            if found.iter().any(|found| found.set == *set) {
                return Ok((false, Vec::new()));
            }
            Ok(retiring.run().await)
        };
        in_turn(self.cluster, set, holder, self.patience, halt, &wait, work).await?
    }
}

/// Tells what is gone, and what is not.
pub(crate) fn finish(outcomes: Vec<Taken>) -> anyhow::Result<()> {
    let mut all = Outcome::default();
    let mut clients = Vec::new();
    for (outcome, lines) in outcomes {
        clients.extend(lines);
        all.entries.extend(outcome.entries);
        all.failures.extend(outcome.failures);
        all.missing.extend(outcome.missing);
        outcome.warnings.iter().for_each(|warning| console::warn(warning));
        all.changed |= outcome.changed;
        all.lost = all.lost.or(outcome.lost);
    }
    let lines = all.entries.iter().map(|entry| format!("{} {}\n", entry.object, apply::words(entry.action)));
    let clients = clients.iter().map(|line| format!("{line}\n"));
    let told = console::print(&clients.chain(lines).collect::<String>());
    if all.failures.is_empty() && all.lost.is_none() {
        return told;
    }
    Err(apply::failure(all, &Mask::default(), ["taken down in part", "nothing is taken down"]).into())
}

//! `review lease` and `review release`: a slot of a pool, taken and given back.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use lathe_cluster::{Pool, RequestError};
use lathe_pipeline::{Lease, Leases, age};

use super::state;
use crate::cli::{self, LeaseFormat, LeasePlace};
use crate::command::connection;
use crate::command::project::Project;
use crate::command::wanted;
use crate::console::{self, Failure};
use crate::settings::Settings;

/// Whose lease it is about.
struct Holder {
    project: String,
    environment: String,
    review: String,
    slots: Vec<String>,
    ops_namespace: String,
    pins: Option<BTreeSet<String>>,
    /// How long a lease lasts whose review is not on the cluster.
    lasts: Option<Duration>,
}

pub(crate) fn take(flags: &cli::Lease, settings: &Settings) -> anyhow::Result<()> {
    let holder = holder(&flags.place)?;
    let Holder { project, environment, review, slots, .. } = &holder;
    let slot = match &flags.place.target.state {
        Some(file) => state::change(file, |leases| leases.take(project, environment, review, slots))?,
        None => in_cluster(&holder, settings, async |pool| pool.take(review).await)?,
    };
    let Some(slot) = slot else {
        let count = slots.len();
        let told = format!(
            "all {count} slots of the pool of `{environment}` are taken, and review {review} holds none"
        );
        return Err(Failure::refused(told, &[])
            .with_hint("`review release --review ID` gives the slot of a review back that has ended")
            .into());
    };
    if !slots.contains(&slot) {
        let told = format!(
            "review {review} holds slot `{slot}`, which the pool of `{environment}` does not have any more"
        );
        return Err(Failure::refused(told, &[]).with_hint("`review release` gives it back").into());
    }
    match flags.output {
        LeaseFormat::Name => console::print(&format!("{slot}\n")),
        LeaseFormat::Json => {
            let Holder { project, environment, review, .. } = holder;
            let leases = vec![Lease { project, environment, slot, review }];
            console::print(&Leases { leases, ..Leases::default() }.to_json())
        }
    }
}

pub(crate) fn release(flags: &cli::Release, settings: &Settings) -> anyhow::Result<()> {
    let holder = holder(&flags.place)?;
    let Holder { project, environment, review, .. } = &holder;
    let released = match &flags.place.target.state {
        Some(file) if !file.exists() => Vec::new(),
        Some(file) => {
            let released = state::change(file, |leases| leases.release(project, environment, review))?;
            released.into_iter().collect()
        }
        None => in_cluster(&holder, settings, async |pool| pool.release(review).await)?,
    };
    if released.is_empty() {
        // Who tears down twice is not wrong.
        console::note(&format!("review {review} holds no slot of `{environment}`"));
    }
    released.iter().try_for_each(|slot| console::print(&format!("{slot}\n")))
}

/// The holder of the pool that the pipeline gives the environment.
fn holder(place: &LeasePlace) -> anyhow::Result<Holder> {
    let project = Project::need(place.pipeline.as_deref())?;
    let (environment, review) = project.pool_target(&place.target)?;
    let spec = project.pipeline.environments.get(&environment);
    let pool = spec.and_then(|spec| spec.pool.clone());
    let Some(slots) = pool else {
        let told = format!("environment `{environment}` has no pool, so there is nothing to lease");
        return Err(Failure::usage(told).with_hint("`environments.NAME.pool` lists slots").into());
    };
    let ops_namespace = wanted::ops_namespace(&project, &environment);
    let pins = wanted::pins(&project, &environment);
    let lasts = spec.and_then(|spec| age(spec.expires.as_deref()?));
    let project = project.pipeline.project().to_owned();
    Ok(Holder { project, environment, review, slots, ops_namespace, pins, lasts })
}

fn in_cluster<T>(
    holder: &Holder,
    settings: &Settings,
    work: impl AsyncFnOnce(&Pool<'_>) -> Result<T, RequestError>,
) -> anyhow::Result<T> {
    connection::run(settings, holder.pins.as_ref(), async |cluster, _| {
        let pool = Pool {
            cluster: &cluster,
            namespace: &holder.ops_namespace,
            project: &holder.project,
            environment: &holder.environment,
            slots: &holder.slots,
            lasts: holder.lasts,
        };
        finished(work(&pool)).await
    })
}

async fn finished<T>(work: impl Future<Output = Result<T, RequestError>>) -> anyhow::Result<T> {
    work.await.map_err(|error| match error {
        RequestError::Answered(status) => {
            Failure::refused(format!("the lease: {}", status.message), &[]).into()
        }
        error => Failure::usage(error.to_string()).into(),
    })
}

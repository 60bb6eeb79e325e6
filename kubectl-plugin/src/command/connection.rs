//! To the cluster, and the end of a run by signal.

use std::collections::BTreeSet;

use lathe_cluster::{Cluster, Halt};
use lathe_pipeline::Policy;
use tokio::signal::unix::{SignalKind, signal};

use super::project;
use crate::console::{self, Failure, PARTLY};
use crate::settings::Settings;

/// Connects and does the work. The cluster has to be one of `pins`, and one that all policies allow.
pub(crate) fn run<T>(
    settings: &Settings,
    pins: Option<&BTreeSet<String>>,
    work: impl AsyncFnOnce(Cluster, Halt) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let policies = project::policies(settings)?;
    let allowed = allowed(pins, &policies);
    // A worker beside this thread: turns are renewed and signals heeded while somebody is asked something here.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let done = runtime.block_on(async {
        let cluster = connect(settings, &allowed).await?;
        let halt = Halt::default();
        heed_signals(&halt)?;
        work(cluster, halt).await
    });
    // What a signal is waited for in is not waited for.
    runtime.shutdown_background();
    done
}

/// Does work that needs no cluster, and heeds signals as well.
pub(crate) fn alone<T>(work: impl AsyncFnOnce(Halt) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let done = runtime.block_on(async {
        let halt = Halt::default();
        heed_signals(&halt)?;
        work(halt).await
    });
    runtime.shutdown_background();
    done
}

/// The first Ctrl-C, or the CI's end of a job, ends the run at the next safe point; the second ends it at once.
fn heed_signals(halt: &Halt) -> anyhow::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals = signal(kind)?;
        let halt = halt.clone();
        tokio::spawn(async move {
            signals.recv().await;
            console::note("interrupted: what is under way is finished; once more ends it at once");
            halt.now("interrupted");
            signals.recv().await;
            console::end_now(PARTLY);
        });
    }
    Ok(())
}

/// Looks whether the cluster is one of `pins`, and one that all policies allow, where there are any.
pub(crate) fn check(settings: &Settings, pins: Option<&BTreeSet<String>>) -> anyhow::Result<()> {
    let policies = project::policies(settings)?;
    let allowed = allowed(pins, &policies);
    if allowed.is_empty() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(connect(settings, &allowed)).map(drop)
}

/// Who allows which clusters.
type Allowed<'a> = Vec<(&'a str, &'a BTreeSet<String>)>;

fn allowed<'a>(pins: Option<&'a BTreeSet<String>>, policies: &'a [(String, Policy)]) -> Allowed<'a> {
    let of_policies =
        policies.iter().filter_map(|(name, policy)| Some((name.as_str(), policy.clusters.as_ref()?)));
    pins.map(|pins| ("the pipeline", pins)).into_iter().chain(of_policies).collect()
}

async fn connect(settings: &Settings, allowed: &Allowed<'_>) -> anyhow::Result<Cluster> {
    let cluster = lathe_cluster::connect(&settings.access).await;
    let cluster = cluster.map_err(|error| Failure::usage(error.to_string()))?;
    if allowed.is_empty() {
        return Ok(cluster);
    }
    let uid = cluster.uid().await;
    let uid =
        uid.map_err(|error| Failure::refused(format!("which cluster this is cannot be seen: {error}"), &[]))?;
    match allowed.iter().find(|(_, uids)| !uids.contains(&uid)) {
        None => Ok(cluster),
        Some((who, _)) => {
            let told = format!("{who} does not allow this cluster, {} ({uid})", cluster.server);
            Err(Failure::refused(told, &[]).into())
        }
    }
}

//! To the cluster, and the end of a run by signal.

use std::collections::BTreeSet;

use lathe_cluster::{Cluster, Halt};
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
    let mut allowed: Vec<(&str, &BTreeSet<String>)> =
        pins.map(|pins| ("the pipeline", pins)).into_iter().collect();
    allowed.extend(
        policies.iter().filter_map(|(name, policy)| Some((name.as_str(), policy.clusters.as_ref()?))),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let cluster = lathe_cluster::connect(&settings.access).await;
        let cluster = cluster.map_err(|error| Failure::usage(error.to_string()))?;
        if !allowed.is_empty() {
            let uid = cluster.uid().await.map_err(|error| {
                Failure::refused(format!("which cluster this is cannot be seen: {error}"), &[])
            })?;
            if let Some((who, _)) = allowed.iter().find(|(_, uids)| !uids.contains(&uid)) {
                let told = format!("{who} does not allow this cluster, {} ({uid})", cluster.server);
                return Err(Failure::refused(told, &[]).into());
            }
        }
        let halt = Halt::default();
        heed_signals(&halt)?;
        work(cluster, halt).await
    });
    // What a signal is waited for in is not waited for.
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

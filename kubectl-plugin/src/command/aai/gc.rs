//! `aai gc`: what was left of clients is worked off.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lathe_aai::{IssuerSpec, Kept, Orphans, Phase, Sources, Store as _};
use lathe_cluster::Halt;

use super::{AnyStore, Known, Retire, told};
use crate::cli;
use crate::command::clients::allowed;
use crate::console::{self, Failure};
use crate::settings::{Settings, now, variable};

pub(super) fn run(flags: &cli::AaiGc, settings: &Settings) -> anyhow::Result<()> {
    let known = Known::find(&flags.place)?;
    let mut all: Vec<Kept> = Vec::new();
    let done = known.each(settings, async |store, own, namespace, halt| {
        // Of all projects, for another's client is no orphan.
        let cannot = |why: String| Failure::refused(format!("the clients: {why}"), &[]);
        all.extend(store.list(None).await.map_err(cannot)?);
        left(store, &own, namespace, flags, settings, &known, halt).await
    })?;
    let mut failed: Vec<String> = done.into_iter().flatten().collect();
    failed.extend(orphans(&all, flags, settings, &known)?);
    if failed.is_empty() {
        return Ok(());
    }
    let failure = Failure::partly(format!("{} clients are left; the next run tries again", failed.len()));
    Err(failure.with_problems(failed).into())
}

/// Whether a client's environment is not needed any more, as far as its record says.
fn is_over(kept: &lathe_aai::Record) -> bool {
    kept.expires.parse::<Timestamp>().is_ok_and(|expires| expires < Timestamp::now())
}

/// Clients whose taking back was begun, and those whose environment is gone.
async fn left(
    store: &AnyStore<'_>,
    own: &[Kept],
    namespace: &str,
    flags: &cli::AaiGc,
    settings: &Settings,
    known: &Known,
    halt: &Halt,
) -> anyhow::Result<Vec<String>> {
    let mut going = Vec::new();
    for kept in own {
        let record = &kept.record;
        // An environment is its namespace, whatever its records say. One that cannot be seen may be there.
        let is_there = match store.cluster() {
            Some(cluster) => !matches!(cluster.has_namespace(&record.namespace).await, Ok(false)),
            None => true,
        };
        let may_go = is_over(record) || !record.identity[2].is_empty();
        match (record.phase, is_there) {
            (Phase::Deregistering, _) => going.push((kept, "its taking back was begun")),
            (_, true) if is_over(record) && store.cluster().is_none() => going.push((kept, "it expired")),
            (_, false) if may_go && !record.absent.is_empty() => {
                going.push((kept, "its environment is gone, and was at the last run"));
            }
            (_, false) if may_go => {
                let label = record.label();
                console::note(&format!(
                    "{label}: its environment is gone; the next run takes it back if that is still so"
                ));
                let mut noted = kept.clone();
                noted.record.absent = now();
                if !flags.dry_run && store.replace(&noted).await.is_err() {
                    console::warn(&format!("{label}: that cannot be noted"));
                }
            }
            _ => {}
        }
    }
    if going.len() > flags.max_delete {
        let (count, most) = (going.len(), flags.max_delete);
        let told =
            format!("{count} clients would be taken back, and `--max-delete` is {most}; nothing is done");
        return Err(Failure::refused(told, &[]).into());
    }
    let dry = if flags.dry_run { " (dry run)" } else { "" };
    let patience = flags.holder.lock_timeout;
    let retire = Retire { store, known, settings, namespace, halt, patience, forget: false };
    let mut failed = Vec::new();
    for (kept, why) in going {
        console::note(&format!("{}: {why}{dry}", kept.record.label()));
        // One that an apply has been about since is needed.
        let is_wanted =
            |now: &lathe_aai::Record| now.at == kept.record.at && now.absent == kept.record.absent;
        if !flags.dry_run
            && let Err(error) = retire.one(kept, &is_wanted).await
        {
            failed.push(format!("{error:#}"));
        }
    }
    Ok(failed)
}

/// Clients at the providers that carry the marker and that nothing here knows. Whose they are cannot be seen, so that one goes only by
/// its name.
fn orphans(
    all: &[Kept],
    flags: &cli::AaiGc,
    settings: &Settings,
    known: &Known,
) -> anyhow::Result<Vec<String>> {
    let own = all.iter().flat_map(|kept| kept.record.registration.iter().chain(&kept.record.superseded));
    let ids: BTreeSet<String> = own.map(|own| own.client_id.clone()).collect();
    let keys: BTreeSet<&str> = all.iter().map(|kept| kept.record.key.as_str()).collect();
    let issuers: &BTreeMap<String, (IssuerSpec, Option<String>)> = &known.place.issuers;
    let with_account = issuers.iter().filter(|(_, (issuer, _))| issuer.account.is_some());
    let with_account: Vec<_> = with_account.collect();
    if with_account.is_empty() && !flags.delete_orphan.is_empty() {
        let failure =
            Failure::usage("`--delete-orphan` needs a pipeline that names an issuer with an account");
        return Err(failure.with_hint("name a pipeline by `-p DIR`").into());
    }
    let mut failed = Vec::new();
    for (name, (issuer, authority)) in with_account {
        if let Err(error) = allowed(name, settings) {
            failed.push(format!("{error:#}"));
            continue;
        }
        let sources = Sources { folder: &known.place.folder, variable: &variable };
        let told = crate::command::connection::alone(async |_| {
            let found = match Orphans::find(issuer, authority.as_deref(), sources, &ids).await {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(Vec::new()),
                Err(error) => return Ok(vec![format!("{name}: {}", told(&error))]),
            };
            let mut failed = Vec::new();
            for orphan in found.found.iter().filter(|orphan| !keys.contains(orphan.key.as_str())) {
                let (id, key) = (&orphan.client_id, &orphan.key);
                if !flags.delete_orphan.contains(id) || flags.dry_run {
                    console::note(&format!(
                        "{name}: client `{id}` carries the marker [lathe:{key}], and nothing here knows it"
                    ));
                    continue;
                }
                match found.delete(orphan).await {
                    Ok(()) => console::print(&format!("orphan {id} deregistered\n"))?,
                    Err(error) => failed.push(format!("{name}: `{id}`: {}", told(&error))),
                }
            }
            Ok(failed)
        })?;
        failed.extend(told);
    }
    Ok(failed)
}

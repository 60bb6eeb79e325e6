//! `aai deregister`: clients of an environment, taken back.

use std::collections::BTreeSet;

use lathe_aai::Kept;

use super::{Known, Retire};
use crate::cli;
use crate::console::{self, Failure};
use crate::settings::Settings;

pub(super) fn run(flags: &cli::AaiDeregister, settings: &Settings) -> anyhow::Result<()> {
    let known = Known::find(&flags.place)?;
    known.place.need_project()?;
    if known.environment.is_none() && known.review.is_none() {
        let failure = Failure::usage("which environment it is about is not said");
        return Err(failure.with_hint("`--review ID` names a review; `--env NAME` one that is none").into());
    }
    let mut count = 0;
    let done = known.each(settings, async |store, own, namespace, halt| {
        let is_it = |kept: &Kept| {
            // Without a review's id, the environment that is none.
            let named = flags.name.as_ref().is_none_or(|name| *name == kept.record.name);
            named && (known.review.is_some() || kept.record.identity[2].is_empty())
        };
        let own: Vec<Kept> = own.into_iter().filter(is_it).collect();
        let environments: BTreeSet<&String> = own.iter().map(|kept| &kept.record.identity[1]).collect();
        if environments.len() > 1 {
            let failure = Failure::usage("several environments have a review of that id");
            return Err(failure.with_hint("`--env NAME` says which").into());
        }
        count += own.len();
        if !own.is_empty() && !agreed(&own, flags)? {
            return Err(Failure::refused("nothing is taken back", &[]).into());
        }
        let patience = flags.holder.lock_timeout;
        let retire =
            Retire { store, known: &known, settings, namespace, halt, patience, forget: flags.forget };
        let mut failed = Vec::new();
        for kept in own {
            if let Err(error) = retire.one(&kept, &|_| true).await {
                failed.push(format!("{error:#}"));
            }
        }
        Ok(failed)
    })?;
    if count == 0 {
        console::note("no such client is known");
    }
    let failed: Vec<String> = done.into_iter().flatten().collect();
    if failed.is_empty() {
        return Ok(());
    }
    let summary = format!("{} of {count} clients are not taken back", failed.len());
    let failure =
        if failed.len() < count { Failure::partly(summary) } else { Failure::refused(summary, &[]) };
    Err(failure.with_problems(failed).into())
}

fn agreed(own: &[Kept], flags: &cli::AaiDeregister) -> anyhow::Result<bool> {
    if flags.yes || own.iter().all(|kept| !kept.record.identity[2].is_empty()) {
        return Ok(true);
    }
    let names: Vec<String> = own.iter().map(|kept| kept.record.label()).collect();
    let question = format!("nobody can log in any more through {}", names.join(", "));
    console::ask(&question).ok_or_else(|| {
        let failure = Failure::refused(format!("{question}; nothing is taken back"), &[]);
        failure.with_hint("`--yes` means it").into()
    })
}

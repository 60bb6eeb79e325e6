//! `apply`: the objects of an environment, on the cluster.

use std::cell::RefCell;
use std::collections::BTreeMap;

use lathe_cluster::{Action, Apply, Cause, Cluster, Deletions, Errand, Halt, Managed, Outcome, RequestError};
use lathe_secrets::Mask;

use super::applied;
use super::clients::Registering;
use super::connection;
use super::progress::Progress;
use super::wanted::{self, Ask, InSet, Wanted};
use crate::cli::{self, ApplyFormat, DryRun};
use crate::console::{self, Failure};
use crate::settings::{Settings, milliseconds};

pub(crate) fn run(flags: &cli::Apply, settings: &Settings) -> anyhow::Result<()> {
    let ask = Ask {
        source: &flags.source,
        target: &flags.target,
        offline: flags.offline,
        keep_live: flags.keep_live_secrets,
    };
    let dry_run = flags.dry_run == Some(DryRun::Server);
    let progress = Progress::new(flags.output == ApplyFormat::Jsonl);
    // Standard input can be read once.
    let mut tries = if flags.source.filename.iter().any(|file| file == "-") { 1 } else { TRIES };
    let mut before: Vec<String> = Vec::new();
    let (wanted, outcome, clients) = loop {
        let mut wanted = wanted::find(&ask, settings)?;
        let pins = wanted.pins.clone();
        let (outcome, clients) = connection::run(settings, pins.as_ref(), async |cluster, halt| {
            once(&cluster, &halt, &mut wanted, flags, settings, &progress).await
        })?;
        tries -= 1;
        let clients = latest(before, clients);
        let stale = outcome.failures.iter().any(|failure| failure.cause == Cause::Stale);
        if !stale || tries == 0 {
            break (wanted, outcome, clients);
        }
        before = clients;
        console::note("what the objects are made from has changed meanwhile; they are made anew");
    };
    progress.end();
    outcome.warnings.iter().for_each(|warning| console::warn(warning));
    let failed = !outcome.failures.is_empty() || outcome.lost.is_some();
    // Where nothing came of it, the reasons are all there is to tell.
    let told = match flags.output {
        ApplyFormat::Jsonl => progress.result(&outcome, |text| wanted.mask.hide(text)),
        ApplyFormat::Text if !failed || outcome.changed || dry_run => tell(&outcome, &clients, dry_run),
        ApplyFormat::Text => Ok(()),
    };
    // What failed has failed, whether or not somebody reads what is told of the rest.
    if failed { Err(end(outcome, &wanted.mask).into()) } else { told }
}

/// What became of each login client, where an earlier try has done what the last one found done.
fn latest(before: Vec<String>, now: Vec<String>) -> Vec<String> {
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    let name = |line: &String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    for line in before.into_iter().chain(now) {
        if !line.ends_with(" unchanged") || !lines.contains_key(&name(&line)) {
            lines.insert(name(&line), line);
        }
    }
    lines.into_values().collect()
}

/// How often an apply is made whose generated secrets or login clients change while it runs.
const TRIES: u32 = 3;

/// One apply, and a line for each login client.
async fn once(
    cluster: &Cluster,
    halt: &Halt,
    wanted: &mut Wanted,
    flags: &cli::Apply,
    settings: &Settings,
    progress: &Progress,
) -> anyhow::Result<(Outcome, Vec<String>)> {
    let fresh = milliseconds();
    let expected = wanted.stamp(cluster, fresh).await?;
    let dry_run = flags.dry_run == Some(DryRun::Server);
    let agree = |deletions: &Deletions| agree(deletions, flags.confirm.as_deref());
    let set = wanted.environment.as_ref().map(|environment| {
        let InSet { set, digest, expires, folder } = environment;
        let namespace = wanted.namespace.as_deref().unwrap_or_default();
        let applied = applied::of(namespace, digest, *expires, folder, flags.generation);
        let patience = flags.holder.lock_timeout;
        Managed { set: set.clone(), applied, holder: applied::holder(), patience, agree: &agree }
    });
    let registering = match (&wanted.clients, &wanted.environment) {
        (Some(clients), Some(InSet { set, .. })) => Some(Registering {
            clients,
            cluster: Some(cluster),
            set,
            halt,
            terms: clients.terms(flags.clients, flags.adopt, fresh),
            optional: flags.clients.optional,
            settings,
            expected: Some(&expected),
            done: RefCell::default(),
        }),
        _ => None,
    };
    let apply = Apply {
        namespace: wanted.namespace.clone().unwrap_or_else(|| cluster.namespace.clone()),
        only_namespace: settings.namespace.is_some(),
        owner: wanted.owner.clone(),
        made_from: wanted.made_from.clone(),
        dry_run,
        keep: false,
        force_conflicts: flags.force_conflicts,
        adopt: flags.adopt,
        hooks: !flags.no_hooks,
        wait: flags.wait,
        timeout: flags.timeout,
        clients: registering.as_ref().map(|own| own as &dyn Errand),
        set,
        halt: halt.clone(),
        tell: &|event| progress.tell(event),
    };
    let outcome = apply.run(cluster, &wanted.objects).await;
    let lines = registering.map(|own| own.lines()).unwrap_or_default();
    Ok((outcome, lines))
}

/// More deletions than this are asked about, or a greater share of the set than a fifth.
const FEW: usize = 10;

/// Whether deletions are agreed to: few are; many need a person, or the digest of what a person saw.
fn agree(deletions: &Deletions, confirmed: Option<&str>) -> Result<(), String> {
    let Deletions { objects, of, digest } = deletions;
    let count = objects.len();
    if confirmed == Some(digest.as_str()) {
        return Ok(());
    }
    if confirmed.is_some() {
        return Err(format!("`--confirm` is not the digest of what would be deleted now, which is {digest}"));
    }
    if count <= FEW && count * 5 <= *of {
        return Ok(());
    }
    let question =
        format!("{count} of {of} objects left the set and would be deleted:\n  {}", objects.join("\n  "));
    match console::ask(&question) {
        Some(true) => Ok(()),
        Some(false) => Err("the deletions are not agreed to".to_owned()),
        None => Err(format!("{question}\nagree to that by `--confirm {digest}`")),
    }
}

/// A line for each object on standard output.
fn tell(outcome: &Outcome, clients: &[String], dry_run: bool) -> anyhow::Result<()> {
    let mut lines = String::new();
    for entry in &outcome.entries {
        let dry = if dry_run && is_done(entry.action) { " (dry run)" } else { "" };
        lines.push_str(&format!("{} {}{dry}\n", entry.object, words(entry.action)));
    }
    lines.extend(clients.iter().map(|line| format!("{line}\n")));
    console::print(&lines)
}

fn is_done(action: Action) -> bool {
    use Action::{Changed, Created, Deleted, Ran, Replaced};
    matches!(action, Created | Changed | Replaced | Deleted | Ran)
}

/// What was done, in words.
pub(crate) fn words(action: Action) -> &'static str {
    match action {
        Action::Created => "created",
        Action::Changed => "changed",
        Action::Replaced => "replaced",
        Action::Unchanged => "unchanged",
        Action::Deleted => "deleted",
        Action::Left => "left: it is not in the set any more, and stays",
        Action::Ignored => "ignored, as its annotation says",
        Action::Ran => "ran",
        Action::NoHook => "left out: it is a hook, and this is not its time",
        Action::Planned => "planned: it needs what comes into being with this apply",
        Action::NotApplied => "not applied",
        Action::Unknown => "sent, and nobody can tell whether it took effect",
    }
}

/// What is told of a run that failed, and its exit code.
fn end(outcome: Outcome, mask: &Mask) -> Failure {
    failure(outcome, mask, ["partly applied", "nothing is applied"])
}

/// The same, with words for what was done in part and for what was not done at all.
pub(crate) fn failure(outcome: Outcome, mask: &Mask, [partly, nothing]: [&str; 2]) -> Failure {
    let told =
        |failure: &lathe_cluster::Failure| mask.hide(&format!("{}: {}", failure.object, failure.message));
    let mut problems: Vec<String> = outcome.failures.iter().map(told).collect();
    let done = if outcome.changed { partly } else { nothing };
    if let Some(RequestError::Halted(why)) = &outcome.lost {
        return Failure::partly(format!("{why}; {done}")).with_problems(problems);
    }
    if let (Some(lost), false) = (&outcome.lost, outcome.changed)
        && problems.is_empty()
    {
        return Failure::usage(format!("{lost}; {done}"));
    }
    problems.extend(outcome.lost.map(|error| mask.hide(&error.to_string())));
    let count = problems.len();
    let summary = format!("{count} {}; {done}", if count == 1 { "problem" } else { "problems" });
    if !outcome.failures.is_empty() && outcome.failures.iter().all(|failure| failure.cause == Cause::Pending)
    {
        return Failure::pending(summary).with_problems(problems);
    }
    let failure = if outcome.changed { Failure::partly(summary) } else { Failure::refused(summary, &[]) };
    let failure = failure.with_problems(problems);
    if !outcome.missing.is_empty() {
        return failure.with_hint(format!("rights that are missing\n  {}", outcome.missing.join("\n  ")));
    }
    if partly != "partly applied" {
        return failure;
    }
    let of = |cause: Cause| outcome.failures.iter().any(|failure| failure.cause == cause);
    let secret = |failure: &lathe_cluster::Failure| {
        failure.cause == Cause::Immutable && failure.object.starts_with("Secret/")
    };
    if outcome.failures.iter().any(secret) {
        failure.with_hint("an immutable Secret cannot be changed: give it another name, or delete it first")
    } else if of(Cause::Immutable) {
        failure
            .with_hint("the annotation `lathe.dev/apply: replace` lets an object be deleted and created anew")
    } else if of(Cause::Foreign) {
        failure.with_hint("`--adopt` takes objects over; who has them now may write them back")
    } else if of(Cause::Conflict) {
        failure.with_hint("`--force-conflicts` takes the fields over; their managers may take them back")
    } else {
        failure
    }
}

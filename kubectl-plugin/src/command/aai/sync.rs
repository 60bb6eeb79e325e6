//! `aai sync`: clients registered, and their Secrets written, for an environment whose workloads somebody else applies.

use std::cell::RefCell;
use std::time::Duration;

use lathe_cluster::{Apply, Cause, Halt};
use lathe_manifest::Object;
use serde_json::json;

use super::{AnyStore, Declaring};
use crate::cli::{self, TableFormat};
use crate::command::client_store::set;
use crate::command::clients::Registering;
use crate::console::{self, Failure};
use crate::settings::{Settings, milliseconds};

pub(super) fn run(flags: &cli::AaiSync, settings: &Settings) -> anyhow::Result<()> {
    let declaring = Declaring::find(&flags.source, &flags.target, settings)?;
    if declaring.clients.is_empty() {
        let count = declaring.clients.declared.len();
        console::note(&format!("of {count} clients none names an issuer, so nothing is registered"));
        return Ok(());
    }
    let state = flags.target.state.as_deref();
    declaring.work(state, &flags.holder, settings, async |declaring, store, halt| {
        namespace(declaring, store, flags, halt).await?;
        sync(declaring, store, flags, halt, settings).await
    })
}

/// The namespace has to be there before a Secret is written to it.
async fn namespace(
    declaring: &Declaring,
    store: &AnyStore<'_>,
    flags: &cli::AaiSync,
    halt: &Halt,
) -> anyhow::Result<()> {
    let Some(cluster) = store.cluster() else { return Ok(()) };
    let namespace = &declaring.clients.namespace;
    // Who may not see namespaces learns it from the Secret.
    if !matches!(cluster.has_namespace(namespace).await, Ok(false)) {
        return Ok(());
    }
    if !flags.create_namespace {
        let failure =
            Failure::refused(format!("namespace {namespace} is not there; nothing is registered"), &[]);
        return Err(failure.with_hint("`--create-namespace` makes it as it is rendered").into());
    }
    let is_it = |object: &&Object| {
        object.kind() == "Namespace" && object.group().is_empty() && object.name() == namespace.as_str()
    };
    let Some(object) = declaring.objects.iter().find(is_it) else {
        return Err(Failure::refused(format!("what is rendered has no namespace {namespace}"), &[]).into());
    };
    let apply = Apply {
        namespace: namespace.clone(),
        only_namespace: false,
        owner: None,
        made_from: None,
        dry_run: false,
        keep: false,
        force_conflicts: false,
        adopt: false,
        hooks: false,
        wait: false,
        timeout: Duration::from_mins(1),
        clients: None,
        set: None,
        halt: halt.clone(),
        tell: &|_| {},
    };
    let outcome = apply.run(cluster, std::slice::from_ref(object)).await;
    match outcome.failures.first() {
        None if outcome.lost.is_none() => Ok(()),
        Some(failure) => {
            Err(Failure::refused(format!("{}: {}", failure.object, failure.message), &[]).into())
        }
        None => Err(Failure::refused(format!("namespace {namespace} cannot be made"), &[]).into()),
    }
}

async fn sync(
    declaring: &Declaring,
    store: &AnyStore<'_>,
    flags: &cli::AaiSync,
    halt: &Halt,
    settings: &Settings,
) -> anyhow::Result<()> {
    let clients = &declaring.clients;
    let set = set(&clients.identity, &declaring.ops_namespace);
    let terms = clients.terms(flags.clients, flags.adopt, milliseconds());
    let optional = flags.clients.optional;
    let registering = Registering {
        clients,
        cluster: store.cluster(),
        set: &set,
        halt,
        terms,
        optional,
        settings,
        expected: None,
        done: RefCell::default(),
    };
    let (_, failures) = registering.all(store).await;
    let (lines, done) = (registering.lines(), registering.to_json());
    match flags.output {
        TableFormat::Table => {
            console::print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
        }
        TableFormat::Json => console::print(&format!("{:#}\n", json!({ "clients": done })))?,
    }
    if failures.is_empty() {
        return Ok(());
    }
    let count = failures.len();
    let summary = format!("{count} {}", if count == 1 { "problem" } else { "problems" });
    let is_pending = failures.iter().all(|failure| failure.cause == Cause::Pending);
    let mut problems: Vec<String> =
        failures.iter().map(|failure| format!("{}: {}", failure.object, failure.message)).collect();
    problems.sort();
    let failure = match (is_pending, done.is_empty()) {
        (true, _) => Failure::pending(summary),
        (false, true) => Failure::refused(summary, &[]),
        (false, false) => Failure::partly(summary),
    };
    Err(failure.with_problems(problems).into())
}

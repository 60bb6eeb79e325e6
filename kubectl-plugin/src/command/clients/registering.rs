//! The clients of an apply, as it goes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

use lathe_aai::{AaiError, Clients, Done, Store, Terms};
use lathe_cluster::{Cause, Cluster, Errand, Failure as Failed, Halt, Set};

use serde_json::{Value, json};

use super::{LoginClients, told, trusted};
use crate::command::client_store::ClusterStore;
use crate::console;
use crate::settings::{Settings, now};

/// The clients of an apply, registered between namespaces and workloads.
pub(crate) struct Registering<'a> {
    pub(crate) clients: &'a LoginClients,
    /// `None` where clients are kept in a file.
    pub(crate) cluster: Option<&'a Cluster>,
    pub(crate) set: &'a Set,
    pub(crate) halt: &'a Halt,
    pub(crate) terms: Terms,
    pub(crate) optional: bool,
    pub(crate) settings: &'a Settings,
    /// The generations that workloads were stamped with, where there are any.
    pub(crate) expected: Option<&'a BTreeMap<String, u64>>,
    /// What became of each, by name.
    pub(crate) done: RefCell<BTreeMap<String, Result<Done, String>>>,
}

impl Errand for Registering<'_> {
    fn run(&self) -> Pin<Box<dyn Future<Output = (bool, Vec<Failed>)> + '_>> {
        Box::pin(async move {
            let Some(cluster) = self.cluster else { return (false, Vec::new()) };
            self.all(&ClusterStore { cluster, namespace: &self.set.ops_namespace }).await
        })
    }

    fn after(&self) -> Pin<Box<dyn Future<Output = Vec<Failed>> + '_>> {
        Box::pin(async move {
            let Some(cluster) = self.cluster else { return Vec::new() };
            self.settle(&ClusterStore { cluster, namespace: &self.set.ops_namespace }).await
        })
    }
}

impl Registering<'_> {
    /// Registers all.
    pub(crate) async fn all<S: Store>(&self, store: &S) -> (bool, Vec<Failed>) {
        let (mut changed, mut failures) = (false, Vec::new());
        let halted = || self.halt.why();
        let clients = Clients { store, sources: self.clients.sources(), now: &now, halted: &halted };
        for declared in &self.clients.declared {
            let name = &declared.intent.name;
            let label = format!("client {name}");
            let ensured = match self.clients.wanted(declared) {
                Ok(None) => continue,
                Ok(Some(wanted)) => clients.ensure(&wanted, self.terms).await,
                Err(error) => Err(error),
            };
            match ensured {
                Ok(done) => {
                    changed |= done.deed != lathe_aai::Deed::Unchanged;
                    done.warnings.iter().for_each(|warning| console::warn(warning));
                    let wanted = self.expected.and_then(|all| all.get(&declared.intent.secret_name));
                    if wanted.is_some_and(|wanted| *wanted != done.generation) {
                        let told = "its credentials changed while this ran".to_owned();
                        failures.push(Failed::new(label, told).of(Cause::Stale));
                    }
                    self.done.borrow_mut().insert(name.clone(), Ok(done));
                }
                Err(AaiError::NoCredential(why)) if self.optional => {
                    self.done.borrow_mut().insert(name.clone(), Err(why));
                }
                Err(error) => {
                    let cause =
                        if matches!(error, AaiError::Pending(_)) { Cause::Pending } else { Cause::Other };
                    failures.push(Failed::new(label, told(&error)).of(cause));
                }
            }
        }
        (changed, failures)
    }

    /// When workloads read the new credentials: clients that were replaced go, and those of a review that it does not declare any
    /// more.
    async fn settle<S: Store>(&self, store: &S) -> Vec<Failed> {
        let halted = || self.halt.why();
        let clients = Clients { store, sources: self.clients.sources(), now: &now, halted: &halted };
        let mut failures = Vec::new();
        let known = match store.list(Some(&self.clients.identity)).await {
            Ok(known) => known,
            Err(why) => {
                failures.push(Failed::new("clients".to_owned(), why));
                return failures;
            }
        };
        let keys: BTreeSet<&str> =
            self.clients.declared.iter().map(|declared| declared.key.as_str()).collect();
        for kept in known {
            if keys.contains(kept.record.key.as_str()) {
                let name = kept.record.name.clone();
                match clients.settle(kept).await {
                    Ok(warnings) => warnings.iter().for_each(|warning| console::warn(warning)),
                    Err(error) => {
                        console::warn(&format!("client {name}: the one before stays for now: {error}"));
                    }
                }
                continue;
            }
            let (label, name) = (kept.record.label(), kept.record.name.clone());
            if self.clients.identity[2].is_empty() {
                console::warn(&format!("{label} is not declared any more; `aai deregister` takes it back"));
                continue;
            }
            let issuers = self.clients.issuers.values();
            let issuers =
                issuers.map(|own| (own.issuer.clone(), (own.clone(), kept.record.authority.clone())));
            let retired = match trusted(kept.clone(), &issuers.collect(), self.settings) {
                Ok(kept) => clients.retire(kept, false).await.map_err(|error| told(&error)),
                Err(error) => Err(format!("{error:#}")),
            };
            match retired {
                // One of that name may be declared at another issuer.
                Ok(done) => drop(self.done.borrow_mut().entry(name).or_insert(Ok(done))),
                Err(why) => console::warn(&format!("{label} is not declared any more, and stays: {why}")),
            }
        }
        failures
    }

    /// What became of each, for programs.
    pub(crate) fn to_json(&self) -> Vec<Value> {
        let one = |(name, done): (&String, &Result<Done, String>)| match done {
            Ok(done) => json!({
                "name": name, "outcome": done.deed.name(), "clientId": done.client_id,
                "generation": done.generation, "warnings": done.warnings,
            }),
            Err(why) => json!({ "name": name, "outcome": "skipped", "why": why }),
        };
        self.done.borrow().iter().map(one).collect()
    }

    /// A line for each client.
    pub(crate) fn lines(&self) -> Vec<String> {
        let done = self.done.borrow();
        let line = |(name, done): (&String, &Result<Done, String>)| match done {
            Ok(done) => format!("client {name} {}", done.deed.name()),
            Err(why) => format!("client {name} skipped: {why}"),
        };
        let mut lines: Vec<String> = done.iter().map(line).collect();
        let declared = self.clients.declared.iter().filter(|declared| declared.intent.issuer.is_none());
        lines.extend(declared.map(|declared| format!("client {} not registered yet", declared.intent.name)));
        lines.sort();
        lines
    }
}

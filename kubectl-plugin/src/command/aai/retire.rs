//! One client, taken back while no other run changes its environment.

use std::time::Duration;

use lathe_aai::{Clients, Kept, Record, Sources, Store as _};
use lathe_cluster::{Halt, in_turn};

use super::{AnyStore, Known, failure};
use crate::command::applied;
use crate::command::client_store::set;
use crate::command::clients::trusted;
use crate::console::{self, Failure};
use crate::settings::{Settings, now, variable};

/// What taking back needs.
pub(super) struct Retire<'a> {
    pub(super) store: &'a AnyStore<'a>,
    pub(super) known: &'a Known,
    pub(super) settings: &'a Settings,
    /// The ops namespace.
    pub(super) namespace: &'a str,
    pub(super) halt: &'a Halt,
    /// How long another run is waited for.
    pub(super) patience: Duration,
    /// Drop what is known of a client that is out of reach.
    pub(super) forget: bool,
}

impl Retire<'_> {
    /// Takes a client back, if that is still wanted of it as it is by then.
    pub(super) async fn one(&self, kept: &Kept, is_wanted: &dyn Fn(&Record) -> bool) -> anyhow::Result<()> {
        let name = &kept.record.name;
        let halted = || self.halt.why();
        let sources = Sources { folder: &self.known.place.folder, variable: &variable };
        let clients = Clients { store: self.store, sources, now: &now, halted: &halted };
        let work = async || -> anyhow::Result<_> {
            // It may have changed while another run was waited for.
            let fresh = self.store.read(&kept.record.key).await;
            let fresh = fresh.map_err(|why| Failure::refused(format!("client {name}: {why}"), &[]))?;
            let Some(fresh) = fresh.filter(|fresh| is_wanted(&fresh.record)) else { return Ok(None) };
            let fresh = trusted(fresh, &self.known.place.issuers, self.settings)?;
            Ok(Some(clients.retire(fresh, self.forget).await.map_err(|error| failure(name, &error))?))
        };
        let done = match self.store.cluster() {
            None => work().await?,
            Some(cluster) => {
                let wait = |holder: &str| console::note(&format!("another run is waited for: {holder}"));
                let set = set(&kept.record.identity, self.namespace);
                let (holder, halt) = (applied::holder(), self.halt);
                let done = in_turn(cluster, &set, holder, self.patience, halt, &wait, work).await;
                done.map_err(|error| Failure::refused(error.to_string(), &[]))??
            }
        };
        let Some(done) = done else { return Ok(()) };
        done.warnings.iter().for_each(|warning| console::warn(warning));
        console::print(&format!("client {name} {}\n", done.deed.name()))
    }
}

//! The clients of an environment that goes.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use lathe_aai::{Clients, Kept, Sources, Store as _};
use lathe_cluster::{Cluster, Errand, Failure as Failed, Halt, Set};

use super::{told, trusted};
use crate::command::client_store::ClusterStore;
use crate::command::set_place::Place;
use crate::console;
use crate::settings::{Settings, now, variable};

/// The clients of an environment, taken back before it is taken down.
pub(crate) struct Retiring<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) set: &'a Set,
    pub(crate) halt: &'a Halt,
    pub(crate) settings: &'a Settings,
    /// The pipeline's folder and issuers.
    pub(crate) place: &'a Place,
    /// What was taken back, a line for each.
    pub(crate) lines: RefCell<Vec<String>>,
}

impl Errand for Retiring<'_> {
    fn run(&self) -> Pin<Box<dyn Future<Output = (bool, Vec<Failed>)> + '_>> {
        Box::pin(async move {
            match self.store().list(Some(&self.set.identity())).await {
                Ok(known) => self.all(&self.store(), known).await,
                Err(why) => (false, vec![Failed::new(format!("clients of {}", self.set.label()), why)]),
            }
        })
    }
}

impl Retiring<'_> {
    fn store(&self) -> ClusterStore<'_> {
        ClusterStore { cluster: self.cluster, namespace: &self.set.ops_namespace }
    }

    /// Whether nothing is kept of any client.
    pub(crate) async fn is_done(&self) -> bool {
        let known = self.store().list(Some(&self.set.identity())).await;
        known.is_ok_and(|known| known.is_empty())
    }

    async fn all(&self, store: &ClusterStore<'_>, known: Vec<Kept>) -> (bool, Vec<Failed>) {
        let (mut changed, mut failures) = (false, Vec::new());
        let halted = || self.halt.why();
        let sources = Sources { folder: &self.place.folder, variable: &variable };
        let clients = Clients { store, sources, now: &now, halted: &halted };
        for kept in known {
            let label = format!("client {}", kept.record.name);
            let kept = match trusted(kept, &self.place.issuers, self.settings) {
                Ok(kept) => kept,
                Err(error) => {
                    failures.push(Failed::new(label, format!("{error:#}")));
                    continue;
                }
            };
            match clients.retire(kept, false).await {
                Ok(done) => {
                    changed = true;
                    done.warnings.iter().for_each(|warning| console::warn(warning));
                    self.lines.borrow_mut().push(format!("{label} {}", done.deed.name()));
                }
                Err(error) => {
                    let told =
                        format!("{}; what is known of it stays, and `aai gc` tries again", told(&error));
                    failures.push(Failed::new(label, told));
                }
            }
        }
        (changed, failures)
    }
}

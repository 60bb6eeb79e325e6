//! One apply: what is asked for, and who is told of it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use lathe_manifest::Object;

use crate::connect::Cluster;
use crate::inventory::Applied;
use crate::outcome::{Action, Failure, Outcome};
use crate::owner::Owner;
use crate::request::{Halt, Requests};
use crate::run::Run;
use crate::set::Set;
use crate::status::Health;

/// How a set of objects is applied.
pub struct Apply<'a> {
    /// The namespace of objects that name none.
    pub namespace: String,
    /// Whether `namespace` is the only one that namespaced objects may name, as with kubectl's `--namespace`.
    pub only_namespace: bool,
    /// Whose the namespace has to be, where it is there.
    pub owner: Option<Owner>,
    /// Ask the server what would happen, and change nothing.
    pub dry_run: bool,
    /// In a dry run, keep live and wanted objects, and take fields of other managers for wanted.
    pub keep: bool,
    /// Take fields over that belong to other field managers.
    pub force_conflicts: bool,
    /// Take objects over that belong to another set or another tool.
    pub adopt: bool,
    /// Run Helm's hooks.
    pub hooks: bool,
    /// Wait until all objects are as their specs want them.
    pub wait: bool,
    /// How long hooks and waiting may take.
    pub timeout: Duration,
    /// A Secret that the objects were made from: it must not have changed since.
    pub made_from: Option<MadeFrom>,
    /// What has to be done between namespaces and workloads: login clients, whose Secrets workloads read.
    pub clients: Option<&'a dyn Errand>,
    /// The set that the objects are; what left it is deleted. `None` where nobody keeps an inventory.
    pub set: Option<Managed<'a>>,
    /// Ends the run at the next safe point.
    pub halt: Halt,
    /// Is told what happens while it does.
    pub tell: &'a dyn Fn(Event<'_>),
}

/// Something that is done for a run while it has the turn.
pub trait Errand {
    /// Does it; tells whether it changed anything, and what failed.
    fn run(&self) -> Pin<Box<dyn Future<Output = (bool, Vec<Failure>)> + '_>>;

    /// Does what has to wait until all else is done.
    fn after(&self) -> Pin<Box<dyn Future<Output = Vec<Failure>> + '_>> {
        Box::pin(async { Vec::new() })
    }
}

/// A Secret as it was read while the objects were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeFrom {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its version; `None` where it was not there.
    pub version: Option<String>,
}

/// A set with an inventory.
pub struct Managed<'a> {
    /// Which.
    pub set: Set,
    /// What is applied.
    pub applied: Applied,
    /// How others see who is at work.
    pub holder: String,
    /// How long another run is waited for.
    pub patience: Duration,
    /// Whether deletions are agreed to; `Err` is why not.
    pub agree: &'a dyn Fn(&Deletions) -> Result<(), String>,
}

/// What an apply would delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletions {
    /// The objects, in the order in which they would be deleted.
    pub objects: Vec<String>,
    /// How many objects the set has on the cluster.
    pub of: usize,
    /// A digest to agree to: of the objects, by their uids.
    pub digest: String,
}

/// What happens during an apply.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Another run has the set, and is waited for.
    Waits {
        /// Who.
        holder: &'a str,
    },
    /// Something was done with an object.
    Did {
        /// The object.
        object: &'a str,
        /// What.
        action: Action,
    },
    /// An object is looked at while it is waited for.
    Health {
        /// The object.
        object: &'a str,
        /// How it is.
        health: &'a Health,
    },
}

impl Apply<'_> {
    /// Applies the objects, in stages.
    pub async fn run(&self, cluster: &Cluster, objects: &[Object]) -> Outcome {
        let requests = Requests::with(cluster, self.halt.clone());
        Run::new(self, requests, objects).go().await
    }

    /// The id of the set.
    pub(crate) fn id(&self) -> Option<String> {
        self.set.as_ref().map(|managed| managed.set.id())
    }
}

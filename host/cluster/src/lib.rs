//! Where objects meet a cluster.
//!
//! One way through: [`connect`] to the cluster as kubectl would, [`Apply::run`] over the objects. What can be tried by a
//! dry run on the server is tried before the first object is changed, so that what the server refuses is told all at once.
//! Nothing here prints or exits. What kubeconfig names (files, exec plugins) is read where it is named; in a pod without a
//! kubeconfig, and for proxies, the client library asks the process environment as every Kubernetes client does.

mod access;
mod act;
mod answer;
mod apply;
mod belongs;
mod body;
mod connect;
mod control;
mod discovery;
mod down;
mod hook;
mod hooks;
mod inventory;
mod later;
mod lease;
mod managed;
mod many;
mod member;
mod ops;
mod outcome;
mod owner;
mod plan;
mod prune;
mod request;
mod resolve;
mod rights;
mod run;
mod secret;
mod set;
mod sets;
mod stage;
mod state_secret;
pub mod status;
mod takeover;
mod target;
mod turn;
mod wait;

pub use access::Access;
pub use apply::{Apply, Deletions, Errand, Event, MadeFrom, Managed};
pub use connect::{Cluster, ConnectError, connect};
pub use down::Down;
pub use inventory::Applied;
pub use k8s_openapi::api::core::v1::Secret;
pub use lease::{Pool, end_leases};
pub use outcome::{Action, Cause, Difference, Entry, Failure, Outcome};
pub use owner::Owner;
pub use request::{Halt, RequestError};
pub use set::Set;
pub use sets::{Found, MemberHealth, labelled_environments, sets};
pub use state_secret::{ClientSecret, StateSecret, StateSecrets};
pub use turn::in_turn;

/// The field manager of everything that Lathe applies. It does not start with `kubectl`, because Flux takes the fields
/// of such managers over.
pub const FIELD_MANAGER: &str = "lathe";

//! Where objects meet a cluster.
//!
//! One way through: [`connect`] to the cluster as kubectl would, [`Apply::run`] over the objects. Every object is tried
//! by a dry run on the server before the first one is changed, so that what the server refuses is told all at once and
//! nothing is half done. Nothing here prints, exits or reads the process environment on its own; what kubeconfig names
//! (files, exec plugins) is read where it is named.

mod access;
mod answer;
mod apply;
mod body;
mod connect;
mod discovery;
mod plan;
mod request;
mod stage;
mod wait;

use lathe_manifest::Object;

pub use access::Access;
pub use answer::Refusal;
pub use apply::{Action, Apply, Entry, Failure, Outcome};
pub use connect::{Cluster, ConnectError, connect};
pub use request::RequestError;

/// The field manager of everything that Lathe applies. It does not start with `kubectl`, because Flux takes the fields
/// of such managers over.
pub const FIELD_MANAGER: &str = "lathe";

/// Whether the object can only be created, never applied: it has no name, only a prefix for one.
pub fn is_create_only(object: &Object) -> bool {
    object.name().is_empty() && object.value.str_at(&["metadata", "generateName"]).is_some()
}

//! Where objects meet a cluster.
//!
//! One way through: [`connect`] to the cluster as kubectl would, [`Apply::run`] over the objects. What can be tried by a
//! dry run on the server is tried before the first object is changed, so that what the server refuses is told all at once.
//! Nothing here prints or exits. What kubeconfig names (files, exec plugins) is read where it is named; in a pod without a
//! kubeconfig, and for proxies, the client library asks the process environment as every Kubernetes client does.

mod access;
mod answer;
mod apply;
mod body;
mod connect;
mod discovery;
mod later;
mod lease;
mod owner;
mod plan;
mod request;
mod resolve;
mod secret;
mod stage;
mod wait;

pub use access::Access;
pub use apply::{Action, Apply, Entry, Failure, Outcome};
pub use connect::{Cluster, ConnectError, connect};
pub use k8s_openapi::api::core::v1::Secret;
pub use lease::Pool;
pub use owner::Owner;
pub use request::RequestError;

/// The field manager of everything that Lathe applies. It does not start with `kubectl`, because Flux takes the fields
/// of such managers over.
pub const FIELD_MANAGER: &str = "lathe";

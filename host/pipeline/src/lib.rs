//! From a pipeline file and manifests to what is written: environment, lock, run, closure, provenance, report.
//!
//! Data moves one way: [`source`] reads objects, [`Pipeline`] says what happens to them in which [`Environment`],
//! [`Lock`] which plugins may take part, [`Render`] does it and gives a [`Rendered`].

mod as_is;
mod call;
mod checksum;
mod closure;
mod connect;
mod decode;
mod descriptor;
mod difference;
mod edits;
mod environment;
mod field;
mod file;
mod floats;
mod lease;
mod lock;
mod output;
mod plugin;
mod plugin_file;
mod policy;
mod problem;
mod proposal;
mod provenance;
mod render;
mod report;
mod review;
mod schema;
mod scope;
mod secret_check;
mod selector;
mod slug;
pub mod source;
mod territory;
mod transcript;
mod tree;
mod trial;
mod typed;

pub use as_is::as_is;
pub use call::Call;
pub use checksum::secrets_read;
pub use descriptor::Descriptor;
pub use difference::{Change, Diff, FieldDiff, ObjectDiff, Pair};
pub use environment::{Environment, EnvironmentError, Review, is_label_value};
pub use file::{AaiSpec, Acknowledge, EnvironmentSpec, Metadata, Pipeline, SecretsSpec, TransformSpec, age};
pub use lathe_aai::Declared;
pub use lease::{Lease, Leases};
pub use lock::{Lock, Locked};
pub use output::Output;
pub use plugin::{Builtin, Plugins, Prepared, Supply};
pub use plugin_file::{PluginFile, PluginName};
pub use policy::{MostLimits, PluginPolicy, Policy, Right};
pub use problem::Problem;
pub use proposal::Proposal;
pub use provenance::{Provenance, Write};
pub use render::{Render, Rendered};
pub use report::{Changed, Report};
pub use review::{ReviewHost, ReviewSummary};
pub use schema::{SCHEMAS, Schema};
pub use scope::{Grant, WriteRule};
pub use secret_check::SecretCheck;
pub use selector::Selector;
pub use transcript::{HostCall, Recorded, Transcript};
pub use trial::{Case, Trial, edits, is_refusal};

//! Where records and the Secrets of applications are kept; what a cluster or a file has to be able to do.

use std::collections::BTreeMap;
use std::future::Future;

use crate::record::Record;
use crate::secret::SecretText;

/// A record as it was read, and what tells it from later ones.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The record.
    pub record: Record,
    /// Its version.
    pub version: String,
}

/// The Secret that applications read, as it is.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// The key of the client that it was written for; `None` where somebody else made it.
    pub key: Option<String>,
    /// The generation of the client's credentials that it holds.
    pub generation: u64,
    /// Whether it is the environment's own, so that the client's keys may stand beside others.
    pub is_shared: bool,
    /// What it holds.
    pub values: BTreeMap<String, SecretText>,
}

/// Keeps records, each of which is created once and replaced only by who has seen it as it is.
pub trait Store {
    /// Reads a record; `None` where there is none.
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Kept>, String>>;

    /// All records, sorted by label; of one environment where `identity` names one.
    fn list(&self, identity: Option<&[String; 3]>) -> impl Future<Output = Result<Vec<Kept>, String>>;

    /// Creates a record; `None` where there is one already.
    fn create(&self, record: &Record) -> impl Future<Output = Result<Option<Kept>, String>>;

    /// Replaces a record; `None` where it is not the one that was read any more.
    fn replace(&self, kept: &Kept) -> impl Future<Output = Result<Option<Kept>, String>>;

    /// Takes a record away, where it is still the one that was read.
    fn remove(&self, kept: &Kept) -> impl Future<Output = Result<(), String>>;

    /// The Secret that applications read; `None` where there is none.
    fn delivered(&self, record: &Record) -> impl Future<Output = Result<Option<Delivered>, String>>;

    /// Writes that Secret.
    fn deliver(&self, record: &Record) -> impl Future<Output = Result<(), String>>;

    /// Takes it away, where it is this client's.
    fn withdraw(&self, record: &Record) -> impl Future<Output = Result<(), String>>;
}

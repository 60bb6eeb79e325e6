//! Clients at a provider that carry Lathe's marker and that no record knows.

use std::collections::BTreeSet;

use crate::error::AaiError;
use crate::issuer::{IssuerSpec, Sources};
use crate::provider::Provider;
use crate::registration::Listed;

/// A client that no record knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// Its id.
    pub client_id: String,
    /// The key in its marker.
    pub key: String,
    listed: Listed,
}

/// Clients of one issuer that no record knows, and the way to them.
pub struct Orphans<'a> {
    provider: Provider<'a>,
    /// The clients, sorted.
    pub found: Vec<Orphan>,
}

impl<'a> Orphans<'a> {
    /// Looks for orphans at an issuer; `None` where it shows its clients to nobody whom the pipeline names. `known` are the ids of
    /// clients that have a record.
    pub async fn find(
        issuer: &IssuerSpec,
        authority: Option<&str>,
        sources: Sources<'a>,
        known: &BTreeSet<String>,
    ) -> Result<Option<Self>, AaiError> {
        let provider = Provider::new(issuer, authority, sources)?;
        let Some(marked) = provider.marked().await? else { return Ok(None) };
        let unknown = marked.into_iter().filter(|listed| !known.contains(&listed.client_id));
        let orphan =
            |listed: Listed| Orphan { client_id: listed.client_id.clone(), key: listed.key.clone(), listed };
        let found = unknown.map(orphan).collect();
        Ok(Some(Self { provider, found }))
    }

    /// Deletes one of them.
    pub async fn delete(&self, orphan: &Orphan) -> Result<(), AaiError> {
        self.provider.delete_listed(&orphan.listed).await
    }
}

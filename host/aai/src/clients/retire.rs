//! A client is taken back; and what a run leaves that could not register, or not finish.

use super::ensure::own;
use super::keep::NOT_ACCEPTED;
use super::{Clients, Deed, Done, registers, store};
use crate::error::AaiError;
use crate::issuer::Mode;
use crate::provider::Provider;
use crate::record::{Phase, Record};
use crate::store::{Kept, Store};

impl<S: Store> Clients<'_, S> {
    /// Takes a client back at its provider, and then what is kept of it. Where that cannot be done, its record stays for the next try.
    /// `forget` drops a record whose client is out of reach.
    pub async fn retire(&self, mut kept: Kept, forget: bool) -> Result<Done, AaiError> {
        self.go_on(&kept.record)?;
        let mut warnings = Vec::new();
        let Record { issuer, key, .. } = kept.record.clone();
        let client_id =
            kept.record.registration.as_ref().map(|own| own.client_id.clone()).unwrap_or_default();
        let label = kept.record.label();
        let deed = if registers(issuer.mode) {
            let provider = self.provider(&kept.record)?;
            let forgets = |error: &AaiError| {
                let out =
                    matches!(error, AaiError::OutOfReach { .. } | AaiError::Refused { status: 405, .. });
                forget && out
            };
            for step in [true, false] {
                let ended = if step {
                    self.remove_registered(&provider, &mut kept).await
                } else {
                    self.end_superseded(&provider, &mut kept, &mut warnings).await
                };
                match ended {
                    Ok(()) => {}
                    Err(error) if forgets(&error) => {
                        warnings.push(format!("{label}: {error}; it is forgotten all the same"));
                    }
                    Err(error) => return Err(error),
                }
            }
            warnings.extend(kept.record.suspects.iter().map(|suspect| {
                let issuer = &issuer.issuer;
                format!("{label}: a client with the marker [lathe:{key}] may be left at {issuer}: {suspect}")
            }));
            Deed::Deregistered
        } else {
            if issuer.mode == Mode::Request && kept.record.registration.is_some() {
                let issuer = &issuer.issuer;
                warnings.push(format!(
                    "{label}: client `{client_id}` was registered by hand at {issuer}, and is still there"
                ));
            }
            Deed::Forgotten
        };
        self.store.withdraw(&kept.record).await.map_err(|why| store(&label, why))?;
        if !kept.version.is_empty() {
            self.store.remove(&kept).await.map_err(|why| store(&label, why))?;
        }
        Ok(Done { deed, client_id, generation: kept.record.generation, warnings })
    }

    /// Takes clients back that another took the place of, when nobody needs them any more.
    pub async fn settle(&self, mut kept: Kept) -> Result<Vec<String>, AaiError> {
        let mut warnings = Vec::new();
        if !kept.record.superseded.is_empty() {
            self.go_on(&kept.record)?;
            let provider = self.provider(&kept.record)?;
            self.end_superseded(&provider, &mut kept, &mut warnings).await?;
        }
        Ok(warnings)
    }

    /// Takes the client back at its provider; the record is left without a registration.
    pub(super) async fn remove_registered(
        &self,
        provider: &Provider<'_>,
        kept: &mut Kept,
    ) -> Result<(), AaiError> {
        if kept.record.registration.is_none() && kept.record.phase == Phase::Registering {
            self.settle_unknown(provider, kept).await?;
        }
        if kept.record.registration.is_some() {
            // A token that was good when the deletion was begun, and is not now, says that the deletion took effect.
            let was_good = kept.record.phase == Phase::Deregistering;
            let fresh = kept.record.generation;
            let is_there = match self.read(provider, kept, fresh).await {
                Err(AaiError::Lost { .. }) => false,
                reading => reading.map(|_| true)?,
            };
            if is_there {
                kept.record.phase = Phase::Deregistering;
                self.save(kept).await?;
                match provider.delete(&own(kept)?).await {
                    Ok(()) | Err(AaiError::Lost { .. }) => {}
                    Err(error) => return Err(error),
                }
            } else if !was_good && provider.bearer().await?.is_none() {
                // An account sees all clients, so what it does not see is gone. Nobody else knows.
                kept.record.phase = Phase::Lost;
                self.save(kept).await?;
                let (issuer, client) = (provider.issuer(), own(kept)?.client_id);
                return Err(AaiError::OutOfReach { issuer, client, why: NOT_ACCEPTED.to_owned() });
            }
        }
        self.end_suspects(provider, kept).await?;
        kept.record.registration = None;
        kept.record.phase = Phase::Absent;
        kept.record.digest.clear();
        if kept.version.is_empty() { Ok(()) } else { self.save_surely(kept).await }
    }

    /// Takes clients back that another took the place of. What stays is an error.
    pub(super) async fn end_superseded(
        &self,
        provider: &Provider<'_>,
        kept: &mut Kept,
        warnings: &mut Vec<String>,
    ) -> Result<(), AaiError> {
        let mut failed = None;
        let mut left = Vec::new();
        let all = std::mem::take(&mut kept.record.superseded);
        if all.is_empty() {
            return Ok(());
        }
        let label = kept.record.label();
        for old in all {
            match provider.delete(&old).await {
                Ok(()) => {}
                // Deleted by a run that was killed then, or out of reach.
                Err(AaiError::Lost { client, .. }) => {
                    warnings.push(format!("{label}: the client before, `{client}`, is gone or out of reach"));
                }
                Err(error) => {
                    left.push(old);
                    failed = Some(error);
                }
            }
        }
        kept.record.superseded = left;
        self.save_surely(kept).await?;
        failed.map_or(Ok(()), Err)
    }

    /// What a run that was killed may have registered: taken back where the account sees it, else noted.
    pub(super) async fn settle_unknown(
        &self,
        provider: &Provider<'_>,
        kept: &mut Kept,
    ) -> Result<(), AaiError> {
        let since = kept.record.at.clone();
        kept.record.suspect(&since, "a registration began, and what came of it is unknown");
        self.end_suspects(provider, kept).await
    }

    /// Deletes clients with this one's marker that are not this one, where there is somebody who sees them.
    pub(super) async fn end_suspects(
        &self,
        provider: &Provider<'_>,
        kept: &mut Kept,
    ) -> Result<(), AaiError> {
        if kept.record.suspects.is_empty() {
            return Ok(());
        }
        let Some(marked) = provider.marked().await? else { return Ok(()) };
        let own = kept.record.registration.iter().chain(&kept.record.superseded);
        let own: Vec<&str> = own.map(|registration| registration.client_id.as_str()).collect();
        for listed in marked.iter().filter(|listed| listed.key == kept.record.key) {
            if !own.contains(&listed.client_id.as_str()) {
                provider.delete_listed(listed).await?;
            }
        }
        kept.record.suspects.clear();
        Ok(())
    }

    /// The error of a registration that failed; the record tells whether something may have come of it.
    pub(super) async fn not_made(
        &self,
        provider: &Provider<'_>,
        kept: &mut Kept,
        error: AaiError,
    ) -> AaiError {
        // A client whose id is chosen here is found by it, whatever an earlier step did.
        if provider.chooses() || matches!(error, AaiError::Unknown { .. }) {
            return error;
        }
        kept.record.digest.clear();
        match self.drop_record(kept).await {
            Ok(()) => error,
            // It says that a registration may be under way, which a later run looks into.
            Err(kept) => {
                tracing::warn!(%kept, "the record of a registration that was refused stays");
                error
            }
        }
    }

    /// Takes a client back that must not be used, and gives the reason.
    pub(super) async fn take_back(
        &self,
        provider: &Provider<'_>,
        kept: &mut Kept,
        fault: AaiError,
    ) -> AaiError {
        let Some(registration) = kept.record.registration.clone() else { return fault };
        let saved = match provider.delete(&registration).await {
            Ok(()) | Err(AaiError::Lost { .. }) => {
                kept.record.registration = None;
                kept.record.digest.clear();
                self.drop_record(kept).await
            }
            Err(AaiError::OutOfReach { .. } | AaiError::Refused { status: 405, .. }) => {
                // It is kept in mind, and no other one is registered for the same.
                let (at, id) = ((self.now)(), registration.client_id.clone());
                let told = format!("`{id}` was registered otherwise than asked, and cannot be taken back");
                kept.record.suspect(&at, &told);
                kept.record.superseded.push(registration);
                kept.record.registration = None;
                kept.record.phase = Phase::Absent;
                self.save_surely(kept).await
            }
            Err(error) => {
                tracing::warn!(%error, "a client that must not be used cannot be taken back yet");
                kept.record.phase = Phase::Deregistering;
                self.save_surely(kept).await
            }
        };
        saved.err().unwrap_or(fault)
    }
}

//! A client that is registered: as it is wanted, changed to be so, or made anew where it is out of reach.

use super::ensure::own;
use super::{Clients, Deed, Terms};
use crate::error::AaiError;
use crate::metadata::Metadata;
use crate::provider::Provider;
use crate::record::{Phase, Registration};
use crate::registration::Reading;
use crate::store::{Kept, Store};

/// Why a client is out of reach.
pub(super) const NOT_ACCEPTED: &str =
    "the provider does not let Lathe in to it any more: it is gone, or was changed by others";

impl<S: Store> Clients<'_, S> {
    /// Finds that the client is as it is wanted, or changes it.
    pub(super) async fn keep(
        &self,
        provider: &Provider<'_>,
        metadata: &Metadata,
        kept: &mut Kept,
        terms: Terms,
    ) -> Result<Deed, AaiError> {
        let reading = match self.read(provider, kept, terms.fresh).await {
            Err(AaiError::Lost { client, .. }) => {
                return self.recreate(provider, metadata, kept, terms, &client).await;
            }
            reading => reading?,
        };
        let without = provider.without().await?;
        let issuer = &provider.spec.issuer;
        if kept.record.phase == Phase::Registering
            && let Some(fault) = reading.as_ref().and_then(|reading| reading.fault(metadata, issuer, without))
        {
            // What a run that was killed had no time to look at.
            return Err(self.take_back(provider, kept, fault).await);
        }
        let differs = reading
            .as_ref()
            .is_some_and(|reading| !metadata.differences(&reading.document, without).is_empty());
        let endpoints = &provider.discovery().await?.endpoints;
        if kept.record.digest == metadata.digest() && !differs {
            let had = kept.record.phase;
            kept.record.phase = Phase::Registered;
            kept.record.take_endpoints(endpoints, terms.fresh);
            self.save(kept).await?;
            return Ok(if had == Phase::Registering { Deed::Registered } else { Deed::Unchanged });
        }
        self.go_on(&kept.record)?;
        let registration = own(kept)?;
        kept.record.phase = Phase::Updating;
        kept.record.take_endpoints(endpoints, terms.fresh);
        self.save(kept).await?;
        let has = reading.map_or(serde_json::Value::Null, |reading| reading.document);
        match provider.update(&registration, metadata, &has).await {
            Ok(reading) => {
                take_over(kept, &reading, terms.fresh)?;
                let fault = reading.fault(metadata, issuer, without);
                kept.record.digest = if fault.is_none() { metadata.digest() } else { String::new() };
                kept.record.phase = Phase::Registered;
                self.save_surely(kept).await?;
                fault.map_or(Ok(Deed::Updated), Err)
            }
            Err(AaiError::Lost { client, .. }) => {
                kept.record.phase = Phase::Lost;
                self.save_surely(kept).await?;
                self.recreate(provider, metadata, kept, terms, &client).await
            }
            // Nobody can tell; the next run looks.
            Err(error @ AaiError::Unknown { .. }) => Err(error),
            Err(error) => {
                kept.record.phase = Phase::Registered;
                self.save_surely(kept).await?;
                Err(error)
            }
        }
    }

    /// Reads the client; `None` where it cannot be read. Where its own token is not accepted, the account may read it; from then on
    /// it is the account that does.
    pub(super) async fn read(
        &self,
        provider: &Provider<'_>,
        kept: &mut Kept,
        fresh: u64,
    ) -> Result<Option<Reading>, AaiError> {
        let registration = own(kept)?;
        let reading = match provider.read(&registration).await {
            Err(AaiError::Lost { .. })
                if registration.token.is_some() && provider.bearer().await?.is_some() =>
            {
                provider.read(&Registration { token: None, ..registration }).await?
            }
            reading => reading?,
        };
        // A token that changed with the reading is the only one that is good now.
        if let Some(reading) = &reading
            && take_over(kept, reading, fresh)?
        {
            self.save_surely(kept).await?;
        }
        Ok(reading)
    }

    /// Another client in place of one that is out of reach.
    async fn recreate(
        &self,
        provider: &Provider<'_>,
        metadata: &Metadata,
        kept: &mut Kept,
        terms: Terms,
        client: &str,
    ) -> Result<Deed, AaiError> {
        if !terms.recreate_lost {
            kept.record.phase = Phase::Lost;
            self.save(kept).await?;
            let (issuer, why) = (provider.issuer(), NOT_ACCEPTED.to_owned());
            return Err(AaiError::OutOfReach { issuer, client: client.to_owned(), why });
        }
        // An account sees all clients, so what it does not see is gone.
        if provider.bearer().await?.is_none() && kept.record.phase != Phase::Registering {
            let at = (self.now)();
            kept.record.suspect(&at, &format!("`{client}`, whose token is not accepted any more"));
        }
        kept.record.registration = None;
        kept.record.digest.clear();
        kept.record.phase = Phase::Absent;
        self.save(kept).await?;
        self.make(provider, metadata, kept, terms).await.map(|_| Deed::Recreated)
    }
}

/// Takes over what a document tells of the registration; tells whether that is another than before. One that is about another client
/// is not taken.
fn take_over(kept: &mut Kept, reading: &Reading, fresh: u64) -> Result<bool, AaiError> {
    if let Some(flaw) = &reading.flaw {
        return Err(flaw.clone());
    }
    let before = kept.record.registration.as_ref();
    if before == Some(&reading.registration) {
        return Ok(false);
    }
    if before.is_none_or(|before| before.client_secret != reading.registration.client_secret) {
        kept.record.renewed(fresh);
    }
    kept.record.registration = Some(reading.registration.clone());
    Ok(true)
}

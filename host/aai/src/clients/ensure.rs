//! A client is made to be as it is wanted.

use std::time::Duration;

use tokio::time::sleep;

use super::{Clients, Deed, Done, SAVES, Terms, store};
use crate::error::AaiError;
use crate::issuer::Mode;
use crate::metadata::Metadata;
use crate::provider::Provider;
use crate::record::{Phase, Record, Registration, Wanted};
use crate::store::{Kept, Store};

/// How long before its end a secret's end is told, in seconds.
const SOON: u64 = 14 * 24 * 3600;

impl<S: Store> Clients<'_, S> {
    /// Registers the client, changes it, or finds that it is as it should be; and writes the Secret that applications read. A client
    /// that another one took the place of stays until [`Self::settle`].
    pub async fn ensure(&self, wanted: &Wanted<'_>, terms: Terms) -> Result<Done, AaiError> {
        let (mut kept, before) = self.open(wanted).await?;
        self.go_on(&kept.record)?;
        let mode = wanted.issuer.mode;
        // Before anything is registered, for a client that nobody can use should not come into being.
        let by_hand = mode == Mode::Request && kept.record.registration.is_none();
        if !by_hand {
            self.may_deliver(&kept, terms).await?;
        }
        let provider = self.provider(&kept.record)?;
        let mut warnings = Vec::new();
        let deed = match mode {
            Mode::Static | Mode::Pool => {
                self.given(&provider, wanted, &mut kept, terms, &mut warnings).await?
            }
            Mode::Request => {
                match self.requested(&provider, wanted, &mut kept, terms, &mut warnings).await? {
                    Some(deed) => deed,
                    // Somebody wrote the Secret himself.
                    None => return Ok(done(Deed::Unchanged, &kept, warnings)),
                }
            }
            Mode::Dcr | Mode::Keycloak => {
                self.registered(&provider, wanted, &mut kept, terms, &mut warnings).await?
            }
        };
        self.deliver(&kept).await?;
        self.withdraw_from(before.as_ref(), &kept.record).await?;
        let renewed = before.is_some_and(|before| before.generation != kept.record.generation);
        let deed = if renewed && deed == Deed::Unchanged { Deed::Updated } else { deed };
        warnings.extend(kept.record.suspects.iter().map(|suspect| {
            format!("{}: a client may be left at {}: {suspect}", kept.record.label(), wanted.issuer.issuer)
        }));
        let ends = kept.record.registration.as_ref().map_or(0, |own| own.secret_expires_at);
        if ends > 0 && ends < terms.fresh / 1000 + SOON {
            let label = kept.record.label();
            warnings.push(format!(
                "{label}: its secret ends at {ends} (seconds since 1970); `aai rotate` gives another"
            ));
        }
        Ok(done(deed, &kept, warnings))
    }

    /// A Secret under another name or in another namespace holds live credentials that nobody needs.
    async fn withdraw_from(&self, before: Option<&Record>, now: &Record) -> Result<(), AaiError> {
        let place = |record: &Record| (record.namespace.clone(), record.secret_name.clone());
        match before {
            Some(before) if place(before) != place(now) => {
                self.store.withdraw(before).await.map_err(|why| store(&now.label(), why))
            }
            _ => Ok(()),
        }
    }

    async fn registered(
        &self,
        provider: &Provider<'_>,
        wanted: &Wanted<'_>,
        kept: &mut Kept,
        terms: Terms,
        warnings: &mut Vec<String>,
    ) -> Result<Deed, AaiError> {
        let metadata = Metadata::of(wanted.declared);
        if kept.record.phase == Phase::Deregistering {
            self.remove_registered(provider, kept).await?;
        }
        let settled = kept.record.phase == Phase::Registered && kept.record.digest == metadata.digest();
        // What is chosen here is known before it is registered.
        let begun = kept.record.phase == Phase::Registering && provider.chooses();
        let result = if kept.record.registration.is_none() || begun {
            self.make(provider, &metadata, kept, terms).await
        } else {
            self.keep(provider, &metadata, kept, terms).await
        };
        let stays = settled && kept.record.phase == Phase::Registered && kept.record.registration.is_some();
        match result {
            // Of a client that is registered, no credential is needed to see that nothing has changed here.
            Err(error)
                if (error.is_outage() || matches!(error, AaiError::NoCredential(_)))
                    && stays
                    && !terms.strict =>
            {
                let label = kept.record.label();
                warnings.push(format!("{label}: {error}; nothing has changed, so it is taken for good"));
                Ok(Deed::Unchanged)
            }
            result => result,
        }
    }

    /// A client that is not registered, as far as is known.
    pub(super) async fn make(
        &self,
        provider: &Provider<'_>,
        metadata: &Metadata,
        kept: &mut Kept,
        terms: Terms,
    ) -> Result<Deed, AaiError> {
        if kept.record.phase == Phase::Absent
            && !kept.record.suspects.is_empty()
            && kept.record.digest == metadata.digest()
        {
            let why =
                "it registered this client otherwise than asked before, and cannot take it back".to_owned();
            return Err(AaiError::Untrusted { issuer: provider.issuer(), why });
        }
        // All that can be known to fail is known before the first step.
        provider.registration().await?;
        let was_begun = kept.record.phase == Phase::Registering;
        if was_begun && !provider.chooses() {
            self.settle_unknown(provider, kept).await?;
        }
        self.end_suspects(provider, kept).await?;
        self.go_on(&kept.record)?;
        kept.record.phase = Phase::Registering;
        kept.record.take_endpoints(&provider.discovery().await?.endpoints, terms.fresh);
        if provider.chooses() && kept.record.registration.is_none() {
            kept.record.registration = Some(Provider::choose(&kept.record)?);
            kept.record.renewed(terms.fresh);
        }
        self.save(kept).await?;
        let may_adopt = was_begun || terms.adopt;
        let reading = match provider.register(metadata, kept.record.registration.as_ref(), may_adopt).await {
            Ok(reading) => reading,
            Err(error) => return Err(self.not_made(provider, kept, error).await),
        };
        if !provider.chooses() {
            kept.record.renewed(terms.fresh);
        }
        kept.record.registration = Some(reading.registration.clone());
        kept.record.digest = metadata.digest();
        if let Err(error) = self.save_surely(kept).await {
            // A client that nobody knows must not stay.
            if !provider.chooses() && provider.delete(&reading.registration).await.is_err() {
                let (client, issuer) = (&reading.registration.client_id, provider.issuer());
                let why =
                    format!("{error}; client `{client}` is registered at {issuer}, and cannot be taken back");
                return Err(store(&kept.record.label(), why));
            }
            return Err(error);
        }
        if let Some(fault) = reading.fault(metadata, &provider.spec.issuer, provider.without().await?) {
            return Err(self.take_back(provider, kept, fault).await);
        }
        kept.record.phase = Phase::Registered;
        self.save_surely(kept).await?;
        Ok(Deed::Registered)
    }

    /// Whether the client's Secret may be written.
    pub(super) async fn may_deliver(&self, kept: &Kept, terms: Terms) -> Result<(), AaiError> {
        let record = &kept.record;
        let delivered = self.store.delivered(record).await.map_err(|why| store(&record.label(), why))?;
        match delivered {
            Some(other) if other.key.as_ref() != Some(&record.key) && !other.is_shared && !terms.adopt => {
                let (namespace, name) = (record.namespace.clone(), record.secret_name.clone());
                Err(AaiError::Foreign { namespace, name })
            }
            _ => Ok(()),
        }
    }

    /// Writes the Secret where it is not as it should be.
    pub(super) async fn deliver(&self, kept: &Kept) -> Result<(), AaiError> {
        let record = &kept.record;
        own(kept)?;
        let values = record.values();
        let mut pause = Duration::from_millis(200);
        let mut tried = 0;
        loop {
            let delivered = self.store.delivered(record).await;
            let is_there = delivered.as_ref().ok().and_then(Option::as_ref).is_some_and(|own| {
                own.key.as_ref() == Some(&record.key)
                    && own.generation == record.generation
                    && values.iter().all(|(name, value)| own.values.get(name) == Some(value))
            });
            if is_there {
                return Ok(());
            }
            let written = match delivered {
                Ok(_) => self.store.deliver(record).await,
                Err(why) => Err(why),
            };
            tried += 1;
            match written {
                Ok(()) => return Ok(()),
                Err(why) if tried >= SAVES => return Err(store(&record.label(), why)),
                Err(_) => sleep(pause).await,
            }
            pause *= 2;
        }
    }
}

/// The client's registration.
pub(super) fn own(kept: &Kept) -> Result<Registration, AaiError> {
    let none = || store(&kept.record.label(), "it holds no registration".to_owned());
    kept.record.registration.clone().ok_or_else(none)
}

fn done(deed: Deed, kept: &Kept, warnings: Vec<String>) -> Done {
    let client_id = kept.record.registration.as_ref().map(|own| own.client_id.clone()).unwrap_or_default();
    Done { deed, client_id, generation: kept.record.generation, warnings }
}

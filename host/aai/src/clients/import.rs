//! A client that somebody registered becomes this environment's.

use super::ensure::own;
use super::{Clients, Deed, Done, Terms, registers, store};
use crate::error::AaiError;
use crate::issuer::Mode;
use crate::metadata::Metadata;
use crate::record::{Phase, Registration, Wanted};
use crate::registration::marked_with;
use crate::store::Store;

impl<S: Store> Clients<'_, S> {
    /// Takes a client over that was registered elsewhere. One that carries another client's marker is not taken.
    pub async fn import(
        &self,
        wanted: &Wanted<'_>,
        registration: Registration,
        terms: Terms,
    ) -> Result<Done, AaiError> {
        let (mut kept, _) = self.open(wanted).await?;
        let label = kept.record.label();
        let mode = kept.record.issuer.mode;
        if matches!(mode, Mode::Pool | Mode::Static) {
            let told = format!("{label}: mode `{}` takes its client from the pipeline", mode.name());
            return Err(AaiError::Settings(told));
        }
        if let Some(own) = &kept.record.registration
            && own.client_id != registration.client_id
        {
            let told = format!(
                "{label} is registered already, as `{}`; `aai deregister` comes first",
                own.client_id
            );
            return Err(AaiError::Settings(told));
        }
        self.may_deliver(&kept, terms).await?;
        let provider = self.provider(&kept.record)?;
        // All that can be known to fail is known before anything is read, which may change the client's token.
        let endpoints = provider.discovery().await?.endpoints.clone();
        let mut registration = registration;
        if registers(mode) {
            let account = kept.record.issuer.account.as_ref().map(|account| &account.client_id);
            if account == Some(&registration.client_id) {
                let told =
                    format!("`{}` is the account that Lathe itself logs in with", registration.client_id);
                return Err(AaiError::Settings(told));
            }
            if kept.record.phase == Phase::Registering && !provider.chooses() {
                self.settle_unknown(&provider, &mut kept).await?;
            }
            if let Some(reading) = provider.read(&registration).await? {
                if let Some(flaw) = reading.flaw {
                    return Err(flaw);
                }
                let name = reading.document.get("client_name").and_then(|name| name.as_str());
                let is_own = name.and_then(marked_with) == Some(kept.record.key.as_str());
                let other = name.and_then(marked_with).filter(|other| *other != kept.record.key);
                if let Some(other) = other {
                    let id = &registration.client_id;
                    let told = format!("client `{id}` carries the marker of another one, [lathe:{other}]");
                    return Err(AaiError::Settings(told));
                }
                if !is_own && !terms.adopt {
                    // It would be changed to what is declared, and taken back with the environment.
                    let why = format!("client `{}` does not carry this one's marker", registration.client_id);
                    return Err(AaiError::Claimed { issuer: provider.issuer(), why });
                }
                registration = reading.registration;
            }
        }
        kept.record.endpoints = endpoints;
        kept.record.registration = Some(registration);
        kept.record.renewed(terms.fresh);
        // What it is registered with is for the next run to compare; of one that was asked for, it is what was approved.
        kept.record.digest =
            if mode == Mode::Request { Metadata::of(wanted.declared).digest() } else { String::new() };
        kept.record.phase = Phase::Registered;
        let is_fresh = kept.version.is_empty();
        self.save_surely(&mut kept).await?;
        if let Err(error) = self.deliver(&kept).await {
            // What nobody can use is not this environment's.
            if is_fresh && let Err(why) = self.store.remove(&kept).await {
                return Err(store(&label, format!("{error}; and its record stays: {why}")));
            }
            return Err(error);
        }
        let client_id = own(&kept)?.client_id;
        Ok(Done { deed: Deed::Adopted, client_id, generation: kept.record.generation, warnings: Vec::new() })
    }
}

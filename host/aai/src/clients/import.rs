//! A client that somebody registered becomes this environment's.

use super::ensure::own;
use super::{Clients, Deed, Done, Terms, registers};
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
        let mut kept = self.open(wanted).await?;
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
            if kept.record.phase == Phase::Registering && !provider.chooses() {
                self.settle_unknown(&provider, &mut kept).await?;
            }
            if let Some(reading) = provider.read(&registration).await? {
                if let Some(flaw) = reading.flaw {
                    return Err(flaw);
                }
                let name = reading.document.get("client_name").and_then(|name| name.as_str());
                let other = name.and_then(marked_with).filter(|other| *other != kept.record.key);
                if let Some(other) = other {
                    let id = &registration.client_id;
                    let told = format!("client `{id}` carries the marker of another one, [lathe:{other}]");
                    return Err(AaiError::Settings(told));
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
        self.save_surely(&mut kept).await?;
        self.deliver(&kept).await?;
        let client_id = own(&kept)?.client_id;
        Ok(Done { deed: Deed::Adopted, client_id, generation: kept.record.generation, warnings: Vec::new() })
    }
}

//! A client gets other credentials: where a provider cannot give another secret (RFC 7592 knows no way to ask for one), another
//! client takes its place.

use super::ensure::own;
use super::{Clients, Deed, Done, Terms};
use crate::error::AaiError;
use crate::issuer::Mode;
use crate::metadata::Metadata;
use crate::record::{Phase, Wanted};
use crate::registration::new_secret;
use crate::store::{Kept, Store};

impl<S: Store> Clients<'_, S> {
    /// Gives the client other credentials, and writes them to its Secret. The client before stays until [`Self::settle`], when
    /// workloads have learnt of the new one; `at_once` takes it back now.
    pub async fn rotate(&self, wanted: &Wanted<'_>, at_once: bool, fresh: u64) -> Result<Done, AaiError> {
        let (mut kept, _) = self.open(wanted).await?;
        self.go_on(&kept.record)?;
        let label = kept.record.label();
        if kept.record.phase != Phase::Registered || kept.record.registration.is_none() {
            return Err(AaiError::Settings(format!(
                "{label} is not registered, so there is nothing to rotate"
            )));
        }
        self.may_deliver(&kept, Terms::default()).await?;
        let provider = self.provider(&kept.record)?;
        let mut warnings = Vec::new();
        match kept.record.issuer.mode {
            Mode::Keycloak => {
                let before = kept.record.clone();
                let mut registration = own(&kept)?;
                if registration.client_secret.is_none() {
                    return Err(AaiError::Settings(format!("{label} is a public client, and has no secret")));
                }
                registration.client_secret = Some(new_secret()?);
                // Known before it is sent: whichever of both is good then, the next run reads it.
                kept.record.registration = Some(registration.clone());
                kept.record.renewed(fresh);
                kept.record.phase = Phase::Updating;
                self.save(&mut kept).await?;
                match provider.renew(&registration).await {
                    Ok(()) => kept.record.phase = Phase::Registered,
                    Err(error @ AaiError::Unknown { .. }) => return Err(error),
                    Err(error) => {
                        kept.record = before;
                        self.save_surely(&mut kept).await?;
                        return Err(error);
                    }
                }
                self.save_surely(&mut kept).await?;
            }
            Mode::Dcr => {
                // All that can be known to fail is known before the client is put aside.
                provider.registration().await?;
                let before = kept.record.clone();
                kept.record.superseded.push(own(&kept)?);
                kept.record.registration = None;
                kept.record.digest.clear();
                kept.record.phase = Phase::Absent;
                let terms = Terms { fresh, ..Terms::default() };
                if let Err(error) =
                    self.make(&provider, &Metadata::of(wanted.declared), &mut kept, terms).await
                {
                    // The one before is still good, unless something else may have come of it.
                    if !matches!(error, AaiError::Unknown { .. } | AaiError::Store { .. }) {
                        let Kept { record, version } = kept.clone();
                        kept = Kept { record: before.clone(), version };
                        // What was made and could not be taken back is not forgotten.
                        let made = record.registration.into_iter().chain(record.superseded);
                        let made = made.filter(|made| Some(made) != before.registration.as_ref());
                        kept.record.superseded = made.collect();
                        kept.record.suspects = record.suspects;
                        self.save_surely(&mut kept).await?;
                    }
                    return Err(error);
                }
            }
            Mode::Pool | Mode::Request | Mode::Static => {
                let told = format!("{label} was registered by hand, and so is a new secret of it");
                return Err(AaiError::Settings(told));
            }
        }
        self.deliver(&kept).await?;
        if at_once {
            self.end_superseded(&provider, &mut kept, &mut warnings).await?;
        }
        let client_id = own(&kept)?.client_id;
        Ok(Done { deed: Deed::Updated, client_id, generation: kept.record.generation, warnings })
    }
}

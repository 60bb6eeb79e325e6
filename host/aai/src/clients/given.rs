//! Clients that somebody else registered: by hand, for a pool, or on request.

use super::{Clients, Deed, Terms, store};
use crate::error::AaiError;
use crate::metadata::Metadata;
use crate::provider::Provider;
use crate::record::{Phase, Registration, Wanted};
use crate::store::{Kept, Store};

impl<S: Store> Clients<'_, S> {
    /// What the issuer says of itself; what it said last, where it is away.
    async fn endpoints(
        &self,
        provider: &Provider<'_>,
        kept: &mut Kept,
        terms: Terms,
        warnings: &mut Vec<String>,
    ) -> Result<(), AaiError> {
        match provider.discovery().await {
            Ok(discovery) => kept.record.take_endpoints(&discovery.endpoints, terms.fresh),
            Err(error) if error.is_outage() && !kept.record.endpoints.is_empty() && !terms.strict => {
                let label = kept.record.label();
                warnings.push(format!("{label}: {error}; what it said last is taken for good"));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A client that the pipeline names.
    pub(super) async fn given(
        &self,
        provider: &Provider<'_>,
        wanted: &Wanted<'_>,
        kept: &mut Kept,
        terms: Terms,
        warnings: &mut Vec<String>,
    ) -> Result<Deed, AaiError> {
        let (client_id, client_secret) = wanted.issuer.given(wanted.slot, self.sources)?;
        if client_secret.is_none()
            && wanted.declared.keys().iter().any(|(field, _)| *field == "client-secret")
        {
            let told =
                "the client has a secret, and the pipeline names none; a public one has `authMethod: none`";
            return Err(AaiError::Settings(format!("{}: {told}", wanted.issuer.issuer)));
        }
        self.endpoints(provider, kept, terms, warnings).await?;
        let registration =
            Registration { client_id, client_secret, secret_expires_at: 0, client_uri: None, token: None };
        let before = kept.record.registration.replace(registration);
        let deed = match before {
            None => Deed::Registered,
            Some(before) if kept.record.registration.as_ref() != Some(&before) => Deed::Updated,
            Some(_) => Deed::Unchanged,
        };
        if deed != Deed::Unchanged {
            kept.record.renewed(terms.fresh);
        }
        kept.record.digest = Metadata::of(wanted.declared).digest();
        kept.record.phase = Phase::Registered;
        self.save(kept).await?;
        Ok(deed)
    }

    /// A client that somebody is asked for; `None` where its Secret was written by somebody else and is complete.
    pub(super) async fn requested(
        &self,
        provider: &Provider<'_>,
        wanted: &Wanted<'_>,
        kept: &mut Kept,
        terms: Terms,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Deed>, AaiError> {
        let digest = Metadata::of(wanted.declared).digest();
        if kept.record.registration.is_some() {
            self.endpoints(provider, kept, terms, warnings).await?;
            if !kept.record.digest.is_empty() && kept.record.digest != digest {
                warnings.push(format!(
                    "{}: what is asked for has changed since it was approved; `aai show -o request` writes what to tell the provider",
                    kept.record.label()
                ));
            }
            let deed =
                if kept.record.phase == Phase::Registered { Deed::Unchanged } else { Deed::Registered };
            kept.record.phase = Phase::Registered;
            if kept.record.digest.is_empty() {
                kept.record.digest = digest;
            }
            self.save(kept).await?;
            return Ok(Some(deed));
        }
        let record = &kept.record;
        let delivered = self.store.delivered(record).await.map_err(|why| store(&record.label(), why))?;
        let needs = ["client-id", "client-secret"];
        let needs: Vec<&String> = record
            .keys
            .iter()
            .filter(|(field, _)| needs.contains(&field.as_str()))
            .map(|(_, key)| key)
            .collect();
        if delivered.is_some_and(|own| needs.iter().all(|key| own.values.contains_key(*key))) {
            return Ok(None);
        }
        if kept.record.phase != Phase::Pending {
            kept.record.phase = Phase::Pending;
            self.save(kept).await?;
        }
        Err(AaiError::Pending(kept.record.name.clone()))
    }
}

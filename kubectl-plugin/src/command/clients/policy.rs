//! What operators' policies let be asked of whom, and with whose credentials.

use std::collections::{BTreeMap, BTreeSet};

use lathe_aai::{IssuerSpec, Kept};
use lathe_pipeline::Problem;

use crate::command::project::policies;
use crate::console::Failure;
use crate::settings::Settings;

/// Whether all policies allow these issuers.
pub(crate) fn allowed<'a>(issuers: impl Iterator<Item = &'a str>, settings: &Settings) -> anyhow::Result<()> {
    let issuers: BTreeSet<&str> = issuers.collect();
    for (name, policy) in policies(settings)? {
        let Some(allowed) = &policy.issuers else { continue };
        let beyond = issuers.iter().filter(|issuer| !allowed.contains(**issuer));
        let beyond: Vec<Problem> = beyond
            .map(|issuer| Problem::new("policy", format!("the policy does not allow issuer {issuer}")))
            .collect();
        if !beyond.is_empty() {
            return Err(
                Failure::refused(format!("the pipeline goes beyond the policy {name}"), &beyond).into()
            );
        }
    }
    Ok(())
}

/// Whether all policies let credentials be taken from where these issuers name them.
pub(super) fn credentials_allowed(issuers: &[&IssuerSpec], settings: &Settings) -> anyhow::Result<()> {
    for (name, policy) in policies(settings)? {
        let named = issuers.iter().flat_map(|issuer| issuer.credentials());
        let beyond = named.filter_map(|(kind, path)| policy.secrets.judge(kind, &path).err());
        let beyond: BTreeSet<String> = beyond.collect();
        let beyond: Vec<Problem> = beyond.into_iter().map(|told| Problem::new("policy", told)).collect();
        if !beyond.is_empty() {
            return Err(
                Failure::refused(format!("the pipeline goes beyond the policy {name}"), &beyond).into()
            );
        }
    }
    Ok(())
}

/// A record as it may be acted upon: with credentials that the pipeline names for its issuer, or an operator's policy lets through.
/// Who may write records could else have any variable sent anywhere.
pub(crate) fn trusted(
    mut kept: Kept,
    issuers: &BTreeMap<String, (IssuerSpec, Option<String>)>,
    settings: &Settings,
) -> anyhow::Result<Kept> {
    let issuer = kept.record.issuer.clone();
    allowed(std::iter::once(issuer.issuer.as_str()), settings)?;
    if let Some((own, authority)) = issuers.get(&issuer.issuer) {
        kept.record.issuer = IssuerSpec { mode: issuer.mode, ..own.clone() };
        kept.record.authority.clone_from(authority);
        return Ok(kept);
    }
    let policies = policies(settings)?;
    let by_policy = policies.iter().any(|(_, policy)| policy.issuers.is_some());
    if !by_policy || credentials_allowed(&[&issuer], settings).is_err() {
        kept.record.issuer = issuer.without_credentials();
    }
    Ok(kept)
}

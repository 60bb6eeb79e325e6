//! What operators' policies let be asked of whom, and with whose credentials.

use std::collections::{BTreeMap, BTreeSet};

use lathe_aai::{IssuerSpec, Kept};
use lathe_pipeline::{Policy, Problem};

use crate::command::project::policies;
use crate::console::Failure;
use crate::settings::Settings;

/// Refuses what a policy has something against.
fn within(
    policies: &[(String, Policy)],
    against: impl Fn(&Policy) -> BTreeSet<String>,
) -> anyhow::Result<()> {
    for (name, policy) in policies {
        let beyond: Vec<Problem> =
            against(policy).into_iter().map(|told| Problem::new("policy", told)).collect();
        if !beyond.is_empty() {
            return Err(
                Failure::refused(format!("the pipeline goes beyond the policy {name}"), &beyond).into()
            );
        }
    }
    Ok(())
}

/// What a policy has against an issuer.
fn against_issuer(policy: &Policy, issuer: &str) -> Option<String> {
    let beyond = policy.issuers.as_ref().is_some_and(|allowed| !allowed.contains(issuer));
    beyond.then(|| format!("the policy does not allow issuer {issuer}"))
}

/// What a policy has against the places that an issuer takes credentials from.
fn against_credentials(policy: &Policy, issuer: &IssuerSpec) -> BTreeSet<String> {
    let named = issuer.credentials().into_iter();
    named.filter_map(|(kind, path)| policy.secrets.judge(kind, &path).err()).collect()
}

/// Whether all policies allow an issuer.
pub(crate) fn allowed(issuer: &str, settings: &Settings) -> anyhow::Result<()> {
    within(&policies(settings)?, |policy| against_issuer(policy, issuer).into_iter().collect())
}

/// Whether all policies allow these issuers, and the places that they take credentials from.
pub(super) fn all_allowed(issuers: &[&IssuerSpec], settings: &Settings) -> anyhow::Result<()> {
    within(&policies(settings)?, |policy| {
        let own = issuers.iter().filter_map(|issuer| against_issuer(policy, &issuer.issuer));
        own.chain(issuers.iter().flat_map(|issuer| against_credentials(policy, issuer))).collect()
    })
}

/// A record as it may be acted upon: with credentials that the pipeline names for its issuer, or an operator's policy lets through.
/// Who may write records could else have any variable sent anywhere.
pub(crate) fn trusted(
    mut kept: Kept,
    issuers: &BTreeMap<String, (IssuerSpec, Option<String>)>,
    settings: &Settings,
) -> anyhow::Result<Kept> {
    let policies = policies(settings)?;
    let issuer = kept.record.issuer.clone();
    within(&policies, |policy| against_issuer(policy, &issuer.issuer).into_iter().collect())?;
    if let Some((own, authority)) = issuers.get(&issuer.issuer) {
        kept.record.issuer = IssuerSpec { mode: issuer.mode, ..own.clone() };
        kept.record.authority.clone_from(authority);
        return Ok(kept);
    }
    let named = policies.iter().any(|(_, policy)| policy.issuers.is_some());
    let let_through = policies.iter().all(|(_, policy)| against_credentials(policy, &issuer).is_empty());
    if !named || !let_through {
        kept.record.issuer = issuer.without_credentials();
    }
    Ok(kept)
}

//! A run's claim on its set: the turn to change it, and that no newer pipeline has been here.

use k8s_openapi::api::core::v1::Secret;

use crate::apply::Event;
use crate::inventory::{Applied, Parent};
use crate::ops;
use crate::outcome::{Cause, Failure};
use crate::request::{Ask, RequestError};
use crate::run::Run;
use crate::turn::{NoTurn, Turn};

impl Run<'_> {
    /// Takes the turn to change the set. What keeps it from that is a failure among others: the rest is told as well.
    pub(crate) async fn take_turn(&mut self) -> Result<Option<Turn>, RequestError> {
        let Some(managed) = self.apply.set.as_ref().filter(|_| !self.apply.dry_run) else { return Ok(None) };
        let tell = self.apply.tell;
        let wait = |holder: &str| tell(Event::Waits { holder });
        let taken =
            Turn::take(&self.requests, &managed.set, managed.holder.clone(), managed.patience, &wait).await;
        match taken {
            Ok(turn) => Ok(Some(turn)),
            Err(NoTurn::Taken { holder }) => {
                let told = format!("another run has it, and did not end in time: {holder}");
                self.fail_set(Cause::Other, told);
                Ok(None)
            }
            Err(NoTurn::Request(RequestError::Answered(status))) => {
                let cause = if status.code == 403 { Cause::Rights } else { Cause::Other };
                self.fail_set(cause, status.message.clone());
                Ok(None)
            }
            Err(NoTurn::Request(error)) => Err(error),
        }
    }

    /// Two runs that made values at the same time must not overwrite each other's: whoever comes second begins anew.
    pub(crate) async fn check_reading(&mut self) -> Result<(), RequestError> {
        let Some(from) = &self.apply.made_from else { return Ok(()) };
        let now = match self.requests.find(&ops::secret(&from.namespace, &from.name), Ask::Read).await {
            Ok(now) => now,
            // Who may not see it is told so when it is tried.
            Err(RequestError::Answered(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let now: Option<Secret> = now.and_then(|text| serde_json::from_str(&text).ok());
        if now.and_then(|secret| secret.metadata.resource_version) != from.version {
            let label = format!("Secret/{}/{}", from.namespace, from.name);
            let told = "another run has changed what is generated since this one read it; run it again";
            self.outcome.failures.push(Failure::new(label, told.to_owned()).of(Cause::Stale));
        }
        Ok(())
    }

    /// The set's parent as it is, unless a newer pipeline has been here.
    pub(crate) async fn read_parent(&mut self) -> Result<Parent, RequestError> {
        let Some(managed) = self.apply.set.as_ref() else { return Ok(Parent::default()) };
        let parent = match Parent::read(&self.requests, &managed.set).await {
            Ok(Ok(parent)) => parent,
            Ok(Err(told)) => {
                let place = format!("Secret {}/{}", managed.set.ops_namespace, managed.set.name());
                self.fail_set(Cause::Foreign, format!("{place} is not this set's parent: {told}"));
                return Ok(Parent::default());
            }
            Err(RequestError::Answered(status)) => {
                let cause = if status.code == 403 { Cause::Rights } else { Cause::Other };
                self.fail_set(cause, status.message.clone());
                return Ok(Parent::default());
            }
            Err(error) => return Err(error),
        };
        self.has_record = parent.uid.is_some();
        let commit =
            parent.applied.as_ref().map(|applied| applied.commit.as_str()).filter(|text| !text.is_empty());
        let commit = commit.map(|commit| format!(", commit {commit}")).unwrap_or_default();
        match (managed.applied.generation, parent.begun) {
            (Some(own), Some(newest)) if own < newest => {
                let told = format!(
                    "a newer pipeline has applied it: generation {newest}{commit}; this one is {own}"
                );
                self.fail_set(Cause::Other, told);
            }
            (None, Some(newest)) => {
                let told = format!(
                    "it was applied with generation {newest}{commit}, and nobody can tell whether this pipeline is newer"
                );
                self.fail_set(Cause::Other, told);
            }
            _ => {}
        }
        Ok(parent)
    }

    pub(crate) fn fail_set(&mut self, cause: Cause, message: String) {
        let label = self.apply.set.as_ref().map(|managed| managed.set.label()).unwrap_or_default();
        self.outcome.failures.push(Failure { cause, ..Failure::new(format!("set {label}"), message) });
    }
}

impl Parent {
    /// The parent of an apply that begins: nothing less than before.
    pub(crate) fn began(mut self, applied: &Applied) -> Self {
        self.begun = self.begun.max(applied.generation);
        self.begun_at = Some(applied.at.clone());
        self.expires = Some(applied.expires.clone()).filter(|text| !text.is_empty());
        self.absent = None;
        self
    }
}

//! A run's claim on its set: the turn to change it, and that no newer pipeline has been here.

use crate::apply::Event;
use crate::inventory::{Applied, Parent};
use crate::outcome::{Cause, Failure};
use crate::request::RequestError;
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

    fn fail_set(&mut self, cause: Cause, message: String) {
        let label = self.apply.set.as_ref().map(|managed| managed.set.label()).unwrap_or_default();
        self.outcome.failures.push(Failure { cause, ..Failure::new(format!("set {label}"), message) });
    }
}

impl Parent {
    /// The parent of an apply that begins: nothing less than before.
    pub(crate) fn began(mut self, applied: &Applied) -> Self {
        self.begun = self.begun.max(applied.generation);
        self.absent = None;
        self
    }
}

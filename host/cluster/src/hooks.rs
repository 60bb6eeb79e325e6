//! The hooks of a run: apart from the rest, tried with it, and run before and after it.

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::apply::Event;
use crate::hook::{Hook, Moment};
use crate::later::Later;
use crate::outcome::{Action, Failure};
use crate::plan::Stop;
use crate::request::{Ask, RequestError};
use crate::run::{Placed, Run};

/// A hook and its target.
pub(crate) type PlacedHook<'a> = (Placed<'a>, Hook);

impl<'a> Run<'a> {
    /// Parts hooks from what is applied. A hook that makes no sense is a failure.
    pub(crate) fn part_hooks(&mut self, targets: Vec<Placed<'a>>) -> (Vec<PlacedHook<'a>>, Vec<Placed<'a>>) {
        let (mut hooks, mut rest) = (Vec::new(), Vec::new());
        for (index, target) in targets {
            match Hook::of(target.object) {
                None => rest.push((index, target)),
                Some(Ok(hook)) => {
                    self.actions.insert(index, (target.label(), Action::NoHook));
                    hooks.push(((index, target), hook));
                }
                Some(Err(told)) => self.outcome.failures.push(Failure::new(target.label(), told)),
            }
        }
        hooks.sort_by_cached_key(|((_, target), hook)| hook.key(target.object));
        (hooks, rest)
    }

    /// Asks the server about hooks that would run.
    pub(crate) async fn try_hooks(
        &mut self,
        hooks: &[PlacedHook<'a>],
        born: &BTreeSet<String>,
    ) -> Result<(), RequestError> {
        let runs = |hook: &Hook| {
            self.apply.hooks
                && [Moment::Before, Moment::After].iter().any(|moment| hook.runs(*moment, self.first))
        };
        let running: Vec<&PlacedHook<'_>> = hooks.iter().filter(|(_, hook)| runs(hook)).collect();
        for ((index, target), _) in running {
            let action = if self.apply.dry_run { Action::Ran } else { Action::NotApplied };
            self.actions.insert(*index, (target.label(), action));
            if born.contains(&target.namespace) {
                continue;
            }
            match target.try_hook(&self.requests, self.apply).await {
                Ok(()) => {}
                Err(Stop::Object(failure)) => self.outcome.failures.push(failure),
                Err(Stop::Run(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether hooks that run before the rest are refused for want of a right.
    pub(crate) async fn hooks_lack_rights(&self, hooks: &[PlacedHook<'a>]) -> Result<bool, RequestError> {
        let runs = |hook: &Hook| self.apply.hooks && hook.runs(Moment::Before, self.first);
        for ((_, target), _) in hooks.iter().filter(|(_, hook)| runs(hook)) {
            match self.requests.send(&target.collection("&dryRun=All"), Ask::Create(target.body())).await {
                Err(RequestError::Answered(status)) if Later::of(&status) == Some(Later::Rights) => {
                    return Ok(true);
                }
                Ok(_) | Err(RequestError::Answered(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Runs the hooks of a moment one after the other; the first that fails ends it.
    pub(crate) async fn run_hooks(
        &mut self,
        hooks: &[PlacedHook<'a>],
        moment: Moment,
    ) -> Result<(), RequestError> {
        if !self.apply.hooks || !self.outcome.failures.is_empty() {
            return Ok(());
        }
        let first = self.first;
        let until = Instant::now() + self.apply.timeout;
        let of_moment = hooks.iter().filter(|(_, hook)| hook.runs(moment, first));
        let mut ran = Vec::new();
        let mut ended = None;
        for ((index, target), hook) in of_moment {
            let mut made = None;
            let done = target.run_hook(hook, &self.requests, self.apply, until, &mut made).await;
            // What was in its way may be gone, too, and of what broke off nobody knows.
            self.outcome.changed |= made.is_some() || matches!(done, Err(Stop::Run(_)));
            let action = match done {
                Ok(()) => Action::Ran,
                Err(Stop::Object(failure)) => {
                    self.actions.remove(index);
                    self.outcome.failures.push(failure);
                    break;
                }
                Err(Stop::Run(error)) => {
                    ended = Some(error);
                    Action::Unknown
                }
            };
            self.actions.insert(*index, (target.label(), action));
            if ended.is_some() {
                break;
            }
            (self.apply.tell)(Event::Did { object: &target.label(), action });
            ran.extend(made.map(|made| (target, hook, made)));
        }
        // Those that did their work go as their policies say, also where a later one failed.
        for (target, hook, made) in ran.iter().rev() {
            match target.end_hook(hook, made, &self.requests).await {
                Ok(()) => {}
                Err(Stop::Object(failure)) => self.outcome.failures.push(failure),
                Err(Stop::Run(error)) => ended = Some(error),
            }
        }
        ended.map_or(Ok(()), Err)
    }
}

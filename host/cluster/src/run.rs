//! One apply: try all by dry run, then stage by stage for real.
//!
//! What can be tried is tried before anything is changed. What cannot, waits: objects whose namespace or kind comes into
//! being with the set are tried after the first stage, and objects that name something else that the set creates, such as a
//! binding its role, when their own stage begins.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use lathe_manifest::Object;
use tokio::time::{Instant, sleep};

use crate::act::{Sent, Wrote};
use crate::apply::{Apply, Event};
use crate::discovery::{Defined, Known, is_definition, is_namespace};
use crate::hook::Moment;
use crate::later::Later;
use crate::outcome::{Action, Cause, Difference, Entry, Failure, Outcome};
use crate::plan::{Planned, Stop, Verdict};
use crate::prune::Members;
use crate::request::{RequestError, Requests};
use crate::rights;
use crate::stage::Stage;
use crate::target::Target;
use crate::wait;

/// How many requests are under way at once; a whole set at once would be what API servers throttle.
pub(crate) const CONCURRENCY: usize = 8;

/// How often the server is asked for a kind that it has just been told of.
const DISCOVERIES: u32 = 50;

/// How long the server may take to heed a binding that was just made.
const BINDING: Duration = Duration::from_secs(5);

/// The state of one run.
pub(crate) struct Run<'a> {
    pub(crate) apply: &'a Apply<'a>,
    pub(crate) requests: Requests,
    pub(crate) objects: &'a [Object],
    pub(crate) actions: BTreeMap<usize, (String, Action)>,
    pub(crate) outcome: Outcome,
    /// Whether the set has a parent, or may have by now.
    pub(crate) has_record: bool,
    /// Whether nothing of the set was on the cluster before.
    pub(crate) first: bool,
    /// What left the set, and what became of it.
    pub(crate) gone: Vec<(String, Action)>,
}

/// A target under its place in the set.
pub(crate) type Placed<'a> = (usize, Target<'a>);

/// The same, and what the server said of it.
type Tried<'a> = (usize, Target<'a>, Verdict);

impl<'a> Run<'a> {
    pub(crate) fn new(apply: &'a Apply<'a>, requests: Requests, objects: &'a [Object]) -> Self {
        let (actions, outcome) = (BTreeMap::new(), Outcome::default());
        Self { apply, requests, objects, actions, outcome, has_record: true, first: false, gone: Vec::new() }
    }

    /// Does it all.
    pub(crate) async fn go(mut self) -> Outcome {
        let turn = self.take_turn().await;
        let ended = match &turn {
            Ok(turn) => self.all(turn.as_ref().is_some_and(|turn| turn.was_ended)).await,
            Err(_) => Ok(()),
        };
        match turn {
            // Without a record there is nothing that a turn would be about.
            Ok(Some(turn)) if !self.has_record => {
                if turn.end().await.is_err() {
                    tracing::debug!("the turn could not be given back");
                }
            }
            Ok(Some(turn)) => turn.give_back().await,
            Ok(None) => {}
            Err(error) => self.outcome.lost = Some(error),
        }
        if let Err(error) = ended {
            self.outcome.lost = Some(error);
        }
        let requests = self.requests.unhalted();
        let mut outcome = self.finish();
        outcome.missing = rights::missing(&requests, &outcome.failures).await;
        outcome
    }

    async fn all(&mut self, was_ended: bool) -> Result<(), RequestError> {
        self.check_reading().await?;
        let parent = self.read_parent().await?;
        if was_ended && parent.uid.is_none() {
            self.fail_set(
                Cause::Other,
                "it was taken down while this run waited; run it again if it is still wanted".to_owned(),
            );
        }
        if let Some(owner) = &self.apply.owner {
            let named = |object: &Object| is_namespace(object) && object.name() == owner.namespace;
            let is_in_set = self.objects.iter().any(named);
            // What else is wrong is told as well; nothing is applied then.
            self.outcome.failures.extend(owner.refusal(&self.requests, is_in_set).await?);
        }
        let (known, defined) = (Known::read(&self.requests).await?, Defined::of(self.objects.iter()));
        let targets = self.resolve(&known, &defined);
        let (hooks, targets) = self.part_hooks(targets);
        self.await_going(&targets).await?;
        let mut members =
            Members::of(self.apply, parent, targets.iter().chain(hooks.iter().map(|(placed, _)| placed)));
        let (foundation, rest): (Vec<_>, Vec<_>) =
            targets.into_iter().partition(|(_, target)| target.stage == Stage::Foundation);
        let (foundation, refused) = self.plan(foundation).await?;
        self.outcome.failures.extend(refused.into_iter().map(|(_, failure)| failure));
        let born = names(
            foundation
                .iter()
                .filter(|(_, target, verdict)| is_namespace(target.object) && *verdict == Verdict::Create),
        );
        let born: BTreeSet<String> = born.into_iter().map(ToOwned::to_owned).collect();
        // A kind that is about to change may refuse today what it takes then.
        let changing = foundation.iter().filter(|(.., verdict)| !verdict.is_idle());
        let changing = changing.map(|(_, target, _)| target.object).filter(|object| is_definition(object));
        let changing = Defined::of(changing);
        let (mut later, now): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(_, target)| {
            let object = target.object;
            born.contains(target.namespace.as_str()) || known.find(object).is_none() || changing.has(object)
        });
        let (mut tried, refused) = self.plan(now).await?;
        // Or a namespace whose rules are about to change.
        let changing = foundation.iter().filter(|(_, target, verdict)| {
            is_namespace(target.object) && matches!(verdict, Verdict::Change { .. })
        });
        let changing: BTreeSet<&str> = changing.map(|(_, target, _)| target.object.name()).collect();
        self.defer(refused, &tried, &changing, &mut later);
        self.first = members
            .are_first(tried.iter().chain(&foundation).all(|(.., verdict)| *verdict == Verdict::Create));
        self.try_hooks(&hooks, &born).await?;
        members.look(self, &known, &born).await?;
        members.agree(self);
        if !self.outcome.failures.is_empty() || self.apply.dry_run {
            return Ok(());
        }
        members.begin(self).await?;
        self.stage(foundation).await?;
        if self.outcome.failures.is_empty()
            && let Some(errand) = self.apply.clients
        {
            let (changed, failures) = errand.run().await;
            self.outcome.changed |= changed;
            self.outcome.failures.extend(failures);
            if !self.outcome.failures.is_empty() {
                return Ok(());
            }
        }
        if self.outcome.failures.is_empty() && !later.is_empty() {
            self.await_kinds(&later).await?;
            let (more, refused) = self.plan(std::mem::take(&mut later)).await?;
            tried.extend(more);
            self.defer(refused, &tried, &BTreeSet::new(), &mut later);
        }
        let place = |(_, target): &Placed<'_>| target.stage <= Stage::Bindings;
        let binds = tried.iter().map(|(_, target, verdict)| (target, !verdict.is_idle()));
        let binds = binds.chain(later.iter().map(|(_, target)| (target, true)));
        let late = binds.into_iter().any(|(target, comes)| comes && target.stage == Stage::Bindings);
        let mut applied = Vec::new();
        // Hooks run before the rest; but where they need a right that a binding of the set gives, after that.
        if late && self.hooks_lack_rights(&hooks).await? {
            let (before, after): (Vec<_>, Vec<_>) =
                tried.into_iter().partition(|(_, target, _)| target.stage <= Stage::Bindings);
            tried = after;
            let (first, rest): (Vec<_>, Vec<_>) = later.into_iter().partition(place);
            later = rest;
            applied.extend(self.stages(before, first).await?);
        }
        self.run_hooks(&hooks, Moment::Before).await?;
        applied.extend(self.stages(tried, later).await?);
        members.look_again(self, &known).await?;
        self.run_hooks(&hooks, Moment::After).await?;
        self.await_all(&applied).await?;
        if self.outcome.failures.is_empty()
            && let Some(errand) = self.apply.clients
        {
            let failures = errand.after().await;
            self.outcome.failures.extend(failures);
        }
        members.end(self).await
    }

    /// Stage by stage: what waited for its stage is tried now, and then all of the stage is applied.
    async fn stages(
        &mut self,
        tried: Vec<Tried<'a>>,
        later: Vec<Placed<'a>>,
    ) -> Result<Vec<Placed<'a>>, RequestError> {
        let mut applied = Vec::new();
        let mut stages: BTreeMap<Stage, (Vec<Tried<'_>>, Vec<Placed<'_>>)> = BTreeMap::new();
        for entry in tried {
            stages.entry(entry.1.stage).or_default().0.push(entry);
        }
        for entry in later {
            stages.entry(entry.1.stage).or_default().1.push(entry);
        }
        for (mut tried, waiting) in stages.into_values() {
            if self.outcome.failures.is_empty() {
                let more = self.plan_soon(waiting).await?;
                tried.extend(more);
            }
            if self.outcome.failures.is_empty() {
                applied.extend(self.stage(tried).await?);
            }
        }
        Ok(applied)
    }

    /// Tries what waited for its stage. A right that a binding of an earlier stage gives may take a moment to be heeded.
    async fn plan_soon(&mut self, waiting: Vec<Placed<'a>>) -> Result<Vec<Tried<'a>>, RequestError> {
        let started = Instant::now();
        let (mut tried, mut waiting) = (Vec::new(), waiting);
        loop {
            let (more, refused) = self.plan(waiting).await?;
            tried.extend(more);
            let (soon, failed): (Vec<_>, Vec<_>) = refused.into_iter().partition(|(_, failure)| {
                failure.later == Some(Later::Rights) && started.elapsed() < BINDING
            });
            self.outcome.failures.extend(failed.into_iter().map(|(_, failure)| failure));
            if soon.is_empty() {
                return Ok(tried);
            }
            waiting = soon.into_iter().map(|(placed, _)| placed).collect();
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Tries targets by dry run; gives those that the server would take, and those that it refuses.
    async fn plan(
        &mut self,
        targets: Vec<Placed<'a>>,
    ) -> Result<(Vec<Tried<'a>>, Vec<(Placed<'a>, Failure)>), RequestError> {
        let mut seen = self.see(&targets).await?;
        let (requests, apply) = (&self.requests, self.apply);
        let targets: Vec<_> = targets
            .into_iter()
            .map(|(index, target)| {
                let live = seen.remove(&target.path());
                (index, target, live)
            })
            .collect();
        let mut answers = stream::iter(targets)
            .map(|(index, target, live)| async move {
                let verdict = target.plan(requests, apply, live).await;
                (index, target, verdict)
            })
            .buffer_unordered(CONCURRENCY);
        let (mut tried, mut refused) = (Vec::new(), Vec::new());
        while let Some((index, target, verdict)) = answers.next().await {
            match verdict {
                Ok(Planned { verdict, before, after }) => {
                    let action = match verdict {
                        _ if verdict.is_idle() || apply.dry_run => verdict.action(),
                        _ => Action::NotApplied,
                    };
                    if apply.keep {
                        let (object, identity) = (target.label(), target.identity());
                        let difference = Difference { object, identity, action, before, after };
                        self.outcome.differences.push(difference);
                    }
                    self.actions.insert(index, (target.label(), action));
                    tried.push((index, target, verdict));
                }
                Err(Stop::Object(failure)) => {
                    self.actions.remove(&index);
                    refused.push(((index, target), failure));
                }
                Err(Stop::Run(error)) => return Err(error),
            }
        }
        Ok((tried, refused))
    }

    /// Puts off what was refused for want of something that this run creates; the rest are failures.
    fn defer(
        &mut self,
        refused: Vec<(Placed<'a>, Failure)>,
        tried: &[Tried<'a>],
        changing: &BTreeSet<&str>,
        later: &mut Vec<Placed<'a>>,
    ) {
        let coming = tried.iter().filter(|(.., verdict)| !verdict.is_idle());
        let coming = coming.map(|(_, target, _)| target).chain(later.iter().map(|(_, target)| target));
        // Kubernetes' own kinds alone are waited for by name.
        let own = |group: &str| {
            ["", "rbac.authorization.k8s.io", "scheduling.k8s.io", "node.k8s.io"].contains(&group)
        };
        let coming: BTreeSet<(&str, &str, &str)> = coming
            .filter(|target| own(target.object.group()))
            .map(|target| (target.object.kind(), target.namespace.as_str(), target.object.name()))
            .collect();
        let bound: BTreeSet<&str> = coming
            .iter()
            .filter(|(kind, ..)| ["RoleBinding", "ClusterRoleBinding"].contains(kind))
            .map(|(_, namespace, _)| *namespace)
            .collect();
        let (wait, failed): (Vec<_>, Vec<_>) =
            refused.into_iter().partition(|((_, target), failure)| match &failure.later {
                Some(Later::Rights) => {
                    target.stage != Stage::Foundation
                        && (bound.contains(target.namespace.as_str()) || bound.contains(""))
                }
                Some(Later::Object { kinds, name }) => {
                    let namespaces = [target.namespace.as_str(), ""];
                    let comes = |kind: &&str| {
                        namespaces.iter().any(|namespace| coming.contains(&(kind, namespace, name)))
                    };
                    kinds.iter().any(comes)
                }
                Some(Later::Rules) => changing.contains(target.namespace.as_str()),
                None => false,
            });
        self.outcome.failures.extend(failed.into_iter().map(|(_, failure)| failure));
        later.extend(wait.into_iter().map(|((index, mut target), failure)| {
            // What waits for a binding cannot come before it.
            if failure.later == Some(Later::Rights) && target.stage != Stage::Bindings {
                target.stage = target.stage.max(Stage::Config);
            }
            (index, target)
        }));
        let action = if self.apply.dry_run { Action::Planned } else { Action::NotApplied };
        for (index, target) in later {
            self.actions.insert(*index, (target.label(), action));
        }
    }

    /// Applies what was tried and would change, and waits for what others build on.
    async fn stage(&mut self, tried: Vec<Tried<'a>>) -> Result<Vec<Placed<'a>>, RequestError> {
        let (requests, apply) = (&self.requests, self.apply);
        let ended = Cell::new(false);
        let ended = &ended;
        let mut answers = stream::iter(tried)
            .map(|(index, target, verdict)| async move {
                if verdict.is_idle() || ended.get() {
                    let waited = (verdict != Verdict::Ignore).then_some(target);
                    return (index, None, waited);
                }
                let mut sent = target.apply(requests, apply, &verdict).await;
                if sent.result.is_ok()
                    && let Err(stop) = wait::ready(&target, requests).await
                {
                    sent.result = Err(stop);
                }
                (index, Some((verdict.action(), sent)), Some(target))
            })
            .buffer_unordered(CONCURRENCY);
        let (mut lost, mut applied) = (None, Vec::new());
        while let Some((index, done, target)) = answers.next().await {
            applied.extend(target.map(|target| (index, target)));
            let Some((action, Sent { wrote, result })) = done else { continue };
            let action = match (wrote, &result) {
                (Wrote::Yes, _) => Some(action),
                (Wrote::Unknown, _) => Some(Action::Unknown),
                (Wrote::No, Ok(())) => Some(Action::Unchanged),
                (Wrote::No, Err(Stop::Run(_))) => Some(Action::NotApplied),
                (Wrote::No, Err(Stop::Object(_))) => None,
            };
            self.outcome.changed |= wrote != Wrote::No;
            match (action, self.actions.get_mut(&index)) {
                (Some(action), Some(entry)) => {
                    entry.1 = action;
                    (apply.tell)(Event::Did { object: &entry.0, action });
                }
                _ => drop(self.actions.remove(&index)),
            }
            match result {
                Ok(()) => {}
                Err(Stop::Object(failure)) => self.outcome.failures.push(failure),
                // What is under way is still heard of, so that what is told of it is so; nothing new begins.
                Err(Stop::Run(error)) => {
                    ended.set(true);
                    lost = Some(error);
                }
            }
        }
        lost.map_or(Ok(applied), Err)
    }

    /// Waits until the server knows the kinds that the set defines; it learns of them a little after they are established.
    async fn await_kinds(&mut self, targets: &[Placed<'a>]) -> Result<(), RequestError> {
        for _ in 0..DISCOVERIES {
            let known = Known::read(&self.requests).await?;
            if targets.iter().all(|(_, target)| known.find(target.object).is_some()) {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        // What is still unknown, the plan tells by name.
        Ok(())
    }

    fn finish(mut self) -> Outcome {
        let entries = self.actions.into_values().chain(self.gone);
        self.outcome.entries = entries.map(|(object, action)| Entry { object, action }).collect();
        self.outcome.failures.sort();
        self.outcome.failures.dedup();
        self.outcome.warnings.sort();
        self.outcome.warnings.dedup();
        self.outcome
    }
}

/// The names of what would be created or changed.
fn names<'t, 'a: 't>(tried: impl Iterator<Item = &'t Tried<'a>>) -> BTreeSet<&'a str> {
    tried.filter(|(.., verdict)| !verdict.is_idle()).map(|(_, target, _)| target.object.name()).collect()
}

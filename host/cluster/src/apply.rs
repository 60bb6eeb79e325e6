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
use tokio::time::sleep;

use crate::connect::Cluster;
use crate::discovery::{Defined, Known, is_definition, is_namespace};
use crate::later::Later;
use crate::owner::Owner;
use crate::plan::{Planned, Sent, Stop, Target, Verdict, Wrote};
use crate::request::{RequestError, Requests};
use crate::stage::Stage;
use crate::wait;

/// How many requests are under way at once; a whole set at once would be what API servers throttle.
const CONCURRENCY: usize = 8;

/// How often the server is asked for a kind that it has just been told of.
const DISCOVERIES: u32 = 50;

/// How a set of objects is applied.
pub struct Apply {
    /// The namespace of objects that name none.
    pub namespace: String,
    /// Whether `namespace` is the only one that namespaced objects may name, as with kubectl's `--namespace`.
    pub only_namespace: bool,
    /// Whose the namespace has to be, where it is there.
    pub owner: Option<Owner>,
    /// Ask the server what would happen, and change nothing.
    pub dry_run: bool,
    /// Take fields over that belong to other field managers.
    pub force_conflicts: bool,
}

/// What an apply did with an object, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was not there.
    Created,
    /// It was there and is another now.
    Changed,
    /// It was as it should be.
    Unchanged,
    /// It could not be tried: it needs what comes into being with this run.
    Planned,
    /// It has only a prefix for a name, so it can be created and not applied.
    LeftOut,
    /// The run ended before its turn.
    NotApplied,
    /// It was sent, and the answer does not say whether it took effect.
    Unknown,
}

/// One object and what was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `Kind/name` or `Kind/namespace/name`.
    pub object: String,
    /// What was done.
    pub action: Action,
}

/// One object that the server, or its own manifest, keeps from being applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// `Kind/name` or `Kind/namespace/name`.
    pub object: String,
    /// Why, without values; may have several lines.
    pub message: String,
    /// Whether fields belong to another field manager.
    pub conflict: bool,
    /// What has to come before the server may take the object after all.
    pub(crate) later: Option<Later>,
}

impl Failure {
    pub(crate) fn new(object: String, message: String) -> Self {
        Self { object, message, conflict: false, later: None }
    }
}

/// What came of an apply.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The objects in the order in which they were given, but for those that failed.
    pub entries: Vec<Entry>,
    /// What failed, sorted.
    pub failures: Vec<Failure>,
    /// What ended the run before its end.
    pub lost: Option<RequestError>,
    /// Whether anything on the cluster was changed.
    pub changed: bool,
    /// Objects that `kubectl apply` made on the client's side, sorted: their fields that left the manifest stay.
    pub client_side: Vec<String>,
}

/// The state of one run.
pub(crate) struct Run<'a> {
    pub(crate) apply: &'a Apply,
    pub(crate) requests: Requests,
    pub(crate) objects: &'a [Object],
    pub(crate) actions: BTreeMap<usize, (String, Action)>,
    pub(crate) outcome: Outcome,
}

/// A target under its place in the set.
pub(crate) type Placed<'a> = (usize, Target<'a>);

/// The same, and what the server said of it.
type Tried<'a> = (usize, Target<'a>, Verdict);

impl Apply {
    /// Applies the objects, in stages.
    pub async fn run(&self, cluster: &Cluster, objects: &[Object]) -> Outcome {
        let requests = Requests { client: cluster.client.clone(), server: cluster.server.clone() };
        let outcome = Outcome::default();
        let mut run = Run { apply: self, requests, objects, actions: BTreeMap::new(), outcome };
        if let Err(error) = run.all().await {
            run.outcome.lost = Some(error);
        }
        run.finish()
    }
}

impl<'a> Run<'a> {
    async fn all(&mut self) -> Result<(), RequestError> {
        if let Some(owner) = &self.apply.owner {
            let named = |object: &Object| is_namespace(object) && object.name() == owner.namespace;
            let is_in_set = self.objects.iter().any(named);
            // What else is wrong is told as well; nothing is applied then.
            self.outcome.failures.extend(owner.refusal(&self.requests, is_in_set).await?);
        }
        let (known, defined) = (Known::read(&self.requests).await?, Defined::of(self.objects.iter()));
        let targets = self.resolve(&known, &defined);
        let (foundation, rest): (Vec<_>, Vec<_>) =
            targets.into_iter().partition(|(_, target)| target.stage == Stage::Foundation);
        let (foundation, refused) = self.plan(foundation).await?;
        self.outcome.failures.extend(refused.into_iter().map(|(_, failure)| failure));
        let born = names(
            foundation
                .iter()
                .filter(|(_, target, verdict)| is_namespace(target.object) && *verdict == Verdict::Create),
        );
        // A kind that is about to change may refuse today what it takes then.
        let changing = foundation.iter().filter(|(.., verdict)| *verdict != Verdict::Unchanged);
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
        if !self.outcome.failures.is_empty() || self.apply.dry_run {
            return Ok(());
        }
        self.stage(foundation).await?;
        if self.outcome.failures.is_empty() && !later.is_empty() {
            self.await_kinds(&later).await?;
            let (more, refused) = self.plan(std::mem::take(&mut later)).await?;
            tried.extend(more);
            self.defer(refused, &tried, &BTreeSet::new(), &mut later);
        }
        self.stages(tried, later).await
    }

    /// Stage by stage: what waited for its stage is tried now, and then all of the stage is applied.
    async fn stages(&mut self, tried: Vec<Tried<'a>>, later: Vec<Placed<'a>>) -> Result<(), RequestError> {
        let mut stages: BTreeMap<Stage, (Vec<Tried<'_>>, Vec<Placed<'_>>)> = BTreeMap::new();
        for entry in tried {
            stages.entry(entry.1.stage).or_default().0.push(entry);
        }
        for entry in later {
            stages.entry(entry.1.stage).or_default().1.push(entry);
        }
        for (mut tried, waiting) in stages.into_values() {
            if self.outcome.failures.is_empty() {
                let (more, refused) = self.plan(waiting).await?;
                self.outcome.failures.extend(refused.into_iter().map(|(_, failure)| failure));
                tried.extend(more);
            }
            if self.outcome.failures.is_empty() {
                self.stage(tried).await?;
            }
        }
        Ok(())
    }

    /// Tries targets by dry run; gives those that the server would take, and those that it refuses.
    async fn plan(
        &mut self,
        targets: Vec<Placed<'a>>,
    ) -> Result<(Vec<Tried<'a>>, Vec<(Placed<'a>, Failure)>), RequestError> {
        let (requests, apply) = (&self.requests, self.apply);
        let mut answers = stream::iter(targets)
            .map(|(index, target)| async move {
                let verdict = target.plan(requests, apply).await;
                (index, target, verdict)
            })
            .buffer_unordered(CONCURRENCY);
        let (mut tried, mut refused) = (Vec::new(), Vec::new());
        while let Some((index, target, verdict)) = answers.next().await {
            match verdict {
                Ok(Planned { verdict, client_side }) => {
                    if client_side {
                        self.outcome.client_side.push(target.label());
                    }
                    let action = match verdict {
                        Verdict::Unchanged => Action::Unchanged,
                        _ if !apply.dry_run => Action::NotApplied,
                        _ => verdict.action(),
                    };
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
        let coming = tried.iter().filter(|(.., verdict)| *verdict != Verdict::Unchanged);
        let coming = coming.map(|(_, target, _)| target).chain(later.iter().map(|(_, target)| target));
        // Kubernetes' own kinds alone are waited for by name.
        let own = |group: &str| {
            ["", "rbac.authorization.k8s.io", "scheduling.k8s.io", "node.k8s.io"].contains(&group)
        };
        let coming: BTreeSet<(&str, &str, &str)> = coming
            .filter(|target| own(target.object.group()))
            .map(|target| (target.object.kind(), target.namespace.as_str(), target.object.name()))
            .collect();
        let (wait, failed): (Vec<_>, Vec<_>) =
            refused.into_iter().partition(|((_, target), failure)| match &failure.later {
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
        later.extend(wait.into_iter().map(|(placed, _)| placed));
        let action = if self.apply.dry_run { Action::Planned } else { Action::NotApplied };
        for (index, target) in later {
            self.actions.insert(*index, (target.label(), action));
        }
    }

    /// Applies what was tried and would change, and waits for what others build on.
    async fn stage(&mut self, tried: Vec<Tried<'a>>) -> Result<(), RequestError> {
        let (requests, apply) = (&self.requests, self.apply);
        let ended = Cell::new(false);
        let ended = &ended;
        let mut answers = stream::iter(tried)
            .filter(|(_, _, verdict)| std::future::ready(*verdict != Verdict::Unchanged && !ended.get()))
            .map(|(index, target, verdict)| async move {
                let mut sent = target.apply(requests, apply, &verdict).await;
                if sent.result.is_ok()
                    && let Err(stop) = wait::ready(&target, requests).await
                {
                    sent.result = Err(stop);
                }
                (index, verdict.action(), sent)
            })
            .buffer_unordered(CONCURRENCY);
        let mut lost = None;
        while let Some((index, action, Sent { wrote, result })) = answers.next().await {
            let action = match (wrote, &result) {
                (Wrote::Yes, _) => Some(action),
                (Wrote::Unknown, _) => Some(Action::Unknown),
                (Wrote::No, Ok(())) => Some(Action::Unchanged),
                (Wrote::No, Err(Stop::Run(_))) => Some(Action::NotApplied),
                (Wrote::No, Err(Stop::Object(_))) => None,
            };
            self.outcome.changed |= wrote != Wrote::No;
            match (action, self.actions.get_mut(&index)) {
                (Some(action), Some(entry)) => entry.1 = action,
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
        lost.map_or(Ok(()), Err)
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
        let entries = self.actions.into_values().map(|(object, action)| Entry { object, action });
        self.outcome.entries = entries.collect();
        self.outcome.failures.sort();
        self.outcome.client_side.sort();
        self.outcome.client_side.dedup();
        self.outcome
    }
}

/// The names of what would be created or changed.
fn names<'t, 'a: 't>(tried: impl Iterator<Item = &'t Tried<'a>>) -> BTreeSet<&'a str> {
    tried
        .filter(|(.., verdict)| *verdict != Verdict::Unchanged)
        .map(|(_, target, _)| target.object.name())
        .collect()
}

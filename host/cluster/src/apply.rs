//! One apply: resolve, try all by dry run, then stage by stage for real.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use lathe_manifest::Object;
use tokio::time::sleep;

use crate::connect::Cluster;
use crate::discovery::{Defined, Known, is_namespace};
use crate::is_create_only;
use crate::plan::{Stop, Target, Verdict};
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
    /// It could not be tried: its namespace or its kind comes into being with this run.
    Planned,
    /// It has only a prefix for a name, so it can be created and not applied.
    LeftOut,
    /// The run ended before its turn.
    NotApplied,
    /// It was sent, and the answer did not come.
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
}

/// The state of one run.
struct Run<'a> {
    apply: &'a Apply,
    requests: Requests,
    objects: &'a [Object],
    actions: BTreeMap<usize, (String, Action)>,
    outcome: Outcome,
}

/// A target under its place in the set, and what the server said of it.
type Tried<'a> = (usize, Target<'a>, Verdict);

impl Apply {
    /// Applies the objects, in stages. The set is tried as a whole before anything is changed.
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
        let (known, defined) = (Known::read(&self.requests).await?, Defined::of(self.objects.iter()));
        let targets = self.resolve(&known, &defined);
        let (foundation, rest): (Vec<_>, Vec<_>) =
            targets.into_iter().partition(|(_, target)| target.stage == Stage::Foundation);
        let foundation = self.plan(foundation).await?;
        let born: BTreeSet<String> = foundation
            .iter()
            .filter(|(_, target, verdict)| is_namespace(target.object) && *verdict == Verdict::Create)
            .map(|(_, target, _)| target.object.name().to_owned())
            .collect();
        let (later, now): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|(_, target)| born.contains(&target.namespace) || known.find(target.object).is_none());
        let mut tried = self.plan(now).await?;
        let action = if self.apply.dry_run { Action::Planned } else { Action::NotApplied };
        for (index, target) in &later {
            self.actions.insert(*index, (target.label(), action));
        }
        if !self.outcome.failures.is_empty() || self.apply.dry_run {
            return Ok(());
        }
        self.stage(foundation).await?;
        if self.outcome.failures.is_empty() && !later.is_empty() {
            self.await_kinds(&later).await?;
            tried.extend(self.plan(later).await?);
        }
        let mut stages: BTreeMap<Stage, Vec<Tried<'_>>> = BTreeMap::new();
        for entry in tried {
            stages.entry(entry.1.stage).or_default().push(entry);
        }
        for stage in stages.into_values() {
            if self.outcome.failures.is_empty() {
                self.stage(stage).await?;
            }
        }
        Ok(())
    }

    /// Where each object goes; what goes nowhere is a failure.
    fn resolve(&mut self, known: &Known, defined: &Defined) -> Vec<(usize, Target<'a>)> {
        let mut targets: Vec<(usize, Target<'a>)> = Vec::new();
        let mut places: HashMap<(String, &str, String, &str), usize> = HashMap::new();
        for (index, object) in self.objects.iter().enumerate() {
            if is_create_only(object) {
                self.actions.insert(index, (object.label(), Action::LeftOut));
                continue;
            }
            let target = match self.target(object, known, defined) {
                Ok(target) => target,
                Err(message) => {
                    self.outcome.failures.push(Failure { object: object.label(), message, conflict: false });
                    continue;
                }
            };
            let place = (object.group().to_owned(), object.kind(), target.namespace.clone(), object.name());
            if let Some(first) = places.insert(place, index) {
                let source =
                    |index: usize| lathe_manifest::identity::place(self.objects[index].source.as_ref());
                let message = format!("stands in the set twice: {} and {}", source(first), source(index));
                self.outcome.failures.push(Failure { object: target.label(), message, conflict: false });
            }
            targets.push((index, target));
        }
        targets
    }

    fn target(&self, object: &'a Object, known: &Known, defined: &Defined) -> Result<Target<'a>, String> {
        let found = known.find(object).or_else(|| defined.find(object));
        let resource = found.ok_or_else(|| {
            let version = object.api_version();
            format!("the cluster has no kind {} in {version}, and the set does not define it", object.kind())
        })?;
        if matches!(object.name(), "" | "." | "..") {
            return Err("it has no name that a server would take".to_owned());
        }
        let own = object.namespace();
        let namespace = if own.is_empty() { self.apply.namespace.as_str() } else { own };
        if resource.namespaced && self.apply.only_namespace && namespace != self.apply.namespace {
            return Err(format!(
                "it is in namespace {namespace}, and --namespace says {}",
                self.apply.namespace
            ));
        }
        Ok(Target::new(object, &resource, namespace))
    }

    /// Tries targets by dry run.
    async fn plan(&mut self, targets: Vec<(usize, Target<'a>)>) -> Result<Vec<Tried<'a>>, RequestError> {
        let (requests, apply) = (&self.requests, self.apply);
        let mut answers = stream::iter(targets)
            .map(|(index, target)| async move {
                let verdict = target.plan(requests, apply).await;
                (index, target, verdict)
            })
            .buffer_unordered(CONCURRENCY);
        let mut tried = Vec::new();
        while let Some((index, target, verdict)) = answers.next().await {
            match verdict {
                Ok(verdict) => {
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
                    self.outcome.failures.push(failure);
                }
                Err(Stop::Run(error)) => return Err(error),
            }
        }
        Ok(tried)
    }

    /// Applies what was tried and would change, and waits for what others build on.
    async fn stage(&mut self, tried: Vec<Tried<'a>>) -> Result<(), RequestError> {
        let (requests, apply) = (&self.requests, self.apply);
        let mut answers = stream::iter(tried)
            .filter(|(_, _, verdict)| std::future::ready(*verdict != Verdict::Unchanged))
            .map(|(index, target, verdict)| async move {
                let changed = target.apply(requests, apply, &verdict).await;
                let ready = match &changed {
                    Ok(_) => wait::ready(&target, requests).await,
                    Err(_) => Ok(()),
                };
                (index, verdict.action(), changed, ready)
            })
            .buffer_unordered(CONCURRENCY);
        let mut lost = None;
        while let Some((index, action, changed, ready)) = answers.next().await {
            let action = match &changed {
                Ok(true) => Some(action),
                Ok(false) => Some(Action::Unchanged),
                Err(Stop::Object(_)) => None,
                Err(Stop::Run(_)) => Some(Action::Unknown),
            };
            self.outcome.changed |= !matches!(action, None | Some(Action::Unchanged));
            match (action, self.actions.get_mut(&index)) {
                (Some(action), Some(entry)) => entry.1 = action,
                _ => drop(self.actions.remove(&index)),
            }
            match changed.map(drop).and(ready) {
                Ok(()) => {}
                Err(Stop::Object(failure)) => self.outcome.failures.push(failure),
                // What is under way is still heard of, so that what is told of it is so.
                Err(Stop::Run(error)) => lost = Some(error),
            }
        }
        lost.map_or(Ok(()), Err)
    }

    /// Waits until the server knows the kinds that the set defines; it learns of them a little after they are established.
    async fn await_kinds(&mut self, targets: &[(usize, Target<'a>)]) -> Result<(), RequestError> {
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
        self.outcome
    }
}

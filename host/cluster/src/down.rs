//! The end of an environment: everything of its set, in an order in which nothing is made anew meanwhile, and in the end the
//! set's own records. What is interrupted at any moment, another run finishes, for the records go last.

mod look;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::answer;
use crate::apply::{Errand, Event};
use crate::connect::Cluster;
use crate::discovery::{Known, encode};
use crate::inventory::Parent;
use crate::lease;
use crate::member::{self, Deletion, Member, Terms};
use crate::ops;
use crate::outcome::{Action, Cause, Entry, Failure, Outcome};
use crate::request::{Ask, Halt, RequestError, Requests};
use crate::rights;
use crate::set::{PART_OF, Set};
use crate::sets::Found;
use crate::turn::{NoTurn, Turn};
use step::Step;

/// How often what was deleted is looked at until it is gone.
const LOOK: Duration = Duration::from_millis(300);

/// How an environment is taken down.
pub struct Down<'a> {
    /// Its set.
    pub set: Set,
    /// As it was when it was decided that it goes: if it has changed since, it stays.
    pub seen: Option<Found>,
    /// How others see who is at work.
    pub holder: String,
    /// How long another run is waited for.
    pub patience: Duration,
    /// How long all of it may take.
    pub timeout: Duration,
    /// What goes first: login clients. What of that fails is told, and keeps nothing else.
    pub clients: Option<&'a dyn Errand>,
    /// Ends the run at the next safe point.
    pub halt: Halt,
    /// Is told what happens while it does.
    pub tell: &'a dyn Fn(Event<'_>),
}

/// The state of one run.
struct Run<'a> {
    down: &'a Down<'a>,
    requests: Requests,
    until: Instant,
    entries: Vec<Entry>,
    failures: Vec<Failure>,
    warnings: Vec<String>,
    /// What failed and keeps nothing else.
    aside: Vec<Failure>,
    stays: bool,
}

/// Whether a step came to its end.
type Done = Result<bool, RequestError>;

impl Down<'_> {
    /// Takes it down. Where nothing is there, nothing is done, and that is no failure.
    pub async fn run(&self, cluster: &Cluster) -> Outcome {
        let requests = Requests::with(cluster, self.halt.clone());
        let (entries, failures, warnings) = (Vec::new(), Vec::new(), Vec::new());
        let (until, aside, stays) = (Instant::now(), Vec::new(), false);
        let mut run = Run { down: self, requests, until, entries, failures, warnings, aside, stays };
        let lost = run.all().await.err();
        let Run { entries, mut failures, warnings, aside, stays, .. } = run;
        failures.extend(aside);
        failures.sort();
        let changed = entries.iter().any(|entry| entry.action == Action::Deleted);
        let missing = rights::missing(&Requests::of(cluster), &failures).await;
        Outcome { entries, failures, lost, changed, warnings, stays, missing, ..Outcome::default() }
    }
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), RequestError> {
        let set = &self.down.set;
        let labelled = self.labelled().await?;
        let foreign =
            labelled.iter().find(|labelled| labelled.member.as_ref().is_some_and(|id| *id != set.id()));
        if let Some(Labelled { name, .. }) = foreign {
            let told = "it is this environment's by its labels, and the records of its set are not in this ops namespace";
            self.failures.push(Failure {
                cause: Cause::Foreign,
                ..Failure::new(format!("Namespace/{name}"), told.to_owned())
            });
            return Ok(());
        }
        if !self.is_there(&labelled).await? {
            return Ok(());
        }
        let tell = self.down.tell;
        let wait = |holder: &str| tell(Event::Waits { holder });
        let holder = self.down.holder.clone();
        let turn = match Turn::take(&self.requests, set, holder, self.down.patience, &wait).await {
            Ok(turn) => turn,
            Err(NoTurn::Taken { holder }) => {
                self.fail(Cause::Other, format!("another run has it, and did not end in time: {holder}"));
                return Ok(());
            }
            Err(NoTurn::Request(RequestError::Answered(status))) => {
                let cause = if status.code == 403 { Cause::Rights } else { Cause::Other };
                self.fail(cause, status.message.clone());
                return Ok(());
            }
            Err(NoTurn::Request(error)) => return Err(error),
        };
        self.until = Instant::now() + self.down.timeout;
        let done = self.environment().await;
        if !matches!(done, Ok(true)) {
            turn.give_back().await;
            return done.map(drop);
        }
        lease::forget(&self.requests, set).await?;
        // The Lease first: a record without one is taken down by the next run, and one of an apply that begins now is another.
        let parent = ops::secret(&set.ops_namespace, &set.name());
        let record = self.requests.find(&parent, Ask::Read).await?;
        turn.end().await?;
        let Some(record) = record.and_then(|text| serde_json::from_str::<Item>(&text).ok()) else {
            return Ok(());
        };
        let ObjectMeta { uid, resource_version, .. } = record.metadata;
        let options = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
        });
        match self.requests.find(&parent, Ask::Delete(&options.to_string())).await {
            Err(RequestError::Answered(status)) if status.code == 409 => Ok(()),
            deleted => deleted.map(drop),
        }
    }

    /// Whether there is anything to take down: records, or a namespace that says to be this environment's.
    async fn is_there(&self, labelled: &[Labelled]) -> Done {
        let set = &self.down.set;
        let lease = ops::lease(&set.ops_namespace, &set.name());
        let parent = ops::secret(&set.ops_namespace, &set.name());
        Ok(self.requests.find(&parent, Ask::Read).await?.is_some()
            || self.requests.find(&lease, Ask::Read).await?.is_some()
            || labelled.iter().any(|labelled| labelled.member.is_some()))
    }

    async fn environment(&mut self) -> Done {
        let set = &self.down.set;
        let parent = match Parent::read(&self.requests, set).await? {
            Ok(parent) => parent,
            Err(told) => {
                self.fail(Cause::Foreign, format!("Secret {} is not its parent: {told}", set.name()));
                return Ok(false);
            }
        };
        if parent.uid.is_none() && set.review.is_empty() {
            // A Lease is all that is left, so what it has cannot be known.
            let told = format!(
                "its record, Secret {}, is lost; what it has carries the label {PART_OF}={}",
                set.name(),
                set.id()
            );
            self.fail(Cause::Other, told);
            return Ok(false);
        }
        if self.down.seen.as_ref().is_some_and(|seen| seen.parent != parent) {
            self.warnings.push(format!("{}: it was changed meanwhile, and stays", set.label()));
            self.stays = true;
            return Ok(false);
        }
        let (labelled, without): (Vec<_>, Vec<_>) =
            self.labelled().await?.into_iter().partition(|labelled| labelled.member.is_some());
        if let Some(Labelled { name, .. }) = without.first().filter(|_| parent.kinds.contains("Namespace")) {
            let told = format!(
                "it is this review's by its labels, and does not carry {PART_OF}={} any more",
                set.id()
            );
            self.failures.push(Failure::new(format!("Namespace/{name}"), told));
            return Ok(false);
        }
        if let Some(errand) = self.down.clients {
            // While the environment is still there to be taken down again.
            let (_, failures) = errand.run().await;
            self.aside.extend(failures);
        }
        let mut own: BTreeMap<String, String> =
            labelled.into_iter().map(|labelled| (labelled.name, labelled.uid)).collect();
        let known = Known::read(&self.requests).await?;
        // Where the record is lost, what a review has outside of its namespace may be of any kind.
        let mut kinds = if parent.uid.is_some() { parent.kinds.clone() } else { known.shared_kinds() };
        kinds.insert("Namespace".to_owned());
        let namespaces = self.existing(parent.namespaces.iter().chain(own.keys())).await?;
        // A namespace of its own goes as a whole, seen or not: the right to see may be gone already.
        let blind = parent.uid.is_none();
        let may_hide = |namespace: &str| own.contains_key(namespace) || blind;
        let members = member::list(&self.requests, &known, &set.id(), &kinds, &namespaces, &may_hide).await?;
        let members = member::distinct(members).into_iter().filter(|member| !member.is_owned());
        let (members, staying): (Vec<_>, Vec<_>) =
            members.partition(|member| self.terms(&set.id()).all || !member.stays());
        let held: BTreeSet<&str> = staying.iter().map(Member::namespace).collect();
        for member in &staying {
            self.did(member.label(), Action::Left);
        }
        let mut steps: BTreeMap<Step, Vec<Member>> = BTreeMap::new();
        for member in members {
            let step = Step::of(&member);
            // A namespace would take with it what asks to stay.
            let keeps = step == Step::Namespaces && held.contains(member.name());
            if keeps {
                self.did(member.label(), Action::Left);
            } else {
                steps.entry(step).or_default().push(member);
            }
        }
        let going: BTreeSet<String> = steps
            .get(&Step::Namespaces)
            .into_iter()
            .flatten()
            .map(|member| member.name().to_owned())
            .chain(own.keys().cloned())
            .collect();
        // A binding may be what lets the rest be seen, and goes with its namespace.
        for step in steps.values_mut() {
            let binds = |member: &Member| {
                member.group == "rbac.authorization.k8s.io" && going.contains(member.namespace())
            };
            step.retain(|member| !binds(member));
        }
        // Claims are asked to go while what made them is still there to tell of them; they are gone when it is.
        self.claims(steps.get(&Step::Workloads).map(Vec::as_slice).unwrap_or_default(), &going).await?;
        for (step, mut members) in steps {
            if step == Step::Definitions {
                members = self.without_others(members).await?;
            }
            members.sort_by_cached_key(Member::turn);
            if !self.step(&members).await? {
                return Ok(false);
            }
            for member in members.iter().filter(|member| Step::of(member) == Step::Namespaces) {
                own.remove(member.name());
            }
        }
        self.namespaces(&own).await
    }

    /// Of a review nothing is left, whatever asks to stay.
    fn terms<'t>(&self, id: &'t str) -> Terms<'t> {
        Terms { id, all: !self.down.set.review.is_empty() }
    }

    /// Those namespaces that are there. One that may not be looked at may be.
    async fn existing(&self, names: impl Iterator<Item = &String>) -> Result<BTreeSet<String>, RequestError> {
        let mut there = BTreeSet::new();
        for name in names {
            match self.requests.find(&format!("/api/v1/namespaces/{}", encode(name)), Ask::Read).await {
                Ok(None) => {}
                Ok(Some(_)) => drop(there.insert(name.clone())),
                Err(RequestError::Answered(status)) if status.code == 403 => drop(there.insert(name.clone())),
                Err(error) => return Err(error),
            }
        }
        Ok(there)
    }

    /// Deletes members and waits until they are gone.
    async fn step(&mut self, members: &[Member]) -> Done {
        let id = self.down.set.id();
        let mut deleted = Vec::new();
        for member in members {
            match member.delete(&self.requests, self.terms(&id)).await {
                Ok(Deletion::Deleted | Deletion::Gone) => {
                    deleted.push(member);
                    self.did(member.label(), Action::Deleted);
                }
                Ok(Deletion::Left) => self.did(member.label(), Action::Left),
                Err(RequestError::Answered(status)) => {
                    let cause = if status.code == 403 { Cause::Rights } else { Cause::Other };
                    let told = answer::undeleted(&status, member.is_secret());
                    self.failures.push(Failure { cause, ..Failure::new(member.label(), told) });
                }
                Err(error) => return Err(error),
            }
        }
        if !self.failures.is_empty() {
            return Ok(false);
        }
        for member in deleted {
            let uid = member.meta.uid.clone().unwrap_or_default();
            if !self.is_gone(&member.label(), &member.path(), &uid).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Namespaces that carry all labels of this review: they are known also where the set's records are lost.
    async fn labelled(&self) -> Result<Vec<Labelled>, RequestError> {
        let set = &self.down.set;
        if set.review.is_empty() {
            return Ok(Vec::new());
        }
        let labels = set.labels();
        let labels = labels.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())));
        let path = format!("/api/v1/namespaces?{}", ops::selector(labels));
        let text = match self.requests.send(&path, Ask::Read).await {
            Ok(text) => text,
            // Who may not list namespaces knows of those that the records name.
            Err(RequestError::Answered(status)) if status.code == 403 => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let list: Named = self.requests.parse(&text)?;
        Ok(list.items.into_iter().flatten().map(Labelled::of).collect())
    }

    /// Deletes namespaces that are the environment's by their labels alone.
    async fn namespaces(&mut self, own: &BTreeMap<String, String>) -> Done {
        for (name, uid) in own {
            let path = format!("/api/v1/namespaces/{name}");
            let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}});
            match self.requests.find(&path, Ask::Delete(&options.to_string())).await {
                Ok(_) => self.did(format!("Namespace/{name}"), Action::Deleted),
                Err(RequestError::Answered(status)) => {
                    let cause = if status.code == 403 { Cause::Rights } else { Cause::Other };
                    let failure = Failure::new(format!("Namespace/{name}"), status.message.clone());
                    self.failures.push(Failure { cause, ..failure });
                }
                Err(error) => return Err(error),
            }
        }
        for (name, uid) in own {
            if !self.failures.is_empty()
                || !self
                    .is_gone(&format!("Namespace/{name}"), &format!("/api/v1/namespaces/{name}"), uid)
                    .await?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn did(&mut self, object: String, action: Action) {
        (self.down.tell)(Event::Did { object: &object, action });
        self.entries.push(Entry { object, action });
    }

    fn fail(&mut self, cause: Cause, message: String) {
        let label = format!("set {}", self.down.set.label());
        self.failures.push(Failure { cause, ..Failure::new(label, message) });
    }
}

/// A namespace that carries a review's labels.
struct Labelled {
    name: String,
    uid: String,
    /// The id of the set that it is a member of.
    member: Option<String>,
}

impl Labelled {
    fn of(item: Item) -> Self {
        let ObjectMeta { name, uid, labels, .. } = item.metadata;
        let member = labels.and_then(|labels| labels.get(PART_OF).cloned());
        Self { name: name.unwrap_or_default(), uid: uid.unwrap_or_default(), member }
    }
}

#[derive(Default, Deserialize)]
struct Named {
    items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Item {
    metadata: ObjectMeta,
}

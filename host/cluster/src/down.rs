//! The end of an environment: everything of its set, in an order in which nothing is made anew meanwhile, and in the end the
//! set's own records. What is interrupted at any moment, another run finishes, for the records go last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lathe_manifest::order;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::apply::Event;
use crate::connect::Cluster;
use crate::discovery::Known;
use crate::inventory::Parent;
use crate::lease;
use crate::member::{self, Deletion, Member};
use crate::ops;
use crate::outcome::{Action, Cause, Entry, Failure, Outcome};
use crate::request::{Ask, Halt, RequestError, Requests};
use crate::rights;
use crate::set::Set;
use crate::turn::{NoTurn, Turn};

/// How often what was deleted is looked at until it is gone.
const LOOK: Duration = Duration::from_millis(300);

/// How an environment is taken down.
pub struct Down<'a> {
    /// Its set.
    pub set: Set,
    /// How others see who is at work.
    pub holder: String,
    /// How long another run is waited for.
    pub patience: Duration,
    /// How long all of it may take.
    pub timeout: Duration,
    /// Ends the run at the next safe point.
    pub halt: Halt,
    /// Is told what happens while it does.
    pub tell: &'a dyn Fn(Event<'_>),
}

/// In which order members go; the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Routes, custom resources, webhooks: what others act upon, while who acts is still there.
    Routes,
    Workloads,
    /// Config, services, accounts, and then volumes.
    Config,
    Volumes,
    Rights,
    Shared,
    Namespaces,
    Definitions,
}

impl Step {
    fn of(member: &Member) -> Self {
        let (group, kind) = (member.group.as_str(), member.kind.as_str());
        let at = order::stage(group, kind);
        match (group, kind) {
            ("", "Namespace") => Self::Namespaces,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Self::Definitions,
            ("", "PersistentVolumeClaim") => Self::Volumes,
            _ if !member.resource.namespaced => Self::Shared,
            ("rbac.authorization.k8s.io", _) => Self::Rights,
            ("apps" | "batch", _) | ("", "Pod" | "ReplicationController") => Self::Workloads,
            _ if at < order::stage("apps", "Deployment") => Self::Config,
            _ => Self::Routes,
        }
    }
}

/// The state of one run.
struct Run<'a> {
    down: &'a Down<'a>,
    requests: Requests,
    until: Instant,
    entries: Vec<Entry>,
    failures: Vec<Failure>,
}

/// Whether a step came to its end.
type Done = Result<bool, RequestError>;

impl Down<'_> {
    /// Takes it down. Where nothing is there, nothing is done, and that is no failure.
    pub async fn run(&self, cluster: &Cluster) -> Outcome {
        let requests = Requests::with(cluster, self.halt.clone());
        let until = Instant::now() + self.timeout;
        let mut run = Run { down: self, requests, until, entries: Vec::new(), failures: Vec::new() };
        let lost = run.all().await.err();
        let Run { entries, mut failures, .. } = run;
        failures.sort();
        let changed = entries.iter().any(|entry| entry.action == Action::Deleted);
        let missing = rights::missing(&Requests::of(cluster), &failures).await;
        Outcome { entries, failures, lost, changed, missing, ..Outcome::default() }
    }
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), RequestError> {
        let set = &self.down.set;
        if !self.is_there().await? {
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
                self.fail(Cause::Rights, status.message.clone());
                return Ok(());
            }
            Err(NoTurn::Request(error)) => return Err(error),
        };
        let done = self.environment().await;
        if !matches!(done, Ok(true)) {
            turn.give_back().await;
            return done.map(drop);
        }
        lease::forget(&self.requests, set).await?;
        let parent = ops::secret(&set.ops_namespace, &set.name());
        self.requests.find(&parent, Ask::Delete("{}")).await?;
        turn.end().await
    }

    /// Whether there is anything to take down: records, or a namespace that says to be this environment's.
    async fn is_there(&mut self) -> Done {
        let set = &self.down.set;
        let lease =
            format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}", set.ops_namespace, set.name());
        let parent = ops::secret(&set.ops_namespace, &set.name());
        Ok(self.requests.find(&parent, Ask::Read).await?.is_some()
            || self.requests.find(&lease, Ask::Read).await?.is_some()
            || !self.own_namespaces().await?.is_empty())
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
        let own = self.own_namespaces().await?;
        let known = Known::read(&self.requests).await?;
        let mut kinds = parent.kinds.clone();
        kinds.insert("Namespace".to_owned());
        let namespaces = parent.namespaces.iter().chain(own.keys()).cloned().collect();
        let members = member::list(&self.requests, &known, &set.id(), &kinds, &namespaces).await?;
        let members = member::distinct(members).into_iter().filter(|member| !member.is_owned());
        // Of a review nothing is left, whatever asks to stay.
        let members = members.filter(|member| !set.review.is_empty() || !member.stays());
        let mut steps: BTreeMap<Step, Vec<Member>> = BTreeMap::new();
        for member in members {
            steps.entry(Step::of(&member)).or_default().push(member);
        }
        let going: BTreeSet<String> = steps
            .get(&Step::Namespaces)
            .into_iter()
            .flatten()
            .map(|member| member.name().to_owned())
            .collect();
        // A binding may be what lets the rest be seen, and goes with its namespace.
        for step in steps.values_mut() {
            let binds = |member: &Member| {
                member.group == "rbac.authorization.k8s.io" && going.contains(member.namespace())
            };
            step.retain(|member| !binds(member));
        }
        let claims =
            self.claims(steps.get(&Step::Workloads).map(Vec::as_slice).unwrap_or_default(), &going).await?;
        let mut namespaces = own;
        for (step, mut members) in steps {
            if step > Step::Volumes && !self.delete_claims(&claims).await? {
                return Ok(false);
            }
            members.sort_by_cached_key(Member::turn);
            if !self.step(&members).await? {
                return Ok(false);
            }
            for member in &members {
                namespaces.remove(member.name());
            }
        }
        Ok(self.delete_claims(&claims).await? && self.namespaces(&namespaces).await?)
    }

    /// Deletes members and waits until they are gone.
    async fn step(&mut self, members: &[Member]) -> Done {
        let id = self.down.set.id();
        for member in members {
            match member.delete(&self.requests, &id).await {
                Ok(Deletion::Deleted | Deletion::Gone) => self.did(member.label(), Action::Deleted),
                Ok(Deletion::Left) => self.did(member.label(), Action::Left),
                Err(RequestError::Answered(status)) => {
                    let cause = if status.code == 403 { Cause::Rights } else { Cause::Other };
                    self.failures
                        .push(Failure { cause, ..Failure::new(member.label(), status.message.clone()) });
                }
                Err(error) => return Err(error),
            }
        }
        if !self.failures.is_empty() {
            return Ok(false);
        }
        for member in members {
            let uid = member.meta.uid.clone().unwrap_or_default();
            if !self.is_gone(&member.label(), &member.path(), &uid).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Namespaces that carry all labels of this environment, for a review: they are its own, also where the set's records are lost.
    async fn own_namespaces(&self) -> Result<BTreeMap<String, String>, RequestError> {
        let set = &self.down.set;
        if set.review.is_empty() {
            return Ok(BTreeMap::new());
        }
        let labels: Vec<String> =
            set.labels().iter().map(|(name, value)| format!("{name}%3D{value}")).collect();
        let selector = labels.join("%2C").replace('/', "%2F");
        let path = format!("/api/v1/namespaces?labelSelector={selector}");
        let text = match self.requests.send(&path, Ask::Read).await {
            Ok(text) => text,
            // Who may not list namespaces knows of those that the records name.
            Err(RequestError::Answered(status)) if status.code == 403 => return Ok(BTreeMap::new()),
            Err(error) => return Err(error),
        };
        let list: Namespaces = serde_json::from_str(&text).unwrap_or_default();
        let active = list.items.into_iter().map(|item| (item.metadata.name, item.metadata.uid));
        Ok(active.collect())
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

    /// Volume claims that stateful sets made, where their namespace stays: nothing else deletes them.
    async fn claims(
        &self,
        workloads: &[Member],
        going: &BTreeSet<String>,
    ) -> Result<Vec<(String, String)>, RequestError> {
        let mut claims = Vec::new();
        let stateful =
            workloads.iter().filter(|member| member.kind == "StatefulSet" && member.group == "apps");
        for member in stateful.filter(|member| !going.contains(member.namespace())) {
            let Some(text) = self.requests.find(&member.path(), Ask::Read).await? else { continue };
            let live: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let templates = live.pointer("/spec/volumeClaimTemplates").and_then(|list| list.as_array());
            let prefixes: Vec<String> = (templates.into_iter().flatten())
                .filter_map(|template| template.pointer("/metadata/name")?.as_str())
                .map(|name| format!("{name}-{}-", member.name()))
                .collect();
            if prefixes.is_empty() {
                continue;
            }
            let path = format!("/api/v1/namespaces/{}/persistentvolumeclaims", member.namespace());
            let list: Namespaces =
                serde_json::from_str(&self.requests.send(&path, Ask::Read).await?).unwrap_or_default();
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let made = list.items.into_iter().map(|item| item.metadata.name).filter(|name| {
                prefixes.iter().any(|prefix| name.strip_prefix(prefix.as_str()).is_some_and(is_number))
            });
            claims.extend(made.map(|name| (member.namespace().to_owned(), name)));
        }
        Ok(claims)
    }

    async fn delete_claims(&mut self, claims: &[(String, String)]) -> Done {
        for (namespace, name) in claims {
            let path = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}");
            if self.requests.find(&path, Ask::Delete("{}")).await?.is_some() {
                self.did(format!("PersistentVolumeClaim/{namespace}/{name}"), Action::Deleted);
            }
        }
        Ok(true)
    }

    /// Waits until the object of this uid is gone. What keeps it is told.
    async fn is_gone(&mut self, label: &str, path: &str, uid: &str) -> Done {
        loop {
            let Some(text) = self.requests.find(path, Ask::Read).await? else { return Ok(true) };
            let live: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            if live.pointer("/metadata/uid").and_then(|own| own.as_str()) != Some(uid) {
                return Ok(true);
            }
            if Instant::now() > self.until {
                self.failures.push(Failure::new(
                    label.to_owned(),
                    format!("it is deleted and not gone: {}", kept_by(&live)),
                ));
                return Ok(false);
            }
            sleep(LOOK).await;
        }
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

/// What an object that is being deleted waits for: finalizers, and for a namespace what is left in it.
fn kept_by(live: &serde_json::Value) -> String {
    let texts = |pointer: &str| -> Vec<String> {
        let list = live.pointer(pointer).and_then(|list| list.as_array());
        list.into_iter().flatten().filter_map(|text| text.as_str()).map(ToOwned::to_owned).collect()
    };
    let mut kept: Vec<String> =
        texts("/metadata/finalizers").into_iter().map(|name| format!("finalizer {name}")).collect();
    let conditions = live.pointer("/status/conditions").and_then(|list| list.as_array());
    for condition in conditions.into_iter().flatten() {
        let text = |name: &str| condition.get(name).and_then(|text| text.as_str()).unwrap_or_default();
        if text("status") == "True" && text("type").starts_with("Namespace") {
            kept.push(text("message").to_owned());
        }
    }
    if kept.is_empty() { "something in it takes longer".to_owned() } else { kept.join("; ") }
}

#[derive(Default, Deserialize)]
struct Namespaces {
    items: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    metadata: Meta,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    #[serde(default)]
    uid: String,
}

//! The login clients of an environment: what is wanted of them, and how they come and go with an apply and a `down`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use lathe_aai::{AaiError, Clients, Done, IssuerSpec, Kept, Sources, Store, Terms, Wanted};
use lathe_cluster::{Cause, Cluster, Errand, Failure as Failed, Halt, Set};
use lathe_manifest::{Edit, Object, Pointer, Value};
use lathe_pipeline::{Declared, Environment, Problem, age, reads_secret};

use super::client_store::ClusterStore;
use super::project::{Project, policies};
use super::set_place::Place;
use crate::cli::ClientFlags;
use crate::console::{self, Failure};
use crate::settings::{Settings, now, time_after, variable};

/// The annotation on pods that read the Secret of a client: where its credentials change, they are made anew.
const CHECKSUM: &str = "/spec/template/metadata/annotations/lathe.dev~1checksum-clients";

/// What is wanted.
pub(crate) struct LoginClients {
    /// Project, environment and review.
    pub(crate) identity: [String; 3],
    /// The environment's namespace.
    pub(crate) namespace: String,
    /// The pipeline's folder.
    folder: PathBuf,
    /// The slot of the environment's pool.
    slot: Option<String>,
    /// How long clients may stay.
    expires: Option<Duration>,
    /// What was declared.
    pub(crate) declared: Vec<Declared>,
    issuers: BTreeMap<String, IssuerSpec>,
}

impl LoginClients {
    /// Of an environment; its issuers have to be allowed by all policies.
    pub(crate) fn new(
        project: &Project,
        environment: &Environment,
        declared: Vec<Declared>,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let spec = project.pipeline.environments.get(&environment.name);
        let own = Self {
            identity: environment.identity().map(ToOwned::to_owned),
            namespace: environment.namespace.clone(),
            folder: project.folder.clone(),
            slot: environment.review.as_ref().and_then(|review| review.slot.clone()),
            expires: spec.and_then(|spec| age(spec.expires.as_deref()?)),
            declared,
            issuers: project.pipeline.aai.issuers.clone(),
        };
        let used: Vec<&IssuerSpec> =
            own.declared.iter().filter_map(|declared| own.issuer(declared)).collect();
        allowed(used.iter().map(|issuer| issuer.issuer.as_str()), settings)?;
        credentials_allowed(&used, settings)?;
        Ok(own)
    }

    /// The issuer of a client; `None` where nothing is registered.
    pub(crate) fn issuer(&self, declared: &Declared) -> Option<&IssuerSpec> {
        self.issuers.get(declared.intent.issuer.as_ref()?)
    }

    /// Where credentials come from.
    pub(crate) fn sources(&self) -> Sources<'_> {
        Sources { folder: &self.folder, variable: &variable }
    }

    /// Whether a client of it is registered anywhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.declared.iter().all(|declared| declared.intent.issuer.is_none())
    }

    /// What is wanted of one.
    pub(crate) fn wanted<'a>(&'a self, declared: &'a Declared) -> Result<Option<Wanted<'a>>, AaiError> {
        let Some(issuer) = self.issuer(declared) else { return Ok(None) };
        let ttl = declared.intent.ttl.as_deref().and_then(age).or(self.expires);
        Ok(Some(Wanted {
            declared,
            identity: self.identity.clone(),
            namespace: &self.namespace,
            issuer,
            authority: issuer.authority(self.sources())?,
            slot: self.slot.as_deref(),
            expires: ttl.map(time_after).unwrap_or_default(),
        }))
    }

    /// The client of this name.
    pub(crate) fn named(&self, name: &str) -> anyhow::Result<&Declared> {
        let found = self.declared.iter().find(|declared| declared.intent.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> =
                self.declared.iter().map(|declared| declared.intent.name.as_str()).collect();
            Failure::usage(format!("there is no client `{name}`; the environment has {}", names.join(", ")))
                .into()
        })
    }

    /// How far one goes: reviews may get other clients, for nobody knows them by their ids.
    pub(crate) fn terms(&self, flags: ClientFlags, adopt: bool, fresh: u64) -> Terms {
        let is_review = !self.identity[2].is_empty();
        Terms { recreate_lost: flags.recreate_lost || is_review, adopt, strict: flags.strict, fresh }
    }

    /// Which of each client's credentials its Secret will hold, by the Secret's name.
    pub(crate) async fn generations<S: Store>(
        &self,
        store: &S,
        fresh: u64,
    ) -> Result<BTreeMap<String, u64>, AaiError> {
        let clients = Clients { store, sources: self.sources(), now: &now, halted: &|| None };
        let mut all = BTreeMap::new();
        for declared in &self.declared {
            let Some(wanted) = self.wanted(declared)? else { continue };
            match clients.expected(&wanted, fresh).await {
                Ok(generation) => drop(all.insert(declared.intent.secret_name.clone(), generation)),
                // Whether that is a failure is said when it is used.
                Err(AaiError::NoCredential(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }
}

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
fn credentials_allowed(issuers: &[&IssuerSpec], settings: &Settings) -> anyhow::Result<()> {
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

/// Stamps workloads that read the Secret of a client with the generation of its credentials.
pub(crate) fn stamp(objects: &mut [Object], namespace: &str, generations: &BTreeMap<String, u64>) {
    let Ok(place) = Pointer::parse(CHECKSUM) else { return };
    for object in objects {
        if !object.namespace().is_empty() && object.namespace() != namespace {
            continue;
        }
        let read = generations.iter().filter(|(secret, _)| reads_secret(object, secret));
        let text: Vec<String> = read.map(|(secret, generation)| format!("{secret}.{generation}")).collect();
        if !text.is_empty() {
            // A template whose annotations are none is for the server to refuse.
            let _ = Edit::Set(place.clone(), Value::from(text.join(","))).apply(&mut object.value);
        }
    }
}

/// Why a client is not as it should be, with what helps.
pub(crate) fn told(error: &AaiError) -> String {
    let more = match error {
        AaiError::OutOfReach { .. } => {
            "; `--recreate-lost` registers another one, and `aai deregister --forget` drops what is known of it"
        }
        AaiError::Foreign { .. } => "; `--adopt` writes over it",
        AaiError::Claimed { .. } => "; `--adopt` takes it over",
        AaiError::NoCredential(_) => "; `--optional` leaves the client out",
        AaiError::Pending(_) => {
            "; `aai show NAME -o request` tells what to ask for, and `aai import` takes over what was approved"
        }
        _ => "",
    };
    format!("{error}{more}")
}

/// The clients of an apply, registered between namespaces and workloads.
pub(crate) struct Registering<'a> {
    pub(crate) clients: &'a LoginClients,
    /// `None` where clients are kept in a file.
    pub(crate) cluster: Option<&'a Cluster>,
    pub(crate) set: &'a Set,
    pub(crate) halt: &'a Halt,
    pub(crate) terms: Terms,
    pub(crate) optional: bool,
    pub(crate) settings: &'a Settings,
    /// The generations that workloads were stamped with, where there are any.
    pub(crate) expected: Option<&'a BTreeMap<String, u64>>,
    /// What became of each, by name.
    pub(crate) done: RefCell<BTreeMap<String, Result<Done, String>>>,
}

impl Errand for Registering<'_> {
    fn run(&self) -> Pin<Box<dyn Future<Output = (bool, Vec<Failed>)> + '_>> {
        Box::pin(async move {
            let Some(cluster) = self.cluster else { return (false, Vec::new()) };
            self.all(&ClusterStore { cluster, namespace: &self.set.ops_namespace }).await
        })
    }

    fn after(&self) -> Pin<Box<dyn Future<Output = Vec<Failed>> + '_>> {
        Box::pin(async move {
            let Some(cluster) = self.cluster else { return Vec::new() };
            self.settle(&ClusterStore { cluster, namespace: &self.set.ops_namespace }).await
        })
    }
}

impl Registering<'_> {
    /// Registers all.
    pub(crate) async fn all<S: Store>(&self, store: &S) -> (bool, Vec<Failed>) {
        let (mut changed, mut failures) = (false, Vec::new());
        let halted = || self.halt.why();
        let clients = Clients { store, sources: self.clients.sources(), now: &now, halted: &halted };
        for declared in &self.clients.declared {
            let name = &declared.intent.name;
            let label = format!("client {name}");
            let ensured = match self.clients.wanted(declared) {
                Ok(None) => continue,
                Ok(Some(wanted)) => clients.ensure(&wanted, self.terms).await,
                Err(error) => Err(error),
            };
            match ensured {
                Ok(done) => {
                    changed |= done.deed != lathe_aai::Deed::Unchanged;
                    done.warnings.iter().for_each(|warning| console::warn(warning));
                    let wanted = self.expected.and_then(|all| all.get(&declared.intent.secret_name));
                    if wanted.is_some_and(|wanted| *wanted != done.generation) {
                        let told = "its credentials changed while this ran".to_owned();
                        failures.push(Failed::new(label, told).of(Cause::Stale));
                    }
                    self.done.borrow_mut().insert(name.clone(), Ok(done));
                }
                Err(AaiError::NoCredential(why)) if self.optional => {
                    self.done.borrow_mut().insert(name.clone(), Err(why));
                }
                Err(error) => {
                    let cause =
                        if matches!(error, AaiError::Pending(_)) { Cause::Pending } else { Cause::Other };
                    failures.push(Failed::new(label, told(&error)).of(cause));
                }
            }
        }
        (changed, failures)
    }

    /// When workloads read the new credentials: clients that were replaced go, and those of a review that it does not declare any
    /// more.
    async fn settle<S: Store>(&self, store: &S) -> Vec<Failed> {
        let halted = || self.halt.why();
        let clients = Clients { store, sources: self.clients.sources(), now: &now, halted: &halted };
        let mut failures = Vec::new();
        for declared in self.clients.declared.iter().filter(|declared| declared.intent.issuer.is_some()) {
            match clients.settle(&declared.key).await {
                Ok(warnings) => warnings.iter().for_each(|warning| console::warn(warning)),
                Err(error) => {
                    let label = &declared.intent.name;
                    console::warn(&format!("client {label}: the one before stays for now: {error}"));
                }
            }
        }
        let known = match store.list(Some(&self.clients.identity)).await {
            Ok(known) => known,
            Err(why) => {
                failures.push(Failed::new("clients".to_owned(), why));
                return failures;
            }
        };
        let keys: BTreeSet<&str> =
            self.clients.declared.iter().map(|declared| declared.key.as_str()).collect();
        for kept in known.into_iter().filter(|kept| !keys.contains(kept.record.key.as_str())) {
            let (label, name) = (kept.record.label(), kept.record.name.clone());
            if self.clients.identity[2].is_empty() {
                console::warn(&format!("{label} is not declared any more; `aai deregister` takes it back"));
                continue;
            }
            let issuers = self.clients.issuers.values();
            let issuers =
                issuers.map(|own| (own.issuer.clone(), (own.clone(), kept.record.authority.clone())));
            let retired = match trusted(kept.clone(), &issuers.collect(), self.settings) {
                Ok(kept) => clients.retire(kept, false).await.map_err(|error| told(&error)),
                Err(error) => Err(format!("{error:#}")),
            };
            match retired {
                // One of that name may be declared at another issuer.
                Ok(done) => drop(self.done.borrow_mut().entry(name).or_insert(Ok(done))),
                Err(why) => console::warn(&format!("{label} is not declared any more, and stays: {why}")),
            }
        }
        failures
    }

    /// A line for each client.
    pub(crate) fn lines(&self) -> Vec<String> {
        let done = self.done.borrow();
        let line = |(name, done): (&String, &Result<Done, String>)| match done {
            Ok(done) => format!("client {name} {}", done.deed.name()),
            Err(why) => format!("client {name} skipped: {why}"),
        };
        let mut lines: Vec<String> = done.iter().map(line).collect();
        let declared = self.clients.declared.iter().filter(|declared| declared.intent.issuer.is_none());
        lines.extend(declared.map(|declared| format!("client {} not registered yet", declared.intent.name)));
        lines.sort();
        lines
    }
}

/// The clients of an environment, taken back before it is taken down.
pub(crate) struct Retiring<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) set: &'a Set,
    pub(crate) halt: &'a Halt,
    pub(crate) settings: &'a Settings,
    /// The pipeline's folder and issuers.
    pub(crate) place: &'a Place,
    /// What was taken back, a line for each.
    pub(crate) lines: RefCell<Vec<String>>,
}

impl Errand for Retiring<'_> {
    fn run(&self) -> Pin<Box<dyn Future<Output = (bool, Vec<Failed>)> + '_>> {
        Box::pin(async move {
            let store = ClusterStore { cluster: self.cluster, namespace: &self.set.ops_namespace };
            let Set { project, environment, review, .. } = self.set;
            let identity = [project.clone(), environment.clone(), review.clone()];
            match store.list(Some(&identity)).await {
                Ok(known) => self.all(&store, known).await,
                Err(why) => (false, vec![Failed::new(format!("clients of {}", self.set.label()), why)]),
            }
        })
    }
}

impl Retiring<'_> {
    /// Whether nothing is kept of any client.
    pub(crate) async fn is_done(&self) -> bool {
        let store = ClusterStore { cluster: self.cluster, namespace: &self.set.ops_namespace };
        let Set { project, environment, review, .. } = self.set;
        let identity = [project.clone(), environment.clone(), review.clone()];
        store.list(Some(&identity)).await.is_ok_and(|known| known.is_empty())
    }

    async fn all(&self, store: &ClusterStore<'_>, known: Vec<Kept>) -> (bool, Vec<Failed>) {
        let (mut changed, mut failures) = (false, Vec::new());
        let halted = || self.halt.why();
        let sources = Sources { folder: &self.place.folder, variable: &variable };
        let clients = Clients { store, sources, now: &now, halted: &halted };
        for kept in known {
            let label = format!("client {}", kept.record.name);
            let kept = match trusted(kept, &self.place.issuers, self.settings) {
                Ok(kept) => kept,
                Err(error) => {
                    failures.push(Failed::new(label, format!("{error:#}")));
                    continue;
                }
            };
            match clients.retire(kept, false).await {
                Ok(done) => {
                    changed = true;
                    done.warnings.iter().for_each(|warning| console::warn(warning));
                    self.lines.borrow_mut().push(format!("{label} {}", done.deed.name()));
                }
                Err(error) => {
                    let told =
                        format!("{}; what is known of it stays, and `aai gc` tries again", told(&error));
                    failures.push(Failed::new(label, told));
                }
            }
        }
        (changed, failures)
    }
}

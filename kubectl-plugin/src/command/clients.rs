//! The login clients of an environment: what is wanted of them, and how they come and go with an apply and a `down`.

mod policy;
mod registering;
mod retiring;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use lathe_aai::{AaiError, Clients, IssuerSpec, Sources, Store, Terms, Wanted};
use lathe_manifest::{Edit, Object, Pointer, Value};
use lathe_pipeline::{Declared, Environment, age, secrets_read};

use super::project::Project;
use crate::cli::ClientFlags;
use crate::console::Failure;
use crate::settings::{Settings, now, time_after, variable};
use policy::all_allowed;

pub(crate) use policy::{allowed, trusted};
pub(crate) use registering::Registering;
pub(crate) use retiring::Retiring;

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
        all_allowed(&used, settings)?;
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

    /// The same of one that has to be registered.
    pub(crate) fn must<'a>(&'a self, declared: &'a Declared) -> Result<Wanted<'a>, AaiError> {
        let name = &declared.intent.name;
        let none = || AaiError::Settings(format!("client `{name}` names no issuer"));
        self.wanted(declared)?.ok_or_else(none)
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

/// Stamps workloads that read the Secret of a client with the generation of its credentials.
pub(crate) fn stamp(objects: &mut [Object], namespace: &str, generations: &BTreeMap<String, u64>) {
    let Ok(place) = Pointer::parse(CHECKSUM) else { return };
    for object in objects {
        if !object.namespace().is_empty() && object.namespace() != namespace {
            continue;
        }
        let names = secrets_read(object);
        let read = names.iter().filter_map(|name| Some(format!("{name}.{}", generations.get(name)?)));
        let text: Vec<String> = read.collect();
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

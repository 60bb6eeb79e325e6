//! `aai …`: login clients, registered, looked at and taken back.

mod deregister;
mod gc;
mod import;
mod list;
mod retire;
mod rotate;
mod show;
mod sync;
mod test_login;

use std::io::Read as _;

use lathe_aai::{AaiError, FileStore, Kept, SecretText, Store};
use lathe_cluster::{Cluster, Halt, in_turn};
use lathe_pipeline::Output;

use super::client_store::{ClusterStore, set};
use super::clients::{LoginClients, told};
use super::project::Project;
use super::set_place::Place;
use super::{applied, connection, render, wanted};
use crate::cli::{self, Aai};
use crate::console::{self, Failure};
use crate::settings::Settings;
use retire::Retire;

pub(crate) fn dispatch(verb: &Aai, settings: &Settings) -> anyhow::Result<()> {
    match verb {
        Aai::List(flags) => list::run(flags, settings),
        Aai::Show(flags) => show::run(flags, settings),
        Aai::Sync(flags) => sync::run(flags, settings),
        Aai::Import(flags) => import::run(flags, settings),
        Aai::Rotate(flags) => rotate::run(flags, settings),
        Aai::Deregister(flags) => deregister::run(flags, settings),
        Aai::Gc(flags) => gc::run(flags, settings),
        Aai::TestLogin(flags) => test_login::run(flags, settings),
    }
}

/// An environment's clients, as rendering declares them.
struct Declaring {
    project: Project,
    environment: String,
    clients: LoginClients,
    /// The objects, of which a namespace may have to be made.
    objects: Vec<lathe_manifest::Object>,
    ops_namespace: String,
}

impl Declaring {
    /// Renders the environment; no store is asked.
    fn find(source: &cli::Source, flags: &cli::AaiTarget, settings: &Settings) -> anyhow::Result<Self> {
        let project = Project::need(source.pipeline.as_deref())?;
        let cli::AaiTarget { env, review, from, leases, .. } = flags.clone();
        let environment = project.environment(&cli::Target { env, review, from, state: leases })?;
        let ready = project.ready(false, settings)?;
        let inputs = project.inputs(source, &environment)?;
        inputs.warnings.iter().for_each(|warning| console::warn(warning));
        let rendered = project.render(&ready, &environment, Output::References).run(inputs.objects);
        if !rendered.report.problems.is_empty() {
            return Err(render::refused(&rendered.report.problems, "nothing is registered").into());
        }
        let clients = LoginClients::new(&project, &environment, rendered.report.clients, settings)?;
        let objects = rendered.objects.into_iter().map(|(_, object)| object).collect();
        let ops_namespace = wanted::ops_namespace(&project, &environment.name);
        Ok(Self { project, environment: environment.name, clients, objects, ops_namespace })
    }

    /// Does something with the environment's clients while no other run changes them: in a file, or in the cluster.
    fn work<T>(
        &self,
        state: Option<&std::path::Path>,
        holder: &cli::Holder,
        settings: &Settings,
        work: impl AsyncFnOnce(&Self, &AnyStore<'_>, &Halt) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        if let Some(file) = state {
            let file = open(file)?;
            let alone = file.alone().map_err(|error| Failure::usage(error.to_string()))?;
            let store = AnyStore::File(file);
            let done = connection::alone(async |halt| work(self, &store, &halt).await);
            drop(alone);
            return done;
        }
        let pins = wanted::pins(&self.project, &self.environment);
        let set = set(&self.clients.identity, &self.ops_namespace);
        connection::run(settings, pins.as_ref(), async |cluster, halt| {
            let store = AnyStore::Cluster(ClusterStore { cluster: &cluster, namespace: &self.ops_namespace });
            let wait = |holder: &str| {
                console::note(&format!("another run changes this set, and is waited for: {holder}"));
            };
            let done =
                in_turn(&cluster, &set, applied::holder(), holder.lock_timeout, &halt, &wait, async || {
                    work(self, &store, &halt).await
                });
            done.await.map_err(|error| Failure::refused(error.to_string(), &[]))?
        })
    }
}

/// A store in a file or a cluster.
enum AnyStore<'a> {
    File(FileStore),
    Cluster(ClusterStore<'a>),
}

impl AnyStore<'_> {
    fn cluster(&self) -> Option<&Cluster> {
        match self {
            Self::File(_) => None,
            Self::Cluster(store) => Some(store.cluster),
        }
    }
}

macro_rules! either {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            AnyStore::File($store) => $call,
            AnyStore::Cluster($store) => $call,
        }
    };
}

impl Store for AnyStore<'_> {
    async fn read(&self, key: &str) -> Result<Option<Kept>, String> {
        either!(self, store => store.read(key).await)
    }

    async fn list(&self, identity: Option<&[String; 3]>) -> Result<Vec<Kept>, String> {
        either!(self, store => store.list(identity).await)
    }

    async fn create(&self, record: &lathe_aai::Record) -> Result<Option<Kept>, String> {
        either!(self, store => store.create(record).await)
    }

    async fn replace(&self, kept: &Kept) -> Result<Option<Kept>, String> {
        either!(self, store => store.replace(kept).await)
    }

    async fn remove(&self, kept: &Kept) -> Result<(), String> {
        either!(self, store => store.remove(kept).await)
    }

    async fn delivered(&self, record: &lathe_aai::Record) -> Result<Option<lathe_aai::Delivered>, String> {
        either!(self, store => store.delivered(record).await)
    }

    async fn deliver(&self, record: &lathe_aai::Record) -> Result<(), String> {
        either!(self, store => store.deliver(record).await)
    }

    async fn withdraw(&self, record: &lathe_aai::Record) -> Result<(), String> {
        either!(self, store => store.withdraw(record).await)
    }
}

fn open(file: &std::path::Path) -> anyhow::Result<FileStore> {
    Ok(FileStore::open(file).map_err(|error| Failure::usage(error.to_string()))?)
}

/// Clients that are known, without a pipeline.
struct Known {
    place: Place,
    project: Option<String>,
    environment: Option<String>,
    review: Option<String>,
    state: Option<std::path::PathBuf>,
}

impl Known {
    fn find(flags: &cli::AaiPlace) -> anyhow::Result<Self> {
        let place = Place::find(&flags.place, flags.env.as_deref(), flags.review.as_deref())?;
        Ok(Self {
            project: place.project.clone(),
            place,
            environment: flags.env.clone(),
            review: flags.review.clone(),
            state: flags.state.clone(),
        })
    }

    /// Does something with each store that there is: a file, or the ops namespaces.
    fn each<T>(
        &self,
        settings: &Settings,
        mut work: impl AsyncFnMut(&AnyStore<'_>, Vec<Kept>, &str, &Halt) -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<T>> {
        let cannot = |why: String| Failure::refused(format!("the clients: {why}"), &[]);
        if let Some(file) = &self.state {
            let file = open(file)?;
            let alone = file.alone().map_err(|error| Failure::usage(error.to_string()))?;
            let store = AnyStore::File(file);
            let done = connection::alone(async |halt| {
                let known = store.list(None).await.map_err(cannot)?;
                Ok(vec![work(&store, self.own(known), "", &halt).await?])
            });
            drop(alone);
            return done;
        }
        connection::run(settings, self.place.pins.as_ref(), async |cluster, halt| {
            let mut all = Vec::new();
            for namespace in &self.place.ops_namespaces {
                let store = ClusterStore { cluster: &cluster, namespace };
                let known = store.of_project(self.project.as_deref()).await.map_err(cannot)?;
                all.push(work(&AnyStore::Cluster(store), self.own(known), namespace, &halt).await?);
            }
            Ok(all)
        })
    }

    /// Those that the flags name.
    fn own(&self, known: Vec<Kept>) -> Vec<Kept> {
        let is = |own: &str, wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| own == wanted);
        let named = |kept: &Kept| {
            let [project, environment, review] = &kept.record.identity;
            is(project, &self.project) && is(environment, &self.environment) && is(review, &self.review)
        };
        known.into_iter().filter(named).collect()
    }
}

/// A failure of one client.
fn failure(label: &str, error: &AaiError) -> Failure {
    let text = format!("client {label}: {}", told(error));
    match error {
        AaiError::Pending(_) => Failure::pending(text),
        AaiError::Settings(_) | AaiError::NoCredential(_) | AaiError::Unavailable { .. } => {
            Failure::usage(text)
        }
        _ => Failure::refused(text, &[]),
    }
}

/// A secret from a file, or from standard input.
fn secret_of(file: &str) -> anyhow::Result<SecretText> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().lock().read_to_string(&mut text).map(drop),
        file => std::fs::read_to_string(file).map(|read| text = read),
    };
    read.map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    let text = SecretText::from(text.trim());
    if text.is_empty() {
        return Err(Failure::usage(format!("{file} is empty")).into());
    }
    Ok(text)
}

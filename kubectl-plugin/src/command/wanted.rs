//! What is to be on the cluster: the objects of an environment with all that goes with them, or manifests as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use lathe_cluster::{Cluster, MadeFrom, Owner, Set};
use lathe_manifest::{Object, digest, order};
use lathe_pipeline::{Changed, Environment, Output, age, as_is};
use lathe_secrets::{Live, Mask};

use super::client_store::ClusterStore;
use super::clients::{self, LoginClients};
use super::connection;
use super::project::{self, Project};
use super::render;
use super::world::World;
use crate::cli;
use crate::console::{self, Failure};
use crate::settings::Settings;

/// Where the ops namespace is not named.
pub(crate) const OPS_NAMESPACE: &str = "lathe-system";

/// What is to be on the cluster.
pub(crate) struct Wanted {
    pub(crate) objects: Vec<Object>,
    /// The namespace of objects that name none; the context's where this is empty.
    pub(crate) namespace: Option<String>,
    /// Whose the namespace has to be, where it is there.
    pub(crate) owner: Option<Owner>,
    /// Login clients that the workloads expect; `None` for manifests as they are.
    pub(crate) clients: Option<LoginClients>,
    /// Takes values that stand outside of Secrets out of what the server says.
    pub(crate) mask: Mask,
    /// `None` for manifests as they are.
    pub(crate) environment: Option<InSet>,
    /// What of the cluster generated values come from.
    pub(crate) made_from: Option<MadeFrom>,
    /// What plugins changed.
    pub(crate) changes: Vec<Changed>,
    /// The only clusters that it goes to, by uid.
    pub(crate) pins: Option<BTreeSet<String>>,
}

impl Wanted {
    /// Stamps workloads with the generations of the login clients whose Secrets they read, and gives these.
    pub(crate) async fn stamp(
        &mut self,
        cluster: &Cluster,
        fresh: u64,
    ) -> anyhow::Result<BTreeMap<String, u64>> {
        let (Some(own), Some(InSet { set, .. })) = (&self.clients, &self.environment) else {
            return Ok(BTreeMap::new());
        };
        if own.is_empty() {
            return Ok(BTreeMap::new());
        }
        let store = ClusterStore { cluster, namespace: &set.ops_namespace };
        let generations = own.generations(&store, fresh).await;
        let generations = generations.map_err(|error| Failure::refused(error.to_string(), &[]))?;
        clients::stamp(&mut self.objects, &own.namespace, &generations);
        Ok(generations)
    }
}

/// An environment's set, and what is noted of it.
pub(crate) struct InSet {
    pub(crate) set: Set,
    /// Of the objects, but for Secrets; empty where values of secrets stand elsewhere.
    pub(crate) digest: String,
    /// How long it may stay.
    pub(crate) expires: Option<Duration>,
    /// The pipeline's folder.
    pub(crate) folder: PathBuf,
}

/// What of the flags says which objects.
pub(crate) struct Ask<'a> {
    pub(crate) source: &'a cli::Source,
    pub(crate) target: &'a cli::Target,
    pub(crate) offline: bool,
    pub(crate) keep_live: bool,
}

/// The objects of the pipeline, or of `-f` where there is no pipeline.
pub(crate) fn find(ask: &Ask<'_>, settings: &Settings) -> anyhow::Result<Wanted> {
    match Project::find(ask.source.pipeline.as_deref())? {
        Some(project) => rendered(&project, ask, settings),
        None => files(ask, settings),
    }
}

/// The same with references in place of values, as `render` writes it: no store and no cluster is asked.
pub(crate) fn references(ask: &Ask<'_>, settings: &Settings) -> anyhow::Result<Wanted> {
    let Some(project) = Project::find(ask.source.pipeline.as_deref())? else { return files(ask, settings) };
    let environment = project.environment(ask.target)?;
    let ready = project.ready(false, settings)?;
    let inputs = project.inputs(ask.source, &environment)?;
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    let rendered = project.render(&ready, &environment, Output::References).run(inputs.objects);
    if !rendered.report.problems.is_empty() {
        return Err(render::refused(&rendered.report.problems, "nothing is compared").into());
    }
    let mask = Mask::new(&rendered.outside);
    let objects = rendered.objects.into_iter().map(|(_, object)| object).collect();
    let (owner, environment, pins, made_from) = (None, None, None, None);
    let (clients, changes) = (None, rendered.report.changes);
    Ok(Wanted { objects, namespace: None, owner, clients, mask, environment, made_from, changes, pins })
}

/// The set of an environment.
pub(crate) fn set(project: &Project, environment: &Environment) -> Set {
    let [own, name, review] = environment.identity().map(ToOwned::to_owned);
    Set { project: own, environment: name.clone(), review, ops_namespace: ops_namespace(project, &name) }
}

/// The namespace that holds the state of an environment.
pub(crate) fn ops_namespace(project: &Project, environment: &str) -> String {
    let spec = project.pipeline.environments.get(environment);
    spec.and_then(|spec| spec.ops_namespace.clone()).unwrap_or_else(|| OPS_NAMESPACE.to_owned())
}

/// The only clusters that an environment goes to, if the pipeline says so.
pub(crate) fn pins(project: &Project, environment: &str) -> Option<BTreeSet<String>> {
    project.pipeline.environments.get(environment).and_then(|spec| spec.clusters.clone())
}

fn is_namespace(object: &Object) -> bool {
    object.kind() == "Namespace" && object.group().is_empty()
}

/// Digest of all but Secrets, whose values it could be searched for.
fn digest(objects: &[Object]) -> String {
    let plain = objects.iter().filter(|object| !object.is_secret());
    let lines: Vec<String> = plain.map(|object| digest::of_value(&object.value)).collect();
    let parts: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    digest::named(&digest::of_parts(&parts))
}

/// The objects of an environment.
fn rendered(project: &Project, ask: &Ask<'_>, settings: &Settings) -> anyhow::Result<Wanted> {
    let environment = project.environment(ask.target)?;
    agree(&environment, settings)?;
    let namespace = environment.namespace.clone();
    let pins = pins(project, &environment.name);
    // Before any Secret of it is read.
    connection::check(settings, pins.as_ref())?;
    let ready = project.ready(false, settings)?;
    let inputs = project.inputs(ask.source, &environment)?;
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    let world = World::new(project, settings, ask.offline)?.with_cluster(&environment);
    let cluster = |namespace: &str, name: &str| world.secret(namespace, name);
    let generated = |wanted: &_| world.generate(wanted);
    let around = world.surroundings(&cluster, &generated);
    let read = |namespace: &str, name: &str| {
        world.noted(if namespace.is_empty() { &environment.namespace } else { namespace }, name)
    };
    let stamp = || world.checksum_key();
    let live: Option<Live<'_>> = if ask.keep_live { Some(&read) } else { None };
    let output = Output::Values { around: &around, live, stamp: Some(&stamp) };
    let rendered = project.render(&ready, &environment, output).run(inputs.objects);
    rendered.report.warnings.iter().for_each(|warning| console::warn(warning));
    if !rendered.report.problems.is_empty() {
        return Err(render::refused(&rendered.report.problems, "nothing is applied").into());
    }
    let clients = LoginClients::new(project, &environment, rendered.report.clients, settings)?;
    let mut objects: Vec<Object> = rendered.objects.into_iter().map(|(_, object)| object).collect();
    let made_from = world.made_from();
    if let Some(kept) = world.keep()? {
        let own = |object: &Object| {
            let place = object.namespace();
            object.is_secret()
                && object.name() == kept.name()
                && (place.is_empty() || place == kept.namespace())
        };
        if objects.iter().any(own) {
            let told = format!("{}: Lathe keeps what it generates under this name", kept.label());
            return Err(Failure::refused(told, &[]).into());
        }
        objects.push(kept);
        order::sort(&mut objects);
    }
    let spec = project.pipeline.environments.get(&environment.name);
    let given = spec.is_some_and(|spec| spec.namespace_given);
    if given {
        objects.retain(|object| !(is_namespace(object) && object.name() == environment.namespace));
    }
    let owner = owner(&environment, given);
    let mask = Mask::new(&rendered.outside);
    let digest = if rendered.outside.is_empty() { digest(&objects) } else { String::new() };
    let set = set(project, &environment);
    let expires = spec.and_then(|spec| age(spec.expires.as_deref()?));
    let environment = Some(InSet { set, digest, expires, folder: project.folder.clone() });
    let changes = rendered.report.changes;
    Ok(Wanted {
        objects,
        namespace: Some(namespace),
        owner,
        clients: Some(clients),
        mask,
        environment,
        made_from,
        changes,
        pins,
    })
}

/// Without a pipeline: the objects as they are.
fn files(ask: &Ask<'_>, settings: &Settings) -> anyhow::Result<Wanted> {
    if ask.source.filename.is_empty() {
        let failure = Failure::usage("there is nothing to apply: no lathe.yaml here, no `-p`, no `-f`");
        return Err(failure.with_hint("name a pipeline by `-p DIR`, or manifests by `-f FILE`").into());
    }
    if ask.target.env.is_some() || ask.target.review.is_some() {
        let failure =
            Failure::usage("`--env` and `--review` need a pipeline, and there is no lathe.yaml here");
        return Err(failure.with_hint("name a pipeline by `-p DIR`").into());
    }
    let inputs = project::files(ask.source)?;
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    if inputs.objects.is_empty() {
        return Err(Failure::refused("the input holds no object; nothing is applied", &[]).into());
    }
    let objects =
        as_is(inputs.objects).map_err(|problems| render::refused(&problems, "nothing is applied"))?;
    Ok(Wanted {
        objects,
        namespace: settings.namespace.clone(),
        owner: None,
        clients: None,
        mask: Mask::default(),
        environment: None,
        made_from: None,
        changes: Vec::new(),
        pins: None,
    })
}

/// A review's namespace is its own; one that is there already has to say so.
fn owner(environment: &Environment, given: bool) -> Option<Owner> {
    let suffix = format!("-{}", environment.review.as_ref()?.hash());
    let [project, name, review] = environment.identity();
    let labels = [("project", project), ("environment", name), ("review", review)];
    let labels = labels.map(|(label, value)| (format!("lathe.dev/{label}"), value.to_owned()));
    Some(Owner { namespace: environment.namespace.clone(), labels: labels.into(), given, suffix })
}

/// An environment has one namespace, which a flag may repeat and not change.
fn agree(environment: &Environment, settings: &Settings) -> anyhow::Result<()> {
    match &settings.namespace {
        Some(namespace) if *namespace != environment.namespace => {
            let Environment { name, namespace: own, .. } = environment;
            let told =
                format!("environment `{name}` is in namespace {own}, and `--namespace` says {namespace}");
            Err(Failure::usage(told).with_hint("leave `--namespace` out, or change the pipeline").into())
        }
        _ => Ok(()),
    }
}

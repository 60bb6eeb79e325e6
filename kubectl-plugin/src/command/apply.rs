//! `apply`: the objects of an environment, on the cluster.

use lathe_cluster::{Action, Apply, Outcome, Owner};
use lathe_manifest::{Object, order};
use lathe_pipeline::{Environment, Output, as_is};
use lathe_secrets::{Live, Mask};

use super::project::{self, Project};
use super::render;
use super::world::World;
use crate::cli::{self, DryRun};
use crate::console::{self, Failure};
use crate::settings::Settings;

/// What is applied, and where to.
struct Wanted {
    objects: Vec<Object>,
    /// The namespace of objects that name none; the context's where this is empty.
    namespace: Option<String>,
    /// Whose the namespace has to be, where it is there.
    owner: Option<Owner>,
    /// Login clients that the workloads expect.
    clients: Vec<String>,
    /// Takes values that stand outside of Secrets out of what the server says.
    mask: Mask,
}

pub(crate) fn run(flags: &cli::Apply, settings: &Settings) -> anyhow::Result<()> {
    let wanted = match Project::find(flags.source.pipeline.as_deref())? {
        Some(project) => rendered(&project, flags, settings)?,
        None => files(flags, settings)?,
    };
    let hooks = wanted.objects.iter().filter(|object| is_hook(object)).count();
    if hooks > 0 {
        console::warn(&format!("objects that are Helm hooks and are applied like all others: {hooks}"));
    }
    let dry_run = flags.dry_run == Some(DryRun::Server);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let cluster = lathe_cluster::connect(&settings.access).await;
        let cluster = cluster.map_err(|error| Failure::usage(error.to_string()))?;
        let apply = Apply {
            namespace: wanted.namespace.clone().unwrap_or_else(|| cluster.namespace.clone()),
            only_namespace: settings.namespace.is_some(),
            owner: wanted.owner.clone(),
            dry_run,
            force_conflicts: flags.force_conflicts,
        };
        anyhow::Ok(apply.run(&cluster, &wanted.objects).await)
    })?;
    for object in &outcome.client_side {
        console::warn(&format!(
            "{object}: `kubectl apply` made it on the client's side, so fields that left the manifest stay; `kubectl apply --server-side --field-manager=lathe` hands them over once"
        ));
    }
    let failed = !outcome.failures.is_empty() || outcome.lost.is_some();
    // Where nothing came of it, the reasons are all there is to tell.
    let told =
        if !failed || outcome.changed || dry_run { tell(&outcome, &wanted.clients, dry_run) } else { Ok(()) };
    // What failed has failed, whether or not somebody reads what is told of the rest.
    if failed { Err(end(outcome, &wanted.mask).into()) } else { told }
}

/// The objects of an environment.
fn rendered(project: &Project, flags: &cli::Apply, settings: &Settings) -> anyhow::Result<Wanted> {
    let environment = project.environment(&flags.target)?;
    agree(&environment, settings)?;
    let ready = project.ready(false, settings)?;
    let inputs = project.inputs(&flags.source, &environment)?;
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    let world = World::new(project, settings, flags.offline)?.with_cluster(&environment);
    let cluster = |namespace: &str, name: &str| world.secret(namespace, name);
    let generated = |wanted: &_| world.generate(wanted);
    let around = world.surroundings(&cluster, &generated);
    let read = |namespace: &str, name: &str| {
        world.noted(if namespace.is_empty() { &environment.namespace } else { namespace }, name)
    };
    let stamp = || world.checksum_key();
    let live: Option<Live<'_>> = if flags.keep_live_secrets { Some(&read) } else { None };
    let output = Output::Values { around: &around, live, stamp: Some(&stamp) };
    let rendered = project.render(&ready, &environment, output).run(inputs.objects);
    rendered.report.warnings.iter().for_each(|warning| console::warn(warning));
    if !rendered.report.problems.is_empty() {
        return Err(render::refused(&rendered.report.problems, "nothing is applied").into());
    }
    let clients = rendered.report.clients.iter();
    let clients = clients.map(|declared| format!("client {}", declared.intent.name)).collect();
    let mut objects: Vec<Object> = rendered.objects.into_iter().map(|(_, object)| object).collect();
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
    let owner = owner(&environment);
    let mask = Mask::new(&rendered.outside);
    Ok(Wanted { objects, namespace: Some(environment.namespace), owner, clients, mask })
}

/// Without a pipeline: the objects as they are.
fn files(flags: &cli::Apply, settings: &Settings) -> anyhow::Result<Wanted> {
    if flags.source.filename.is_empty() {
        let failure = Failure::usage("there is nothing to apply: no lathe.yaml here, no `-p`, no `-f`");
        return Err(failure.with_hint("name a pipeline by `-p DIR`, or manifests by `-f FILE`").into());
    }
    if flags.target.env.is_some() || flags.target.review.is_some() {
        let failure =
            Failure::usage("`--env` and `--review` need a pipeline, and there is no lathe.yaml here");
        return Err(failure.with_hint("name a pipeline by `-p DIR`").into());
    }
    let inputs = project::files(&flags.source)?;
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
        clients: Vec::new(),
        mask: Mask::default(),
    })
}

/// A review's namespace is its own; one that is there already has to say so.
fn owner(environment: &Environment) -> Option<Owner> {
    let suffix = format!("-{}", environment.review.as_ref()?.hash());
    let [project, name, review] = environment.identity();
    let labels = [("project", project), ("environment", name), ("review", review)];
    let labels = labels.map(|(label, value)| (format!("lathe.dev/{label}"), value.to_owned()));
    Some(Owner { namespace: environment.namespace.clone(), labels: labels.into(), suffix })
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

/// Whether the object is one that Helm would run at its own time.
fn is_hook(object: &Object) -> bool {
    object.value.str_at(&["metadata", "annotations", "helm.sh/hook"]).is_some() && !object.is_create_only()
}

/// A line for each object on standard output.
fn tell(outcome: &Outcome, clients: &[String], dry_run: bool) -> anyhow::Result<()> {
    let mut lines = String::new();
    for entry in &outcome.entries {
        let what = match entry.action {
            Action::Created => "created",
            Action::Changed => "changed",
            Action::Unchanged => "unchanged",
            Action::Planned => "planned: it needs what comes into being with this apply",
            Action::LeftOut => "left out: it has only a prefix for a name, so it can be created, not applied",
            Action::NotApplied => "not applied",
            Action::Unknown => "sent, and nobody can tell whether it took effect",
        };
        let dry = if dry_run && matches!(entry.action, Action::Created | Action::Changed) {
            " (dry run)"
        } else {
            ""
        };
        lines.push_str(&format!("{} {what}{dry}\n", entry.object));
    }
    for client in clients {
        lines.push_str(&format!("{client} not registered yet\n"));
    }
    console::print(&lines)
}

/// What is told of a run that failed, and its exit code.
fn end(outcome: Outcome, mask: &Mask) -> Failure {
    let told =
        |failure: &lathe_cluster::Failure| mask.hide(&format!("{}: {}", failure.object, failure.message));
    let mut problems: Vec<String> = outcome.failures.iter().map(told).collect();
    let done = if outcome.changed { "partly applied" } else { "nothing is applied" };
    if let (Some(lost), false) = (&outcome.lost, outcome.changed)
        && problems.is_empty()
    {
        return Failure::usage(format!("{lost}; {done}"));
    }
    problems.extend(outcome.lost.map(|error| mask.hide(&error.to_string())));
    let count = problems.len();
    let summary = format!("{count} {}; {done}", if count == 1 { "problem" } else { "problems" });
    let failure = if outcome.changed { Failure::partly(summary) } else { Failure::refused(summary, &[]) };
    let failure = failure.with_problems(problems);
    let immutable = |failure: &lathe_cluster::Failure| {
        failure.object.starts_with("Secret/")
            && failure.message.contains("field is immutable when `immutable` is set")
    };
    if outcome.failures.iter().any(immutable) {
        failure.with_hint("an immutable Secret cannot be changed: give it another name, or delete it first")
    } else if outcome.failures.iter().any(|failure| failure.conflict) {
        failure.with_hint("`--force-conflicts` takes the fields over; their managers may take them back")
    } else {
        failure
    }
}

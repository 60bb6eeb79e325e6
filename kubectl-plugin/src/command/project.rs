//! A pipeline on disk: its file, its folder, its lock, its inputs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use lathe_manifest::ReadOptions;
use lathe_pipeline::source::{self, Inputs};
use lathe_pipeline::{
    Environment, EnvironmentError, Lock, Output, Pipeline, Plugins, Policy, Problem, Render,
};
use lathe_runtime::Runtime;

use super::output_dir::LIST;
use super::review::state;
use crate::cli::{Ci, Source, Target};
use crate::console::{self, Failure};
use crate::settings::{Settings, variable};
use crate::supply::{self, Want};

/// A pipeline and where it lies.
pub(crate) struct Project {
    pub(crate) pipeline: Pipeline,
    pub(crate) folder: PathBuf,
    file: PathBuf,
}

/// What a run needs beside an environment and objects.
pub(crate) struct Ready {
    pub(crate) plugins: Plugins,
    pub(crate) lock: Lock,
    pub(crate) runtime: Runtime,
}

impl Project {
    /// The pipeline that `-p` names; without `-p` the one in this folder, or none.
    pub(crate) fn find(path: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let file = match path {
            Some(path) if path.is_dir() => path.join("lathe.yaml"),
            Some(path) => path.to_owned(),
            None => Path::new("").join("lathe.yaml"),
        };
        if path.is_none() && !file.exists() {
            return Ok(None);
        }
        let name = file.display().to_string();
        let bytes = fs::read(&file).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
        let pipeline = Pipeline::parse(&name, &bytes)
            .map_err(|problems| Failure::refused("the pipeline file is wrong", &problems))?;
        let folder = file
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_owned();
        Ok(Some(Self { pipeline, folder, file }))
    }

    /// Like [`find`](Self::find), for commands that make no sense without a pipeline.
    pub(crate) fn need(path: Option<&Path>) -> anyhow::Result<Self> {
        Self::find(path)?.ok_or_else(|| {
            Failure::usage("there is no lathe.yaml here").with_hint("name a pipeline by `-p DIR`").into()
        })
    }

    /// The environment that the flags name.
    pub(crate) fn environment(&self, target: &Target) -> anyhow::Result<Environment> {
        let review = review_of(target)?;
        let slot = self.slot(target, review.as_deref())?;
        self.resolve(target.env.as_deref(), review.as_deref(), slot.as_deref())
    }

    /// The same; where nobody says which slot of a pool it holds, the first stands for all.
    pub(crate) fn environment_or_any(&self, target: &Target) -> anyhow::Result<Environment> {
        let review = review_of(target)?;
        let first = || {
            let spec = target.env.as_ref().and_then(|name| self.pipeline.environments.get(name));
            spec.and_then(|spec| spec.pool.as_ref()?.first().cloned())
        };
        let slot = self.slot(target, review.as_deref())?.or_else(first);
        self.resolve(target.env.as_deref(), review.as_deref(), slot.as_deref())
    }

    /// The slot that the file of leases gives the review.
    fn slot(&self, target: &Target, review: Option<&str>) -> anyhow::Result<Option<String>> {
        let (Some(file), Some(review)) = (&target.state, review) else { return Ok(None) };
        let leases = state::read_or_new(file)?;
        let named = self.review_environment(target);
        let slot = named.and_then(|name| leases.slot(self.pipeline.project(), name, review));
        Ok(slot.map(ToOwned::to_owned))
    }

    /// The environment that the flags name, or the only one of reviews.
    fn review_environment<'a>(&'a self, target: &'a Target) -> Option<&'a str> {
        target.env.as_deref().or_else(|| self.pipeline.only_review())
    }

    /// Environment and review whose slot of a pool the flags ask for.
    pub(crate) fn pool_target(&self, target: &Target) -> anyhow::Result<(String, String)> {
        let resolved = self.environment_or_any(&Target {
            state: None,
            env: self.review_environment(target).map(ToOwned::to_owned),
            ..target.clone()
        })?;
        let review = resolved.review.map(|review| review.id);
        let review = review.ok_or_else(|| Failure::usage("a review holds a lease, and this is none"))?;
        Ok((resolved.name, review))
    }

    /// Resolves an environment by its names.
    pub(crate) fn resolve(
        &self,
        env: Option<&str>,
        review: Option<&str>,
        slot: Option<&str>,
    ) -> anyhow::Result<Environment> {
        let resolved = Environment::resolve(&self.pipeline, env, review, slot);
        resolved.map_err(|error| match error {
            error @ EnvironmentError::NoLease { .. } => Failure::refused(error.to_string(), &[])
                .with_hint("`review lease -o json > FILE` takes one, and `--state FILE` tells of it")
                .into(),
            EnvironmentError::Invalid(lines) => {
                let file = self.file.display();
                let problems: Vec<Problem> =
                    lines.iter().map(|line| Problem::new("pipeline", format!("{file}: {line}"))).collect();
                Failure::refused("the pipeline file is wrong", &problems).into()
            }
            error => Failure::usage(error.to_string()).into(),
        })
    }

    /// The plugins, inspected, within all policies.
    pub(crate) fn plugins(&self, settings: &Settings, want: Want<'_>) -> anyhow::Result<Plugins> {
        let refused = |problems: Vec<Problem>| Failure::refused("a plugin cannot be used", &problems);
        let supply = supply::Plugins::new(settings, want);
        let plugins = Plugins::prepare(&self.pipeline, &self.folder, &supply).map_err(refused)?;
        within_policies(&plugins, settings)?;
        Ok(plugins)
    }

    /// The lock file's path.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.folder.join("lathe.lock")
    }

    /// The lock as it is on disk; `None` where there is none.
    pub(crate) fn lock(&self) -> anyhow::Result<Option<Lock>> {
        let file = self.lock_file();
        let name = file.display().to_string();
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::usage(format!("{name}: {error}")).into()),
        };
        let lock = Lock::parse(&name, &bytes)
            .map_err(|problems| Failure::refused("the lock file is wrong", &problems))?;
        Ok(Some(lock))
    }

    /// The lock, which has to fit the plugins as they are.
    fn agreed(
        &self,
        plugins: &Plugins,
        lock: Option<Lock>,
        update: bool,
        settings: &Settings,
    ) -> anyhow::Result<Lock> {
        let file = self.lock_file().display().to_string();
        let hint =
            format!("`{} lock{}` writes the lock and shows what changes", settings.program, self.flag());
        let Some(lock) = lock else {
            return Err(Failure::refused(format!("{file} is missing, so no plugin may run"), &[])
                .with_hint(hint)
                .into());
        };
        let differences = lock.differences(plugins);
        if differences.is_empty() {
            return Ok(lock);
        }
        if update && settings.ci {
            return Err(
                Failure::usage("`--update-lock` is not for CI, where nobody sees what is agreed to").into()
            );
        }
        if update && lock.only_digests_differ(plugins) {
            let lock = Lock::of(plugins);
            write_atomically(&self.lock_file(), lock.to_yaml().as_bytes())?;
            for line in &differences {
                console::note(&format!("{file}: {line}"));
            }
            return Ok(lock);
        }
        let problems: Vec<Problem> = differences.into_iter().map(|line| Problem::new("lock", line)).collect();
        Err(Failure::refused(format!("{file} does not fit the pipeline's plugins"), &problems)
            .with_hint(hint)
            .into())
    }

    /// The plugins as agreed to and the sandbox they run in.
    pub(crate) fn ready(&self, update: bool, settings: &Settings) -> anyhow::Result<Ready> {
        let lock = self.lock()?;
        let plugins = self.plugins(settings, Want::Locked(lock.as_ref()))?;
        let lock = self.agreed(&plugins, lock, update, settings)?;
        Ok(Ready { plugins, lock, runtime: runtime(settings)? })
    }

    /// The same, without asking any registry.
    pub(crate) fn ready_offline(&self, settings: &Settings) -> anyhow::Result<Ready> {
        let lock = self.lock()?;
        let plugins = self.plugins(settings, Want::Offline(lock.as_ref()))?;
        let lock = self.agreed(&plugins, lock, false, settings)?;
        Ok(Ready { plugins, lock, runtime: runtime(settings)? })
    }

    /// A run for an environment.
    pub(crate) fn render<'a>(
        &'a self,
        ready: &'a Ready,
        environment: &'a Environment,
        output: Output<'a>,
    ) -> Render<'a> {
        let Ready { plugins, lock, runtime } = ready;
        let pipeline = &self.pipeline;
        Render {
            runtime,
            pipeline,
            environment,
            plugins,
            lock,
            output,
            check: false,
            record: false,
            shuffle: 0,
            part: Render::PART,
        }
    }

    /// The objects: those of `-f` if it is given, else the environment's or the pipeline's inputs.
    pub(crate) fn inputs(&self, source: &Source, environment: &Environment) -> anyhow::Result<Inputs> {
        if !source.filename.is_empty() {
            return files(source);
        }
        let own = self.pipeline.environments.get(&environment.name).and_then(|spec| spec.inputs.as_ref());
        let paths = own.unwrap_or(&self.pipeline.inputs);
        if paths.is_empty() {
            let summary = format!("{} names no inputs", self.file.display());
            return Err(Failure::usage(summary).with_hint("name them under `inputs`, or by `-f`").into());
        }
        read(&self.folder, paths, source)
    }

    /// Whether the pipeline names manifests for the environment.
    pub(crate) fn has_inputs(&self, environment: &Environment) -> bool {
        let own = self.pipeline.environments.get(&environment.name).and_then(|spec| spec.inputs.as_ref());
        !own.unwrap_or(&self.pipeline.inputs).is_empty()
    }

    /// `-p …` as it has to be given to other commands.
    pub(crate) fn flag(&self) -> String {
        if self.folder == Path::new(".") { String::new() } else { format!(" -p {}", self.folder.display()) }
    }
}

/// The review's id: as given, or as the CI has it.
fn review_of(target: &Target) -> anyhow::Result<Option<String>> {
    match target.from {
        None => Ok(target.review.clone()),
        Some(Ci::Gitlab) => {
            let id = variable("CI_MERGE_REQUEST_IID").filter(|id| !id.is_empty());
            let missing = || {
                Failure::usage("`--from gitlab` reads CI_MERGE_REQUEST_IID, which is not set")
                    .with_hint("GitLab sets it in merge request pipelines only (`rules: [if: $CI_PIPELINE_SOURCE == \"merge_request_event\"]`)")
            };
            Ok(Some(id.ok_or_else(missing)?))
        }
    }
}

/// All policies, each with its file's name.
pub(crate) fn policies(settings: &Settings) -> anyhow::Result<Vec<(String, Policy)>> {
    let read = |file: &PathBuf| {
        let name = file.display().to_string();
        let bytes = fs::read(file).map_err(|error| Failure::usage(format!("policy {name}: {error}")))?;
        let policy = Policy::parse(&name, &bytes)
            .map_err(|problems| Failure::refused("the policy is wrong", &problems))?;
        Ok((name, policy))
    };
    settings.policies.iter().map(read).collect()
}

/// Holds plugins against all policies.
pub(crate) fn within_policies(plugins: &Plugins, settings: &Settings) -> anyhow::Result<()> {
    for (name, policy) in policies(settings)? {
        let beyond = policy.judge(plugins);
        if !beyond.is_empty() {
            return Err(
                Failure::refused(format!("the pipeline goes beyond the policy {name}"), &beyond).into()
            );
        }
    }
    Ok(())
}

/// The objects of `-f`.
pub(crate) fn files(source: &Source) -> anyhow::Result<Inputs> {
    read(Path::new(""), &source.filename, source)
}

fn read(base: &Path, paths: &[String], source: &Source) -> anyhow::Result<Inputs> {
    let options = ReadOptions { lenient_duplicates: source.lenient_duplicates, ..ReadOptions::default() };
    let read = source::read(base, paths, options, &|| {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    });
    read.map_err(|problems| Failure::refused("the input cannot be used", &problems).into())
}

/// The sandbox.
pub(crate) fn runtime(settings: &Settings) -> anyhow::Result<Runtime> {
    Ok(Runtime::new(settings.cache.as_deref(), settings.compiler.clone())?)
}

/// Writes a report where the user asked for it: through a link, into a device or pipe if that is what stands there,
/// never over the pipeline's own files.
pub(crate) fn write_report(
    path: &Path,
    bytes: &[u8],
    project: &Project,
    target: &Target,
) -> anyhow::Result<()> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let own = [project.file.clone(), project.lock_file()].into_iter().chain(target.state.clone());
    let own: Vec<PathBuf> = own.collect();
    let is_own = own.iter().any(|file| fs::canonicalize(file).is_ok_and(|file| file == real));
    if is_own || real.file_name().is_some_and(|name| name == LIST) {
        return Err(Failure::usage(format!(
            "{} is a file of Lathe's own; the report needs another",
            path.display()
        ))
        .into());
    }
    write_through(&real, bytes)
}

/// Writes a file where the user asked for it: through a link, into a device or pipe if that is what stands there.
pub(crate) fn write_through(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&real).is_ok_and(|meta| !meta.is_file()) {
        return fs::write(&real, bytes).with_context(|| format!("{} cannot be written", path.display()));
    }
    write_atomically(&real, bytes)
}

/// Writes a file so that a reader sees all of the old or all of the new.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_as(path, bytes, 0o644)
}

/// The same, for nobody else to read.
pub(crate) fn write_privately(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_as(path, bytes, 0o600)
}

fn write_as(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = (|| -> anyhow::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".lathe-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    })();
    written.with_context(|| format!("{} cannot be written", path.display()))
}

//! Which sets a command is about: of the pipeline, or of a project that needs no checkout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use lathe_aai::{IssuerSpec, Sources};
use lathe_pipeline::is_label_value;

use super::project::Project;
use super::wanted::{self, OPS_NAMESPACE};
use crate::cli;
use crate::console::{self, Failure};
use crate::settings::variable;

/// Where sets are kept, and of which project.
pub(crate) struct Place {
    pub(crate) project: Option<String>,
    pub(crate) ops_namespaces: BTreeSet<String>,
    /// The only clusters that it may be about, by uid.
    pub(crate) pins: Option<BTreeSet<String>>,
    /// The pipeline's issuers by their addresses, with the certificates to trust.
    pub(crate) issuers: BTreeMap<String, (IssuerSpec, Option<String>)>,
    /// The pipeline's folder; the current one where there is no pipeline.
    pub(crate) folder: PathBuf,
}

impl Place {
    /// As flags and pipeline say. `environment` narrows it down.
    pub(crate) fn find(
        flags: &cli::SetPlace,
        environment: Option<&str>,
        review: Option<&str>,
    ) -> anyhow::Result<Self> {
        for (flag, value) in [("project", flags.project.as_deref()), ("env", environment), ("review", review)]
        {
            if value.is_some_and(|value| !is_label_value(value)) {
                let told =
                    format!("`--{flag}` takes at most 63 letters, digits, `-`, `_` and `.`, as labels do");
                return Err(Failure::usage(told).into());
            }
        }
        let project = Project::find(flags.pipeline.as_deref())?;
        // A pipeline that only happens to lie here, of another project, is not meant.
        let project = project.filter(|project| {
            let own = flags.project.as_deref().is_none_or(|own| own == project.pipeline.project());
            own || flags.pipeline.is_some()
        });
        let Some(project) = project else {
            let ops_namespaces =
                [flags.ops_namespace.clone().unwrap_or_else(|| OPS_NAMESPACE.to_owned())].into();
            let folder = PathBuf::from(".");
            return Ok(Self {
                project: flags.project.clone(),
                ops_namespaces,
                pins: None,
                folder,
                issuers: BTreeMap::new(),
            });
        };
        let name = project.pipeline.project();
        if flags.project.as_deref().is_some_and(|own| own != name) {
            return Err(Failure::usage(format!(
                "the pipeline is of project `{name}`, and `--project` says another"
            ))
            .into());
        }
        if let Some(name) = environment.filter(|name| !project.pipeline.environments.contains_key(*name)) {
            return Err(Failure::usage(format!("there is no environment `{name}` in the pipeline")).into());
        }
        let environments = project.pipeline.environments.keys();
        let named: Vec<&String> =
            environments.filter(|own| environment.is_none_or(|environment| *own == environment)).collect();
        let ops_namespaces = match &flags.ops_namespace {
            Some(namespace) => [namespace.clone()].into(),
            None => named.iter().map(|name| wanted::ops_namespace(&project, name)).collect(),
        };
        let mut pins: Option<BTreeSet<String>> = None;
        for own in named.iter().filter_map(|name| wanted::pins(&project, name)) {
            pins = Some(pins.map_or(own.clone(), |pins| pins.union(&own).cloned().collect()));
        }
        let folder = project.folder.clone();
        let sources = Sources { folder: &folder, variable: &variable };
        let mut issuers = BTreeMap::new();
        for spec in project.pipeline.aai.issuers.values() {
            // One that is missing is missed when that issuer is asked.
            let authority = spec.authority(sources).unwrap_or_else(|error| {
                console::warn(&error.to_string());
                None
            });
            issuers.insert(spec.issuer.clone(), (spec.clone(), authority));
        }
        Ok(Self { project: Some(name.to_owned()), ops_namespaces, pins, folder, issuers })
    }

    /// The project, for commands that change something of it.
    pub(crate) fn need_project(&self) -> anyhow::Result<&str> {
        self.project.as_deref().ok_or_else(|| {
            Failure::usage("there is no lathe.yaml here, and no project is named")
                .with_hint("`--project NAME` names it; `-p DIR` finds the pipeline")
                .into()
        })
    }
}

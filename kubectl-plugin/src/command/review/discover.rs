//! `review discover`: a pipeline for manifests that have none, found by trial runs.

use std::path::Path;

use lathe_pipeline::{Environment, Lock, Output, Pipeline, Plugins, Proposal, Render};

use crate::cli::{Discover, Source};
use crate::command::project::{self, within_policies};
use crate::console::{self, Failure};
use crate::settings::Settings;
use crate::supply::{self, Want};

/// How many trial runs there are at most; each learns from the one before.
const RUNS: usize = 8;

pub(crate) fn run(flags: &Discover, settings: &Settings) -> anyhow::Result<()> {
    let source = Source {
        filename: flags.filename.clone(),
        pipeline: None,
        lenient_duplicates: flags.lenient_duplicates,
    };
    let inputs = project::files(&source)?;
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    if inputs.objects.is_empty() {
        return Err(Failure::refused("the input holds no object", &[]).into());
    }
    let files = flags.filename.iter().filter(|file| *file != "-").cloned().collect();
    let mut proposal = Proposal::new(&inputs.objects, files, flags.review_domain.clone());
    let runtime = project::runtime(settings)?;
    for _ in 0..RUNS {
        let refused = |problems: Vec<_>| Failure::refused("no pipeline can be proposed", &problems);
        let pipeline = Pipeline::parse("proposal", proposal.to_trial().as_bytes()).map_err(refused)?;
        let supply = supply::Plugins::new(settings, Want::Offline(None));
        let plugins = Plugins::prepare(&pipeline, Path::new(""), &supply).map_err(refused)?;
        within_policies(&plugins, settings)?;
        let environment = Environment::resolve(&pipeline, Some("review"), Some("1"), None)
            .map_err(|error| Failure::usage(error.to_string()))?;
        let render = Render {
            runtime: &runtime,
            pipeline: &pipeline,
            environment: &environment,
            plugins: &plugins,
            lock: &Lock::of(&plugins),
            output: Output::References,
            check: false,
            record: false,
            shuffle: 0,
            part: Render::PART,
        };
        if !proposal.learn(&render.run(inputs.objects.clone()).report) {
            break;
        }
    }
    let (refused, unexplained) = (proposal.refused(), proposal.unexplained());
    console::print(&proposal.to_pipeline())?;
    if unexplained > 0 {
        console::warn(&format!(
            "places that only a person can explain, by a reason under `acknowledge`: {unexplained}"
        ));
    }
    if refused > 0 {
        console::warn(&format!("problems that no pipeline mends, listed at its end: {refused}"));
    }
    Ok(())
}

//! What plugins cost: microseconds to have each FILE ready when its code is kept; to run review-hosts over the objects of MANIFESTS
//! natively and in the sandbox; to run the first FILE over them in one call and in parts on all cores.
//!
//! `plugin-cost CACHE MANIFESTS FILE…`; the numbers on one line, medians.
#![allow(clippy::print_stdout, reason = "a program for measurements")]
#![allow(clippy::disallowed_methods, reason = "it reads its arguments")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use lathe_manifest::{Object, ReadOptions, json};
use lathe_pipeline::{Call, Render, source};
use lathe_plugin_review_hosts::ReviewHosts;
use lathe_runtime::capability::Capabilities;
use lathe_runtime::types::{Object as Given, Request};
use lathe_runtime::{Limits, Plugin, Runtime};
use lathe_sdk::bindings::lathe::transform::types as native;

const RUNS: usize = 7;
const LOADS: usize = 50;

const REVIEW: &str = r#"{"reviewDomain":"review.example.net","hosts":{"portal.example.org":"portal","admin.portal.example.org":"admin"},"zones":["example.org"]}"#;
const ENVIRONMENT: &str = r#"{"name":"review","project":"portal","namespace":"portal-x","review":{"id":"1","slug":"x"},"hosts":{"portal.example.org":"portal-x.review.example.net","admin.portal.example.org":"admin-x.review.example.net"}}"#;
const STAMP: &str =
    r#"{"labels":{"team":"portal"},"replace":{"example.org":"example.net"},"toleration":"review"}"#;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let cache = arguments.next().context("no CACHE")?;
    let manifests = arguments.next().context("no MANIFESTS")?;
    let files: Vec<PathBuf> = arguments.collect();
    let objects = objects(&manifests)?;
    let mut figures = Vec::new();
    for file in &files {
        figures.push(median(LOADS, || load(&cache, file))?);
    }
    let review = Request { config: REVIEW.into(), environment: ENVIRONMENT.into(), objects: objects.clone() };
    let builtin = lathe_bundle::find("review-hosts").context("no review-hosts")?;
    let plugin = Plugin::new("path:review-hosts.wasm", builtin.wasm)?;
    let runtime = Runtime::new(Some(&cache), None)?;
    runtime.prepare(&plugin, &Limits::default())?;
    figures.push(median(RUNS, || natively(&review))?);
    figures.push(median(RUNS, || sandboxed(&runtime, &plugin, &review, None))?);
    let stamp = Plugin::new("path:stamp.wasm", std::fs::read(files.first().context("no FILE")?)?)?;
    let request = Request { config: STAMP.into(), ..review };
    figures.push(median(RUNS, || sandboxed(&runtime, &stamp, &request, None))?);
    figures.push(median(RUNS, || sandboxed(&runtime, &stamp, &request, Some(Render::PART)))?);
    let figures: Vec<String> = figures.iter().map(|time| time.as_micros().to_string()).collect();
    println!("{}", figures.join(" "));
    Ok(())
}

fn objects(manifests: &Path) -> anyhow::Result<Vec<Given>> {
    let inputs =
        source::read(Path::new(""), &[manifests.display().to_string()], ReadOptions::default(), &|| {
            Ok(Vec::new())
        });
    let inputs = inputs.map_err(|problems| anyhow::anyhow!("{}", problems[0]))?;
    let given = |object: &Object| Given {
        api_version: object.api_version().to_owned(),
        kind: object.kind().to_owned(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        json: json::to_string(&object.value),
    };
    Ok(inputs.objects.iter().map(given).collect())
}

/// From code on disk to an instance that has answered for no object.
fn load(cache: &Path, file: &Path) -> anyhow::Result<Duration> {
    let runtime = Runtime::new(Some(cache), None)?;
    let plugin = Plugin::new("path:plugin.wasm", std::fs::read(file)?)?;
    let request = Request { config: "{}".into(), environment: ENVIRONMENT.into(), objects: Vec::new() };
    let started = Instant::now();
    runtime.transform(&plugin, &request, Capabilities::default(), &Limits::default())?;
    Ok(started.elapsed())
}

fn natively(request: &Request) -> anyhow::Result<Duration> {
    let objects = request.objects.iter().map(|object| native::Object {
        api_version: object.api_version.clone(),
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        json: object.json.clone(),
    });
    let request = native::Request {
        objects: objects.collect(),
        config: request.config.clone(),
        environment: request.environment.clone(),
    };
    let started = Instant::now();
    let outcome = lathe_sdk::__transform::<ReviewHosts>(request).map_err(anyhow::Error::msg)?;
    let elapsed = started.elapsed();
    black_box(outcome);
    Ok(elapsed)
}

fn sandboxed(
    runtime: &Runtime,
    plugin: &Plugin,
    request: &Request,
    part: Option<usize>,
) -> anyhow::Result<Duration> {
    let limits = Limits { fuel: u64::MAX / 2, ..Limits::default() };
    let granted = |_: usize, _: usize| Capabilities { logging: true, ..Capabilities::default() };
    let call = Call { runtime, plugin, limits: &limits, part, granted: &granted };
    let request = request.clone();
    let started = Instant::now();
    let outcome = call.run(request)?;
    let elapsed = started.elapsed();
    black_box(outcome);
    Ok(elapsed)
}

fn median(runs: usize, mut run: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    // The first fills caches.
    run()?;
    let mut all = (0..runs).map(|_| run()).collect::<anyhow::Result<Vec<_>>>()?;
    all.sort();
    all.get(all.len() / 2).copied().context("no run")
}

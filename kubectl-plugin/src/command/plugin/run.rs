//! `plugin run`: what a plugin changes, as a diff.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lathe_manifest::{Map, Object, Pointer, ReadOptions, Value, write};
use lathe_pipeline::{Case, Render, Trial, source};

use super::project;
use crate::cli::Run;
use crate::command::project::runtime;
use crate::command::render::refused;
use crate::console::{self, Failure};
use crate::diff;
use crate::settings::Settings;

pub(crate) fn run(flags: &Run, settings: &Settings) -> anyhow::Result<()> {
    let prepared = project::plugin(&flags.plugin, settings)?;
    let case = match &flags.case {
        Some(file) => {
            let name = file.display().to_string();
            let bytes = fs::read(file).map_err(|error| Failure::usage(format!("{name}: {error}")))?;
            Case::parse(&name, &bytes).map_err(|problems| Failure::refused("the case is wrong", &problems))?
        }
        None => Case::default(),
    };
    let inputs = source::read(Path::new(""), &flags.filename, ReadOptions::default(), &|| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes).map(|_| bytes)
    });
    let inputs = inputs.map_err(|problems| Failure::refused("the input cannot be used", &problems))?;
    inputs.warnings.iter().for_each(|warning| console::warn(warning));
    let limits = flags.limits.over(&prepared.limits);
    let runtime = runtime(settings)?;
    let trial = Trial { runtime: &runtime, plugin: &prepared.plugin, limits: &limits };
    // Keys are given in the order of the input.
    let before: BTreeMap<u32, (String, String)> = (0..).zip(inputs.objects.iter().map(shown)).collect();
    let rendered = trial.run(&case, inputs.objects, 0, Render::PART);
    rendered.report.warnings.iter().for_each(|warning| console::warn(warning));
    // Warnings among them are told already.
    for finding in rendered.report.findings.iter().filter(|finding| finding.severity != "warning") {
        console::note(&format!("{}: {}", finding.severity, finding.problem));
    }
    if !rendered.report.problems.is_empty() {
        return Err(refused(&rendered.report.problems, "this is what a run would be refused for").into());
    }
    let after: BTreeMap<u32, (String, String)> =
        rendered.objects.iter().map(|(key, object)| (*key, shown(object))).collect();
    let fuel: u64 = rendered.report.plugins.iter().map(|run| run.fuel).sum();
    console::note(&format!("objects: {}, fuel: {fuel}", before.len()));
    let mut out = String::new();
    let none = ("/dev/null".to_owned(), String::new());
    for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
        let (then, now) = (before.get(key).unwrap_or(&none), after.get(key).unwrap_or(&none));
        out.push_str(&diff::unified(&then.0, &now.0, &then.1, &now.1));
    }
    console::print(&out)
}

/// Label and YAML of an object. Values of a Secret are not for a screen.
fn shown(object: &Object) -> (String, String) {
    let mut text = String::new();
    if object.is_secret() {
        let mut value = object.value.clone();
        for place in ["/data", "/stringData", "/metadata/annotations"] {
            let pointer = Pointer::parse(place).unwrap_or_default();
            if let Some(Value::Object(map)) = pointer.get_mut(&mut value) {
                mask(map);
            }
        }
        write::yaml_document(&mut text, &value);
    } else {
        write::yaml_document(&mut text, &object.value);
    }
    (object.label(), text)
}

/// Hides the values of a map.
fn mask(map: &mut Map) {
    let keys: Vec<String> = map.iter().map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        map.insert(key, "(secret)".into());
    }
}

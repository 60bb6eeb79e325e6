//! `plugin test`: the cases of a project, each run in several orders and with several seeds, which must not matter.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use lathe_manifest::{Object, ReadOptions, Value, write};
use lathe_pipeline::{Case, PluginFile, Problem, Render, Trial, edits, is_refusal, source};
use lathe_runtime::{Limits, Plugin, Runtime};

use super::project;
use crate::cli::Test;
use crate::command::project::{runtime, write_atomically};
use crate::console::{self, Failure};
use crate::diff;
use crate::settings::Settings;

/// How a case is run beside the first time: order, seed, objects at once.
const OTHERS: [(u64, u64, usize, &str); 5] = [
    (1, 0, Render::PART, "in the opposite order"),
    (2, 0, Render::PART, "in another order"),
    (0, 1, Render::PART, "with other randomness"),
    (3, 2, Render::PART, "in another order, with other randomness"),
    (0, 0, 1, "called for one object at a time, as `scope: object` allows"),
];

pub(crate) fn run(flags: &Test, settings: &Settings) -> anyhow::Result<()> {
    let file = project::file(&flags.folder)?;
    let path = flags.folder.join(&file.wasm);
    let wasm = fs::read(&path).map_err(|error| {
        Failure::usage(format!("{}: {error}", path.display())).with_hint("`plugin build` makes it")
    })?;
    let plugin = Plugin::new("plugin", wasm)
        .map_err(|error| Failure::refused("the plugin cannot be used", &[error.into()]))?;
    let runtime = runtime(settings)?;
    let limits = flags.limits.over(&file.limits.clone().unwrap_or_default());
    let cases = cases(&flags.folder.join("tests"))?;
    let tested =
        Tested { file: &file, plugin: &plugin, runtime: &runtime, limits: &limits, update: flags.update };
    let mut failed = Vec::new();
    for case in &cases {
        let name = case.strip_prefix(&flags.folder).unwrap_or(case).display();
        match tested.case(case) {
            Ok(told) => console::note(&format!("{name}: ok, {told}")),
            Err(why) => failed.push(format!("{name}: {why}")),
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let count = failed.len();
    let summary = format!("{count} of {} tests failed", cases.len());
    Err(Failure::refused(summary, &[]).with_problems(failed).into())
}

/// The folders below `tests`, in the order of their names.
fn cases(tests: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let none = || Failure::usage(format!("{} holds no test: a folder with input.yaml", tests.display()));
    let entries = fs::read_dir(tests).map_err(|_| none())?;
    let mut cases: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    if cases.is_empty() { Err(none().into()) } else { Ok(cases) }
}

struct Tested<'a> {
    file: &'a PluginFile,
    plugin: &'a Plugin,
    runtime: &'a Runtime,
    limits: &'a Limits,
    update: bool,
}

/// What a plugin made of a case.
#[derive(PartialEq)]
enum Outcome {
    Edits(Value),
    Refused(String),
}

impl Tested<'_> {
    /// Runs a case; `Err` says why it failed.
    fn case(&self, folder: &Path) -> Result<String, String> {
        let case = match fs::read(folder.join("case.yaml")) {
            Ok(bytes) => Case::parse("case.yaml", &bytes).map_err(|problems| lines(&problems))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Case::default(),
            Err(error) => return Err(format!("case.yaml: {error}")),
        };
        let input =
            source::read(folder, &["input.yaml".to_owned()], ReadOptions::default(), &|| Ok(Vec::new()));
        let objects = input.map_err(|problems| lines(&problems))?.objects;
        let count = objects.len();
        let (outcome, fuel) = self.once(&case, objects.clone(), (0, 0, Render::PART))?;
        for (shuffle, seed, part, what) in OTHERS {
            if self.once(&case, objects.clone(), (shuffle, seed, part))?.0 != outcome {
                return Err(format!("{what}, the plugin does something else"));
            }
        }
        if let Some(most) = self.file.fuel.filter(|most| fuel > *most) {
            return Err(format!("used {fuel} fuel, and `fuel` of plugin.yaml allows {most}"));
        }
        self.compare(folder, &outcome)?;
        let told = match &outcome {
            Outcome::Edits(value) => {
                let edits = value.get("edits").and_then(Value::as_array).map_or(0, <[Value]>::len);
                format!("{edits} edits of {count} objects, {fuel} fuel")
            }
            Outcome::Refused(_) => "refused as expected".to_owned(),
        };
        Ok(told)
    }

    fn once(
        &self,
        case: &Case,
        objects: Vec<Object>,
        (shuffle, seed, part): (u64, u64, usize),
    ) -> Result<(Outcome, u64), String> {
        let plugin = self.plugin.clone().with_seed(seed);
        let trial = Trial { runtime: self.runtime, plugin: &plugin, limits: self.limits };
        let rendered = trial.run(case, objects, shuffle, part);
        let fuel = rendered.report.plugins.iter().map(|run| run.fuel).sum();
        if rendered.report.problems.is_empty() {
            return Ok((Outcome::Edits(edits(&rendered)), fuel));
        }
        let failures: Vec<Problem> =
            rendered.report.problems.iter().filter(|problem| !is_refusal(problem)).cloned().collect();
        if !failures.is_empty() {
            return Err(lines(&failures));
        }
        // Builds of some languages have another digest each time.
        let text = lines(&rendered.report.problems).replace(&self.plugin.digest, "sha256:[..]");
        Ok((Outcome::Refused(text), fuel))
    }

    fn compare(&self, folder: &Path, outcome: &Outcome) -> Result<(), String> {
        let (name, other, found) = match outcome {
            Outcome::Edits(value) => {
                let mut text = String::new();
                write::yaml_document(&mut text, value);
                ("edits.yaml", "error.txt", text)
            }
            Outcome::Refused(text) => ("error.txt", "edits.yaml", format!("{text}\n")),
        };
        let path = folder.join(name);
        let expected = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("{name}: {error}")),
        };
        if expected == found && !folder.join(other).exists() {
            return Ok(());
        }
        if self.update {
            match fs::remove_file(folder.join(other)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(format!("{other}: {error}")),
                _ => {}
            }
            console::note(&format!("{} is written", path.display()));
            return write_atomically(&path, found.as_bytes()).map_err(|error| format!("{error:#}"));
        }
        if folder.join(other).exists() {
            return Err(format!("{other} is expected, and there is this:\n{found}"));
        }
        if expected.is_empty() {
            return Err(format!("has neither edits.yaml nor error.txt; `--update` writes {name}:\n{found}"));
        }
        Err(format!("differs from {name}:\n{}", diff::unified(name, "now", &expected, &found)))
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

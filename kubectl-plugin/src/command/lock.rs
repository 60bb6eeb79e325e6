//! `lock`: writes lathe.lock for the plugins as they are, and shows what changes.

use lathe_pipeline::{Descriptor, Lock, Problem};

use super::project::{self, Project};
use crate::cli;
use crate::console::{self, Failure};
use crate::settings::Settings;
use crate::supply::Want;

pub(crate) fn run(flags: &cli::Lock, settings: &Settings) -> anyhow::Result<()> {
    let project = Project::need(flags.pipeline.as_deref())?;
    let plugins = project.plugins(settings, Want::Latest)?;
    let runtime = project::runtime(settings)?;
    let mut problems = Vec::new();
    for (name, prepared) in plugins.iter() {
        // A plugin that cannot even say what it is gets into no lock.
        match runtime.describe(&prepared.plugin, &prepared.limits) {
            Err(error) => problems.push(Problem::from(error)),
            Ok(text) => {
                if let Err(told) = Descriptor::parse(&text) {
                    problems.push(Problem::new("plugin-fault", format!("the plugin {told}")).by(name));
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(Failure::refused("a plugin cannot be locked", &problems).into());
    }
    let file = project.lock_file();
    let name = file.display();
    let lock = Lock::of(&plugins);
    let before = project.lock()?;
    if before.as_ref() == Some(&lock) {
        console::note(&format!("{name} is up to date"));
        return Ok(());
    }
    if let Some(before) = &before
        && !flags.accept
    {
        let widened = before.widened(&plugins);
        if !widened.is_empty() {
            let failure = Failure::refused("more is asked for than the lock grants; nothing is written", &[]);
            let hint = "`lock --accept` grants it";
            return Err(failure.with_problems(widened).with_hint(hint).into());
        }
    }
    match &before {
        Some(before) => {
            before.differences(&plugins).iter().for_each(|line| console::note(&format!("{name}: {line}")));
        }
        None => {
            for (plugin, locked) in &lock.plugins {
                let rights =
                    if locked.rights.is_empty() { "none".to_owned() } else { locked.rights.join(", ") };
                console::note(&format!("{name}: {plugin}, {}, rights: {rights}", locked.digest));
            }
        }
    }
    project::write_atomically(&file, lock.to_yaml().as_bytes())
}

//! `explain`: which plugin wrote a field, and what stood there before.

use std::fmt::Write as _;

use lathe_manifest::{Object, Pointer};
use lathe_pipeline::{Output, Plugins, Write};

use super::project::Project;
use crate::cli;
use crate::console::{self, Failure};
use crate::settings::Settings;

pub(crate) fn run(flags: &cli::Explain, settings: &Settings) -> anyhow::Result<()> {
    let place = Pointer::parse(&flags.pointer)
        .map_err(|error| Failure::usage(format!("`{}`: {error}", flags.pointer)))?;
    let project = Project::need(flags.source.pipeline.as_deref())?;
    let environment = project.environment(&flags.target)?;
    let ready = project.ready(false, settings)?;
    let inputs = project.inputs(&flags.source, &environment)?;
    let rendered = project.render(&ready, &environment, Output::References).run(inputs.objects);
    if !rendered.report.problems.is_empty() {
        let count = rendered.report.problems.len();
        console::warn(&format!(
            "the run is refused for {count} problems, which `render` lists; this is how far it came"
        ));
    }
    let all = rendered.objects.iter().map(|object| (true, object));
    let all = all.chain(rendered.dropped.iter().map(|object| (false, object)));
    let mut out = String::new();
    for (there, (key, object)) in all.filter(|(_, (_, object))| is_named(object, &flags.object)) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}{}", object.label(), if there { "" } else { ", taken out" });
        if there && place.get(&object.value).is_none() {
            let _ = writeln!(out, "  nothing stands at {}", flags.pointer);
        }
        let below = format!("{}/", flags.pointer);
        let fields = rendered.provenance.of(*key).filter(|(pointer, _)| {
            flags.pointer.is_empty() || *pointer == flags.pointer || pointer.starts_with(&below)
        });
        let mut any = false;
        for (pointer, writes) in fields {
            any = true;
            let name = if pointer.is_empty() { "(the object)" } else { pointer };
            let _ = writeln!(out, "  {name}");
            for write in writes {
                tell(&mut out, write, &ready.plugins);
            }
        }
        if !any {
            let _ = writeln!(out, "  no plugin wrote this; it stands as in the input");
        }
    }
    if out.is_empty() {
        let failure = Failure::usage(format!("no object of the rendered set is called `{}`", flags.object));
        return Err(failure.with_hint("name it as Kind/name, or Kind/namespace/name").into());
    }
    console::print(&out)
}

fn tell(out: &mut String, write: &Write, plugins: &Plugins) {
    let digest =
        plugins.iter().find(|(name, _)| *name == write.plugin).map(|(_, p)| p.plugin.digest.as_str());
    // Writing to a String cannot fail.
    let _ = writeln!(out, "    {} ({})", write.plugin, digest.unwrap_or("?"));
    let _ = writeln!(out, "      before: {}", write.before.as_deref().unwrap_or("nothing"));
    let _ = writeln!(out, "      after:  {}", write.after.as_deref().unwrap_or("nothing"));
}

fn is_named(object: &Object, name: &str) -> bool {
    let short = format!("{}/{}", object.kind(), object.name());
    name.eq_ignore_ascii_case(&short) || name.eq_ignore_ascii_case(&object.label())
}

//! `plugin …`: the author's verbs and the registry's.

mod build;
mod inspect;
mod new;
mod project;
mod registry;
mod run;
mod test;

use crate::cli::Plugin;
use crate::settings::Settings;

pub(crate) fn dispatch(verb: &Plugin, settings: &Settings) -> anyhow::Result<()> {
    match verb {
        Plugin::New(flags) => new::run(flags, settings),
        Plugin::Build(flags) => build::run(flags),
        Plugin::Test(flags) => test::run(flags, settings),
        Plugin::Run(flags) => run::run(flags, settings),
        Plugin::Inspect(flags) => inspect::run(flags, settings),
        Plugin::Push(flags) => registry::push(flags, settings),
        Plugin::Pull(flags) => registry::pull(flags, settings),
        Plugin::Bundle(flags) => registry::bundle(flags, settings),
    }
}

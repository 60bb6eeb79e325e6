//! `completion`: a shell's completion script.

use clap::CommandFactory as _;

use crate::cli::{Cli, Completion};
use crate::console;

pub(crate) fn run(flags: &Completion) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(flags.shell, &mut Cli::command(), "kubectl-lathe", &mut script);
    console::print(&String::from_utf8_lossy(&script))
}

//! `aai rotate`: a client gets other credentials.

use lathe_aai::Clients;

use super::{Declaring, failure};
use crate::cli;
use crate::console;
use crate::settings::{Settings, milliseconds, now};

pub(super) fn run(flags: &cli::AaiRotate, settings: &Settings) -> anyhow::Result<()> {
    let declaring = Declaring::find(&flags.source, &flags.target, settings)?;
    let declared = declaring.clients.named(&flags.name)?.clone();
    let state = flags.target.state.as_deref();
    let done = declaring.work(state, &flags.holder, settings, async |declaring, store, halt| {
        let halted = || halt.why();
        let clients = Clients { store, sources: declaring.clients.sources(), now: &now, halted: &halted };
        let label = &flags.name;
        let wanted = declaring.clients.must(&declared).map_err(|error| failure(label, &error))?;
        Ok(clients
            .rotate(&wanted, flags.now, milliseconds())
            .await
            .map_err(|error| failure(label, &error))?)
    })?;
    done.warnings.iter().for_each(|warning| console::warn(warning));
    console::print(&format!("client {} rotated\n", flags.name))?;
    console::note("workloads read the new credentials when they start; the next `apply` makes them anew");
    Ok(())
}

//! `aai import`: a client that somebody registered becomes the environment's.

use lathe_aai::{Clients, Registration, Terms};

use super::{Declaring, failure, secret_of};
use crate::cli;
use crate::console;
use crate::console::Failure;
use crate::settings::{Settings, milliseconds, now};

pub(super) fn run(flags: &cli::AaiImport, settings: &Settings) -> anyhow::Result<()> {
    if [&flags.client_secret_file, &flags.token_file].iter().all(|file| file.as_deref() == Some("-")) {
        return Err(Failure::usage("standard input holds the secret or the token, not both").into());
    }
    let declaring = Declaring::find(&flags.source, &flags.target, settings)?;
    let read = |file: &Option<String>| file.as_deref().map(secret_of).transpose();
    let registration = Registration {
        client_id: flags.client_id.clone(),
        client_secret: read(&flags.client_secret_file)?,
        secret_expires_at: 0,
        client_uri: flags.client_uri.clone(),
        token: read(&flags.token_file)?,
    };
    let declared = declaring.clients.named(&flags.name)?.clone();
    let needs_secret = declared.keys().iter().any(|(field, _)| *field == "client-secret");
    if needs_secret && registration.client_secret.is_none() && registration.token.is_none() {
        let failure = Failure::usage(format!("client `{}` has a secret, and none is given", flags.name));
        return Err(failure.with_hint("`--client-secret-file FILE` names the file that holds it").into());
    }
    let state = flags.target.state.as_deref();
    let done = declaring.work(state, &flags.holder, settings, async |declaring, store, halt| {
        let halted = || halt.why();
        let clients = Clients { store, sources: declaring.clients.sources(), now: &now, halted: &halted };
        let label = &flags.name;
        let wanted = declaring.clients.must(&declared).map_err(|error| failure(label, &error))?;
        let terms = Terms { adopt: flags.adopt, fresh: milliseconds(), ..Terms::default() };
        Ok(clients.import(&wanted, registration, terms).await.map_err(|error| failure(label, &error))?)
    })?;
    console::print(&format!("client {} {}\n", flags.name, done.deed.name()))
}

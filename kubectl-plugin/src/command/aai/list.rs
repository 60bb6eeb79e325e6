//! `aai list`: the clients that are known.

use lathe_aai::Record;
use serde_json::{Value, json};

use super::Known;
use crate::cli::{self, TableFormat};
use crate::console;
use crate::settings::Settings;

pub(super) fn run(flags: &cli::AaiList, settings: &Settings) -> anyhow::Result<()> {
    let known = Known::find(&flags.place)?;
    let all = known.each(settings, async |_, known, _, _| Ok(known))?;
    let records: Vec<Record> = all.into_iter().flatten().map(|kept| kept.record).collect();
    if records.is_empty() {
        console::note("no client is known here");
    }
    match flags.output {
        TableFormat::Json => {
            let clients: Vec<Value> = records.iter().map(to_json).collect();
            console::print(&format!("{:#}\n", json!({ "clients": clients })))
        }
        TableFormat::Table => console::print(&table(&records)),
    }
}

fn table(records: &[Record]) -> String {
    let head = ["CLIENT", "ENVIRONMENT", "PHASE", "CLIENT-ID", "ISSUER", "EXPIRES"].map(ToOwned::to_owned);
    let row = |record: &Record| {
        let [_, environment, review] = &record.identity;
        let place = if review.is_empty() { environment.clone() } else { format!("{environment}/{review}") };
        let id = record.registration.as_ref().map(|own| own.client_id.clone()).unwrap_or_default();
        let phase = record.phase.name().to_owned();
        let cells =
            [record.name.clone(), place, phase, id, record.issuer.issuer.clone(), record.expires.clone()];
        cells.map(|text| if text.is_empty() { "-".to_owned() } else { console::plain(&text) })
    };
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(records.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// All that is known, but for secrets.
pub(super) fn to_json(record: &Record) -> Value {
    let [project, environment, review] = &record.identity;
    let registration = record.registration.as_ref();
    json!({
        "name": record.name,
        "key": record.key,
        "project": project,
        "environment": environment,
        "review": review,
        "namespace": record.namespace,
        "secretName": record.secret_name,
        "keys": record.keys,
        "issuer": record.issuer.issuer,
        "mode": record.issuer.mode.name(),
        "phase": record.phase.name(),
        "clientId": registration.map(|own| own.client_id.clone()),
        "clientUri": registration.and_then(|own| own.client_uri.clone()),
        "hasSecret": registration.is_some_and(|own| own.client_secret.is_some()),
        "hasToken": registration.is_some_and(|own| own.token.is_some()),
        "secretExpiresAt": registration.map(|own| own.secret_expires_at),
        "redirectUris": record.redirect_uris,
        "scopes": record.scopes,
        "authMethod": record.auth_method.name(),
        "generation": record.generation,
        "superseded": record.superseded.iter().map(|own| own.client_id.clone()).collect::<Vec<_>>(),
        "suspects": record.suspects,
        "changedAt": record.at,
        "expires": record.expires,
    })
}

//! `aai show`: one client, as it is known or as it is asked for.

use std::fmt::Write as _;

use lathe_aai::{Form, Record, Store as _};
use lathe_manifest::{Map, Object, Value, write};

use super::{AnyStore, ClusterStore, Declaring, list, open};
use crate::cli::{self, ShowFormat};
use crate::command::{connection, wanted};
use crate::console::{self, Failure};
use crate::settings::Settings;

pub(super) fn run(flags: &cli::AaiShow, settings: &Settings) -> anyhow::Result<()> {
    if flags.output == ShowFormat::Secret && settings.ci && !flags.force_plain {
        let failure = Failure::usage("`-o secret` writes values, and this is CI, whose logs others read");
        return Err(failure.with_hint("`--force-plain` writes them all the same").into());
    }
    let declaring = Declaring::find(&flags.source, &flags.target, settings)?;
    let declared = declaring.clients.named(&flags.name)?;
    if flags.output == ShowFormat::Request {
        let Some(issuer) = declaring.clients.issuer(declared) else {
            return Err(Failure::usage(format!("client `{}` names no issuer", flags.name)).into());
        };
        return console::print(&Form::new(declared, &declaring.clients.identity, issuer).to_json());
    }
    let read = async |store: &AnyStore<'_>| -> anyhow::Result<Option<Record>> {
        let kept = store.read(&declared.key).await;
        let kept = kept.map_err(|why| Failure::refused(format!("client {}: {why}", flags.name), &[]))?;
        Ok(kept.map(|kept| kept.record))
    };
    let record = if let Some(file) = &flags.target.state {
        let store = AnyStore::File(open(file)?);
        connection::alone(async |_| read(&store).await)?
    } else {
        let pins = wanted::pins(&declaring.project, &declaring.environment);
        connection::run(settings, pins.as_ref(), async |cluster, _| {
            let store = ClusterStore { cluster: &cluster, namespace: &declaring.ops_namespace };
            read(&AnyStore::Cluster(store)).await
        })?
    };
    let Some(record) = record else {
        return Err(Failure::refused(format!("client `{}` is not known here", flags.name), &[])
            .with_hint("`apply` or `aai sync` registers it")
            .into());
    };
    match flags.output {
        ShowFormat::Json => console::print(&format!("{:#}\n", list::to_json(&record))),
        ShowFormat::Secret => console::print(&secret(&record)),
        ShowFormat::Text | ShowFormat::Request => console::print(&text(&record)),
    }
}

fn text(record: &Record) -> String {
    let registration = record.registration.as_ref();
    let facts = [
        ("phase", record.phase.name().to_owned()),
        ("client id", registration.map(|own| own.client_id.clone()).unwrap_or_default()),
        ("issuer", format!("{} ({})", record.issuer.issuer, record.issuer.mode.name())),
        ("secret", format!("{}/{}", record.namespace, record.secret_name)),
        ("redirects", record.redirect_uris.join(" ")),
        ("scopes", record.scopes.join(" ")),
        ("marker", format!("[lathe:{}]", record.key)),
        ("changed", record.at.clone()),
        ("expires", record.expires.clone()),
    ];
    let mut out = format!("{}\n", record.label());
    // Writing to a String cannot fail.
    for (name, fact) in facts.into_iter().filter(|(_, fact)| !fact.is_empty()) {
        let _ = writeln!(out, "  {name:<10} {}", console::plain(&fact));
    }
    for suspect in &record.suspects {
        let _ = writeln!(out, "  a client may be left at the provider: {}", console::plain(suspect));
    }
    out
}

/// The Secret, for who applies it himself.
fn secret(record: &Record) -> String {
    let map = |entries: Vec<(String, Value)>| {
        let mut map = Map::new();
        for (name, value) in entries {
            map.insert(name, value);
        }
        Value::Object(map)
    };
    let text = |text: &str| Value::from(text);
    let values = record.values().into_iter().map(|(name, value)| (name, text(value.expose()))).collect();
    let metadata = vec![
        ("name".to_owned(), text(&record.secret_name)),
        ("namespace".to_owned(), text(&record.namespace)),
    ];
    let object = map(vec![
        ("apiVersion".to_owned(), text("v1")),
        ("kind".to_owned(), text("Secret")),
        ("metadata".to_owned(), map(metadata)),
        ("stringData".to_owned(), map(values)),
    ]);
    Object::added(object).map(|object| write::yaml([&object])).unwrap_or_default()
}

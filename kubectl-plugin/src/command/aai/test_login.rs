//! `aai test-login`: a user logs in as the application would have it.

use lathe_aai::{Login, Step};
use serde_json::json;

use super::Known;
use crate::cli::{self, TableFormat};
use crate::command::clients::allowed;
use crate::command::connection;
use crate::console::{self, Failure};
use crate::settings::{Settings, variable};

pub(super) fn run(flags: &cli::AaiTestLogin, settings: &Settings) -> anyhow::Result<()> {
    let known = Known::find(&flags.place)?;
    let found = known.each(settings, async |_, own, _, _| Ok(own))?;
    let found: Vec<_> = found.into_iter().flatten().filter(|kept| kept.record.name == flags.name).collect();
    let record = match found.as_slice() {
        [one] => &one.record,
        [] => return Err(Failure::refused(format!("client `{}` is not known here", flags.name), &[]).into()),
        several => {
            let labels: Vec<String> = several.iter().map(|kept| kept.record.label()).collect();
            let told = format!("several clients are called so: {}", labels.join(", "));
            return Err(Failure::usage(told).with_hint("`--env NAME` and `--review ID` say which").into());
        }
    };
    allowed(&record.issuer.issuer, settings)?;
    let Some(password) = variable(&flags.password_env).filter(|text| !text.is_empty()) else {
        return Err(Failure::usage(format!("the variable `{}` is not set", flags.password_env))
            .with_hint("`--password-env VARIABLE` names the one that holds the test user's password")
            .into());
    };
    let first = record.redirect_uris.first().cloned().unwrap_or_default();
    let redirect_uri = flags.redirect_uri.clone().unwrap_or(first);
    let password = password.into();
    let tell = |step: Step, what: &str| console::note(&format!("ok: {} ({what})", step.name()));
    let login = Login {
        record,
        redirect_uri: &redirect_uri,
        user: &flags.username,
        password: &password,
        tell: &tell,
    };
    let done = connection::alone(async |_| Ok(tokio::time::timeout(flags.timeout, login.run()).await))?;
    let claims = match done {
        Ok(Ok(claims)) => claims,
        Ok(Err(error)) => return Err(Failure::refused(error.to_string(), &[]).into()),
        Err(_) => return Err(Failure::refused("the login takes too long", &[]).into()),
    };
    match flags.output {
        TableFormat::Json => {
            let (client, redirect) = (&record.name, &redirect_uri);
            console::print(&format!(
                "{:#}\n",
                json!({"client": client, "redirectUri": redirect, "claims": claims})
            ))
        }
        TableFormat::Table => {
            let lines = claims.iter().map(|(name, text)| format!("{name:<20} {}\n", console::plain(text)));
            console::print(&lines.collect::<String>())
        }
    }
}

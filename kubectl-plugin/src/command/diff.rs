//! `diff`: what an apply would change on the cluster, or what sets two renders apart.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lathe_cluster::{Action, Apply, Difference, Managed, Outcome};
use lathe_manifest::{Object, Value, json, write};
use lathe_pipeline::{Change, Diff, Pair};

use super::wanted::{self, Ask, InSet, Wanted};
use super::{applied, apply, connection, project};
use crate::cli::{self, DiffFormat};
use crate::console::{self, Failure};
use crate::settings::{Settings, milliseconds, variable};

pub(crate) fn run(flags: &cli::Diff, settings: &Settings) -> anyhow::Result<()> {
    let (env, review, state) = (flags.env.clone(), flags.review.clone(), flags.state.clone());
    let target = cli::Target { env, review, state, from: None };
    let ask = Ask { source: &flags.source, target: &target, offline: flags.offline, keep_live: false };
    if let Some(file) = &flags.from {
        let wanted = wanted::references(&ask, settings)?;
        return tell(&between(file, &wanted, flags)?, flags);
    }
    let mut wanted = wanted::find(&ask, settings)?;
    let outcome = plan(&mut wanted, settings)?;
    outcome.warnings.iter().for_each(|warning| console::warn(warning));
    let diff = diff(&outcome, &wanted);
    let whole = outcome.failures.is_empty() && outcome.lost.is_none();
    if let Some(program) = variable("KUBECTL_EXTERNAL_DIFF").filter(|_| whole) {
        external(&program, &outcome.differences, &wanted)?;
        // What it cannot see: what is planned, or leaves.
        return if diff.is_empty() { Ok(()) } else { tell(&diff, flags) };
    }
    if outcome.failures.is_empty() && outcome.lost.is_none() {
        return tell(&diff, flags);
    }
    console::print(&diff.to_text())?;
    Err(apply::failure(outcome, &wanted.mask, ["partly compared", "this is not all that differs"]).into())
}

/// What an apply would do.
fn plan(wanted: &mut Wanted, settings: &Settings) -> anyhow::Result<Outcome> {
    let set = wanted.environment.as_ref().map(|environment| {
        let InSet { set, digest, folder, .. } = environment;
        // Who looks is neither newer nor older.
        let applied = applied::of("", digest, None, folder, Some(u64::MAX));
        let patience = Duration::ZERO;
        Managed { set: set.clone(), applied, holder: String::new(), patience, agree: &|_| Ok(()) }
    });
    let pins = wanted.pins.clone();
    connection::run(settings, pins.as_ref(), async |cluster, halt| {
        wanted.stamp(&cluster, milliseconds()).await?;
        let apply = Apply {
            namespace: wanted.namespace.clone().unwrap_or_else(|| cluster.namespace.clone()),
            only_namespace: settings.namespace.is_some(),
            owner: wanted.owner.clone(),
            made_from: wanted.made_from.clone(),
            dry_run: true,
            keep: true,
            force_conflicts: false,
            adopt: false,
            hooks: true,
            wait: false,
            timeout: Duration::ZERO,
            clients: None,
            set,
            halt,
            tell: &|_| {},
        };
        Ok(apply.run(&cluster, &wanted.objects).await)
    })
}

fn diff(outcome: &Outcome, wanted: &Wanted) -> Diff {
    let mut known: BTreeMap<&str, Vec<&Difference>> = BTreeMap::new();
    for difference in &outcome.differences {
        known.entry(difference.object.as_str()).or_default().push(difference);
    }
    let mut objects = Vec::new();
    let mut unchanged = 0;
    for entry in &outcome.entries {
        // Two of one name in two API groups: their fields are not told rather than mixed up.
        let difference = known.get(entry.object.as_str()).and_then(|all| match all.as_slice() {
            [one] => Some(*one),
            _ => None,
        });
        let parse = |text: &Option<String>| text.as_deref().and_then(|text| json::parse(text).ok());
        let before = difference.and_then(|difference| parse(&difference.before));
        let after = difference.and_then(|difference| parse(&difference.after));
        let change = match entry.action {
            Action::Created => Change::Create,
            Action::Changed => Change::Update,
            Action::Replaced => Change::Replace,
            Action::Deleted => Change::Delete,
            Action::Left => Change::Leave,
            Action::Planned => Change::Planned,
            Action::Ran => Change::Run,
            _ => Change::Unchanged,
        };
        let identity = difference.map(|difference| difference.identity.clone()).unwrap_or_default();
        let pair = Pair {
            object: entry.object.clone(),
            identity,
            before: before.as_ref(),
            after: after.as_ref(),
            change,
        };
        let told = pair.compare(&wanted.changes, &|text| wanted.mask.hide(text));
        // An object that changes only by the set's own label is still written.
        if told.change == Change::Unchanged { unchanged += 1 } else { objects.push(told) }
    }
    Diff::new(objects, unchanged, outcome.plan.clone())
}

/// API group, kind, namespace and name.
type Key = [String; 4];

/// What sets the render apart from an earlier one.
fn between(file: &Path, wanted: &Wanted, flags: &cli::Diff) -> anyhow::Result<Diff> {
    let source = cli::Source {
        filename: vec![file.display().to_string()],
        pipeline: None,
        lenient_duplicates: flags.source.lenient_duplicates,
    };
    let earlier = project::files(&source)?;
    let key = |object: &Object| -> Key {
        let name = if object.is_create_only() { object.label() } else { object.name().to_owned() };
        [object.group().to_owned(), object.kind().to_owned(), object.namespace().to_owned(), name]
    };
    let before: BTreeMap<Key, &Object> = earlier.objects.iter().map(|object| (key(object), object)).collect();
    let after: BTreeMap<Key, &Object> = wanted.objects.iter().map(|object| (key(object), object)).collect();
    let (mut objects, mut unchanged) = (Vec::new(), 0);
    let keys: std::collections::BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (old, new) = (before.get(key), after.get(key));
        let change = match (old, new) {
            (None, _) => Change::Create,
            (_, None) => Change::Delete,
            (Some(old), Some(new)) if old.value == new.value => Change::Unchanged,
            _ => Change::Update,
        };
        let Some(label) = old.or(new).map(|object| object.label()) else { continue };
        let (before, after) = (old.map(|object| &object.value), new.map(|object| &object.value));
        let told = Pair { object: label, identity: key.clone(), before, after, change }
            .compare(&wanted.changes, &|text| wanted.mask.hide(text));
        if told.change == Change::Unchanged { unchanged += 1 } else { objects.push(told) }
    }
    Ok(Diff::new(objects, unchanged, String::new()))
}

/// Prints it. Exit code 1 says that something differs, as with diff(1).
fn tell(diff: &Diff, flags: &cli::Diff) -> anyhow::Result<()> {
    match flags.output {
        DiffFormat::Json => console::print(&diff.to_json())?,
        DiffFormat::Text => console::print(&diff.to_text())?,
    }
    if diff.is_empty() { Ok(()) } else { Err(Failure::told(1).into()) }
}

/// Has another program compare, as `kubectl diff` does: two folders, a file for each object, secrets hidden.
fn external(program: &str, differences: &[Difference], wanted: &Wanted) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("lathe-diff-").tempdir()?;
    let (live, merged) = (folder.path().join("LIVE"), folder.path().join("MERGED"));
    fs::create_dir(&live)?;
    fs::create_dir(&merged)?;
    for difference in differences.iter().filter(|difference| difference.action != Action::Unchanged) {
        let parts: Vec<&str> =
            difference.identity.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        let name = parts.join(".").replace('/', "_");
        for (side, text, word) in
            [(&live, &difference.before, "before"), (&merged, &difference.after, "after")]
        {
            let Some(mut value) = text.as_deref().and_then(|text| json::parse(text).ok()) else { continue };
            quiet(&mut value, word);
            if let Some(object) = Object::added(value) {
                fs::write(side.join(&name), wanted.mask.hide(&write::yaml([&object])))?;
            }
        }
    }
    // As kubectl splits it: words, of which those with other signs than letters, digits, `.`, `_`, `/` and `-` are left out.
    let plain = |word: &&str| word.chars().all(|c| c.is_alphanumeric() || "=._/-".contains(c));
    let mut words = program.split_whitespace().filter(plain);
    let Some(first) = words.next() else {
        return Err(Failure::usage("KUBECTL_EXTERNAL_DIFF names no program").into());
    };
    let status = Command::new(first).args(words).arg(&live).arg(&merged).status();
    let status = status.map_err(|error| Failure::usage(format!("{first}: {error}")))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(Failure::told(1).into()),
        _ => Err(Failure::usage(format!("{first}: {status}")).into()),
    }
}

/// Takes away what only the server writes, and hides a Secret's values.
fn quiet(value: &mut Value, word: &str) {
    let is_secret = value.str_at(&["kind"]) == Some("Secret") && value.str_at(&["apiVersion"]) == Some("v1");
    let Some(map) = value.as_object_mut() else { return };
    map.remove("status");
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    for part in if is_secret { &["data", "stringData"][..] } else { &[] } {
        if let Some(Value::Object(values)) = map.get_mut(part) {
            let keys: Vec<String> = values.iter().map(|(key, _)| key.to_owned()).collect();
            for key in keys {
                values.insert(key.as_str(), format!("*** ({word})").as_str().into());
            }
        }
    }
}

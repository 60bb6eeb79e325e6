//! `--output-dir`: a file for each object, under a name that follows from the object alone.
//!
//! A list of what was written, with digests, lies beside the files. It decides what may be overwritten and removed: what
//! somebody else put there, or changed, stays as it is, and the run says so.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use lathe_manifest::{Object, digest, write};
use serde_json::Value;

use super::project::write_atomically;
use crate::cli::ObjectFormat;
use crate::console::{self, Failure};

/// The list of what was written.
const LIST: &str = ".lathe-files.json";

/// The longest name of a file that is used as it is; file systems end at 255 bytes.
const LONGEST: usize = 200;

/// Names of files, each with the digest of what was written there.
type Files = BTreeMap<String, String>;

pub(super) fn write<'a>(
    folder: &Path,
    objects: impl Iterator<Item = &'a Object>,
    format: ObjectFormat,
) -> anyhow::Result<()> {
    let ending = match format {
        ObjectFormat::Yaml => "yaml",
        ObjectFormat::Json => "json",
        ObjectFormat::Jsonl => {
            return Err(Failure::usage(
                "`-o jsonl` is a stream, and `--output-dir` writes a file per object",
            )
            .into());
        }
    };
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for object in objects {
        let name = format!("{}.{ending}", stem(object));
        if files.insert(name.clone(), one(object, format)).is_some() {
            // Kinds that differ by case alone; a file must not stand for two objects.
            return Err(Failure::refused(
                format!("two objects would be the file {name}; nothing is written"),
                &[],
            )
            .into());
        }
    }
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let known = listed(folder)?;
    let foreign: Vec<String> = files
        .iter()
        .filter(|(name, text)| {
            state(folder, name, known.get(*name)) == State::Foreign && !holds(folder, name, text)
        })
        .map(|(name, _)| format!("{}: it is there, and Lathe did not write it", folder.join(name).display()))
        .collect();
    if !foreign.is_empty() {
        let failure =
            Failure::refused("files are in the way; nothing is written", &[]).with_problems(foreign);
        return Err(failure.with_hint("move them away, or name another folder").into());
    }
    let mut list: Files =
        files.iter().map(|(name, text)| (name.clone(), digest::of_bytes(text.as_bytes()))).collect();
    let stale: Vec<(&String, &String)> =
        known.iter().filter(|(name, _)| !files.contains_key(*name)).collect();
    // While files are written, the list names the old and the new ones, so that a run that is killed loses none.
    let both = stale.iter().map(|(name, digest)| ((*name).clone(), (*digest).clone()));
    keep(folder, &list.clone().into_iter().chain(both).collect())?;
    let mut written = 0;
    for (name, text) in &files {
        if !holds(folder, name, text) {
            write_atomically(&folder.join(name), text.as_bytes())?;
            written += 1;
        }
    }
    let mut removed = 0;
    for (name, digest) in stale {
        match state(folder, name, Some(digest)) {
            State::Ours => {
                fs::remove_file(folder.join(name))
                    .with_context(|| folder.join(name).display().to_string())?;
                removed += 1;
            }
            State::Foreign => {
                let path = folder.join(name);
                console::warn(&format!("{}: it was changed since Lathe wrote it, and stays", path.display()));
            }
            State::Gone => {}
        }
        list.remove(name);
    }
    keep(folder, &list)?;
    let all = files.len();
    console::note(&format!(
        "{}: {all} files, {written} of them written, {removed} removed",
        folder.display()
    ));
    Ok(())
}

/// What lies under a name.
#[derive(PartialEq, Eq)]
enum State {
    Gone,
    /// What Lathe wrote, unchanged.
    Ours,
    Foreign,
}

fn state(folder: &Path, name: &str, digest: Option<&String>) -> State {
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => State::Gone,
        Ok(meta) if meta.is_file() => {
            let same = digest
                .is_some_and(|digest| fs::read(&path).is_ok_and(|have| digest::of_bytes(&have) == *digest));
            if same { State::Ours } else { State::Foreign }
        }
        _ => State::Foreign,
    }
}

/// Whether a plain file of this name holds the text already.
fn holds(folder: &Path, name: &str, text: &str) -> bool {
    let path = folder.join(name);
    fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file())
        && fs::read(&path).is_ok_and(|have| have == text.as_bytes())
}

/// The list as an earlier run left it. Names that lead elsewhere are none of ours.
fn listed(folder: &Path) -> anyhow::Result<Files> {
    let path = folder.join(LIST);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Files::new()),
        Err(error) => return Err(Failure::usage(format!("{}: {error}", path.display())).into()),
    };
    let list: Value = serde_json::from_str(&text)
        .map_err(|_| Failure::usage(format!("{} is not a list that Lathe wrote", path.display())))?;
    let entries = list["files"].as_object().cloned().unwrap_or_default().into_iter();
    let plain = |name: &str| !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    let text = |digest: Value| digest.as_str().map(ToOwned::to_owned);
    Ok(entries
        .filter(|(name, _)| plain(name))
        .filter_map(|(name, digest)| Some((name, text(digest)?)))
        .collect())
}

fn keep(folder: &Path, files: &Files) -> anyhow::Result<()> {
    let list = serde_json::json!({"files": files});
    write_atomically(&folder.join(LIST), format!("{list:#}\n").as_bytes())
}

fn one(object: &Object, format: ObjectFormat) -> String {
    if format == ObjectFormat::Json { write::json_lines([object]) } else { write::yaml([object]) }
}

/// `kind.group_namespace_name`, in letters that every file system tells apart.
fn stem(object: &Object) -> String {
    let mut kind = object.kind().to_ascii_lowercase();
    if !object.group().is_empty() {
        kind = format!("{kind}.{}", object.group());
    }
    let name = match object.name() {
        // Such objects are told apart by what they hold.
        "" => {
            let prefix = object.value.str_at(&["metadata", "generateName"]).unwrap_or_default();
            let digest = digest::of_value(&object.value);
            format!("{prefix}{}", digest.trim_start_matches("sha256:").get(..12).unwrap_or_default())
        }
        name => name.to_owned(),
    };
    let parts = [kind.as_str(), object.namespace(), &name];
    let parts: Vec<String> = parts.iter().filter(|part| !part.is_empty()).map(|part| encode(part)).collect();
    let stem = parts.join("_");
    if stem.len() <= LONGEST {
        return stem;
    }
    let digest = digest::of_bytes(stem.as_bytes());
    let cut = stem.floor_char_boundary(LONGEST - 64);
    format!("{}{}", &stem[..cut], digest.trim_start_matches("sha256:"))
}

/// Percent-encodes all but `a-z`, `0-9`, `-` and `.`; a dot at the start is encoded too, for it hides files.
fn encode(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for (index, byte) in part.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => out.push(char::from(byte)),
            b'.' if index > 0 => out.push('.'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;

    fn stem_of(text: &str) -> String {
        stem(&Object::added(json::parse(text).unwrap()).unwrap())
    }

    #[test]
    fn names_follow_from_the_object_and_stay_in_the_folder() {
        let object = |version: &str, kind: &str, metadata: &str| {
            stem_of(&format!(r#"{{"apiVersion":"{version}","kind":"{kind}","metadata":{metadata}}}"#))
        };
        assert_eq!(object("v1", "Namespace", r#"{"name":"a"}"#), "namespace_a");
        assert_eq!(object("apps/v1", "Deployment", r#"{"name":"a","namespace":"b"}"#), "deployment.apps_b_a");
        assert_eq!(
            object("v1", "X", r#"{"name":"../../etc/passwd"}"#),
            "x_%2E./../etc/passwd".replace('/', "%2F")
        );
        assert_eq!(object("v1", "X", r#"{"name":"A"}"#), "x_%41");
        assert_eq!(object("v1", "X", r#"{"name":"system:a_b"}"#), "x_system%3Aa%5Fb");
        let generated = object("batch/v1", "Job", r#"{"generateName":"a-"}"#);
        assert!(generated.starts_with("job.batch_a-") && generated.len() == "job.batch_a-".len() + 12);
        assert_eq!(object("v1", "X", &format!(r#"{{"name":"{}"}}"#, "é".repeat(300))).len(), LONGEST);
    }
}

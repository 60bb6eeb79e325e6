//! `--output-dir`: a file for each object, under a name that follows from the object alone.
//!
//! A list of what was written, with digests, lies beside the files. It decides what may be overwritten and removed: what
//! somebody else put there, or changed, stays as it is, and the run says so.

mod list;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use lathe_manifest::{Object, digest, write};

pub(crate) use self::list::LIST;
use self::list::{Files, Folder, State};
use crate::cli::ObjectFormat;
use crate::console::{self, Failure};

/// The longest name of a file that is used as it is; file systems end at 255 bytes.
const LONGEST: usize = 200;

/// A file that the folder is to hold.
struct Wanted {
    text: String,
    secret: bool,
    label: String,
    /// What lies there, and whether it is this text already.
    state: State,
    holds: bool,
}

pub(super) fn write<'a>(
    path: &Path,
    objects: impl Iterator<Item = &'a Object>,
    format: ObjectFormat,
    private: bool,
) -> anyhow::Result<()> {
    let mut texts = texts(objects, format)?;
    for text in texts.values_mut() {
        text.secret |= private;
    }
    let folder = Folder::open(path)?;
    for (name, wanted) in &mut texts {
        wanted.state = folder.state(name)?;
        wanted.holds = wanted.state != State::Gone && folder.holds(name, &wanted.text);
    }
    let old: Vec<String> = folder.names().filter(|name| !texts.contains_key(*name)).cloned().collect();
    let there = old.iter().filter(|name| folder.state(name).is_ok_and(|state| state == State::Ours)).count();
    if texts.is_empty() && there > 0 {
        // An input that failed to be made is empty, too.
        let failure = Failure::refused(
            format!(
                "the input holds no object, and {} holds {there} files of an earlier run",
                path.display()
            ),
            &[],
        );
        return Err(failure.with_hint("remove the folder if it is to be empty").into());
    }
    refuse_foreign(path, &folder, &texts)?;
    let files: Files = texts
        .iter()
        // What somebody else put there, equal as it is, stays theirs.
        .filter(|(_, wanted)| wanted.state != State::Foreign)
        .map(|(name, text)| (name.clone(), digest::of_bytes(text.text.as_bytes())))
        .collect();
    let todo: Vec<(&String, &Wanted)> = texts.iter().filter(|(_, wanted)| !wanted.holds).collect();
    let all = texts.len();
    if !todo.is_empty() || there > 0 {
        folder.sweep()?;
        folder.begin(&files)?;
    }
    for (index, (name, text)) in todo.iter().enumerate() {
        folder.write(name, &text.text, text.secret).with_context(|| {
            format!(
                "{}: {index} of {} files are written; run it again to write the rest",
                path.display(),
                todo.len()
            )
        })?;
    }
    let mut removed = 0;
    for name in &old {
        match folder.state(name)? {
            State::Ours => {
                folder.remove(name)?;
                removed += 1;
            }
            State::Changed | State::Foreign => {
                let file = path.join(name);
                console::warn(&format!("{}: it was changed since Lathe wrote it, and stays", file.display()));
            }
            State::Gone => {}
        }
    }
    if !folder.is(&files) {
        folder.end(&files)?;
    }
    let written = todo.len();
    console::note(&format!("{}: {all} files, {written} of them written, {removed} removed", path.display()));
    Ok(())
}

/// The text of each file, by its name.
fn texts<'a>(
    objects: impl Iterator<Item = &'a Object>,
    format: ObjectFormat,
) -> anyhow::Result<BTreeMap<String, Wanted>> {
    let ending = match format {
        ObjectFormat::Yaml => "yaml",
        ObjectFormat::Json => "json",
        ObjectFormat::Jsonl => {
            let told = "`-o jsonl` is a stream, and `--output-dir` writes a file per object";
            return Err(Failure::usage(told).into());
        }
    };
    let mut texts: BTreeMap<String, Wanted> = BTreeMap::new();
    let mut clashes = Vec::new();
    for object in objects {
        let name = format!("{}.{ending}", stem(object));
        let text = Wanted {
            text: one(object, format),
            secret: object.is_secret(),
            label: object.label(),
            state: State::Gone,
            holds: false,
        };
        if let Some(first) = texts.get(&name) {
            clashes.push(format!("{} and {} would both be {name}", first.label, text.label));
        }
        texts.insert(name, text);
    }
    if clashes.is_empty() {
        return Ok(texts);
    }
    // Kinds that differ by case or by where their group begins; a file must not stand for two objects.
    let failure = Failure::refused("objects share a file; nothing is written", &[]).with_problems(clashes);
    Err(failure.with_hint("render them without `--output-dir`").into())
}

/// Files that Lathe did not write as they are, in places where it would.
fn refuse_foreign(path: &Path, folder: &Folder, texts: &BTreeMap<String, Wanted>) -> anyhow::Result<()> {
    let mut foreign = Vec::new();
    for (name, text) in texts {
        let told = match text.state {
            State::Gone | State::Ours => continue,
            State::Changed | State::Foreign if text.holds => continue,
            State::Changed => "it was changed since Lathe wrote it",
            State::Foreign => "it is there, and Lathe did not write it",
        };
        foreign.push(format!("{}: {told}", path.join(name).display()));
    }
    if foreign.is_empty() {
        return Ok(());
    }
    let hint = if folder.has_list() {
        "move them away, or name another folder"
    } else {
        "the folder has no list of what Lathe wrote there (`.lathe-files`); move the files away, or name another folder"
    };
    let failure = Failure::refused("files are in the way; nothing is written", &[]).with_problems(foreign);
    Err(failure.with_hint(hint).into())
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
    let cut = stem.floor_char_boundary(LONGEST - 65);
    format!("{}_{}", &stem[..cut], digest.trim_start_matches("sha256:"))
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

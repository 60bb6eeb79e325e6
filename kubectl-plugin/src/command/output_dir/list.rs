//! The list of what was written into a folder, and what lies there now.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use lathe_manifest::digest;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::console::Failure;

/// The name of the list: no manifest's, so that nobody reads it among them.
pub(crate) const LIST: &str = ".lathe-files";

/// Names of files that are being written start and end like this.
const PREFIX: &str = ".lathe-";
const SUFFIX: &str = ".tmp";

/// More than a list of a million files.
const LONGEST_LIST: u64 = 256 << 20;

/// Names of files, each with the digest of what was written there.
pub(super) type Files = BTreeMap<String, String>;

/// A folder that only this run writes into.
pub(super) struct Folder {
    path: PathBuf,
    /// What earlier runs wrote.
    known: Files,
    /// The last of them did not end.
    unfinished: bool,
    has_list: bool,
    /// Locked as long as this lives.
    _lock: File,
}

/// What lies under a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Gone,
    /// What Lathe wrote, unchanged.
    Ours,
    /// What Lathe wrote, changed since.
    Changed,
    /// Something that Lathe did not write.
    Foreign,
}

impl Folder {
    /// Makes the folder if need be, and takes it.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        if let Err(error) = fs::create_dir_all(path) {
            let told = if path.is_dir() {
                error.to_string()
            } else if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
                "it is a link that leads to no folder".to_owned()
            } else if error.kind() == ErrorKind::AlreadyExists {
                "it is no folder".to_owned()
            } else {
                error.to_string()
            };
            return Err(Failure::usage(format!("{shown}: {told}")).into());
        }
        let lock = File::open(path).with_context(|| shown.to_string())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::usage(format!("{shown}: another run is writing there")).into());
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| shown.to_string()),
        }
        let mut folder = Self {
            path: path.to_owned(),
            known: Files::new(),
            unfinished: false,
            has_list: false,
            _lock: lock,
        };
        folder.read()?;
        Ok(folder)
    }

    /// Names that earlier runs wrote.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.known.keys()
    }

    pub(super) fn has_list(&self) -> bool {
        self.has_list
    }

    /// Whether the list says just this.
    pub(super) fn is(&self, files: &Files) -> bool {
        self.known == *files && !self.unfinished && (self.has_list || files.is_empty())
    }

    /// What lies under the name; an error where that cannot be told.
    pub(super) fn state(&self, name: &str) -> anyhow::Result<State> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::Gone),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
            Ok(meta) if !meta.is_file() => return Ok(State::Foreign),
            Ok(_) => {}
        }
        let Some(digest) = self.known.get(name) else { return Ok(State::Foreign) };
        let have = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(if digest::of_bytes(&have) == *digest { State::Ours } else { State::Changed })
    }

    /// Whether a plain file of this name holds the text already.
    pub(super) fn holds(&self, name: &str, text: &str) -> bool {
        let path = self.path.join(name);
        fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() == text.len() as u64)
            && fs::read(&path).is_ok_and(|have| have == text.as_bytes())
    }

    /// Writes a file, so that a reader sees all of the old or all of the new. What came to lie there in the meantime, or
    /// changed, is not replaced.
    pub(super) fn write(&self, name: &str, text: &str, secret: bool) -> anyhow::Result<()> {
        let path = self.path.join(name);
        let written = (|| -> anyhow::Result<()> {
            let state = self.state(name)?;
            let file = self.temporary(text, if secret { 0o600 } else { 0o644 })?;
            match state {
                State::Gone => drop(file.persist_noclobber(&path).map_err(|error| error.error)?),
                State::Ours => {
                    // What the user set stays, but values are not for all to read.
                    let mode = match fs::metadata(&path)?.permissions().mode() & 0o7777 {
                        0o644 if secret => 0o600,
                        mode if secret => mode & 0o770,
                        mode => mode,
                    };
                    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
                    file.persist(&path).map_err(|error| error.error)?;
                }
                State::Changed | State::Foreign => bail!("somebody else wrote it just now"),
            }
            Ok(())
        })();
        written.with_context(|| format!("{} cannot be written", path.display()))
    }

    /// A file under a name that [`sweep`](Self::sweep) knows. Of its mode the process takes away what it does for all files.
    fn temporary(&self, text: &str, mode: u32) -> anyhow::Result<NamedTempFile> {
        let mut new = tempfile::Builder::new();
        new.prefix(PREFIX).suffix(SUFFIX).permissions(fs::Permissions::from_mode(mode));
        let mut file = new.tempfile_in(&self.path)?;
        file.write_all(text.as_bytes())?;
        Ok(file)
    }

    pub(super) fn remove(&self, name: &str) -> anyhow::Result<()> {
        let path = self.path.join(name);
        fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))
    }

    /// Notes what is about to be written beside what was, so that a run that does not end leaves nothing that the next one
    /// takes for somebody else's.
    pub(super) fn begin(&self, files: &Files) -> anyhow::Result<()> {
        self.keep(&json!({"files": self.known, "begun": files}))
    }

    /// Notes what lies there now.
    pub(super) fn end(&self, files: &Files) -> anyhow::Result<()> {
        self.keep(&json!({"files": files}))
    }

    fn keep(&self, list: &Value) -> anyhow::Result<()> {
        let path = self.path.join(LIST);
        let file = self.temporary(&format!("{list:#}\n"), 0o644);
        let written = file.and_then(|file| Ok(file.persist(&path).map_err(|error| error.error)?));
        written.map(drop).with_context(|| format!("{} cannot be written", path.display()))
    }

    fn read(&mut self) -> anyhow::Result<()> {
        let path = self.path.join(LIST);
        let told = |what: &str| {
            let failure = Failure::usage(format!("{} {what}", path.display()));
            failure.with_hint("remove it and the files that Lathe wrote, or name another folder")
        };
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Failure::usage(format!("{}: {error}", path.display())).into()),
            Ok(meta) if !meta.is_file() => return Err(told("is no plain file").into()),
            Ok(_) => {}
        }
        let mut text = String::new();
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        file.take(LONGEST_LIST).read_to_string(&mut text).with_context(|| path.display().to_string())?;
        let list: Option<Value> = serde_json::from_str(&text).ok();
        let foreign = || told("is not a list that Lathe wrote");
        let list = list.as_ref().and_then(Value::as_object).ok_or_else(foreign)?;
        let mut parts = [Files::new(), Files::new()];
        for (key, value) in list {
            let at = ["files", "begun"].iter().position(|name| name == key).ok_or_else(foreign)?;
            for (name, digest) in value.as_object().ok_or_else(foreign)? {
                let digest = digest.as_str().filter(|_| is_ours(name)).ok_or_else(foreign)?;
                parts[at].insert(name.clone(), digest.to_owned());
            }
        }
        self.has_list = list.contains_key("files");
        if !self.has_list {
            return Err(foreign().into());
        }
        let [known, begun] = parts;
        self.known = known;
        self.unfinished = list.contains_key("begun");
        // What the run that did not end came to write is known from now on.
        for (name, digest) in begun {
            let path = self.path.join(&name);
            let is_file = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
            if is_file && fs::read(&path).is_ok_and(|have| digest::of_bytes(&have) == digest) {
                self.known.insert(name, digest);
            }
        }
        Ok(())
    }

    /// Removes what a run that was killed left half written.
    pub(super) fn sweep(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.path).with_context(|| self.path.display().to_string())? {
            let entry = entry.with_context(|| self.path.display().to_string())?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let middle = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
            let random =
                |middle: &str| middle.len() == 6 && middle.bytes().all(|b| b.is_ascii_alphanumeric());
            if middle.is_some_and(random) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }
}

/// Whether a name is of the kind that Lathe gives; a list that somebody changed must not lead to other files.
fn is_ours(name: &str) -> bool {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".json"));
    let letter =
        |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'A'..=b'F' | b'-' | b'.' | b'%' | b'_');
    stem.is_some_and(|stem| {
        stem.contains('_')
            && !stem.starts_with('.')
            && stem.len() <= super::LONGEST
            && stem.bytes().all(letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_lathe_gives_are_its_own() {
        assert!(is_ours("configmap_web_a.yaml") && is_ours("job.batch_a%2Fb.json"));
        for name in
            ["README.md", "a.yaml", "../a_b.yaml", "/etc/a_b.yaml", ".a_b.yaml", "a_b.yaml/", "a_b", ""]
        {
            assert!(!is_ours(name), "{name}");
        }
    }
}

//! Records in a file, for those who have no cluster: its owner's alone, and changed by one process at a time.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use lathe_manifest::digest;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::record::Record;
use crate::store::{Delivered, Kept, Store};

const API_VERSION: &str = "lathe.dev/v1alpha1";

/// Records in a file. The Secrets of applications are not written anywhere; who wants one takes it from the record.
pub struct FileStore {
    path: PathBuf,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct FileError {
    path: String,
    why: String,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Content {
    api_version: String,
    kind: String,
    clients: BTreeMap<String, Record>,
}

impl FileStore {
    /// Uses a file, which is made where it is missing. One that others may read is refused.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        // A link leads to the file that everybody locks.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let store = Self { path };
        let error = |why: String| FileError { path: store.path.display().to_string(), why };
        store.locked().and_then(|_| store.load()).map_err(error)?;
        Ok(store)
    }

    /// Keeps other runs waiting that would change the same clients, until it is dropped. What is locked is a file beside, for each
    /// change replaces this one.
    pub fn alone(&self) -> Result<File, FileError> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let path = self.path.with_file_name(name);
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path);
        let locked = file.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|error| FileError { path: path.display().to_string(), why: error.to_string() })
    }

    /// The file, locked. Who waited for it may hold one that has been replaced since.
    fn locked(&self) -> Result<File, String> {
        let tell = |error: std::io::Error| error.to_string();
        loop {
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&self.path)
                .map_err(tell)?;
            file.lock().map_err(tell)?;
            let own = file.metadata().map_err(tell)?;
            if !own.is_file() {
                return Err("it is no plain file".to_owned());
            }
            if own.permissions().mode() & 0o077 != 0 {
                return Err("others may read it, and it holds secrets; `chmod 600` mends that".to_owned());
            }
            if fs::metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == (own.dev(), own.ino())) {
                return Ok(file);
            }
        }
    }

    fn load(&self) -> Result<BTreeMap<String, Record>, String> {
        let bytes = Zeroizing::new(fs::read(&self.path).map_err(|error| error.to_string())?);
        if bytes.is_empty() {
            return Ok(BTreeMap::new());
        }
        // Its own words may quote what stands there.
        let content: Content = serde_json::from_slice(&bytes).map_err(|error| {
            format!(
                "it is no file of clients that can be read (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        if content.api_version != API_VERSION || content.kind != "Clients" {
            return Err(format!("it is no {API_VERSION} Clients"));
        }
        Ok(content.clients)
    }

    /// Changes what is there; `None` from `change` leaves it as it is.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Record>) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let lock = self.locked()?;
        let mut clients = self.load()?;
        let Some(done) = change(&mut clients) else { return Ok(None) };
        let content = Content { api_version: API_VERSION.to_owned(), kind: "Clients".to_owned(), clients };
        let text = Zeroizing::new(serde_json::to_string_pretty(&content).map_err(|error| error.to_string())?);
        let tell = |error: std::io::Error| error.to_string();
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let beside = self.path.with_file_name(name);
        let written = (|| {
            // Left by a run that was killed, or put there by somebody else.
            if fs::symlink_metadata(&beside).is_ok() {
                fs::remove_file(&beside)?;
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        })();
        if written.is_err() {
            // It holds secrets, and nobody looks for it.
            let _ = fs::remove_file(&beside);
        }
        written.map_err(tell)?;
        drop(lock);
        Ok(Some(done))
    }
}

/// What tells a record from later ones.
fn version(record: &Record) -> String {
    let text = Zeroizing::new(serde_json::to_string(record).unwrap_or_default());
    digest::named(&digest::sha256(text.as_bytes()))
}

fn kept(record: Record) -> Kept {
    Kept { version: version(&record), record }
}

impl Store for FileStore {
    async fn read(&self, key: &str) -> Result<Option<Kept>, String> {
        let _lock = self.locked()?;
        Ok(self.load()?.remove(key).map(kept))
    }

    async fn list(&self, identity: Option<&[String; 3]>) -> Result<Vec<Kept>, String> {
        let _lock = self.locked()?;
        let all = self.load()?.into_values();
        let mut all: Vec<Kept> =
            all.filter(|record| identity.is_none_or(|own| record.identity == *own)).map(kept).collect();
        all.sort_by_key(|kept| kept.record.label());
        Ok(all)
    }

    async fn create(&self, record: &Record) -> Result<Option<Kept>, String> {
        self.change(|clients| {
            if clients.contains_key(&record.key) {
                return None;
            }
            clients.insert(record.key.clone(), record.clone());
            Some(kept(record.clone()))
        })
    }

    async fn replace(&self, before: &Kept) -> Result<Option<Kept>, String> {
        let record = &before.record;
        self.change(|clients| {
            let own = clients.get_mut(&record.key).filter(|own| version(own) == before.version)?;
            *own = record.clone();
            Some(kept(record.clone()))
        })
    }

    async fn remove(&self, before: &Kept) -> Result<(), String> {
        let key = &before.record.key;
        self.change(|clients| {
            clients.get(key).filter(|own| version(own) == before.version)?;
            clients.remove(key)
        })
        .map(drop)
    }

    async fn delivered(&self, _: &Record) -> Result<Option<Delivered>, String> {
        Ok(None)
    }

    async fn deliver(&self, _: &Record) -> Result<(), String> {
        Ok(())
    }

    async fn withdraw(&self, _: &Record) -> Result<(), String> {
        Ok(())
    }
}

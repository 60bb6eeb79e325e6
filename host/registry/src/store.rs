//! Wasm that was fetched, by its digest, so that no render needs a network. What is read is checked each time, so nobody has
//! to be trusted with the folder.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use lathe_manifest::digest;

use crate::error::RegistryError;

/// A folder of wasm files, `sha256-HEX.wasm`.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in this folder, which need not be there yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn path(&self, wasm: &str) -> PathBuf {
        self.folder.join(format!("{}.wasm", wasm.replace(':', "-")))
    }

    /// The wasm with this digest, if it is there and whole.
    pub fn get(&self, wasm: &str) -> Option<Vec<u8>> {
        if !is_digest(wasm) {
            return None;
        }
        let bytes = read(&self.path(wasm)).ok()?;
        if digest::of_bytes(&bytes) == wasm {
            return Some(bytes);
        }
        tracing::warn!(wasm, "a plugin that was kept is damaged, and is fetched anew");
        None
    }

    /// Keeps wasm; a reader sees all of it or nothing.
    pub fn put(&self, bytes: &[u8]) -> Result<(), RegistryError> {
        let path = self.path(&digest::of_bytes(bytes));
        write(&path, bytes)
    }
}

/// Whether the text is `sha256:` and 64 lower-case hexadecimal digits, as it has to be before it names a file or a resource.
pub(crate) fn is_digest(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(digit))
}

/// Reads a plain file of a size that a plugin may have; anything else might have no end.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, RegistryError> {
    let failed = |error| RegistryError::File { path: path.to_owned(), error };
    let meta = fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(failed(std::io::Error::other("this is no plain file")));
    }
    if meta.len() > crate::LARGEST {
        return Err(failed(std::io::Error::other(format!("{} bytes are too many", meta.len()))));
    }
    fs::read(path).map_err(failed)
}

/// Writes a file whole, with the folders above it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    let failed = |error| RegistryError::File { path: path.to_owned(), error };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new()
        .prefix(".lathe-")
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map(drop).map_err(|error| failed(error.error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_unless_it_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("plugins"));
        let wasm = digest::of_bytes(b"wasm");
        assert_eq!(store.get(&wasm), None);
        assert_eq!(store.get("sha256:/../../../../etc/passwd"), None);
        store.put(b"wasm").unwrap();
        assert_eq!(store.get(&wasm).unwrap(), b"wasm");
        fs::write(store.path(&wasm), b"wasn").unwrap();
        assert_eq!(store.get(&wasm), None);
    }
}

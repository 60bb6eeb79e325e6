//! Compiled code on disk. Compiled code is native code, so the folder is trusted only if nobody else could write there.
//!
//! The folder must belong to this user with no rights for others, be no link, and lie in no checkout; a file must be a
//! plain file of this user with one name and no rights for others. What fails a check is not loaded; rendering then compiles,
//! which is slower and never wrong.
//!
//! Code is mapped into memory rather than read, for a language's runtime has tens of megabytes of it. So a file is never written
//! in place: it is written whole, reaches the disk, and only then gets its name.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// A folder that passed the checks.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

/// Rights that others must not have.
const OTHERS: u32 = 0o077;

impl Cache {
    /// Opens the folder, making it if it is not there. `Err` says why it is not used.
    pub(crate) fn open(folder: &Path) -> Result<Self, String> {
        if !folder.is_absolute() {
            return Err("its path is not absolute".to_owned());
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| e.to_string())?;
        let meta = fs::symlink_metadata(folder).map_err(|e| e.to_string())?;
        if !meta.is_dir() {
            return Err("it is no folder".to_owned());
        }
        if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & OTHERS != 0 {
            return Err("others than its owner have rights on it".to_owned());
        }
        let real = fs::canonicalize(folder).map_err(|e| e.to_string())?;
        if real.ancestors().any(|above| above.join(".git").exists()) {
            return Err("it lies in a checkout".to_owned());
        }
        Ok(Self { folder: real })
    }

    /// The file of this name, if it passes the checks.
    pub(crate) fn open_file(&self, name: &str) -> Option<File> {
        let path = self.folder.join(name);
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file =
            File::options().read(true).custom_flags(i32::try_from(flags.bits()).ok()?).open(path).ok()?;
        let meta = file.metadata().ok()?;
        let private = meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & OTHERS == 0;
        if !meta.is_file() || !private || meta.nlink() != 1 {
            tracing::warn!(file = name, "compiled code is not loaded: others have rights on the file");
            return None;
        }
        Some(file)
    }

    /// The text of the file of this name, if it passes the checks.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        self.open_file(name)?.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Keeps bytes under this name; a reader sees all of them or none.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        // Nobody else may read it (tempfile makes it so), and its name is nobody else's.
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(name)).map(drop).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("cache");
        (root, path)
    }

    #[test]
    fn what_was_kept_comes_back() {
        let (_root, path) = folder();
        let cache = Cache::open(&path).unwrap();
        cache.put("a", b"code").unwrap();
        assert_eq!(cache.text("a").unwrap(), "code");
        assert_eq!(cache.text("b"), None);
    }

    #[test]
    fn a_file_that_others_could_have_written_is_not_loaded() {
        let (root, path) = folder();
        let cache = Cache::open(&path).unwrap();
        cache.put("a", b"code").unwrap();
        let file = path.join("a");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
        assert_eq!(cache.text("a"), None);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::hard_link(&file, root.path().join("second-name")).unwrap();
        assert_eq!(cache.text("a"), None);
        symlink(&file, path.join("link")).unwrap();
        assert_eq!(cache.text("link"), None);
        fs::remove_file(&file).unwrap();
        cache.put("a", b"code").unwrap();
        // Only root can give a file away.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(1), None).unwrap();
            assert_eq!(cache.text("a"), None);
        }
        fs::create_dir(path.join("folder")).unwrap();
        assert_eq!(cache.text("folder"), None);
        rustix::fs::mknodat(rustix::fs::CWD, path.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        assert_eq!(cache.text("pipe"), None);
    }

    #[test]
    fn a_folder_that_is_not_private_is_not_used() {
        let (root, path) = folder();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(Cache::open(&path).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        symlink(&path, root.path().join("link")).unwrap();
        assert!(Cache::open(&root.path().join("link")).is_err());
        fs::create_dir(root.path().join(".git")).unwrap();
        assert!(Cache::open(&path).is_err());
        assert!(Cache::open(Path::new("relative")).is_err());
    }
}

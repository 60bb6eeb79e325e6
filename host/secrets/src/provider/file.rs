//! A YAML or JSON file of values, or any file as one value.

use std::fs;
use std::path::{Component, Path};

use lathe_manifest::{ReadOptions, Reader, Value};
use zeroize::Zeroizing;

use super::Secret;

/// A file that has been read.
pub(super) struct SecretFile {
    text: Secret,
    tree: Result<Value, String>,
}

impl SecretFile {
    /// Reads a file below the folder; links may not lead out of it.
    pub(super) fn read(folder: &Path, path: &str) -> Result<Self, String> {
        let relative = Path::new(path);
        if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
            || path.is_empty()
        {
            return Err(format!("the path `{path}` leaves the pipeline's folder"));
        }
        let told = |error: std::io::Error| format!("`{path}` cannot be read: {error}");
        let root = fs::canonicalize(folder).map_err(told)?;
        let real = fs::canonicalize(root.join(relative)).map_err(told)?;
        if !real.starts_with(&root) {
            return Err(format!("the path `{path}` leaves the pipeline's folder by a link"));
        }
        if !fs::metadata(&real).map_err(told)?.is_file() {
            return Err(format!("`{path}` is no plain file"));
        }
        let bytes = Zeroizing::new(fs::read(real).map_err(told)?);
        let text = Zeroizing::new(
            std::str::from_utf8(&bytes).map_err(|_| format!("`{path}` is no UTF-8 text"))?.to_owned(),
        );
        let tree = tree(path, &bytes);
        Ok(Self { text, tree })
    }

    /// The value at the end of the way; the whole file for an empty one.
    pub(super) fn get(&self, way: &[String]) -> Result<Secret, String> {
        if way.is_empty() {
            return Ok(self.text.clone());
        }
        let tree = self.tree.as_ref().map_err(Clone::clone)?;
        let mut place = tree;
        for (depth, key) in way.iter().enumerate() {
            place = place.get(key).ok_or_else(|| format!("there is no `{}`", way[..=depth].join("/")))?;
        }
        match place {
            Value::String(text) => Ok(Zeroizing::new(text.to_string())),
            other => Err(format!(
                "`{}` is of type {}, not text; put it in quotes",
                way.join("/"),
                other.type_name()
            )),
        }
    }
}

fn tree(path: &str, bytes: &[u8]) -> Result<Value, String> {
    let options = ReadOptions { confidential: true, ..ReadOptions::default() };
    let documents = Reader::documents(options, path, bytes)
        .map_err(|errors| errors.first().map(ToString::to_string).unwrap_or_default())?;
    documents.into_iter().next().ok_or_else(|| format!("`{path}` is empty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_way_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("s.yaml"), "portal:\n  a: x\n  num: 12\n").unwrap();
        let file = SecretFile::read(folder.path(), "s.yaml").unwrap();
        let way = |parts: &[&str]| parts.iter().map(|&p| p.to_owned()).collect::<Vec<_>>();
        assert_eq!(file.get(&way(&["portal", "a"])).unwrap().as_str(), "x");
        assert_eq!(file.get(&way(&["portal", "b"])).unwrap_err(), "there is no `portal/b`");
        assert!(file.get(&way(&["portal", "num"])).unwrap_err().contains("not text"));
        assert!(file.get(&[]).unwrap().starts_with("portal:"));
    }

    #[test]
    fn what_is_wrong_with_the_file_is_told_without_its_text() {
        let head = "apiVersion: v1\nkind: Values\nmetadata: {name: a}\n";
        for text in ["x: 'hunter2' y\n", "hunter2: 1\nhunter2: 2\n", "x: [hunter2\n"] {
            let told = tree("s.yaml", format!("{head}{text}").as_bytes()).unwrap_err();
            assert!(told.starts_with("s.yaml:") && !told.contains("hunter2"), "{told}");
        }
        let told = tree("s.json", b"{\"hunter2\": 1, \"hunter2\": 2}").unwrap_err();
        assert!(told.starts_with("s.json:1:") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn no_path_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(folder.path().join("s.yaml"), "a: x\n").unwrap();
        std::os::unix::fs::symlink(folder.path().join("s.yaml"), inner.join("link.yaml")).unwrap();
        for path in ["../s.yaml", "/etc/hostname", "a/../../s.yaml", "link.yaml", ""] {
            assert!(
                SecretFile::read(&inner, path).err().unwrap().contains("leaves the pipeline's folder"),
                "{path}"
            );
        }
    }
}

//! A YAML or JSON file of values, or any file as one value.

use std::fs;
use std::path::{Component, Path};

use lathe_manifest::{ReadOptions, Reader};

use super::Document;
use crate::bytes::SecretBytes;
use crate::error::Why;
use crate::node::Node;

/// Larger files hold nothing that a cluster takes.
const LARGEST: u64 = 16 << 20;

/// A file below the folder; links may not lead out of it.
pub(super) fn bytes(folder: &Path, path: &str) -> Result<Vec<u8>, Why> {
    let relative = Path::new(path);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        || path.is_empty()
    {
        return Err(Why::Policy(format!("the path `{path}` leaves the pipeline's folder")));
    }
    let told = |error: std::io::Error| {
        let told = format!("`{path}` cannot be read: {error}");
        if error.kind() == std::io::ErrorKind::NotFound {
            Why::NotFound(told)
        } else {
            Why::Unavailable(told)
        }
    };
    let root = fs::canonicalize(folder).map_err(told)?;
    let real = fs::canonicalize(root.join(relative)).map_err(told)?;
    if !real.starts_with(&root) {
        return Err(Why::Policy(format!("the path `{path}` leaves the pipeline's folder by a link")));
    }
    // What may be read is judged by its path; a link would make two of one.
    let plain: std::path::PathBuf = relative.components().filter(|part| *part != Component::CurDir).collect();
    if real != root.join(plain) {
        return Err(Why::Policy(format!("the path `{path}` is a link; name the file that it leads to")));
    }
    let metadata = fs::metadata(&real).map_err(told)?;
    if !metadata.is_file() {
        return Err(Why::NotFound(format!("`{path}` is no plain file")));
    }
    if metadata.len() > LARGEST {
        return Err(Why::Size(format!("`{path}` is larger than {} MiB", LARGEST >> 20)));
    }
    fs::read(real).map_err(told)
}

/// The file as a document: whole, and by its keys where it has some.
pub(super) fn read(folder: &Path, path: &str) -> Result<Document, Why> {
    let whole = SecretBytes::from(bytes(folder, path)?);
    let tree = tree(path, whole.expose());
    Ok(Document { tree: tree.unwrap_or_else(Node::Unreadable), whole: Some(whole), ..Document::default() })
}

fn tree(path: &str, bytes: &[u8]) -> Result<Node, String> {
    let options = ReadOptions { confidential: true, ..ReadOptions::default() };
    let documents = Reader::documents(options, path, bytes)
        .map_err(|errors| errors.first().map(ToString::to_string).unwrap_or_default())?;
    let first = documents.into_iter().next().ok_or_else(|| format!("`{path}` is empty"))?;
    Ok(Node::quoted(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_way_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("s.yaml"), "portal:\n  a: x\n  num: 12\n").unwrap();
        let file = read(folder.path(), "s.yaml").ok().unwrap();
        let get = |parts: &[&str]| {
            let way: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
            file.get(&way)
                .and_then(|node| node.into_bytes(false))
                .map(|bytes| bytes.text().unwrap().to_owned())
        };
        assert_eq!(get(&["portal", "a"]).unwrap(), "x");
        assert_eq!(get(&["portal", "b"]).unwrap_err().to_string(), "there is no `portal/b`");
        assert!(get(&["portal", "num"]).unwrap_err().to_string().contains("in quotes"));
        assert!(get(&[]).unwrap().starts_with("portal:"));
    }

    #[test]
    fn what_is_wrong_with_the_file_is_told_without_its_text() {
        let head = "apiVersion: v1\nkind: Values\nmetadata: {name: a}\n";
        for text in ["x: 'hunter2' y\n", "hunter2: 1\nhunter2: 2\n", "x: [hunter2\n"] {
            let told = tree("s.yaml", format!("{head}{text}").as_bytes()).err().unwrap();
            assert!(told.starts_with("s.yaml:") && !told.contains("hunter2"), "{told}");
        }
        let told = tree("s.json", b"{\"hunter2\": 1, \"hunter2\": 2}").err().unwrap();
        assert!(told.starts_with("s.json:1:") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn links_are_named_by_what_they_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("s.yaml"), "a: x\n").unwrap();
        std::os::unix::fs::symlink("s.yaml", folder.path().join("link.yaml")).unwrap();
        assert!(bytes(folder.path(), "./s.yaml").is_ok());
        assert!(bytes(folder.path(), "link.yaml").err().unwrap().to_string().contains("is a link"));
    }

    #[test]
    fn no_path_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(folder.path().join("s.yaml"), "a: x\n").unwrap();
        std::os::unix::fs::symlink(folder.path().join("s.yaml"), inner.join("link.yaml")).unwrap();
        for path in ["../s.yaml", "/etc/hostname", "a/../../s.yaml", "link.yaml", ""] {
            let told = bytes(&inner, path).err().unwrap().to_string();
            assert!(told.contains("leaves the pipeline's folder"), "{path}");
        }
    }
}

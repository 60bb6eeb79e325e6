//! Manifests from files, folders and standard input.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lathe_manifest::{Object, ReadOptions, Reader, order};

use crate::problem::Problem;

/// The objects of all inputs, unique and in canonical order, and what the user should know of them.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The objects.
    pub objects: Vec<Object>,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// Reads files and folders; `-` is standard input, whose bytes `stdin` gives. A folder's `.yaml`, `.yml` and `.json`
/// files are read in the order of their names, without those of folders below it, as kubectl does; `lathe.yaml` is a
/// pipeline and no manifest.
///
/// `base` is where relative paths start; messages name paths as they were given. All problems come at once.
pub fn read(
    base: &Path,
    paths: &[String],
    options: ReadOptions,
    stdin: &dyn Fn() -> std::io::Result<Vec<u8>>,
) -> Result<Inputs, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let most = options.max_bytes;
    let mut reader = Reader::new(options);
    for path in paths {
        if path == "-" {
            match stdin() {
                Ok(bytes) => reader.add("standard input", &bytes),
                Err(error) => problems.push(unreadable("standard input", &error)),
            }
            continue;
        }
        for (name, file) in files(base, path, &mut warnings, &mut problems) {
            match contents(&file, most) {
                Ok(bytes) => reader.add(&name, &bytes),
                Err(error) => problems.push(unreadable(&name, &error)),
            }
        }
    }
    let objects = match reader.finish() {
        Ok((objects, mut told)) => {
            warnings.append(&mut told);
            objects
        }
        Err(errors) => {
            problems.extend(errors.iter().map(|error| Problem::new("input", error.to_string())));
            Vec::new()
        }
    };
    let objects = order::unique(objects, &mut warnings).unwrap_or_else(|conflicts| {
        problems.extend(conflicts.iter().map(|conflict| Problem::new("identity", conflict.to_string())));
        Vec::new()
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Inputs { objects, warnings })
}

/// A file's bytes; of one that is too large no more than tells that it is.
fn contents(file: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    let opened = fs::File::open(file)?;
    let (length, most) =
        (opened.metadata()?.len(), u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1));
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(most)).unwrap_or(0));
    opened.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Names and paths of the files that an input stands for.
fn files(
    base: &Path,
    path: &str,
    warnings: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> Vec<(String, PathBuf)> {
    let full = base.join(path);
    if !full.is_dir() {
        return vec![(path.to_owned(), full)];
    }
    let entries = match fs::read_dir(&full) {
        Ok(entries) => entries,
        Err(error) => {
            problems.push(unreadable(path, &error));
            return Vec::new();
        }
    };
    let mut names: Vec<String> = Vec::new();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems.push(unreadable(path, &error));
                continue;
            }
        };
        match entry.file_name().into_string() {
            Ok(name) => names.push(name),
            Err(name) => {
                let told = format!("{path}: the name of the file {} is no UTF-8", name.display());
                problems.push(Problem::new("input", told));
            }
        }
    }
    names.sort();
    let folder = path.trim_end_matches('/');
    let mut found = Vec::new();
    for name in names {
        let file = full.join(&name);
        if file.is_dir() {
            if !name.starts_with('.') && holds_manifests(&file) {
                warnings.push(format!(
                    "{folder}/{name}: folders below a folder are not read; name it as an input as well"
                ));
            }
        } else if is_manifest(&name) {
            found.push((format!("{folder}/{name}"), file));
        }
    }
    if found.is_empty() {
        problems
            .push(Problem::new("input", format!("{path}: the folder holds no .yaml, .yml or .json file")));
    }
    found
}

fn is_manifest(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    matches!(ending, "yaml" | "yml" | "json") && name != "lathe.yaml"
}

fn holds_manifests(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_str().is_some_and(is_manifest))
}

fn unreadable(name: &str, error: &std::io::Error) -> Problem {
    Problem::new("input", format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("b.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n");
        write("a.json", r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"}}"#);
        write("notes.txt", "not read");
        fs::create_dir(folder.path().join("sub")).unwrap();
        write("sub/c.yml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n");
        folder
    }

    fn no_stdin() -> std::io::Result<Vec<u8>> {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }

    #[test]
    fn a_folder_is_read_as_kubectl_reads_it() {
        let folder = folder();
        let inputs = read(folder.path(), &[".".into()], ReadOptions::default(), &no_stdin).unwrap();
        assert_eq!(inputs.objects.iter().map(Object::label).collect::<Vec<_>>(), ["Secret/s", "Service/s"]);
        assert_eq!(inputs.warnings.len(), 1);
    }

    #[test]
    fn all_problems_come_at_once() {
        let folder = folder();
        fs::write(folder.path().join("bad.yaml"), "kind: [").unwrap();
        let paths = ["missing.yaml".into(), "bad.yaml".into(), "b.yaml".into()];
        let problems = read(folder.path(), &paths, ReadOptions::default(), &no_stdin).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn one_identity_with_two_contents_is_refused_with_both_places() {
        let folder = folder();
        fs::write(
            folder.path().join("c.yaml"),
            "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {}\n",
        )
        .unwrap();
        let problems = read(folder.path(), &[".".into()], ReadOptions::default(), &no_stdin).unwrap_err();
        let told = problems[0].to_string();
        assert!(told.contains("./b.yaml:1") && told.contains("./c.yaml:1"), "{told}");
    }
}

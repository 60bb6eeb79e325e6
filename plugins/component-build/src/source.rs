//! The digest of what a guest is made of: its files, the SDK's, the contract's, and the locked versions it depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Folders and files that every guest is made of.
const SHARED: &[&str] = &["plugins/sdk", "wit", "rust-toolchain.toml"];

/// The digest for one package in its folder. Tells cargo to run the build script again when any of it changes.
pub(crate) fn digest(root: &Path, package: &str, folder: &Path) -> Result<String, String> {
    let mut files = BTreeSet::new();
    for part in SHARED.iter().map(Path::new).chain([folder]) {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
        collect(root, part, &mut files)?;
    }
    for file in ["Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(file).display());
    }
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(root.join(&file)).map_err(|error| format!("{}: {error}", file.display()))?;
        hash.update(file.to_string_lossy().as_bytes());
        hash.update([0]);
        hash.update(Sha256::digest(content));
    }
    let lock = fs::read_to_string(root.join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    for line in locked(&lock, package)? {
        hash.update(line.as_bytes());
        hash.update([b'\n']);
    }
    let manifest =
        fs::read_to_string(root.join("Cargo.toml")).map_err(|error| format!("Cargo.toml: {error}"))?;
    let manifest: toml::Table = manifest.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    // How it is compiled is part of what it is; how the tools are that compile it is not.
    for name in ["release", "plugin"] {
        let mut profile = manifest.get("profile").and_then(|all| all.get(name)).cloned();
        if let Some(toml::Value::Table(profile)) = &mut profile {
            profile.remove("build-override");
            profile.remove("package");
        }
        hash.update(profile.map(|profile| profile.to_string()).unwrap_or_default());
    }
    let mut text = String::from("sha256:");
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

fn collect(root: &Path, path: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    let full = root.join(path);
    if full.is_file() {
        files.insert(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(&full).map_err(|error| format!("{}: {error}", full.display()))?;
    for entry in entries.flatten() {
        collect(root, &path.join(entry.file_name()), files)?;
    }
    Ok(())
}

/// Name, version and checksum of each package that `package` is built from, by the lock file.
fn locked(lock: &str, package: &str) -> Result<BTreeSet<String>, String> {
    let lock: toml::Table = lock.parse().map_err(|error| format!("Cargo.lock: {error}"))?;
    let packages = lock.get("package").and_then(toml::Value::as_array).ok_or("Cargo.lock has no packages")?;
    let text = |package: &toml::Value, key: &str| {
        package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    let mut by_name: BTreeMap<String, Vec<&toml::Value>> = BTreeMap::new();
    for package in packages {
        by_name.entry(text(package, "name")).or_default().push(package);
    }
    let mut found = BTreeSet::new();
    let mut open = vec![package.to_owned()];
    while let Some(dependency) = open.pop() {
        // `name`, or `name version` where the lock holds several.
        let (name, version) = dependency.split_once(' ').unwrap_or((&dependency, ""));
        for package in by_name.get(name).into_iter().flatten() {
            if !version.is_empty() && text(package, "version") != version {
                continue;
            }
            let line = format!("{name} {} {}", text(package, "version"), text(package, "checksum"));
            if found.insert(line) {
                let dependencies = package.get("dependencies").and_then(toml::Value::as_array);
                open.extend(
                    dependencies.into_iter().flatten().filter_map(|d| d.as_str().map(ToOwned::to_owned)),
                );
            }
        }
    }
    Ok(found)
}

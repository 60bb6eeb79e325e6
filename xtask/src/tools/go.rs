//! Programs from Go modules, each pinned by a `go.mod` and `go.sum` under `xtask/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};

use super::{cache, demand_space, exclusive};
use crate::process::{self, root};

/// A Go module of ours whose `go.mod` pins programs.
pub(crate) struct GoModule {
    /// Its folder under `xtask/tools`, and the name of its folder in the cache.
    name: &'static str,
    /// File name and package of each program.
    programs: &'static [(&'static str, &'static str)],
    /// Flags for the linker.
    ldflags: &'static str,
}

/// Prints kubectl's reading of YAML.
pub(crate) const ORACLE: GoModule =
    GoModule { name: "yaml-oracle", programs: &[("yaml-oracle", ".")], ldflags: "-s -w" };

/// etcd.
pub(crate) const ETCD: GoModule =
    GoModule { name: "etcd", programs: &[("etcd", "go.etcd.io/etcd/server/v3")], ldflags: "-s -w" };

/// Kubernetes' servers, and kubectl to compare with.
pub(crate) const KUBERNETES: GoModule = GoModule {
    name: "kubernetes",
    programs: &[
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ],
    // Without these the API server calls itself v0.0.0, and clients that ask for its version are misled.
    ldflags: "-s -w -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=35 -X k8s.io/component-base/version.gitVersion=v1.35.4",
};

/// Kustomize, to compare with.
pub(crate) const KUSTOMIZE: GoModule = GoModule {
    name: "kustomize",
    programs: &[("kustomize", "sigs.k8s.io/kustomize/kustomize/v5")],
    ldflags: "-s -w -X sigs.k8s.io/kustomize/api/provenance.version=v5.8.2",
};

/// Modules are left writable, or the cache that holds them could not be deleted.
const GOFLAGS: &str = "-mod=readonly -modcacherw -trimpath -buildvcs=false";

impl GoModule {
    /// The folder with the programs, which are built where they are missing.
    pub(crate) fn folder(&self) -> anyhow::Result<PathBuf> {
        let folder = self.place()?;
        if folder.is_dir() {
            return Ok(folder);
        }
        let _alone = exclusive()?;
        if !folder.is_dir() {
            demand_space()?;
            self.build(&folder)?;
        }
        Ok(folder)
    }

    /// Whether the programs are there.
    pub(crate) fn is_built(&self) -> bool {
        self.place().is_ok_and(|folder| folder.is_dir())
    }

    fn place(&self) -> anyhow::Result<PathBuf> {
        Ok(cache()?.join(format!("{}-{}", self.name, self.hash()?)))
    }

    fn source(&self) -> PathBuf {
        root().join("xtask/tools").join(self.name)
    }

    /// Over the module's files, the flags and Go's version.
    fn hash(&self) -> anyhow::Result<String> {
        let version =
            Command::new("go").args(["env", "GOVERSION", "GOOS", "GOARCH"]).output().context("go")?;
        ensure!(version.status.success(), "`go env` failed: {}", version.status);
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.source())?.flatten().map(|entry| entry.path()).collect();
        files.sort();
        let mut hash = Sha256::new();
        for part in [version.stdout.as_slice(), GOFLAGS.as_bytes(), self.ldflags.as_bytes()] {
            hash.update(part);
        }
        for file in files {
            hash.update(fs::read(&file).with_context(|| file.display().to_string())?);
        }
        Ok(hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Builds into a folder beside the final one and renames it. Go's caches are the build's own, and deleted after it.
    fn build(&self, folder: &Path) -> anyhow::Result<()> {
        let work = cache()?.join("build");
        // What a killed build left; nobody else builds now.
        remove(&work)?;
        let built = self.build_in(&work);
        let kept = built.and_then(|()| Ok(fs::rename(work.join("bin"), folder)?));
        remove(&work)?;
        kept
    }

    fn build_in(&self, work: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(work.join("bin"))?;
        for (program, package) in self.programs {
            let mut build = Command::new("go");
            build.args(["build", "-ldflags", self.ldflags, "-o"]).arg(work.join("bin").join(program));
            build.arg(package).current_dir(self.source()).env("GOFLAGS", GOFLAGS).env("CGO_ENABLED", "0");
            build.env("GOCACHE", work.join("cache")).env("GOMODCACHE", work.join("modules"));
            process::run(build)?;
        }
        Ok(())
    }
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

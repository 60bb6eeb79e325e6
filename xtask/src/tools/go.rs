//! Programs from Go modules, each pinned by a `go.mod` and `go.sum` under `xtask/tools`.

use std::path::Path;
use std::process::Command;

use super::{Tool, files, said, source};

/// A Go module of ours whose `go.mod` pins programs.
pub(crate) struct GoModule {
    /// Its folder under `xtask/tools`, and the name of its folder in the cache.
    name: &'static str,
    /// File name and package of each program.
    programs: &'static [(&'static str, &'static str)],
    /// Flags for the linker.
    ldflags: &'static str,
    /// System and architecture, where they are not this machine's.
    target: Option<(&'static str, &'static str)>,
}

/// Prints the reading of YAML that kubectl has, or go-yaml v3.
pub(crate) const ORACLE: GoModule =
    GoModule { name: "yaml-oracle", programs: &[("yaml-oracle", ".")], ldflags: "-s -w", target: None };

/// etcd.
pub(crate) const ETCD: GoModule = GoModule {
    name: "etcd",
    programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
    ldflags: "-s -w",
    target: None,
};

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
    target: None,
};

/// Kustomize, to compare with.
pub(crate) const KUSTOMIZE: GoModule = GoModule {
    name: "kustomize",
    programs: &[("kustomize", "sigs.k8s.io/kustomize/kustomize/v5")],
    ldflags: "-s -w -X sigs.k8s.io/kustomize/api/provenance.version=v5.8.2",
    target: None,
};

/// Helm, to compare with.
pub(crate) const HELM: GoModule = GoModule {
    name: "helm",
    programs: &[("helm", "helm.sh/helm/v4/cmd/helm")],
    ldflags: "-s -w",
    target: None,
};

/// The registry of the CNCF.
pub(crate) const REGISTRY: GoModule = GoModule {
    name: "registry",
    programs: &[("registry", "github.com/distribution/distribution/v3/cmd/registry")],
    ldflags: "-s -w",
    target: None,
};

/// sops, and age with its key maker, to compare with.
pub(crate) const SOPS: GoModule = GoModule {
    name: "sops",
    programs: &[
        ("sops", "github.com/getsops/sops/v3/cmd/sops"),
        ("age", "filippo.io/age/cmd/age"),
        ("age-keygen", "filippo.io/age/cmd/age-keygen"),
    ],
    ldflags: "-s -w",
    target: None,
};

/// A KRM function of kustomize's authors, built on their SDK, as a command for WASI.
pub(crate) const KRM_FUNCTION: GoModule = GoModule {
    name: "krm-function",
    programs: &[("annotate.wasm", "sigs.k8s.io/kustomize/kyaml/fn/framework/example")],
    ldflags: "-s -w",
    target: Some(("wasip1", "wasm")),
};

/// Modules are left writable, or the cache that holds them could not be deleted.
const GOFLAGS: &str = "-mod=readonly -modcacherw -trimpath -buildvcs=false";

impl Tool for GoModule {
    fn name(&self) -> &'static str {
        self.name
    }

    fn pins(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut go = Command::new("go");
        // In the module's folder, which may ask for another Go.
        go.args(["env", "GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT"])
            .current_dir(source(self.name));
        let mut pins = vec![said(go)?, GOFLAGS.into(), self.ldflags.into()];
        for (program, package) in self.programs {
            pins.extend([program.as_bytes().to_vec(), package.as_bytes().to_vec()]);
        }
        if let Some((system, architecture)) = self.target {
            pins.extend([system.into(), architecture.into()]);
        }
        pins.extend(files(self.name)?);
        Ok(pins)
    }

    fn commands(&self, work: &Path) -> Vec<Command> {
        // Go's caches are the build's own, and go with it.
        let build = |(program, package): &(&str, &str)| {
            let mut build = Command::new("go");
            build.args(["build", "-ldflags", self.ldflags, "-o"]).arg(work.join("out").join(program));
            build.arg(package).current_dir(source(self.name)).env("GOFLAGS", GOFLAGS).env("CGO_ENABLED", "0");
            if let Some((system, architecture)) = self.target {
                build.env("GOOS", system).env("GOARCH", architecture);
            }
            build.env("GOCACHE", work.join("cache")).env("GOMODCACHE", work.join("modules"));
            build
        };
        self.programs.iter().map(build).collect()
    }
}

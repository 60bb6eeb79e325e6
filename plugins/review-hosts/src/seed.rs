//! Jobs that fill a review with data: they run once in the life of an environment.

use lathe_sdk::{Object, Outcome};

/// What tells `apply` that an object is created once and never changed.
pub(crate) const ONCE: &str = "lathe.dev/apply";

/// The same for Flux's kustomize-controller.
const FLUX: &str = "kustomize.toolkit.fluxcd.io/ssa";

/// Makes the Job one that is created once and stays as the record of its run.
pub(crate) fn apply(object: &Object, outcome: &mut Outcome) {
    let annotations = &object.value["metadata"]["annotations"];
    for (name, value) in [(ONCE, "once"), (FLUX, "IfNotPresent")] {
        if annotations[name] != value {
            outcome.set(object.key, format!("/metadata/annotations/{}", lathe_sdk::escape(name)), value);
        }
    }
    // A hook's Job is deleted and made again by whoever runs hooks, and a finished one that is cleaned up runs again.
    for name in annotations.as_object().into_iter().flatten().map(|(name, _)| name) {
        if name.starts_with("helm.sh/hook")
            || name.starts_with("argocd.argoproj.io/hook")
            || name == "argocd.argoproj.io/sync-options"
        {
            outcome.remove(object.key, format!("/metadata/annotations/{}", lathe_sdk::escape(name)));
        }
    }
    if !object.value["spec"]["ttlSecondsAfterFinished"].is_null() {
        outcome.remove(object.key, "/spec/ttlSecondsAfterFinished");
    }
}

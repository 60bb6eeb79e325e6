//! What annotations of an object ask of an apply: Lathe's own and Flux's object controls.

use lathe_manifest::{Object, Value};

/// How an object is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Control {
    /// Left alone altogether.
    pub(crate) ignore: bool,
    /// Created, and left alone once it is there.
    pub(crate) once: bool,
    /// Deleted and created anew where a field may not change.
    pub(crate) replace: bool,
    /// Fields that client-side applies left behind stay.
    pub(crate) merge: bool,
}

const FLUX: &str = "kustomize.toolkit.fluxcd.io";

impl Control {
    /// What an object of the set asks for. A word that nobody knows is told, for it may have been meant to protect something.
    pub(crate) fn of(object: &Object) -> Result<Self, String> {
        let own = annotation(&object.value, "lathe.dev/apply");
        let ssa = annotation(&object.value, &format!("{FLUX}/ssa"));
        let on = |name: &str, word: &str| {
            annotation(&object.value, &format!("{FLUX}/{name}"))
                .is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        let mut control = Self { replace: on("force", "enabled"), ..Self::default() };
        match own {
            None => {}
            Some("once") => control.once = true,
            Some("replace") => control.replace = true,
            Some(other) => {
                return Err(format!("annotation lathe.dev/apply is `once` or `replace`, not `{other}`"));
            }
        }
        match ssa.map(str::to_lowercase).as_deref() {
            None | Some("override") => {}
            Some("merge") => control.merge = true,
            Some("ifnotpresent") => control.once = true,
            Some("ignore") => control.ignore = true,
            Some(_) => {
                return Err(format!("annotation {FLUX}/ssa is Override, Merge, IfNotPresent or Ignore"));
            }
        }
        control.ignore |= on("reconcile", "disabled");
        Ok(control)
    }
}

/// Whether the live object asks not to be pruned, by its own annotation, Flux's, Helm's, Argo CD's or cli-utils'.
pub(crate) fn stays(annotations: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, words: &[&str]| {
        annotations(name).is_some_and(|text| {
            text.split(',').any(|part| words.iter().any(|word| part.trim().eq_ignore_ascii_case(word)))
        })
    };
    is("lathe.dev/prune", &["disabled"])
        || is(&format!("{FLUX}/prune"), &["disabled"])
        || is("helm.sh/resource-policy", &["keep"])
        || is("argocd.argoproj.io/sync-options", &["Prune=false", "Delete=false"])
        || is("cli-utils.sigs.k8s.io/on-remove", &["keep"])
        || is("client.lifecycle.config.k8s.io/deletion", &["detach"])
}

fn annotation<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.str_at(&["metadata", "annotations", name])
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;

    #[test]
    fn annotations_say_how_an_object_is_treated() {
        let of = |annotations: &str| {
            let text = format!(
                r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"a","annotations":{{{annotations}}}}}}}"#
            );
            Control::of(&Object::added(json::parse(&text).unwrap()).unwrap())
        };
        let plain = Control::default();
        let flux = |name: &str, word: &str| of(&format!(r#""kustomize.toolkit.fluxcd.io/{name}":"{word}""#));
        assert_eq!(of(""), Ok(plain));
        assert_eq!(of(r#""lathe.dev/apply":"once""#), Ok(Control { once: true, ..plain }));
        assert_eq!(of(r#""lathe.dev/apply":"replace""#), Ok(Control { replace: true, ..plain }));
        assert!(of(r#""lathe.dev/apply":"never""#).is_err());
        assert_eq!(flux("force", "Enabled"), Ok(Control { replace: true, ..plain }));
        assert_eq!(flux("ssa", "Merge"), Ok(Control { merge: true, ..plain }));
        assert_eq!(flux("ssa", "IfNotPresent"), Ok(Control { once: true, ..plain }));
        assert_eq!(flux("ssa", "Ignore"), Ok(Control { ignore: true, ..plain }));
        assert_eq!(flux("reconcile", "disabled"), Ok(Control { ignore: true, ..plain }));
        assert!(flux("ssa", "Ignroe").is_err());
    }

    #[test]
    fn what_asks_to_stay_stays() {
        let stays = |own: &str, word: &str| stays(|name| (name == own).then(|| word.to_owned()));
        assert!(stays("kustomize.toolkit.fluxcd.io/prune", "disabled"));
        assert!(stays("helm.sh/resource-policy", "keep"));
        assert!(stays("argocd.argoproj.io/sync-options", "Validate=true, Prune=false"));
        assert!(!stays("kustomize.toolkit.fluxcd.io/prune", "enabled"));
        assert!(!stays("helm.sh/hook", "keep"));
    }
}

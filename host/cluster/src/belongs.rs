//! To whom an object on the cluster belongs: to another set, or to a tool that would write it back.

use std::collections::BTreeMap;

use lathe_manifest::Object;

use crate::set::PART_OF;

/// Labels and annotations by which tools know what is theirs, each with the tool's name.
const MARKS: &[(&str, &str, &str)] = &[
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux"),
    ("annotations", "meta.helm.sh/release-name", "Helm"),
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD"),
    ("labels", "argocd.argoproj.io/instance", "Argo CD"),
];

type Texts = BTreeMap<String, String>;

/// The marks of other tools that an object of these labels and annotations carries: `labels` or `annotations`, and the name.
pub(crate) fn marks(
    labels: &Texts,
    annotations: &Texts,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    MARKS.iter().filter_map(|(part, name, _)| {
        let there =
            if *part == "labels" { labels.contains_key(*name) } else { annotations.contains_key(*name) };
        there.then_some((*part, *name))
    })
}

/// Who has the live object of these labels and annotations; `None` where it is this set's, or nobody's. What the manifest says
/// itself marks nobody.
pub(crate) fn other(
    labels: &Texts,
    annotations: &Texts,
    object: &Object,
    set: Option<&str>,
) -> Option<String> {
    let member = labels.get(PART_OF);
    if let Some(id) = member.filter(|id| Some(id.as_str()) != set) {
        return Some(format!("another ApplySet ({id})"));
    }
    let marked = |(part, name, tool): &(&str, &str, &str)| {
        let live = if *part == "labels" { labels.get(*name)? } else { annotations.get(*name)? };
        let own = object.value.str_at(&["metadata", part, name]);
        (own != Some(live.as_str())).then(|| format!("{tool} ({name}: {live})"))
    };
    MARKS.iter().find_map(marked)
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;

    #[test]
    fn marks_that_the_manifest_does_not_set_name_somebody() {
        let object = |annotations: &str| {
            let text = format!(
                r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"a","annotations":{{{annotations}}}}}}}"#
            );
            Object::added(json::parse(&text).unwrap()).unwrap()
        };
        let texts = |name: &str, value: &str| Texts::from([(name.to_owned(), value.to_owned())]);
        let (plain, none) = (object(""), Texts::new());
        let helm = texts("meta.helm.sh/release-name", "x");
        let told = other(&none, &helm, &plain, None);
        assert_eq!(told.as_deref(), Some("Helm (meta.helm.sh/release-name: x)"));
        assert_eq!(other(&none, &helm, &object(r#""meta.helm.sh/release-name":"x""#), None), None);
        let member = texts(PART_OF, "applyset-1");
        assert_eq!(other(&member, &none, &plain, Some("applyset-1")), None);
        let told = other(&member, &none, &plain, None);
        assert_eq!(told.as_deref(), Some("another ApplySet (applyset-1)"));
        assert_eq!(other(&none, &none, &plain, None), None);
    }
}

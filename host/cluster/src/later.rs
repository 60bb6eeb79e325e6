//! Refusals that may not be the last word: the run itself brings what they ask for.

use kube::core::Status;

/// What has to come before an object that was refused can be tried again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Later {
    /// An object of one of these kinds and this name, in the refused one's namespace or in none.
    Object {
        /// Kinds of Kubernetes' own.
        kinds: &'static [&'static str],
        /// Its name.
        name: String,
    },
    /// A right, which a binding of the set may give.
    Rights,
    /// Other rules, which the labels of the namespace may decide: Pod Security, quotas, policies.
    Rules,
}

impl Later {
    /// Of an answer. The words are those of Kubernetes' own admission and RBAC, at their place in the message: what webhooks
    /// and policies say must not be taken for them.
    pub(crate) fn of(status: &Status) -> Option<Self> {
        let said = status.message.as_str();
        match status.code {
            404 => {
                // A binding is told to be missing under the name of its role.
                let forms: [(&str, &'static [&'static str]); 4] = [
                    ("rolebindings.", &["Role", "ClusterRole"]),
                    ("clusterrolebindings.", &["ClusterRole"]),
                    ("roles.", &["Role"]),
                    ("clusterroles.", &["ClusterRole"]),
                ];
                let mut found =
                    forms.into_iter().filter_map(|(start, kinds)| Some((said.strip_prefix(start)?, kinds)));
                let (rest, kinds) = found.next()?;
                let name = rest.strip_prefix("rbac.authorization.k8s.io \"")?.strip_suffix("\" not found")?;
                Some(Self::Object { kinds, name: name.to_owned() })
            }
            403 => {
                let said = said.split_once(" is forbidden: ")?.1;
                let forms: [(&str, &str, &str, &'static [&'static str]); 3] = [
                    (
                        "error looking up service account ",
                        "serviceaccount \"",
                        "\" not found",
                        &["ServiceAccount"],
                    ),
                    ("no PriorityClass with name ", "", " was found", &["PriorityClass"]),
                    ("pod rejected: RuntimeClass ", "\"", "\" not found", &["RuntimeClass"]),
                ];
                for (start, before, after, kinds) in forms {
                    let Some(rest) = said.strip_prefix(start) else { continue };
                    let name = rest.split_once(before)?.1.split_once(after)?.0;
                    return Some(Self::Object { kinds, name: name.to_owned() });
                }
                if said.contains("attempting to grant") {
                    return None;
                }
                Some(if said.starts_with("User ") { Self::Rights } else { Self::Rules })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kubernetes_own_words_at_their_place_name_an_object() {
        let of = |code: u16, message: &str| Later::of(&Status { code, ..Status::failure(message, "") });
        let object = |kinds, name: &str| Some(Later::Object { kinds, name: name.to_owned() });
        for (code, message, want) in [
            (
                403,
                "pods \"a\" is forbidden: error looking up service account ns/b: serviceaccount \"b\" not found",
                object(&["ServiceAccount"], "b"),
            ),
            (
                403,
                "pods \"a\" is forbidden: no PriorityClass with name high was found",
                object(&["PriorityClass"], "high"),
            ),
            (
                403,
                "pods \"a\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found",
                object(&["RuntimeClass"], "gvisor"),
            ),
            (404, "roles.rbac.authorization.k8s.io \"r\" not found", object(&["Role"], "r")),
            (
                404,
                "clusterroles.rbac.authorization.k8s.io \"system:a\" not found",
                object(&["ClusterRole"], "system:a"),
            ),
            (
                404,
                "rolebindings.rbac.authorization.k8s.io \"r\" not found",
                object(&["Role", "ClusterRole"], "r"),
            ),
            (404, "namespaces \"portal\" not found", None),
            (
                403,
                "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": web",
                Some(Later::Rules),
            ),
            (
                403,
                "services \"portal\" is forbidden: ValidatingAdmissionPolicy 'p' denied request: serviceaccount \"x\" not found",
                Some(Later::Rules),
            ),
            (403, "roles \"a\" is forbidden: User \"u\" cannot patch", Some(Later::Rights)),
            (403, "roles \"a\" is forbidden: user \"u\" is attempting to grant RBAC permissions", None),
            (422, "error looking up service account a/b: serviceaccount \"b\" not found", None),
        ] {
            assert_eq!(of(code, message), want, "{message}");
        }
    }
}

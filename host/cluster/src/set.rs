//! Which set of objects an apply is about, and what its labels and its parent are called (`ApplySet`, KEP-3659).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::api::core::v1::Secret;
use lathe_manifest::digest;

/// The label of each object of a set; its value is the set's id.
pub(crate) const PART_OF: &str = "applyset.kubernetes.io/part-of";

/// The label of a set's parent; its value is the set's id.
pub(crate) const ID: &str = "applyset.kubernetes.io/id";

pub(crate) const PROJECT: &str = "lathe.dev/project";
pub(crate) const ENVIRONMENT: &str = "lathe.dev/environment";
pub(crate) const REVIEW: &str = "lathe.dev/review";

/// The set of one environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Set {
    /// The project.
    pub project: String,
    /// The environment's name in the pipeline.
    pub environment: String,
    /// The review's id; empty where it is none.
    pub review: String,
    /// The namespace that holds the set's parent and other state.
    pub ops_namespace: String,
}

impl Set {
    /// The set that a parent is of; `None` where its labels do not say.
    pub(crate) fn of_parent(parent: &Secret) -> Option<Self> {
        let labels = parent.metadata.labels.as_ref()?;
        let label = |name: &str| labels.get(name).cloned();
        let set = Self {
            project: label(PROJECT)?,
            environment: label(ENVIRONMENT)?,
            review: label(REVIEW).unwrap_or_default(),
            ops_namespace: parent.metadata.namespace.clone()?,
        };
        (parent.metadata.name.as_deref() == Some(&set.name())).then_some(set)
    }

    /// How messages call it: `portal/review/42`.
    pub fn label(&self) -> String {
        let Self { project, environment, review, .. } = self;
        if review.is_empty() {
            format!("{project}/{environment}")
        } else {
            format!("{project}/{environment}/{review}")
        }
    }

    /// The name of the parent Secret, and of the Lease that says whose turn it is.
    pub fn name(&self) -> String {
        let parts = [&self.project, &self.environment, &self.review].map(String::as_bytes);
        let hash = digest::base32(&digest::of_parts(&parts), 10);
        let readable = |text: &str| -> String {
            text.chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_lowercase())
                .take(16)
                .collect()
        };
        let parts = [&self.project, &self.environment, &self.review].map(|part| readable(part));
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        format!("lathe-set-{}-{hash}", parts.join("-"))
    }

    /// The id (KEP-3659): `applyset-` + unpadded base64url of the SHA-256 of `name.namespace.Kind.group` + `-v1`.
    pub fn id(&self) -> String {
        id(&self.name(), &self.ops_namespace)
    }

    /// Project, environment and review.
    pub fn identity(&self) -> [String; 3] {
        [self.project.clone(), self.environment.clone(), self.review.clone()]
    }

    /// The labels that tell the environment.
    pub fn labels(&self) -> BTreeMap<String, String> {
        [(PROJECT, &self.project), (ENVIRONMENT, &self.environment), (REVIEW, &self.review)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    }
}

/// The id of the set whose parent is this Secret.
fn id(name: &str, namespace: &str) -> String {
    let hash = digest::sha256(format!("{name}.{namespace}.Secret.").as_bytes());
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_kubectls() {
        // The core group leaves its dot behind.
        assert_eq!(id("myset", "a"), "applyset-RUlcLch1NJJImOOYLccDIeyvoDIabyOC74Q4gSaGZ8E-v1");
    }

    #[test]
    fn names_tell_sets_apart_and_are_names() {
        let set = |review: &str| Set {
            project: "Por_tal".into(),
            environment: "review".into(),
            review: review.into(),
            ops_namespace: "lathe-system".into(),
        };
        assert!(set("42").name().starts_with("lathe-set-portal-review-42-"), "{}", set("42").name());
        assert_ne!(set("4.2").name(), set("42").name());
        assert_ne!(set("").name(), set("42").name());
        let long = set(&"x".repeat(63)).name();
        assert!(
            long.len() < 63
                && long.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        );
    }
}

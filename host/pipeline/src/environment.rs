//! One environment, resolved: who it is, its namespace, its hosts.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::file::{EnvironmentSpec, Pipeline};
use crate::slug;
use crate::territory::{Territory, target_of};

/// The plugin whose config names hosts.
pub(crate) const REVIEW_HOSTS: &str = "builtin:review-hosts";

/// An environment that a pipeline is rendered for. Follows from the pipeline file, its name and the review id alone.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Environment {
    /// Its name in the pipeline.
    pub name: String,
    /// The project.
    pub project: String,
    /// Its namespace.
    pub namespace: String,
    /// Which review it is, if it is one.
    pub review: Option<Review>,
    /// Source host → target host; empty but for reviews.
    pub hosts: BTreeMap<String, String>,
    /// Owned zones, hosts that stay, and the domain of the targets; for the closure.
    #[serde(skip)]
    pub(crate) territory: Option<Territory>,
}

/// Which review an environment is.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Review {
    /// The id, such as a merge request's number.
    pub id: String,
    /// The name part that namespace and hosts are made of.
    pub slug: String,
    /// The pool's slot that its hosts are made of instead, where the environment has a pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
}

impl Review {
    /// The end of the slug, which tells this review from all others: names of its own objects outside of namespaces end in it.
    pub fn hash(&self) -> &str {
        self.slug.rsplit('-').next().unwrap_or_default()
    }
}

/// Why there is no such environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// The command line does not fit the pipeline.
    #[error("{0}")]
    Usage(String),
    /// The pipeline file does not add up.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// The environment has a pool, and nobody said which slot of it the review holds.
    #[error(
        "environment `{environment}` takes its hosts from a pool, and review {review} holds no slot of it"
    )]
    NoLease {
        /// The environment's name.
        environment: String,
        /// The review's id.
        review: String,
    },
}

impl Environment {
    /// Resolves what the command line asks for. `slot` is the one that the review holds of the environment's pool.
    pub fn resolve(
        pipeline: &Pipeline,
        name: Option<&str>,
        review: Option<&str>,
        slot: Option<&str>,
    ) -> Result<Self, EnvironmentError> {
        let usage = |text: String| Err(EnvironmentError::Usage(text));
        let names = || pipeline.environments.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        // A review's id says enough where there is one class of reviews.
        let only = review.and_then(|_| pipeline.only_review());
        let Some(name) = name.or(only) else {
            return usage(format!("`--env NAME` is needed; the pipeline has {}", names()));
        };
        let Some(spec) = pipeline.environments.get(name) else {
            return usage(format!("there is no environment `{name}`; the pipeline has {}", names()));
        };
        let project = pipeline.project().to_owned();
        match (spec.review, review) {
            (true, None) => usage(format!("environment `{name}` is a review; `--review ID` says which")),
            (false, Some(_)) => usage(format!("environment `{name}` is no review; leave `--review` out")),
            (false, None) => {
                if !is_label(&spec.namespace) {
                    let namespace = &spec.namespace;
                    let text = format!(
                        "environments.{name}.namespace: `{namespace}` is no namespace name (RFC 1123 label)"
                    );
                    return Err(EnvironmentError::Invalid(vec![text]));
                }
                Ok(Self {
                    name: name.to_owned(),
                    project,
                    namespace: spec.namespace.clone(),
                    review: None,
                    hosts: BTreeMap::new(),
                    territory: None,
                })
            }
            (true, Some(id)) if !is_label_value(id) => usage(
                "`--review` takes an id of at most 63 letters, digits, `-`, `_` and `.`, as labels do"
                    .to_owned(),
            ),
            (true, Some(id)) => Self::review(pipeline, name, spec, project, id, slot),
        }
    }

    /// What plugins are told, as JSON.
    pub fn to_json(&self) -> String {
        // Plain data always serializes.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The service key that each source host stands under in the pipeline, and the one of the front page.
    pub fn service_keys(&self) -> (Vec<(&str, &str)>, Option<&str>) {
        let territory = self.territory.as_ref();
        let keys = territory.into_iter().flat_map(|territory| &territory.keys);
        let keys = keys.map(|(host, key)| (host.as_str(), key.as_str())).collect();
        (keys, territory.and_then(|territory| territory.url.as_deref()))
    }

    /// Project, environment and review id, which tell this environment from all others.
    pub fn identity(&self) -> [&str; 3] {
        [&self.project, &self.name, self.review.as_ref().map_or("", |review| &review.id)]
    }

    fn review(
        pipeline: &Pipeline,
        name: &str,
        spec: &EnvironmentSpec,
        project: String,
        id: &str,
        slot: Option<&str>,
    ) -> Result<Self, EnvironmentError> {
        let invalid = |wrong: Vec<String>| EnvironmentError::Invalid(wrong);
        let template = spec.namespace.as_str();
        let entries: Vec<_> =
            pipeline.transforms_in(name).filter(|(_, t)| t.plugin == REVIEW_HOSTS).collect();
        let (place, config) = match entries.as_slice() {
            [(index, transform)] if transform.selectors.is_some() => {
                let told = format!("transforms[{index}].match: {REVIEW_HOSTS} has to see all of a review");
                return Err(invalid(vec![told]));
            }
            [(index, transform)] => (format!("transforms[{index}].config"), &transform.config),
            _ => {
                let told = format!("environment `{name}` is a review and needs {REVIEW_HOSTS} once");
                return Err(invalid(vec![told]));
            }
        };
        let mut wrong = Vec::new();
        let territory = Territory::read(config, &place, &mut wrong);
        // A namespace that is given may be any; then reviews take turns in it.
        let slugs = template.matches("{slug}").count();
        if slugs != 1 && !(slugs == 0 && spec.namespace_given) {
            wrong.push(format!("environments.{name}.namespace: a review's namespace holds `{{slug}}` once"));
        }
        let longest = territory.longest_key();
        let room = (63 + "{slug}".len()).saturating_sub(template.len());
        // In a pool the slot stands in the hosts, and the slug in the namespace alone.
        let max = if spec.pool.is_some() { room } else { room.min(62_usize.saturating_sub(longest)) };
        let Some(slug) = slug::slug(&project, name, id, max) else {
            wrong.push(format!(
                "environment `{name}`: service keys or namespace leave no room for a slug in 63 characters"
            ));
            return Err(invalid(wrong));
        };
        let namespace = template.replace("{slug}", &slug);
        if !is_label(&namespace) {
            wrong.push(format!(
                "environments.{name}.namespace: `{namespace}` is no namespace name (RFC 1123 label)"
            ));
        }
        let slot = match (&spec.pool, slot) {
            (None, _) => None,
            (Some(pool), Some(slot)) if pool.iter().any(|name| name == slot) => Some(slot.to_owned()),
            (Some(_), Some(slot)) => {
                let told = format!(
                    "review {id} holds slot `{slot}`, which the pool of `{name}` does not have any more"
                );
                return Err(EnvironmentError::Usage(told));
            }
            (Some(_), None) => {
                return Err(EnvironmentError::NoLease {
                    environment: name.to_owned(),
                    review: id.to_owned(),
                });
            }
        };
        let mut targets = BTreeSet::new();
        for slot in spec.pool.iter().flatten() {
            for key in territory.keys.values() {
                let target = target_of(key, slot, &territory.review_domain);
                if !targets.insert(target.clone()) {
                    wrong.push(format!(
                        "environments.{name}.pool: two keys and slots make the same host `{target}`"
                    ));
                }
            }
            if !is_label(slot) || slot.len() + longest > 62 {
                wrong.push(format!(
                    "environments.{name}.pool: `{slot}` and the longest service key are no label of 63 characters"
                ));
            }
        }
        let hosts = territory.hosts(slot.as_deref().unwrap_or(&slug), &place, &mut wrong);
        if !wrong.is_empty() {
            return Err(invalid(wrong));
        }
        let review = Some(Review { id: id.to_owned(), slug, slot });
        Ok(Self { name: name.to_owned(), project, namespace, review, hosts, territory: Some(territory) })
    }
}

/// The value of a label, not empty; project, environment and review stand in labels.
pub fn is_label_value(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    bytes.len() <= 63 && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

/// An RFC 1123 label.
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(hosts: &str, namespace: &str) -> Pipeline {
        let text = format!(
            "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: portal}}\nenvironments:\n  prod: {{namespace: portal}}\n  review: {{review: true, namespace: {namespace:?}}}\ntransforms:\n- plugin: builtin:review-hosts\n  environments: [review]\n  config: {{reviewDomain: review.example.net, hosts: {hosts}, zones: [example.org], keep: [aai.example.org]}}\n"
        );
        Pipeline::parse("lathe.yaml", text.as_bytes()).unwrap()
    }

    #[test]
    fn a_review_has_namespace_and_hosts_of_one_slug() {
        let pipeline = pipeline("{portal.example.org: portal}", "portal-{slug}");
        let environment = Environment::resolve(&pipeline, Some("review"), Some("42"), None).unwrap();
        let slug = environment.review.as_ref().unwrap().slug.clone();
        assert_eq!(environment.namespace, format!("portal-{slug}"));
        assert_eq!(environment.hosts["portal.example.org"], format!("portal-{slug}.review.example.net"));
    }

    #[test]
    fn the_command_line_has_to_fit() {
        let pipeline = pipeline("{portal.example.org: portal}", "portal-{slug}");
        for (name, review, told) in [
            (None, None, "the pipeline has prod, review"),
            (Some("stage"), None, "there is no environment `stage`"),
            (Some("review"), None, "`--review ID` says which"),
            (Some("prod"), Some("1"), "is no review"),
            (Some("review"), Some(" "), "at most 63 letters"),
            (Some("review"), Some("feature/login"), "at most 63 letters"),
        ] {
            let error = Environment::resolve(&pipeline, name, review, None).unwrap_err();
            assert!(matches!(&error, EnvironmentError::Usage(text) if text.contains(told)), "{error}");
        }
    }

    #[test]
    fn a_review_without_its_plugin_is_refused() {
        for transforms in [
            "[]",
            "[{plugin: builtin:review-hosts, match: {kind: Ingress}, config: {reviewDomain: r.example.net, hosts: {}}}]",
        ] {
            let text = format!(
                "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: p}}\nenvironments: {{r: {{review: true, namespace: 'p-{{slug}}'}}}}\ntransforms: {transforms}\n"
            );
            let pipeline = Pipeline::parse("lathe.yaml", text.as_bytes()).unwrap();
            assert!(matches!(
                Environment::resolve(&pipeline, Some("r"), Some("1"), None),
                Err(EnvironmentError::Invalid(_))
            ));
        }
    }

    #[test]
    fn a_map_that_does_not_add_up_is_refused() {
        for (hosts, namespace, told) in [
            ("{a.example.org: x, b.example.org: x}", "p-{slug}", "stands there twice"),
            ("{a.review.example.net: x}", "p-{slug}", "lies under the review domain"),
            ("{aai.example.org: x}", "p-{slug}", "is mapped as well"),
            ("{A.example.org: x}", "p-{slug}", "no lower-case host name"),
            ("{a.example.org: X_Y}", "p-{slug}", "no DNS label"),
            ("{a.example.org: x}", "portal", "holds `{slug}` once"),
            (
                "{a.example.org: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}",
                "p-{slug}",
                "leave no room",
            ),
        ] {
            let error = Environment::resolve(&pipeline(hosts, namespace), Some("review"), Some("1"), None)
                .unwrap_err();
            assert!(
                matches!(&error, EnvironmentError::Invalid(_)) && error.to_string().contains(told),
                "{error}"
            );
        }
    }
}

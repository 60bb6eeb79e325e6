//! One environment, resolved: who it is, its namespace, its hosts.

use std::collections::{BTreeMap, BTreeSet};

use lathe_manifest::Value;
use schemars::JsonSchema;
use serde::Serialize;

use crate::file::Pipeline;
use crate::slug;

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
}

/// What review-hosts' config says of hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Territory {
    pub(crate) review_domain: String,
    pub(crate) zones: Vec<String>,
    pub(crate) keep: Vec<String>,
    /// Services of other namespaces that a review may use, as `name.namespace`.
    pub(crate) shared_services: Vec<String>,
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
}

impl Environment {
    /// Resolves what the command line asks for.
    pub fn resolve(
        pipeline: &Pipeline,
        name: Option<&str>,
        review: Option<&str>,
    ) -> Result<Self, EnvironmentError> {
        let usage = |text: String| Err(EnvironmentError::Usage(text));
        let names = || pipeline.environments.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let Some(name) = name else {
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
            (true, Some(id)) => {
                Self::review(pipeline, name, &spec.namespace, project, id).map_err(EnvironmentError::Invalid)
            }
        }
    }

    /// What plugins are told, as JSON.
    pub fn to_json(&self) -> String {
        // Plain data always serializes.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Project, environment and review id, which tell this environment from all others.
    pub fn identity(&self) -> [&str; 3] {
        [&self.project, &self.name, self.review.as_ref().map_or("", |review| &review.id)]
    }

    fn review(
        pipeline: &Pipeline,
        name: &str,
        template: &str,
        project: String,
        id: &str,
    ) -> Result<Self, Vec<String>> {
        let entries: Vec<_> =
            pipeline.transforms_in(name).filter(|(_, t)| t.plugin == REVIEW_HOSTS).collect();
        let (place, config) = match entries.as_slice() {
            [(index, transform)] if transform.selectors.is_some() => {
                return Err(vec![format!(
                    "transforms[{index}].match: {REVIEW_HOSTS} has to see all of a review"
                )]);
            }
            [(index, transform)] => (format!("transforms[{index}].config"), &transform.config),
            _ => return Err(vec![format!("environment `{name}` is a review and needs {REVIEW_HOSTS} once")]),
        };
        let mut wrong = Vec::new();
        let keys = hosts_of(config).unwrap_or_else(|why| {
            wrong.push(format!("{place}.{why}"));
            BTreeMap::new()
        });
        let territory = territory_of(config, &place, &mut wrong);
        if template.matches("{slug}").count() != 1 {
            wrong.push(format!("environments.{name}.namespace: a review's namespace holds `{{slug}}` once"));
        }
        let longest = keys.values().map(String::len).max().unwrap_or(0);
        let max =
            (62_usize.saturating_sub(longest)).min((63 + "{slug}".len()).saturating_sub(template.len()));
        let Some(slug) = slug::slug(&project, name, id, max) else {
            wrong.push(format!(
                "environment `{name}`: service keys or namespace leave no room for a slug in 63 characters"
            ));
            return Err(wrong);
        };
        let namespace = template.replace("{slug}", &slug);
        if !is_label(&namespace) {
            wrong.push(format!(
                "environments.{name}.namespace: `{namespace}` is no namespace name (RFC 1123 label)"
            ));
        }
        let target = |key: &String| format!("{key}-{slug}.{}", territory.review_domain);
        let hosts: BTreeMap<String, String> =
            keys.iter().map(|(host, key)| (host.clone(), target(key))).collect();
        check_hosts(&keys, &hosts, &territory, &place, &mut wrong);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let review = Some(Review { id: id.to_owned(), slug });
        Ok(Self { name: name.to_owned(), project, namespace, review, hosts, territory: Some(territory) })
    }
}

fn hosts_of(config: &Value) -> Result<BTreeMap<String, String>, String> {
    let hosts = config
        .get("hosts")
        .and_then(Value::as_object)
        .ok_or("hosts: a map of host to service key is needed")?;
    hosts
        .iter()
        .map(|(host, key)| match key.as_str() {
            Some(key) if is_label(key) => Ok((host.to_owned(), key.to_owned())),
            _ => Err(format!("hosts: the service key of `{host}` is no DNS label")),
        })
        .collect()
}

fn territory_of(config: &Value, place: &str, wrong: &mut Vec<String>) -> Territory {
    let mut list = |name: &str| -> Vec<String> {
        let items = match config.get(name) {
            None => &[],
            Some(value) => value.as_array().unwrap_or_else(|| {
                wrong.push(format!("{place}.{name}: a list of host names is expected"));
                &[]
            }),
        };
        items.iter().filter_map(Value::as_str).map(str::to_lowercase).collect()
    };
    let (zones, keep, shared_services) = (list("zones"), list("keep"), list("sharedServices"));
    for (name, host) in zones.iter().map(|zone| ("zones", zone)).chain(keep.iter().map(|host| ("keep", host)))
    {
        if !is_domain(host) {
            wrong.push(format!(
                "{place}.{name}: `{host}` is no domain name; write it without `*.` and dots at its ends"
            ));
        }
    }
    let review_domain = config.get("reviewDomain").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    if !is_domain(&review_domain) {
        wrong.push(format!("{place}.reviewDomain: a domain name is needed"));
    }
    Territory { review_domain, zones, keep, shared_services }
}

/// The map is one to one, and no target is a source, so that rendering a rendered review changes nothing.
fn check_hosts(
    keys: &BTreeMap<String, String>,
    hosts: &BTreeMap<String, String>,
    territory: &Territory,
    place: &str,
    wrong: &mut Vec<String>,
) {
    let mut seen = BTreeSet::new();
    for (host, key) in keys {
        if !seen.insert(key) {
            wrong.push(format!("{place}.hosts: the service key `{key}` stands there twice"));
        }
        if host.to_lowercase() != *host || !is_domain(host) {
            wrong.push(format!("{place}.hosts: `{host}` is no lower-case host name"));
        }
        if territory.keep.contains(host) {
            wrong.push(format!("{place}.keep: `{host}` is mapped as well"));
        }
    }
    for host in keys.keys().chain(&territory.keep) {
        if is_within(host, &territory.review_domain) {
            wrong.push(format!(
                "{place}: `{host}` lies under the review domain `{}`",
                territory.review_domain
            ));
        }
    }
    for target in hosts.values() {
        if target.len() > 253 {
            wrong.push(format!("{place}.reviewDomain: `{target}` is longer than 253 characters"));
        }
    }
}

/// Whether the host is the domain or below it.
pub(crate) fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_domain(name: &str) -> bool {
    name.contains('.')
        && name.len() <= 253
        && name.split('.').all(|label| is_label(label) || !label.is_ascii())
}

/// The value of a label, not empty; project, environment and review stand in labels.
pub(crate) fn is_label_value(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    bytes.len() <= 63 && edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
}

/// An RFC 1123 label.
fn is_label(text: &str) -> bool {
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
        let environment = Environment::resolve(&pipeline, Some("review"), Some("42")).unwrap();
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
            let error = Environment::resolve(&pipeline, name, review).unwrap_err();
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
                Environment::resolve(&pipeline, Some("r"), Some("1")),
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
            let error =
                Environment::resolve(&pipeline(hosts, namespace), Some("review"), Some("1")).unwrap_err();
            assert!(
                matches!(&error, EnvironmentError::Invalid(_)) && error.to_string().contains(told),
                "{error}"
            );
        }
    }
}

//! What a review is called, for people and for what comes after it in a CI's job.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lathe_aai::Declared;
use schemars::JsonSchema;
use serde::Serialize;

use crate::environment::Environment;
use crate::file::API_VERSION;

/// One review environment, as `review show -o json` prints it.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewSummary {
    /// `lathe.dev/v1alpha1`.
    pub api_version: &'static str,
    /// `Review`.
    pub kind: &'static str,
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The review's id.
    pub review: String,
    /// The name part that namespace and hosts are made of.
    pub slug: String,
    /// The slot of the pool that hosts are made of instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The front page; missing where there are several hosts and the pipeline does not say which has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The hosts, in the order of their source hosts.
    pub hosts: Vec<ReviewHost>,
    /// Redirect URIs by login client (RFC 6749 section 3.1.2); missing where the pipeline has not been run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_uris: Option<BTreeMap<String, Vec<String>>>,
}

/// One host of a review.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct ReviewHost {
    /// The service key.
    pub key: String,
    /// The host of production.
    pub source: String,
    /// The host of the review.
    pub host: String,
}

impl ReviewSummary {
    /// The summary of an environment; `None` where it is no review.
    pub fn new(environment: &Environment, clients: Option<&[Declared]>) -> Option<Self> {
        let review = environment.review.as_ref()?;
        let (keys, front) = environment.service_keys();
        let hosts: Vec<ReviewHost> = keys
            .into_iter()
            .filter_map(|(source, key)| {
                let spelled = crate::territory::to_ascii(source);
                let host = environment.hosts.get(&spelled)?.clone();
                Some(ReviewHost { key: key.to_owned(), source: source.to_owned(), host })
            })
            .collect();
        let page = match (front, hosts.as_slice()) {
            (Some(front), _) => hosts.iter().find(|host| host.key == front),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let page = page.filter(|host| !host.host.starts_with('*'));
        let uris = |clients: &[Declared]| {
            let pair = |client: &Declared| (client.intent.name.clone(), client.intent.redirect_uris.clone());
            clients.iter().map(pair).collect()
        };
        Some(Self {
            api_version: API_VERSION,
            kind: "Review",
            project: environment.project.clone(),
            environment: environment.name.clone(),
            review: review.id.clone(),
            slug: review.slug.clone(),
            slot: review.slot.clone(),
            namespace: environment.namespace.clone(),
            url: page.map(|host| format!("https://{}", host.host)),
            hosts,
            redirect_uris: clients.map(uris),
        })
    }

    /// The JSON text.
    pub fn to_json(&self) -> String {
        // Plain data always serializes.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Variables for GitLab's `artifacts:reports:dotenv`: `REVIEW_URL`, `REVIEW_SLUG`, `REVIEW_NAMESPACE`, and `REVIEW_HOST_KEY` for
    /// each service key. `None` where no host has the front page, or nobody said which.
    pub fn to_dotenv(&self) -> Option<String> {
        let mut text = format!("REVIEW_URL={}\n", self.url.as_ref()?);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "REVIEW_SLUG={}", self.slug);
        let _ = writeln!(text, "REVIEW_NAMESPACE={}", self.namespace);
        for ReviewHost { key, host, .. } in self.hosts.iter().filter(|host| !host.host.starts_with('*')) {
            let name = key.to_uppercase().replace('-', "_");
            let _ = writeln!(text, "REVIEW_HOST_{name}={host}");
        }
        Some(text)
    }
}

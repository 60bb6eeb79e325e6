//! A pipeline proposed for manifests that have none: hosts from what claims them, the rest from what a trial run refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lathe_manifest::Object;

use crate::environment::{Review, is_label};
use crate::file::SECRETS;
use crate::problem::Problem;
use crate::render::secret_name;
use crate::report::{Hit, Report};
use crate::territory::{is_within, to_ascii};

/// A pipeline under way: it learns from the report of each trial run what to propose next.
#[derive(Clone, Debug, Default)]
pub struct Proposal {
    project: String,
    namespace: String,
    inputs: Vec<String>,
    review_domain: Option<String>,
    /// Host → service key.
    hosts: BTreeMap<String, String>,
    zones: BTreeSet<String>,
    /// Host → a place where it stands.
    keep: BTreeMap<String, String>,
    shared_services: BTreeSet<String>,
    drop: BTreeSet<String>,
    shared_roles: BTreeSet<String>,
    reveal: BTreeSet<String>,
    /// Object, pointer and host.
    acknowledge: BTreeSet<(String, String, String)>,
    /// What references ask for.
    references: BTreeSet<String>,
    /// What is refused all the same.
    refused: Vec<String>,
    /// The input's Secrets: name → how the pipeline names it.
    secrets: BTreeMap<String, String>,
    learned: usize,
}

/// What the trial runs' acknowledgements give as their reason.
const TRIAL: &str = "trial";

impl Proposal {
    /// Begins with nothing but namespace and inputs. `review_domain` is the domain of reviews, if it is known.
    pub fn new(objects: &[Object], inputs: Vec<String>, review_domain: Option<String>) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for object in objects.iter().filter(|object| !object.namespace().is_empty()) {
            *counts.entry(object.namespace()).or_default() += 1;
        }
        let namespace = counts.iter().max_by_key(|(name, count)| (**count, std::cmp::Reverse(**name)));
        let namespace = namespace.map_or("app", |(name, _)| name).to_owned();
        let secrets = objects.iter().filter(|object| object.is_secret());
        let secrets = secrets.map(|object| (object.name().to_owned(), secret_name(object))).collect();
        let project = namespace.clone();
        Self { project, namespace, inputs, review_domain, secrets, ..Self::default() }
    }

    /// Takes in what a trial run says. Tells whether another run would say something else.
    pub fn learn(&mut self, report: &Report) -> bool {
        let before = self.clone();
        let addresses = report.secrets.iter().map(|place| place.address.clone());
        self.references.extend(addresses.filter(|address| !address.is_empty()));
        let named = |code: &str| -> Vec<(String, String)> {
            let problems = report.problems.iter().filter(|problem| problem.code == code);
            let host = |message: &str| message.split('`').nth(1).unwrap_or_default().to_owned();
            let kind = |object: &str| object.split('/').next().unwrap_or_default().to_owned();
            let name = |object: &str| object.rsplit('/').next().unwrap_or_default().to_owned();
            let place = |p: &Problem| format!("{}/{} {}", kind(&p.object), name(&p.object), p.pointer);
            problems.map(|p| (host(&p.message), place(p))).collect()
        };
        for (host, _) in named("unmapped-host").into_iter().filter(|(host, _)| is_host(host)) {
            if !self.hosts.contains_key(&host)
                && !self.hosts.keys().any(|other| to_ascii(other) == to_ascii(&host))
            {
                let key = self.key(&host);
                self.hosts.insert(host, key);
            }
        }
        if self.learned == 0 {
            self.zones = zones(self.hosts.keys());
        }
        self.learned += 1;
        for (host, place) in named("unmapped-target").into_iter().filter(|(host, _)| is_host(host)) {
            let below = host.strip_prefix("*.").is_some_and(|name| self.hosts.contains_key(name));
            if below && !self.hosts.contains_key(&host) {
                let key = self.key(&host);
                self.hosts.insert(host, key);
            } else if !self.hosts.contains_key(&host) {
                self.keep.entry(host).or_insert(place);
            }
        }
        let hash = report.environment.review.as_ref().map_or("", Review::hash);
        for problem in &report.problems {
            let (kind, name) = problem.object.split_once('/').unwrap_or_default();
            let name = name.rsplit('/').next().unwrap_or_default();
            // A role is called by the trial review's name for it.
            let name = name.strip_suffix(&format!("-{hash}")).unwrap_or(name).to_owned();
            match (problem.code.as_str(), problem.pointer.as_str()) {
                ("cluster-scoped", "") => drop(self.drop.insert(problem.object.clone())),
                ("cluster-scoped", _) if kind == "ClusterRole" => drop(self.shared_roles.insert(name)),
                ("system-namespace", _) => drop(self.drop.insert(format!("{kind}/{name}"))),
                _ => {}
            }
        }
        report.closure.iter().filter(|hit| hit.class == "leftover").for_each(|hit| self.leftover(hit));
        let proposed = |p: &&Problem| match p.code.as_str() {
            "unmapped-host" | "unmapped-target" => p.message.split('`').nth(1).is_some_and(is_host),
            "cluster-scoped" | "system-namespace" => true,
            code => code.starts_with("leftover-"),
        };
        let rest = report.problems.iter().filter(|p| !proposed(p));
        self.refused = rest.map(ToString::to_string).collect();
        let settled = self.hosts == before.hosts
            && self.keep == before.keep
            && self.shared_services == before.shared_services
            && self.drop == before.drop
            && self.shared_roles == before.shared_roles
            && self.reveal == before.reveal
            && self.acknowledge == before.acknowledge;
        !settled
    }

    fn leftover(&mut self, hit: &Hit) {
        let Hit { object, pointer, host, .. } = hit;
        // Without the namespace, which is the trial review's.
        let (kind, name) = object.split_once('/').unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or_default();
        if let Some(secret) = self.secrets.get(name).filter(|_| hit.secret)
            && self.reveal.insert(secret.clone())
        {
            return;
        }
        let whole = is_host(host) && !hit.secret && self.zones.iter().any(|zone| is_within(host, zone));
        let labels: Vec<&str> = host.split('.').collect();
        match hit.kind {
            "host" if whole && !self.hosts.contains_key(host) => {
                self.keep.entry(host.clone()).or_insert(format!("{kind}/{name} {pointer}"));
            }
            "service" if !hit.secret && matches!(labels.as_slice(), [_, _, "svc"]) => {
                self.shared_services.insert(labels[..2].join("."));
            }
            _ if self.drop.contains(object) || self.drop.contains(&format!("{kind}/{name}")) => {}
            _ if kind == "ClusterRole" && self.is_shared(name) => {}
            _ => {
                // Of a Secret's value the host is not told.
                let host = if hit.secret { String::new() } else { host.clone() };
                self.acknowledge.insert((format!("{kind}/{name}"), pointer.clone(), host));
            }
        }
    }

    /// Whether the role, under its own name or the review's, is one that the cluster has already.
    fn is_shared(&self, name: &str) -> bool {
        let own = name.rsplit_once('-').map_or(name, |(own, _)| own);
        self.shared_roles.contains(name) || self.shared_roles.contains(own)
    }

    /// A service key that no other host has: as many of the host's labels as it takes.
    fn key(&self, host: &str) -> String {
        let name = host.strip_prefix("*.").unwrap_or(host);
        let labels: Vec<&str> = name.split('.').collect();
        let ending = if name == host { "" } else { "-any" };
        let taken = |key: &str| self.hosts.values().any(|other| other == key);
        for count in 1..=labels.len() {
            let key = format!("{}{ending}", labels[..count].join("-"));
            if is_label(&key) && key.len() <= 40 && !taken(&key) {
                return key;
            }
        }
        // Names that are not ASCII, or too long.
        let mut numbered = (1..=self.hosts.len() + 1).map(|n| format!("host-{n}"));
        numbered.find(|key| !taken(key)).unwrap_or_default()
    }

    /// A domain under a zone of production's that nothing lies under yet.
    fn free_domain(&self) -> String {
        let zone = self.zones.iter().next().map_or("example.net", String::as_str);
        let domains = ["review", "reviews", "rv", "mr"].map(|name| format!("{name}.{zone}"));
        let taken =
            |domain: &&String| self.hosts.keys().chain(self.keep.keys()).any(|host| is_within(host, domain));
        domains.iter().find(|domain| !taken(domain)).unwrap_or(&domains[0]).clone()
    }

    /// The pipeline for a trial run.
    pub fn to_trial(&self) -> String {
        self.to_yaml(TRIAL)
    }

    /// The pipeline for the user: reasons are left for people to give, and what is refused stands at the end.
    pub fn to_pipeline(&self) -> String {
        let mut text = self.to_yaml("");
        if !self.refused.is_empty() {
            text.push_str("# Refused all the same, and to be mended in the manifests:\n");
            for line in &self.refused {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "# - {}", comment(line));
            }
        }
        text
    }

    /// How many places are refused whatever the pipeline says.
    pub fn refused(&self) -> usize {
        self.refused.len()
    }

    /// How many hits only a person can explain.
    pub fn unexplained(&self) -> usize {
        self.acknowledge.len()
    }

    fn to_yaml(&self, reason: &str) -> String {
        let mut out = String::new();
        let domain = self.review_domain.clone().unwrap_or_else(|| self.free_domain());
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        line("apiVersion: lathe.dev/v1alpha1".to_owned());
        line("kind: Pipeline".to_owned());
        line(format!("metadata: {{name: {}}}", quoted(&self.project)));
        if !self.inputs.is_empty() {
            line(format!("inputs: {}", flow(self.inputs.iter())));
        }
        line("environments:".to_owned());
        line(format!("  prod: {{namespace: {}}}", quoted(&self.namespace)));
        let namespace = quoted(&format!("{}-{{slug}}", self.namespace));
        if self.references.is_empty() {
            line(format!("  review: {{review: true, namespace: {namespace}}}"));
        } else {
            line("  review:".to_owned());
            line("    review: true".to_owned());
            line(format!("    namespace: {namespace}"));
            line("    # A review opens nothing of production's: name another reference by `to`, or let a value be made.".to_owned());
            line("    secrets:".to_owned());
        }
        for address in &self.references {
            line(format!("    - {{reference: {}, generate: {{}}}}", quoted(address)));
        }
        line("transforms:".to_owned());
        if !self.references.is_empty() {
            line(format!("- plugin: {SECRETS}"));
        }
        line("- plugin: builtin:review-hosts".to_owned());
        line("  environments: [review]".to_owned());
        if !self.reveal.is_empty() {
            line("  # Secrets that hold hosts of production, which are rewritten within:".to_owned());
            line("  reveal:".to_owned());
            self.reveal.iter().for_each(|name| line(format!("  - {}", quoted(name))));
        }
        line("  config:".to_owned());
        line(format!("    reviewDomain: {}", quoted(&domain)));
        if self.hosts.is_empty() {
            line("    hosts: {}".to_owned());
        } else {
            line("    hosts:".to_owned());
        }
        for (host, key) in &self.hosts {
            line(format!("      {}: {}", quoted(host), quoted(key)));
        }
        let front =
            self.hosts.iter().filter(|(host, _)| !host.starts_with("*.")).min_by_key(|(host, _)| host.len());
        if let Some((_, key)) = front.filter(|_| self.hosts.len() > 1) {
            line(format!("    url: {}", quoted(key)));
        }
        line(format!("    zones: {}", flow(self.zones.iter())));
        if !self.keep.is_empty() {
            line(
                "    # Reviews go on using these as production does. Take out what they must not:".to_owned(),
            );
            line("    keep:".to_owned());
        }
        for (host, place) in &self.keep {
            line(format!("    - {} # {}", quoted(host), comment(place)));
        }
        if !self.shared_services.is_empty() {
            line("    sharedServices:".to_owned());
            self.shared_services.iter().for_each(|name| line(format!("    - {}", quoted(name))));
        }
        if !self.drop.is_empty() {
            line("    # Of the whole cluster, so not a review's to bring along:".to_owned());
            line("    drop:".to_owned());
            self.drop.iter().for_each(|name| line(format!("    - {}", quoted(name))));
        }
        if !self.shared_roles.is_empty() {
            line("    # Parts of roles that the whole cluster uses, and there already:".to_owned());
            line("    sharedClusterRoles:".to_owned());
            self.shared_roles.iter().for_each(|name| line(format!("    - {}", quoted(name))));
        }
        if !self.acknowledge.is_empty() {
            if reason.is_empty() {
                line(
                    "# Each of these is left as it stands. Say why it may be, or change the manifests:"
                        .to_owned(),
                );
            }
            line("acknowledge:".to_owned());
        }
        for (object, pointer, host) in &self.acknowledge {
            line(format!("- object: {}", quoted(object)));
            line(format!("  pointer: {}", quoted(pointer)));
            if !host.is_empty() {
                line(format!("  host: {}", quoted(host)));
            }
            line(format!("  reason: {}", quoted(reason)));
        }
        out
    }
}

/// The text within a comment's line.
fn comment(text: &str) -> String {
    let ends = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    text.replace(ends, " ")
}

fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    name.contains('.')
        && name.split('.').all(|label| is_label(label) || (!label.is_ascii() && !label.is_empty()))
}

/// The parents of the hosts, without those that lie within another.
fn zones<'a>(hosts: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let parent = |host: &String| {
        let name = host.strip_prefix("*.").unwrap_or(host);
        let parent = name.split_once('.').map_or(name, |(_, parent)| parent);
        if parent.contains('.') { parent.to_owned() } else { name.to_owned() }
    };
    let all: BTreeSet<String> = hosts.map(parent).collect();
    let outer = |zone: &&String| !all.iter().any(|other| other != *zone && is_within(zone, other));
    all.iter().filter(outer).cloned().collect()
}

fn flow<'a>(items: impl Iterator<Item = &'a String>) -> String {
    format!("[{}]", items.map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
}

/// The text as YAML: as it stands where every reader takes it for text, else in double quotes.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.contains(['.', '-', '/'])
        && !text.ends_with(['.', '-'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-/".contains(c));
    // What JSON quotes, YAML reads.
    if plain { text.to_owned() } else { serde_json::to_string(text).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_zones_follow_from_hosts() {
        let mut proposal = Proposal::default();
        for (host, want) in [
            ("portal.example.org", "portal"),
            ("portal.other.org", "portal-other"),
            ("*.apps.example.org", "apps-any"),
            ("münchen.example.org", "host-1"),
        ] {
            let key = proposal.key(host);
            assert_eq!(key, want);
            proposal.hosts.insert(host.to_owned(), key);
        }
        let told: Vec<String> = zones(proposal.hosts.keys()).into_iter().collect();
        assert_eq!(told, ["example.org", "other.org"]);
    }

    #[test]
    fn what_is_printed_is_a_pipeline() {
        let mut proposal = Proposal::new(&[], vec!["a b.yaml".to_owned()], None);
        proposal.hosts.insert("*.on.example.org".to_owned(), "on".to_owned());
        proposal.acknowledge.insert((
            "ConfigMap/x".to_owned(),
            "/data/a: b".to_owned(),
            ".example.org".to_owned(),
        ));
        assert!(
            crate::Pipeline::parse("x", proposal.to_trial().as_bytes()).is_ok(),
            "{}",
            proposal.to_trial()
        );
        let told = crate::Pipeline::parse("x", proposal.to_pipeline().as_bytes()).unwrap_err();
        assert!(told[0].to_string().contains("a reason is needed"));
    }
}

//! What a pipeline says of hosts: which are rewritten, which zones are owned, what stays.

use std::collections::{BTreeMap, BTreeSet};

use lathe_manifest::Value;

use crate::environment::is_label;

/// What review-hosts' config says of hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Territory {
    pub(crate) review_domain: String,
    /// Owned zones, those that are not ASCII in both spellings.
    pub(crate) zones: Vec<String>,
    pub(crate) keep: Vec<String>,
    /// Services of other namespaces that a review may use, as `name.namespace`.
    pub(crate) shared_services: Vec<String>,
    /// The service key of the review's front page.
    pub(crate) url: Option<String>,
    /// Host → service key, as written; a `*.` in front is a wildcard.
    pub(crate) keys: BTreeMap<String, String>,
}

impl Territory {
    /// Reads the config, and says what is wrong with it.
    pub(crate) fn read(config: &Value, place: &str, wrong: &mut Vec<String>) -> Self {
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
        for zone in zones.iter().filter(|zone| !is_domain(zone)) {
            wrong.push(format!(
                "{place}.zones: `{zone}` is no domain name; write it without `*.` and dots at its ends"
            ));
        }
        for host in keep.iter().filter(|host| !is_domain(host.strip_prefix("*.").unwrap_or(host))) {
            wrong.push(format!("{place}.keep: `{host}` is no host name; write it without dots at its ends"));
        }
        let review_domain =
            config.get("reviewDomain").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        if !is_domain(&review_domain) {
            wrong.push(format!("{place}.reviewDomain: a domain name is needed"));
        }
        let keys = keys_of(config, place, wrong);
        let url = config.get("url").and_then(Value::as_str).map(ToOwned::to_owned);
        if let Some(url) = url.as_ref().filter(|url| !keys.values().any(|key| key == *url)) {
            wrong.push(format!("{place}.url: `{url}` is no service key of `hosts`"));
        }
        let both = |names: Vec<String>| names.iter().flat_map(|name| spellings(name)).collect();
        let (zones, keep) = (both(zones), both(keep));
        let review_domain = spellings(&review_domain).remove(0);
        Self { review_domain, zones, keep, shared_services, url, keys }
    }

    /// The length of the longest service key.
    pub(crate) fn longest_key(&self) -> usize {
        self.keys.values().map(|key| key.trim_start_matches("*.").len()).max().unwrap_or(0)
    }

    /// Source host → target, for the slug or slot that targets are made of. The map is one to one, and no target is a source, so
    /// that rendering a rendered review changes nothing.
    pub(crate) fn hosts(&self, slug: &str, place: &str, wrong: &mut Vec<String>) -> BTreeMap<String, String> {
        let mut hosts = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let keep: BTreeSet<&str> = self.keep.iter().map(String::as_str).collect();
        for (host, key) in &self.keys {
            if !seen.insert(key) {
                wrong.push(format!("{place}.hosts: the service key `{key}` stands there twice"));
            }
            let target = target_of(key, slug, &self.review_domain);
            if target.len() > 253 {
                wrong.push(format!("{place}.reviewDomain: `{target}` is longer than 253 characters"));
            }
            for spelling in spellings(host) {
                if keep.contains(spelling.as_str()) {
                    wrong.push(format!("{place}.keep: `{host}` is mapped as well"));
                }
                if hosts.insert(spelling, target.clone()).is_some() {
                    wrong.push(format!("{place}.hosts: `{host}` stands there in two spellings"));
                }
            }
        }
        for host in self.keys.keys().chain(&self.keep).filter(|host| is_within(host, &self.review_domain)) {
            let domain = &self.review_domain;
            wrong.push(format!("{place}: `{host}` lies under the review domain `{domain}`"));
        }
        wrong.dedup();
        hosts
    }
}

/// The host of a service key: one label under the review domain, so that one wildcard certificate serves all.
pub(crate) fn target_of(key: &str, slug: &str, domain: &str) -> String {
    match key.strip_prefix("*.") {
        Some(key) => format!("*.{key}-{slug}.{domain}"),
        None => format!("{key}-{slug}.{domain}"),
    }
}

fn keys_of(config: &Value, place: &str, wrong: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let Some(hosts) = config.get("hosts").and_then(Value::as_object) else {
        wrong.push(format!("{place}.hosts: a map of host to service key is needed"));
        return keys;
    };
    for (host, key) in hosts.iter() {
        let wildcard = host.starts_with("*.");
        let name = host.strip_prefix("*.").unwrap_or(host);
        if host.to_lowercase() != *host || !is_domain(name) {
            wrong.push(format!("{place}.hosts: `{host}` is no lower-case host name"));
        }
        match key.as_str() {
            Some(key) if is_label(key.strip_prefix("*.").filter(|_| wildcard).unwrap_or(key)) => {
                keys.insert(host.to_owned(), key.to_owned());
            }
            _ => wrong.push(format!("{place}.hosts: the service key of `{host}` is no DNS label")),
        }
    }
    keys
}

/// The host as DNS has it and, where that differs, as people write it (RFC 5890).
pub(crate) fn spellings(host: &str) -> Vec<String> {
    let ascii = to_ascii(host);
    let (unicode, _) = idna::domain_to_unicode(&ascii);
    if unicode == ascii { vec![ascii] } else { vec![ascii, unicode] }
}

/// The host as DNS has it; unchanged where it is none.
pub(crate) fn to_ascii(host: &str) -> String {
    let (star, name) = host.strip_prefix("*.").map_or(("", host), |name| ("*.", name));
    match idna::domain_to_ascii(name) {
        Ok(ascii) => format!("{star}{ascii}"),
        Err(_) => host.to_owned(),
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
        && (name.is_ascii() || idna::domain_to_ascii(name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &str) -> (BTreeMap<String, String>, Vec<String>) {
        let mut wrong = Vec::new();
        let territory = Territory::read(&lathe_manifest::json::parse(config).unwrap(), "config", &mut wrong);
        (territory.hosts("rv-1", "config", &mut wrong), wrong)
    }

    #[test]
    fn hosts_have_both_spellings_and_wildcards_their_own_target() {
        let (hosts, wrong) = read(
            r#"{"reviewDomain":"rv.example.net","hosts":{"münchen.example.org":"m","*.a.example.org":"any","*.b.example.org":"*.b"}}"#,
        );
        assert_eq!(wrong, Vec::<String>::new());
        let told: Vec<_> = hosts.iter().map(|(from, to)| format!("{from} {to}")).collect();
        let want = [
            "*.a.example.org any-rv-1.rv.example.net",
            "*.b.example.org *.b-rv-1.rv.example.net",
            "münchen.example.org m-rv-1.rv.example.net",
            "xn--mnchen-3ya.example.org m-rv-1.rv.example.net",
        ];
        assert_eq!(told, want);
    }

    #[test]
    fn what_does_not_add_up_is_told() {
        for (config, told) in [
            (r#"{"reviewDomain":"rv.x","hosts":{"a.b":"*.a"}}"#, "no DNS label"),
            (
                r#"{"reviewDomain":"rv.x","hosts":{"münchen.x":"a","xn--mnchen-3ya.x":"b"}}"#,
                "in two spellings",
            ),
            (r#"{"reviewDomain":"rv.x","hosts":{"a.b":"a"},"url":"b"}"#, "no service key"),
            (r#"{"reviewDomain":"rv.x","hosts":{"a.b":"a"},"keep":["*"]}"#, "no host name"),
            (r#"{"reviewDomain":"rv.x","hosts":{"a.b":"a"},"zones":["*.b"]}"#, "no domain name"),
            (r#"{"reviewDomain":"rv.x","hosts":{"a.rv.x":"a"}}"#, "lies under the review domain"),
        ] {
            let (_, wrong) = read(config);
            assert!(wrong.len() == 1 && wrong[0].contains(told), "{config}: {wrong:?}");
        }
    }
}

//! The hosts in a text, by the grammar of its field.

use crate::field::Grammar;
use crate::token::tokens;

/// What a part of a field says of hosts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// One host, in lower case, without port and dot at its end; `*.` may stand in front.
    Host(String),
    /// The whole hosts within a pattern, which may match more than these.
    Pattern(Vec<String>),
    /// Every host.
    Every,
}

/// What the text claims.
pub(crate) fn claims(grammar: Grammar, text: &str) -> Vec<Claim> {
    let list = || text.split([',', ' ', '\n']).map(str::trim).filter(|item| !item.is_empty());
    match grammar {
        Grammar::Host => host(text).into_iter().collect(),
        Grammar::Hosts => list().filter_map(host).collect(),
        Grammar::Targets => list().filter(|item| !is_address(item)).filter_map(host).collect(),
        Grammar::Url => url_host(text).and_then(host).into_iter().collect(),
        Grammar::Origins => list()
            .filter(|item| *item != "*")
            .filter_map(|item| host(url_host(item).unwrap_or(item)))
            .collect(),
        Grammar::Mesh | Grammar::MeshTarget => {
            let name = text.split_once('/').map_or(text, |(_, name)| name);
            match name {
                "*" if grammar == Grammar::MeshTarget => Vec::new(),
                "*" => vec![Claim::Every],
                name => host(name).into_iter().collect(),
            }
        }
        Grammar::Rule => rule(text),
    }
}

/// One host name; none where it is a variable, which something else fills in.
fn host(text: &str) -> Option<Claim> {
    let text = text.trim().to_lowercase();
    let name = match text.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => text.as_str(),
    };
    let name = name.trim_end_matches('.');
    (!name.is_empty() && !name.contains(['$', '{', '%'])).then(|| Claim::Host(name.to_owned()))
}

/// The host of a URL's authority (RFC 3986 section 3.2); none of a path or a word.
fn url_host(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://").or_else(|| text.strip_prefix("//").map(|rest| ("", rest)))?;
    let authority = rest.split(['/', '?', '#', ' ', ';']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // A variable behind the host is its path: `https://example.org$request_uri`.
    let path = host.find('$').filter(|at| *at > 0 && !host[..*at].ends_with(['.', '-']));
    Some(path.map_or(host, |at| &host[..at]))
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// A Traefik rule: its functions take hosts or patterns in backticks or double quotes, which may be escaped.
fn rule(text: &str) -> Vec<Claim> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('(') {
        let (before, behind) = (&rest[..open], &rest[open + 1..]);
        let name = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        rest = behind;
        let name = name.to_ascii_lowercase();
        let pattern = matches!(name.as_str(), "hostregexp" | "hostsniregexp");
        if !pattern && !matches!(name.as_str(), "host" | "hostsni" | "hostheader") {
            continue;
        }
        let (arguments, after) = quoted(behind);
        rest = after;
        for argument in arguments {
            if pattern {
                let hosts = tokens(argument).map(|token| token.name(argument).into_owned());
                found.push(Claim::Pattern(hosts.collect()));
            } else if argument == "*" {
                found.push(Claim::Every);
            } else {
                found.extend(host(argument));
            }
        }
    }
    found
}

/// The quoted arguments at the start of a text, and what follows them.
fn quoted(text: &str) -> (Vec<&str>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', ',', '\t', '\n']);
        let quote = ["`", "\\\"", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote));
        let Some(quote) = quote else { return (found, rest) };
        let inner = &rest[quote.len()..];
        let Some(end) = inner.find(quote) else { return (found, "") };
        found.push(&inner[..end]);
        rest = &inner[end + quote.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(grammar: Grammar, text: &str) -> Vec<String> {
        let show = |claim: Claim| match claim {
            Claim::Host(host) => host,
            Claim::Pattern(hosts) => format!("/{}/", hosts.join("|")),
            Claim::Every => "all".to_owned(),
        };
        claims(grammar, text).into_iter().map(show).collect()
    }

    #[test]
    fn each_grammar_finds_its_hosts() {
        for (grammar, text, want) in [
            (Grammar::Host, "A.Example.org.", vec!["a.example.org"]),
            (Grammar::Host, "*.example.org", vec!["*.example.org"]),
            (Grammar::Host, "$host", vec![]),
            (Grammar::Hosts, "a.x, b.x:443", vec!["a.x", "b.x"]),
            (Grammar::Targets, "10.0.0.1,lb.x,2001:db8::1", vec!["lb.x"]),
            (Grammar::Url, "https://u@a.x:8443/p?q=https://b.x", vec!["a.x"]),
            (Grammar::Url, "https://$host/oauth2/start", vec![]),
            (Grammar::Url, "/app", vec![]),
            (Grammar::Origins, "https://a.x, *, https://*.b.x", vec!["a.x", "*.b.x"]),
            (Grammar::Mesh, "ns/a.x", vec!["a.x"]),
            (Grammar::Mesh, "./*", vec!["all"]),
            (Grammar::MeshTarget, "*", vec![]),
            (
                Grammar::Rule,
                "Host(`a.x`) && (PathPrefix(`/y.z`) || Host(\"b.x\", `c.x`))",
                vec!["a.x", "b.x", "c.x"],
            ),
            (Grammar::Rule, r#"Host(\"a.x\")"#, vec!["a.x"]),
            (Grammar::Rule, "HostSNI(`*`)", vec!["all"]),
            (Grammar::Rule, r"HostRegexp(`^.+\.example\.org$`)", vec!["/example.org/"]),
            (Grammar::Rule, "Host(`a.x", vec![]),
        ] {
            assert_eq!(told(grammar, text), want, "{text}");
        }
    }
}

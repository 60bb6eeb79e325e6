//! The hosts in a text, by the grammar of its field.

use crate::field::Grammar;
use crate::token::tokens;
use crate::traefik;

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
    // What a variable or template fills in is not known here; who asks a host may, who claims one must not.
    let asked = |text: &str| (!text.contains(['$', '{', '%'])).then(|| host(text));
    match grammar {
        Grammar::Host | Grammar::Name => vec![host(text)],
        Grammar::Hosts => {
            list().map(|item| item.strip_prefix('~').map_or_else(|| host(item), pattern)).collect()
        }
        Grammar::Targets => list().filter(|item| !is_address(item)).map(host).collect(),
        Grammar::Url => url_host(text).and_then(asked).into_iter().collect(),
        Grammar::Origins => list()
            .filter(|item| *item != "*")
            .filter_map(|item| asked(url_host(item).unwrap_or(item)))
            .collect(),
        Grammar::Mesh | Grammar::MeshTarget => {
            let name = text.split_once('/').map_or(text, |(_, name)| name);
            match name {
                "*" if grammar == Grammar::MeshTarget => Vec::new(),
                "*" => vec![Claim::Every],
                name if grammar == Grammar::Mesh => vec![host(name)],
                name => asked(name).into_iter().collect(),
            }
        }
        Grammar::Rule => traefik::claims(text),
    }
}

/// One host name.
pub(crate) fn host(text: &str) -> Claim {
    let text = text.trim().to_lowercase();
    let name = match text.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => text.as_str(),
    };
    Claim::Host(name.trim_end_matches('.').to_owned())
}

/// A regular expression that is nothing but whole hosts, or alternatives of them; any other has none.
pub(crate) fn pattern(text: &str) -> Claim {
    let bare = text.trim().trim_start_matches('^').trim_end_matches('$');
    let group = bare.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(bare);
    let alternatives = group.strip_prefix("?:").unwrap_or(group).split('|');
    let whole = |part: &str| {
        let part = part.trim_start_matches('^').trim_end_matches('$');
        let token = tokens(part).next().filter(|token| token.start == 0 && token.end == part.len())?;
        Some(token.name(part).into_owned())
    };
    Claim::Pattern(alternatives.map(whole).collect::<Option<_>>().unwrap_or_default())
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
            (Grammar::Host, "$host", vec!["$host"]),
            (Grammar::Hosts, "a.x, b.x:443", vec!["a.x", "b.x"]),
            (Grammar::Targets, "10.0.0.1,lb.x,2001:db8::1", vec!["lb.x"]),
            (Grammar::Url, "https://u@a.x:8443/p?q=https://b.x", vec!["a.x"]),
            (Grammar::Url, "https://$host/oauth2/start", vec![]),
            (Grammar::Url, "/app", vec![]),
            (Grammar::Origins, "https://a.x, *, https://*.b.x", vec!["a.x", "*.b.x"]),
            (Grammar::Mesh, "ns/a.x", vec!["a.x"]),
            (Grammar::Mesh, "./*", vec!["all"]),
            (Grammar::MeshTarget, "*", vec![]),
            (Grammar::Hosts, "~^a\\.x$ ~^(.+)$", vec!["/a.x/", "//"]),
            (Grammar::MeshTarget, "$host", vec![]),
            (Grammar::Rule, "Host(`a.x`) && PathPrefix(`/y.z`)", vec!["a.x"]),
        ] {
            assert_eq!(told(grammar, text), want, "{text}");
        }
    }
}

//! Traefik's rules: which hosts they claim, and whether each way to match one names a host.
//!
//! A rule is made of functions, `!`, `&&`, `||` and parentheses; arguments stand in backticks or double quotes, which may be
//! escaped.

use crate::grammar::{Claim, host, pattern};

/// What the rule claims; `Claim::Every` where it can match without a host.
pub(crate) fn claims(text: &str) -> Vec<Claim> {
    let mut rule = Rule { rest: text, claims: Vec::new(), depth: 0 };
    let hosted = rule.any();
    let mut claims = rule.claims;
    if !hosted || !rule.rest.trim().is_empty() {
        claims.push(Claim::Every);
    }
    claims
}

struct Rule<'a> {
    rest: &'a str,
    claims: Vec<Claim>,
    depth: usize,
}

impl<'a> Rule<'a> {
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some(after) = rest.strip_prefix(token) else { return false };
        self.rest = after;
        true
    }

    /// Alternatives, each of which has to name a host.
    fn any(&mut self) -> bool {
        let mut hosted = self.all();
        while self.take("||") {
            hosted &= self.all();
        }
        hosted
    }

    /// Conditions, one of which has to name a host.
    fn all(&mut self) -> bool {
        let mut hosted = self.one();
        while self.take("&&") {
            hosted |= self.one();
        }
        hosted
    }

    fn one(&mut self) -> bool {
        const DEEPEST: usize = 64;
        self.depth += 1;
        let hosted = if self.depth > DEEPEST {
            false
        } else if self.take("!") {
            // All hosts but one are claimed, whoever's they are.
            self.one();
            false
        } else if self.take("(") {
            let hosted = self.any();
            self.take(")") && hosted
        } else {
            self.function()
        };
        self.depth -= 1;
        hosted
    }

    fn function(&mut self) -> bool {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..end].to_ascii_lowercase();
        self.rest = &rest[end..];
        if name.is_empty() || !self.take("(") {
            return false;
        }
        let mut arguments = Vec::new();
        while let Some(argument) = self.quoted() {
            arguments.push(argument);
            if !self.take(",") {
                break;
            }
        }
        if !self.take(")") {
            return false;
        }
        match name.as_str() {
            "host" | "hostsni" | "hostheader" => {
                let claim = |argument: &&str| if *argument == "*" { Claim::Every } else { host(argument) };
                self.claims.extend(arguments.iter().map(claim));
                !arguments.is_empty()
            }
            "hostregexp" | "hostsniregexp" => {
                self.claims.extend(arguments.iter().map(|argument| pattern(argument)));
                !arguments.is_empty()
            }
            _ => false,
        }
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let quote = ["`", "\\\"", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote))?;
        let inner = &rest[quote.len()..];
        let end = inner.find(quote)?;
        self.rest = &inner[end + quote.len()..];
        Some(&inner[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let show = |claim: Claim| match claim {
            Claim::Host(host) => host,
            Claim::Pattern(hosts) => format!("/{}/", hosts.join("|")),
            Claim::Every => "all".to_owned(),
        };
        claims(text).into_iter().map(show).collect()
    }

    #[test]
    fn every_way_has_to_name_a_host() {
        for (text, want) in [
            ("Host(`a.x`)", vec!["a.x"]),
            ("Host(`a.x`) && (PathPrefix(`/y.z`) || Header(`k`, `v`))", vec!["a.x"]),
            ("(Host(`a.x`) && Path(`/`)) || Host(\"b.x\", `c.x`)", vec!["a.x", "b.x", "c.x"]),
            (r#"Host(\"a.x\")"#, vec!["a.x"]),
            ("Host(`a.x`) || PathPrefix(`/api`)", vec!["a.x", "all"]),
            ("!Host(`a.x`)", vec!["a.x", "all"]),
            ("!Host(`a.x`) && Host(`b.x`)", vec!["a.x", "b.x"]),
            ("Header(`X-Host`,`x`)", vec!["all"]),
            ("PathPrefix(`/Host`)", vec!["all"]),
            ("HostSNI(`*`)", vec!["all"]),
            ("HostSNI(`a.x`) || ClientIP(`0.0.0.0/0`)", vec!["a.x", "all"]),
            (r"HostRegexp(`^portal\.example\.org$`)", vec!["/portal.example.org/"]),
            (r"HostRegexp(`^(a\.example\.org|b\.example\.org)$`)", vec!["/a.example.org|b.example.org/"]),
            (r"HostRegexp(`^.+\.example\.org$`)", vec!["//"]),
            ("HostRegexp(`portal.example.org|.+`)", vec!["//"]),
            ("Host(`a.x", vec!["all"]),
            ("Host(`a.x`) x", vec!["a.x", "all"]),
            ("", vec!["all"]),
        ] {
            assert_eq!(told(text), want, "{text}");
        }
        assert_eq!(told(&"(".repeat(100_000)), ["all"]);
    }
}

//! Texts that name a namespace behind something that says so.

/// Whether a namespace stands behind the argument.
pub(super) fn is_namespace_flag(argument: &str) -> bool {
    argument == "-n" || argument.starts_with("--") && argument.ends_with("namespace")
}

/// The namespaces in a text: of service accounts, of identities, behind the flags of Kubernetes' commands.
pub(super) fn namespaces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (marker, next) in [("system:serviceaccount:", ":"), ("/ns/", "/sa/"), ("system:serviceaccounts:", "")]
    {
        for (at, _) in text.match_indices(marker) {
            let rest = &text[at + marker.len()..];
            let name = &rest[..label(rest)];
            if rest[name.len()..].starts_with(next) {
                found.push(name);
            }
        }
    }
    if text.contains("namespace") || text.contains("-n ") {
        text.split(['\n', ';', '|', '&', '(']).for_each(|command| flagged(command, &mut found));
    }
    found
}

fn flagged<'a>(command: &'a str, found: &mut Vec<&'a str>) {
    let is_separator = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']' | ')' | '=');
    let mut tool = false;
    let mut flag = false;
    for word in command.split(is_separator).filter(|word| !word.is_empty()) {
        if flag {
            found.push(word);
        }
        tool |= matches!(word.rsplit('/').next(), Some("kubectl" | "helm" | "flux" | "oc"));
        flag = is_namespace_flag(word) && (word != "-n" || tool);
    }
}

fn label(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_found_behind_what_says_so() {
        for (text, want) in [
            ("system:serviceaccount:a:x", vec!["a"]),
            ("spiffe://cluster.local/ns/a/sa/x", vec!["a"]),
            ("/ns/a/x", vec![]),
            ("/usr/bin/kubectl -n a get x --namespace=b", vec!["a", "b"]),
            ("echo -n a", vec![]),
            ("kubectl x; echo -n a", vec![]),
            ("--watch-namespace \"a\"", vec!["a"]),
            ("the namespace a", vec![]),
        ] {
            assert_eq!(namespaces(text), want, "{text}");
        }
    }
}

//! Texts that name a namespace behind something that says so.

use std::ops::Range;

/// How far back a command's name is looked for.
const LONGEST_COMMAND: usize = 4096;

/// Where in the text namespaces may stand, in order: of service accounts, of identities, in paths of the API, behind a word that
/// ends in `namespace`, behind `-n` of Kubernetes' commands.
pub(crate) fn namespaces(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for marker in ["system:serviceaccount:", "system:serviceaccounts:", "/ns/", "/namespaces/"] {
        for (at, _) in text.match_indices(marker) {
            let name = name_at(text, at + marker.len());
            // Of an identity's path the account follows.
            let identity = marker != "/ns/"
                || text[name.end..].starts_with("/sa/")
                || text[name.end..].starts_with("/*");
            if identity {
                found.push(name);
            }
        }
    }
    // Most texts have neither, and looking for a whole word is quick.
    if ["amespace", "AMESPACE", "ameSpace"].iter().any(|part| text.contains(part)) {
        found.extend(text.match_indices(['n', 'N']).filter_map(|(at, _)| behind_word(text, at)));
    }
    found.extend(text.match_indices("-n").filter_map(|(at, _)| behind_flag(text, at)));
    found.sort_by_key(|range| range.start);
    found.dedup();
    found
}

/// The name behind a word that ends in `namespace` or `namespaces`, where `=`, `:` or, for a flag, a space stands between.
fn behind_word(text: &str, at: usize) -> Option<Range<usize>> {
    const WORD: &str = "namespace";
    let bytes = text.as_bytes();
    let word = bytes.get(at..at + WORD.len())?;
    if !word.eq_ignore_ascii_case(WORD.as_bytes()) {
        return None;
    }
    let plural = matches!(bytes.get(at + WORD.len()), Some(b's' | b'S'));
    let rest = &text[at + WORD.len() + usize::from(plural)..];
    let quoted = rest.trim_start_matches(['\\', '"', '\'']);
    let spaced = quoted.trim_start_matches([' ', '\t']);
    let value = if spaced.starts_with(['=', ':']) {
        spaced.trim_start_matches(['=', ':', '~', ' ', '\t', '[', '\\', '"', '\''])
    } else if spaced.len() < rest.len() && is_flag(&text[..at]) {
        spaced.trim_start_matches(['\\', '"', '\''])
    } else {
        return None;
    };
    ended(text, name_at(text, text.len() - value.len()))
}

/// Whether the word up to here begins with two dashes.
fn is_flag(before: &str) -> bool {
    let start = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).map_or(0, |at| at + 1);
    before[start..].starts_with("--")
}

/// The name behind `-n`, where the command is one of Kubernetes' own: others know another `-n`.
fn behind_flag(text: &str, at: usize) -> Option<Range<usize>> {
    let before = &text[..at];
    let rest = &text[at + 2..];
    let value = rest.trim_start_matches([' ', '\t', '=', '"', '\'']);
    if value.len() == rest.len() || !before.ends_with([' ', '\t', '"', '\'', ',', '[', '\n']) {
        return None;
    }
    let mut start = before.len().saturating_sub(LONGEST_COMMAND);
    while !before.is_char_boundary(start) {
        start += 1;
    }
    // A backslash at its end continues a line.
    let command = before[start..].replace("\\\n", " ");
    let command = command.rsplit(['\n', ';', '|', '&', '(']).next().unwrap_or_default();
    let tool = command.split([' ', '\t', '"', '\'', ',', '[', '=']).any(is_tool);
    if tool { ended(text, name_at(text, text.len() - value.len())) } else { None }
}

/// Whether the word is a command of Kubernetes' field that knows `-n` for a namespace.
pub(crate) fn is_tool(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    let name = name.split([':', '@']).next().unwrap_or(name).to_ascii_lowercase();
    name.contains("kubectl")
        || matches!(name.as_str(), "helm" | "flux" | "oc" | "velero" | "istioctl" | "argocd" | "k9s")
}

fn name_at(text: &str, start: usize) -> Range<usize> {
    let label = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    let end = text[start..].find(label).map_or(text.len(), |length| start + length);
    start..end
}

/// The name, unless something longer stands there.
fn ended(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let longer = text[name.end..].starts_with(['.', '_', '/', '$', '{']);
    (!name.is_empty() && !longer).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<&str> {
        namespaces(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn namespaces_are_found_behind_what_says_so() {
        for (text, want) in [
            ("system:serviceaccount:a:x,system:serviceaccounts:b", vec!["a", "b"]),
            ("spiffe://cluster.local/ns/a/sa/x", vec!["a"]),
            ("/ns/a/x", vec![]),
            ("https://kubernetes.default.svc/api/v1/namespaces/a/secrets", vec!["a"]),
            ("--namespace=a --watch-namespaces=b", vec!["a", "b"]),
            ("--namespace a", vec!["a"]),
            ("the namespace a", vec![]),
            ("namespace: a\nNAMESPACE=\"b\"\n", vec!["a", "b"]),
            (r#"{\"namespace\": \"a\"}"#, vec!["a"]),
            (r#"up{namespace="a"} + up{namespace=~"b"}"#, vec!["a", "b"]),
            ("namespaces: [a]", vec!["a"]),
            ("namespace: a.b", vec![]),
            ("namespace: ${X}", vec![]),
            ("/usr/bin/kubectl -n a get x; kubectl get po -n \"b\"", vec!["a", "b"]),
            ("kubectl delete pod x \\\n  -n a", vec!["a"]),
            ("$KUBECTL -n a", vec!["a"]),
            ("helm -n=a list", vec!["a"]),
            ("echo -n a", vec![]),
            ("kubectl get pods; echo -n a", vec![]),
            ("EXTRA_ARGS=--namespace=a", vec!["a"]),
        ] {
            assert_eq!(told(text), want, "{text}");
        }
    }
}

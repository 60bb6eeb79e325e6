//! Texts that name a namespace behind something that says so.

use std::ops::Range;

/// How far back a command's name is looked for.
const LONGEST_COMMAND: usize = 1024;

/// Commands of Kubernetes' field that know `-n` for a namespace.
const TOOLS: &[&str] = &["kubectl", "KUBECTL", "helm", "flux", "oc", "velero", "istioctl", "argocd", "k9s"];

/// Where in the text namespaces may stand, in order: of service accounts, of identities, in paths of the API, behind a word that
/// ends in `namespace`, behind `-n` of Kubernetes' commands.
pub(crate) fn namespaces(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // All of it takes one of these, and most texts are a word.
    if !text.bytes().any(|b| matches!(b, b'/' | b':' | b'=' | b' ' | b'\t' | b'\n')) {
        return found;
    }
    for marker in [
        "system:serviceaccount:",
        "system:serviceaccounts:",
        "/ns/",
        "/namespaces/",
        "svc://",
        "name == '",
        "name == \"",
    ] {
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
        text.match_indices(['n', 'N']).for_each(|(at, _)| behind_word(text, at, &mut found));
    }
    if TOOLS.iter().any(|tool| text.contains(tool)) {
        found.extend(text.match_indices("-n").filter_map(|(at, _)| behind_flag(text, at)));
    }
    found.sort_by_key(|range| range.start);
    found.dedup();
    found
}

/// The names behind a word that ends in `namespace` or `namespaces`, where `=`, `:` or, for a flag, a space stands between: one,
/// or a list of them by commas, bars, or lines with dashes.
fn behind_word(text: &str, at: usize, found: &mut Vec<Range<usize>>) {
    const WORD: &str = "namespace";
    const MOST: usize = 256;
    let bytes = text.as_bytes();
    if !bytes.get(at..at + WORD.len()).is_some_and(|word| word.eq_ignore_ascii_case(WORD.as_bytes())) {
        return;
    }
    let plural = matches!(bytes.get(at + WORD.len()), Some(b's' | b'S'));
    let rest = &text[at + WORD.len() + usize::from(plural)..];
    let quoted = rest.trim_start_matches(['\\', '"', '\'']);
    let spaced = quoted.trim_start_matches([' ', '\t']);
    let mut value = if let Some(default) = spaced.strip_prefix(":-") {
        default
    } else if spaced.starts_with(['=', ':', '!']) {
        spaced.trim_start_matches(['=', ':', '~', '!'])
    } else if spaced.len() < rest.len() && is_flag(&text[..at]) {
        spaced
    } else {
        return;
    };
    let opening = |c: char| " \t[({^\\\"'".contains(c);
    for _ in 0..MOST {
        value = value.trim_start_matches(opening);
        if plural {
            value = value.trim_start_matches(['\n', '\r', '-', ' ', '\t', '"', '\'']);
            value = value
                .strip_prefix("names")
                .map_or(value, |names| names.trim_start_matches(['"', ':', ' ', '\n', '-', '[']));
        }
        let name = name_at(text, text.len() - value.len());
        if name.is_empty() {
            return;
        }
        let after = &text[name.end..];
        found.extend(ended(text, name));
        let between = after.trim_start_matches(['"', '\'', '\\', ')', '$', ' ', '\t', '\r']);
        let next = between.strip_prefix([',', '|']);
        let line = between.strip_prefix('\n').map(|line| line.trim_start_matches([' ', '\t']));
        match next.or_else(|| line.filter(|_| plural)?.strip_prefix("- ")) {
            Some(rest) => value = rest,
            None => return,
        }
    }
}

/// Whether the word up to here begins with two dashes.
fn is_flag(before: &str) -> bool {
    let above = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '-');
    before[above.len()..].starts_with("--")
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
    name.contains("kubectl") || TOOLS.contains(&name.as_str())
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
            ("\u{fffd}--namespace a", vec!["a"]),
            ("\u{fffd}namespace a", vec![]),
            ("the namespace a", vec![]),
            ("namespace: a\nNAMESPACE=\"b\"\n", vec!["a", "b"]),
            (r#"{\"namespace\": \"a\"}"#, vec!["a"]),
            (r#"up{namespace="a"} + up{namespace=~"b"}"#, vec!["a", "b"]),
            ("namespaces: [a, 'b']", vec!["a", "b"]),
            ("namespaces:\n  names:\n  - a\n  - b\nother: c", vec!["a", "b"]),
            (r#"{"namespaces":{"names":["a","b"]},"c":"d"}"#, vec!["a", "b"]),
            (r#"up{namespace=~"^(a|b)$"}"#, vec!["a", "b"]),
            ("--watch-namespaces=a,b --x=c", vec!["a", "b"]),
            ("NAMESPACE=${NAMESPACE:-a}", vec!["a"]),
            ("namespace: a\n- b", vec!["a"]),
            ("svc://a/auth:80", vec!["a"]),
            ("kubernetes.io/metadata.name == 'a'", vec!["a"]),
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

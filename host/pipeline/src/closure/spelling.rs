//! Texts that name a namespace behind something that says so.

/// Whether a namespace stands behind the argument.
pub(super) fn is_namespace_flag(argument: &str) -> bool {
    argument == "-n"
        || argument.starts_with("--") && (argument.ends_with("namespace") || argument.ends_with("namespaces"))
}

/// Whether a variable of this name holds a namespace, or several.
pub(super) fn is_namespace_variable(name: &str) -> bool {
    let name = name.to_lowercase();
    // What these call a namespace is none of Kubernetes'.
    let other = ["vault", "temporal", "metric", "statsd"].iter().any(|product| name.contains(product));
    let named =
        name.ends_with("namespace") || name.ends_with("namespaces") || name == "ns" || name.ends_with("_ns");
    named && !other
}

/// The namespaces in a text in lower case: of service accounts, of identities, in paths of the API, behind words and flags that
/// say so. Whose `-n` it is does not matter here: what is one of the input's namespaces is told.
pub(super) fn namespaces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (marker, next) in [("system:serviceaccount:", ":"), ("system:serviceaccounts:", ""), ("/ns/", "/sa/")]
    {
        for (at, _) in text.match_indices(marker) {
            let name = words(&text[at + marker.len()..]).next().filter(|(at, _)| *at == 0);
            found.extend(
                name.map(|(_, name)| name)
                    .filter(|name| text[at + marker.len() + name.len()..].starts_with(next)),
            );
        }
    }
    if !["namespace", "-n", "ns", "name", "project"].iter().any(|part| text.contains(part)) {
        return found;
    }
    let all: Vec<(usize, &str)> = words(text).collect();
    // Whether the line so far has a command of Kubernetes' field, and whether a list of namespaces goes on.
    let (mut tool, mut listing) = (false, false);
    for pair in all.windows(2) {
        let &[(at, word), (next, name)] = pair else { continue };
        let gap = &text[at + word.len()..next];
        tool |= is_tool(word);
        let continued = listing && gap.contains([',', '|', '-']) && gap.chars().all(|c| LIST.contains(c));
        let is = continued || says_so(word, gap) || tool && commands(word, gap);
        if is && !text[next + name.len()..].starts_with('.') {
            found.push(name);
        }
        // `-nNAME` in one word.
        found.extend(name.strip_prefix("-n").filter(|name| tool && !name.is_empty()));
        listing = is || listing && name == "names";
        tool &= !gap.contains(['\n', ';', '|', '&']) || gap.contains("\\\n");
    }
    found
}

/// What may stand between two items of a list.
const LIST: &str = " \t\r\n,|-[]()\"'\\^$:{}";

/// Whether the word is a command that knows namespaces.
fn is_tool(word: &str) -> bool {
    word.contains("kubectl")
        || matches!(word, "helm" | "flux" | "oc" | "velero" | "istioctl" | "argocd" | "k9s")
}

/// Whether the word says to a command that a namespace follows.
fn commands(word: &str, gap: &str) -> bool {
    matches!(word, "ns" | "namespace" | "namespaces" | "project") && matches!(gap, " " | "/" | " \"" | " '")
}

/// Whether a word, and what stands between it and the next, say that the next is a namespace.
fn says_so(word: &str, gap: &str) -> bool {
    let named = word.ends_with("namespace") || word.ends_with("namespaces");
    let joins = |c: char| matches!(c, '=' | ':' | '~' | ' ' | '\t' | '[' | '"' | '\'' | '\\' | '\n' | '-');
    let spaces = |c: char| matches!(c, ' ' | '\t' | '"' | '\'' | '\\' | ',');
    let assigned = gap.contains(['=', ':']) && gap.chars().all(joins);
    let follows = !gap.is_empty() && gap.chars().all(spaces);
    let labelled = word == "name" && gap.contains("==");
    let short = word == "ns" && (gap == "=" || gap == "=\"" || gap == "='");
    labelled
        || short
        || named && (assigned || gap == "/" || word.starts_with("--") && follows)
        || word == "-n" && (follows || gap == "=")
}

/// Words of letters, digits, `-` and `_`, with where they stand.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut at = 0;
    let all = std::iter::from_fn(move || {
        let start = at + text[at..].find(inner)?;
        at = text[start..].find(|c| !inner(c)).map_or(text.len(), |length| start + length);
        Some((start, &text[start..at]))
    });
    // A dash alone begins a line of a list; in `${A:-b}` it belongs to what is before it.
    all.filter(|(_, word)| word.chars().any(|c| c.is_ascii_alphanumeric())).map(move |(start, word)| {
        let shell = word.starts_with('-') && text[..start].ends_with(':');
        if shell { (start + 1, &word[1..]) } else { (start, word) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_found_behind_what_says_so() {
        for (text, want) in [
            ("system:serviceaccount:a:x", vec!["a"]),
            ("system:serviceaccounts:a", vec!["a"]),
            ("spiffe://cluster.local/ns/a/sa/x", vec!["a"]),
            ("/ns/a/x", vec![]),
            ("/usr/bin/kubectl -n a get x --namespace=b", vec!["a", "b"]),
            ("kubectl x \\\n  -n a", vec!["a"]),
            ("echo -n a", vec!["a"]),
            ("--watch-namespace \"a\"", vec!["a"]),
            ("the namespace a", vec![]),
            ("namespace: a\nnamespaces: [b]", vec!["a", "b"]),
            ("namespaces:\n  names:\n  - a\n  - b", vec!["names", "a", "b"]),
            (r#"up{namespace=~"other|a"}"#, vec!["other", "a"]),
            ("namespace=${namespace:-a}", vec!["a"]),
            ("ns=a\nkubectl -na get ns/b", vec!["a", "a", "b"]),
            ("kubectl delete namespace a", vec!["a"]),
            ("kubernetes.io/metadata.name == 'a'", vec!["a"]),
            (r#"up{namespace=~"a"}"#, vec!["a"]),
            (r#"{\"namespace\": \"a\"}"#, vec!["a"]),
            ("/api/v1/namespaces/a/pods", vec!["a"]),
            ("namespace: a.b", vec![]),
        ] {
            assert_eq!(namespaces(text), want, "{text}");
        }
    }
}

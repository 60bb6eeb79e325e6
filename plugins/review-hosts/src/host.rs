//! Which hosts there are, and which of them stand where they must stay.

use std::collections::{BTreeMap, BTreeSet};

use crate::token::Token;

/// Source hosts and what becomes of them.
pub(crate) struct HostMap<'a> {
    targets: BTreeMap<&'a str, &'a str>,
    /// What may stand where a host is claimed: kept hosts, targets.
    settled: BTreeSet<String>,
}

impl<'a> HostMap<'a> {
    /// Hosts as the environment maps them, in lower case; both spellings of a name that is not ASCII are there.
    pub(crate) fn new(hosts: &'a BTreeMap<String, String>, keep: &[String]) -> Self {
        let targets = hosts.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        let settled = keep.iter().map(|host| host.to_lowercase()).chain(hosts.values().cloned()).collect();
        Self { targets, settled }
    }

    /// The review host for a production host in lower case.
    pub(crate) fn target(&self, host: &str) -> Option<&'a str> {
        self.targets.get(host).copied()
    }

    /// Whether the host, in lower case, is one that stays.
    pub(crate) fn keeps(&self, host: &str) -> bool {
        self.settled.contains(host)
    }

    /// Whether a host is one that the environment knows: mapped, kept or a target already.
    pub(crate) fn knows(&self, host: &str) -> bool {
        let host = host.to_lowercase();
        let host = host.trim_end_matches('.');
        self.targets.contains_key(host) || self.settled.contains(host)
    }
}

/// Where a wildcard that the token is the rest of begins, as in `*.example.org`; a regular expression's `.*` is none.
pub(crate) fn wildcard_start(text: &str, token: &Token<'_>) -> Option<usize> {
    let before = text[..token.start].strip_suffix("*.")?;
    let pattern = before.ends_with(|c: char| c.is_alphanumeric() || ".)]*\\-_".contains(c));
    (!pattern).then_some(before.len())
}

/// How far before an `@` it is looked for what makes a mail address of it; RFC 5321 has 64 bytes for the local part.
const LONGEST_ADDRESS: usize = 512;

/// How far before a host the beginning of a URN is looked for.
const LONGEST_URN: usize = 2048;

/// The end of a text, not longer than this: looking back further for every host would take quadratic time.
fn last(text: &str, length: usize) -> &str {
    let mut start = text.len().saturating_sub(length);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// The word that a text ends in.
pub(crate) fn last_word(text: &str) -> &str {
    let text = last(text, LONGEST_ADDRESS);
    text.rsplit(|c: char| c.is_whitespace() || "\"'`".contains(c)).next().unwrap_or(text)
}

/// The line that a text ends in, as far as it says what follows.
pub(crate) fn last_line(text: &str) -> &str {
    let text = last(text, 128);
    text.rsplit('\n').next().unwrap_or(text)
}

/// Whether the host must stay: it is a mail address's domain, part of a URN, or the tail of something else.
pub(crate) fn is_protected(text: &str, token: &Token<'_>) -> bool {
    let before = &text[..token.start];
    if let Some(local) = before.strip_suffix('@').or_else(|| before.strip_suffix("%40")) {
        return is_mailbox(local, &text[token.end..]);
    }
    (before.ends_with(['.', '}', '-']) && !is_domain_of(before) && !before.ends_with(":-")) || in_urn(before)
}

/// Whether a dot stands before the host that makes it a cookie's domain or the like: the host and what is below it.
fn is_domain_of(before: &str) -> bool {
    let inner = before.strip_suffix('.');
    inner.is_some_and(|inner| {
        inner.is_empty() || inner.ends_with(|c: char| c.is_whitespace() || "\"'`,;=:[(".contains(c))
    })
}

/// Whether what stands before an `@` is a mail address's local part (or Git's user) and not the userinfo of a URL, which
/// stands behind `://` or ends in a password, or before a port or path.
fn is_mailbox(local: &str, after: &str) -> bool {
    let local = last(local, LONGEST_ADDRESS);
    let atom = local.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "._+-".contains(c));
    let word = atom.rsplit(|c: char| c.is_whitespace() || "\"'`<".contains(c)).next().unwrap_or(atom);
    let mailto = word.to_ascii_lowercase().ends_with("mailto:");
    // Who logs in somewhere writes to nobody.
    let line = local.rsplit(['\n', ';', '|', '&']).next().unwrap_or(local);
    if line.split_whitespace().any(|word| matches!(word, "ssh" | "scp" | "sftp" | "rsync")) {
        return false;
    }
    let opened = word.is_empty() || mailto || word.ends_with(|c: char| "([,;=|\\".contains(c));
    if ["mailto:", "acct:", "sip:", "sips:", "xmpp:"]
        .iter()
        .any(|scheme| word.to_ascii_lowercase().ends_with(scheme))
    {
        return atom.len() < local.len();
    }
    let address = match after.as_bytes() {
        // Or a sentence ends here.
        [b'?', next, ..] if next.is_ascii_whitespace() => false,
        [b'?'] => false,
        [b'/' | b'?' | b'#', ..] => true,
        [b':', next @ ..] => {
            &local[atom.len()..] != "git" || next.first().is_some_and(|b| b.is_ascii_digit() || *b == b'/')
        }
        _ => false,
    };
    atom.len() < local.len() && opened && !word.contains("://") && !address
}

/// Whether the word up to here began as a URN (RFC 8141).
fn in_urn(before: &str) -> bool {
    let before = last(before, LONGEST_URN);
    let word =
        before.rsplit(|c: char| c.is_whitespace() || "\"'`<>()[]{},;=|".contains(c)).next().unwrap_or(before);
    word.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("urn:"))
}

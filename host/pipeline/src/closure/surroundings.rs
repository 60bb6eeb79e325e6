//! What stands around a hit: how far its host reaches, and whether it is an address or a name of something else.

pub(super) fn is_host_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// How far around a hit its host is looked for; names end at 253 characters (RFC 1123).
const LONGEST_HOST: usize = 256;

/// How far before a host it is looked for what it is a part of: further would take quadratic time.
const LONGEST_ADDRESS: usize = 512;
const LONGEST_URN: usize = 1024;

/// The end of a text, not longer than this.
fn last(text: &str, length: usize) -> &str {
    let start = text.len().saturating_sub(length);
    let start = (start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[start..]
}

/// Whether the word before belongs to a URL.
pub(super) fn in_url(before: &str) -> bool {
    let word = last(before, LONGEST_ADDRESS).rsplit(char::is_whitespace).next();
    word.is_some_and(|word| word.contains("://"))
}

pub(super) fn host_start(text: &str, from: usize) -> usize {
    let before =
        text[..from].char_indices().rev().take(LONGEST_HOST).take_while(|(_, c)| is_host_char(*c)).last();
    before.map_or(from, |(at, _)| at)
}

pub(super) fn host_end(text: &str, from: usize) -> usize {
    let after = text[from..].char_indices().take(LONGEST_HOST).take_while(|(_, c)| is_host_char(*c)).last();
    after.map_or(from, |(at, c)| from + at + c.len_utf8())
}

/// Whether the host is a mail address's domain (or Git's host): a plain local part, opened by nothing that a URL's
/// userinfo could have before it, and no port or path behind.
pub(super) fn is_mail(before: &str, after: &str) -> bool {
    let Some(local) = before.strip_suffix('@') else { return false };
    let local = last(local, LONGEST_ADDRESS);
    let line = local.rsplit(['\n', ';', '|', '&']).next().unwrap_or(local);
    let in_url = line.rsplit(char::is_whitespace).next().is_some_and(|word| word.contains("://"));
    let logs_in = line.split_whitespace().any(|word| matches!(word, "ssh" | "scp" | "sftp" | "rsync"));
    if in_url && !line.contains("mailto:") || logs_in {
        return false;
    }
    let rest =
        local.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'));
    let word = rest
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<'))
        .next()
        .unwrap_or(rest);
    let opened =
        word.is_empty() || word.ends_with("mailto:") || word.ends_with([',', ';', '=', '(', '[', '|', ':']);
    let url = word.contains("://") || (word.ends_with(':') && !word.ends_with("mailto:"));
    let git = &local[rest.len()..] == "git";
    let address = match after.chars().next() {
        Some('/' | '?' | '#') => true,
        Some(':') => !git || after[1..].starts_with(|c: char| c.is_ascii_digit() || c == '/'),
        _ => false,
    };
    rest.len() < local.len() && opened && !url && !address
}

pub(super) fn is_urn(before: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || "\"'`<>()[]{},;=|".contains(c);
    last(before, LONGEST_URN).rsplit(ends).next().is_some_and(|word| word.starts_with("urn:"))
}

/// The text with each host that is not ASCII as the function has it.
pub(super) fn map_hosts(text: &str, map: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let host = |c: char| is_host_char(c) || ('\u{300}'..='\u{36f}').contains(&c);
    let mut rest = text;
    while let Some(start) = rest.find(host) {
        out.push_str(&rest[..start]);
        let end = rest[start..].find(|c| !host(c)).map_or(rest.len(), |length| start + length);
        let name = rest[start..end].trim_start_matches('.');
        out.push_str(&rest[start..end - name.len()]);
        if name.is_ascii() || name.len() > LONGEST_HOST {
            out.push_str(name);
        } else {
            out.push_str(&map(name));
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

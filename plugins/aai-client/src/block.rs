//! Settings of the login in YAML text, as the chart of `JupyterHub` keeps them: `GenericOAuthenticator:` and a block of traits.

use crate::hub::{CLASS, Reading, Trait};
use crate::login::Login;

/// Takes the lines of the login's traits away.
pub(crate) fn read(text: &str, login: &Login<'_>) -> Reading {
    let mut reading = Reading::default();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut out = String::with_capacity(text.len());
    let mut changed = false;
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        let Some(entry) = Entry::read(line).filter(|entry| entry.key.ends_with(CLASS)) else {
            if has_flow(line) && names_trait(&flow(&lines[index - 1..]), login) {
                reading.unread.push(index);
            }
            out.push_str(line);
            continue;
        };
        match entry.value {
            "" => {}
            "{}" | "null" | "~" => {
                out.push_str(line);
                continue;
            }
            value => {
                // A mapping in braces, or something that stands elsewhere.
                if !value.starts_with('{') || names_trait(&flow(&lines[index - 1..]), login) {
                    reading.unread.push(index);
                }
                out.push_str(line);
                continue;
            }
        }
        let end = index + lines[index..].iter().take_while(|line| is_below(line, entry.indent)).count();
        let block = Block { lines: &lines[index..end], first: index + 1, login };
        let (kept, left) = block.read(&mut reading);
        if kept.len() == block.lines.len() || left > 0 {
            out.push_str(line);
        } else {
            let colon = line.find(':').map_or(line.len(), |at| at + 1);
            out.push_str(&line[..colon]);
            out.push_str(" {}");
            out.push_str(&line[colon..]);
        }
        changed |= kept.len() < block.lines.len();
        out.extend(kept);
        index = end;
    }
    reading.text = changed.then_some(out);
    reading
}

/// The lines below `GenericOAuthenticator:`.
struct Block<'a> {
    lines: &'a [&'a str],
    /// The number of the first one.
    first: usize,
    login: &'a Login<'a>,
}

impl<'a> Block<'a> {
    /// The lines that stay, and how many settings are among them.
    fn read(&self, reading: &mut Reading) -> (Vec<&'a str>, usize) {
        let mut kept = Vec::new();
        let mut left = 0;
        let level = self.lines.iter().find(|line| !is_blank(line)).map_or(0, |line| indent(line));
        for (index, line) in self.lines.iter().enumerate() {
            let entry = Entry::read(line).filter(|entry| entry.indent == level);
            let Some(entry) = entry else {
                kept.push(*line);
                continue;
            };
            let next = self.lines[index + 1..].iter().find(|line| !is_blank(line));
            // The items of a list may stand as far left as the key.
            let goes_on = next.is_some_and(|line| indent(line) > level || line.trim_start().starts_with('-'));
            let wanted = Trait::of(entry.key, self.login);
            let scalar = scalar(entry.value).filter(|_| !goes_on);
            match (wanted, scalar) {
                (Some(wanted), Some(text)) if !wanted.is_right(text, self.login) => {
                    reading.taken.push((wanted.what(), text.to_owned()));
                    continue;
                }
                (Some(_), None) => reading.unread.push(self.first + index),
                // What is merged in cannot be taken away here.
                _ if entry.key == "<<" => reading.unread.push(self.first + index),
                _ => {}
            }
            left += 1;
            kept.push(*line);
        }
        (kept, left)
    }
}

/// A line `key: value`.
struct Entry<'t> {
    /// The column of the key.
    indent: usize,
    key: &'t str,
    /// Without a comment behind it.
    value: &'t str,
}

impl<'t> Entry<'t> {
    fn read(line: &'t str) -> Option<Self> {
        let mut content = line.trim_start_matches(' ');
        while let Some(item) = content.strip_prefix("- ") {
            content = item.trim_start_matches(' ');
        }
        let indent = line.len() - content.len();
        let (key, value) = content.split_once(':')?;
        let key = key.trim_end();
        let quoted = ['"', '\''].iter().find_map(|quote| key.strip_prefix(*quote)?.strip_suffix(*quote));
        let key = quoted.unwrap_or(key);
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '<');
        let separate = value.is_empty() || value.starts_with([' ', '\t', '\r', '\n']);
        if key.is_empty() || !key.chars().all(word) || !separate {
            return None;
        }
        Some(Self { indent, key, value: without_comment(value.trim()) })
    }
}

fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let quoted = value.starts_with(['"', '\'']);
    if quoted { value } else { value.split(" #").next().unwrap_or_default().trim_end() }
}

/// The text of a value that is whole on its line; `None` where it is not, or where it stands for something else.
fn scalar(value: &str) -> Option<&str> {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let other = ['|', '>', '{', '[', '&', '*', '!', '%', '@', '`'];
        return (!value.starts_with(other)).then_some(value);
    };
    let inner = &value[1..];
    let mut chars = inner.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let doubled = quote == '\'' && c == quote && chars.peek().is_some_and(|(_, next)| *next == quote);
        if quote == '"' && c == '\\' || doubled {
            chars.next();
        } else if c == quote {
            let rest = inner[at + 1..].trim_start();
            return (rest.is_empty() || rest.starts_with('#')).then_some(&inner[..at]);
        }
    }
    None
}

/// Whether a line has a class and a mapping in braces behind it, within other text.
fn has_flow(line: &str) -> bool {
    let mut parts = line.split(CLASS);
    parts.next();
    parts.any(|rest| {
        let rest = rest.trim_start_matches(['"', '\'']).trim_start();
        rest.strip_prefix(':').is_some_and(|value| value.trim_start().starts_with('{'))
    })
}

/// The text from a class on to where its braces close.
fn flow(lines: &[&str]) -> String {
    let mut text = String::new();
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate() {
        let line = if index == 0 { line.find(CLASS).map_or(*line, |at| &line[at..]) } else { *line };
        for c in line.chars() {
            text.push(c);
            match c {
                '{' => depth += 1,
                '}' if depth <= 1 => return text,
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    text
}

fn names_trait(text: &str, login: &Login<'_>) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| Trait::of(word, login).is_some())
}

fn is_below(line: &str, column: usize) -> bool {
    is_blank(line) || indent(line) > column
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

//! The grammar of references, on parsed text only.
//!
//! ```text
//! avp   := "<path:" INSTANCE "/" ["data/"] DOCUMENT "#" KEY {"|" MODIFIER} ">"
//! vals  := ["secret"] "ref+" SCHEME "://" PATH ["?instance=" NAME] ["#" ["/"] KEY {"/" KEY}] ["+"]
//! ```
//!
//! The built-in secrets plugin has a finder of its own in the sandbox. It is kept apart on purpose: this one checks that
//! one, and a mistake that both shared would go unseen.

use std::ops::Range;

/// A reference that is well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As written.
    pub text: Box<str>,
    /// What it asks for.
    pub target: Target,
    /// What is done to the value, in order.
    pub modifiers: Vec<Modifier>,
}

/// What a reference asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A key of a document of a configured provider instance.
    Instance {
        /// The instance's name.
        instance: String,
        /// The document within it.
        document: String,
        /// The way to the value in the document.
        key: Vec<String>,
    },
    /// A variable of the process environment, through an instance of type `env`.
    Env {
        /// The instance; where it is not named there must be just one.
        instance: Option<String>,
        /// The variable's name.
        name: String,
    },
    /// A file below the pipeline's folder, or a value in it.
    File {
        /// The relative path.
        path: String,
        /// The way to the value in the file; empty for the whole file.
        key: Vec<String>,
    },
}

/// What is done to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    /// The value's base64.
    Base64Encode,
    /// The text whose base64 the value is.
    Base64Decode,
}

/// A quick look that never misses a reference.
pub fn may_stand_in(text: &str) -> bool {
    text.contains("<path:") || text.contains("ref+")
}

/// Where references stand in the text.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if !may_stand_in(text) {
        return found;
    }
    let mut from = 0;
    while let Some(at) = next_marker(text, from) {
        let end = end_of(text, at);
        from = end.unwrap_or(at + 1);
        if let Some(end) = end
            && !text[..at].ends_with("$$")
        {
            found.push(at..end);
        }
        while !text.is_char_boundary(from) {
            from += 1;
        }
    }
    found
}

/// Where the next text that could begin a reference stands.
fn next_marker(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    ["<path:", "secretref+", "ref+"].iter().filter_map(|marker| rest.find(marker)).min().map(|at| from + at)
}

/// Bounds on how far the end of a reference is looked for, so that a text of nothing but beginnings takes no longer.
const LONGEST_PATH: usize = 4096;
const LONGEST_SCHEME: usize = 32;

/// Where the reference that begins at `at` ends.
fn end_of(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    if rest.starts_with("<path:") {
        let head = &rest[..rest.floor_char_boundary(LONGEST_PATH)];
        let end = head.find(['>', '\n'])?;
        return head[end..].starts_with('>').then_some(at + end + 1);
    }
    let scheme = rest.find('+')? + 1;
    let head = &rest[..rest.floor_char_boundary(scheme + LONGEST_SCHEME + 3)];
    let separator = scheme + head[scheme..].find("://")?;
    let name = &rest[scheme..separator];
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    let body = separator + 3;
    let length = rest[body..]
        .find(|c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | ')' | ']' | '}' | '<' | '>' | '+')
        })
        .unwrap_or(rest.len() - body);
    let plus = usize::from(rest[body + length..].starts_with('+'));
    (length > 0).then_some(at + body + length + plus)
}

/// Reads one reference's text; `Err` says what is wrong, in one clause.
pub fn parse(text: &str) -> Result<Reference, String> {
    let (target, modifiers) = match text.strip_prefix("<path:").and_then(|rest| rest.strip_suffix('>')) {
        Some(body) => avp(body)?,
        None => (vals(text)?, Vec::new()),
    };
    Ok(Reference { text: text.into(), target, modifiers })
}

fn avp(body: &str) -> Result<(Target, Vec<Modifier>), String> {
    let mut parts = body.split('|');
    let place = parts.next().unwrap_or_default().trim();
    let (path, key) = place.split_once('#').ok_or("it has no `#key`")?;
    if key.contains('#') {
        return Err("a version is asked for, and the provider keeps none".to_owned());
    }
    let (instance, document) = instance_and_document(path)?;
    if key.is_empty() {
        return Err("its key is empty".to_owned());
    }
    let modifiers = parts.map(|name| modifier(name.trim())).collect::<Result<_, _>>()?;
    Ok((Target::Instance { instance, document, key: vec![key.to_owned()] }, modifiers))
}

fn modifier(name: &str) -> Result<Modifier, String> {
    match name {
        "base64encode" => Ok(Modifier::Base64Encode),
        "base64decode" => Ok(Modifier::Base64Decode),
        _ => Err("it has an unknown modifier; there are base64encode and base64decode".to_owned()),
    }
}

fn vals(text: &str) -> Result<Target, String> {
    let body = text
        .strip_prefix("secret")
        .unwrap_or(text)
        .strip_prefix("ref+")
        .ok_or("it does not start with `ref+`")?;
    let body = body.strip_suffix('+').unwrap_or(body);
    let (scheme, rest) = body.split_once("://").ok_or("it has no `://`")?;
    let (rest, fragment) = match rest.split_once('#') {
        Some((_, fragment)) if fragment.trim_matches('/').is_empty() => {
            return Err("its `#` names no key".to_owned());
        }
        Some(split) => split,
        None => (rest, ""),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let key: Vec<String> =
        fragment.split('/').filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect();
    let instance = match query.split_once('=') {
        None if query.is_empty() => None,
        Some(("instance", name)) if !name.is_empty() && !name.contains('&') => Some(name.to_owned()),
        _ => return Err("its query may only be `instance=NAME`".to_owned()),
    };
    match scheme {
        "file" if instance.is_none() => Ok(Target::File { path: path.to_owned(), key }),
        "file" => Err("`ref+file` takes no instance".to_owned()),
        "env" if key.is_empty() && is_variable(path) => Ok(Target::Env { instance, name: path.to_owned() }),
        "env" => Err("`ref+env` names one variable, of letters, digits and `_`".to_owned()),
        "vault" | "openbao" => {
            let (mount, document) = instance_and_document(path)?;
            if key.is_empty() {
                return Err("it has no `#/key`".to_owned());
            }
            Ok(Target::Instance { instance: instance.unwrap_or(mount), document, key })
        }
        _ => Err("there is no provider for its scheme; there are env, file, openbao and vault".to_owned()),
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `kv/data/portal` and `kv/portal` are document `portal` of instance `kv`.
fn instance_and_document(path: &str) -> Result<(String, String), String> {
    let (instance, rest) = path.split_once('/').ok_or("its path has no document behind the instance")?;
    let document = rest.strip_prefix("data/").unwrap_or(rest);
    if instance.is_empty() || document.is_empty() {
        return Err("its path has an empty part".to_owned());
    }
    Ok((instance.to_owned(), document.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn references_are_found_in_text() {
        let text = r#"{"a":"<path:kv/data/p#x | base64decode>","b":"ref+file://s.yaml#/k/l","c":1} secretref+env://X+tail"#;
        assert_eq!(
            found(text),
            ["<path:kv/data/p#x | base64decode>", "ref+file://s.yaml#/k/l", "secretref+env://X+"]
        );
        for text in
            ["<path: open", "pref+x", "ref+://x", "$$ref+env://X", "ref+a b://c", "refü+ref+", "<path:a\n>"]
        {
            assert!(found(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let target = |text| parse(text).unwrap().target;
        let instance = |key: &[&str]| Target::Instance {
            instance: "kv".into(),
            document: "portal".into(),
            key: key.iter().map(|&k| k.into()).collect(),
        };
        assert_eq!(target("<path:kv/data/portal#db>"), instance(&["db"]));
        assert_eq!(target("ref+vault://kv/portal#/a/b"), instance(&["a", "b"]));
        assert_eq!(
            target("ref+file://x.yaml#/a"),
            Target::File { path: "x.yaml".into(), key: vec!["a".into()] }
        );
        assert_eq!(target("ref+env://X+"), Target::Env { instance: None, name: "X".into() });
        assert_eq!(parse("<path:kv/p#k | base64decode>").unwrap().modifiers, [Modifier::Base64Decode]);
    }

    #[test]
    fn what_is_malformed_is_told() {
        for text in [
            "<path:kv/p>",
            "<path:kv#k>",
            "<path:kv/p#k|rot13>",
            "<path:kv/p#k#3>",
            "ref+gopher://x",
            "ref+env://",
            "ref+vault://kv/p",
            "ref+file://x?y=z",
            "ref+file://x#",
            "ref+file://x#/",
            "ref+env://A:b@c",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

//! What can be told of a document that could not be read, from its text alone: whose it is, and the line in question.
//!
//! A line is told only where it cannot be a Secret's. The document has to be a plain block map that says in its own words what
//! it is, by one `apiVersion` and one `kind` at the start of their lines, with nothing there that could say it once more in
//! another spelling; the word `Secret` must not stand in it, nor in the document before it, which a stray `---` may
//! have cut in two. Of other documents the line is not told, nor the name of any key.

use crate::error::Position;

/// How many characters of a line are shown.
const WIDTH: usize = 100;

/// What is told beside the message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// `Kind/name`.
    pub(crate) object: Option<Box<str>>,
    /// The line and a mark under the place.
    pub(crate) lines: Option<Box<str>>,
}

impl Excerpt {
    /// Of a document's text, for a place within it. `first` is the line of the file at which the text begins; `open` says
    /// that [`is_open`] holds.
    pub(crate) fn of(text: &str, open: bool, at: Position, first: usize) -> Self {
        let line = if open { text.split('\n').nth(at.line - 1) } else { None };
        let lines = line.filter(|line| !line.trim().is_empty()).map(|line| {
            let number = (at.line + first - 1).to_string();
            let (line, column) = window(line, at.column);
            let pad = " ".repeat(number.len());
            format!("{number} | {line}\n{pad} | {}^", " ".repeat(column)).into()
        });
        Self { object: label(text), lines }
    }
}

/// Whether lines of the document may be shown; `before` is the document above it.
pub(crate) fn is_open(text: &str, before: Option<&str>) -> bool {
    let mut versions = 0;
    for line in text.lines() {
        match line.as_bytes().first() {
            // In these a key could be spelt otherwise, or the whole be in flow style.
            Some(b'?' | b'{' | b'[' | b'"' | b'\'' | b'&' | b'*' | b'!' | b'|' | b'>' | b'<') => {
                return false;
            }
            _ if line.starts_with("items:") => return false,
            _ if line.starts_with("apiVersion:") => versions += 1,
            _ => {}
        }
    }
    let kind = kind(text).is_some_and(|kind| !kind.ends_with("List"));
    versions == 1 && kind && !tells_of_secret(text) && !before.is_some_and(tells_of_secret)
}

/// Whether the text could be a Secret's, in any form that somebody would write by mistake.
fn tells_of_secret(text: &str) -> bool {
    let word = |at: usize| {
        let is_inner = |c: char| c.is_alphanumeric();
        let (before, after) = (text[..at].chars().next_back(), text[at + "Secret".len()..].chars().next());
        !before.is_some_and(is_inner) && !after.is_some_and(is_inner)
    };
    text.match_indices("Secret").any(|(at, _)| word(at))
        || text.contains("stringData")
        || kind(text).is_some_and(|kind| kind.eq_ignore_ascii_case("secret"))
}

/// The one `kind` at the start of a line, if it is a plain word.
fn kind(text: &str) -> Option<&str> {
    let mut kinds = text.lines().filter_map(|line| line.strip_prefix("kind:"));
    let kind = value(kinds.next()?)?;
    let word = kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (word && kinds.next().is_none()).then_some(kind)
}

/// A plain value, without the comment behind it.
fn value(text: &str) -> Option<&str> {
    let text = text.split_once(" #").map_or(text, |(text, _)| text).trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
    (!text.is_empty() && text.len() <= 253 && text.chars().all(plain)).then_some(text)
}

/// The part of a line around a column, and the column within it, from 0.
fn window(line: &str, column: usize) -> (String, usize) {
    let characters: Vec<char> =
        line.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c }).collect();
    let column = column.saturating_sub(1).min(characters.len());
    if characters.len() <= WIDTH {
        return (characters.into_iter().collect(), column);
    }
    let start = column.saturating_sub(WIDTH / 2).min(characters.len() - WIDTH);
    let end = start + WIDTH;
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < characters.len() { "…" } else { "" });
    let shown: String = characters[start..end].iter().collect();
    (format!("{before}{shown}{after}"), column - start + before.chars().count())
}

/// `Kind/name`, or `Kind`, of a document in block style.
fn label(text: &str) -> Option<Box<str>> {
    let kind = kind(text)?;
    let metadata = text.lines().skip_while(|line| !line.starts_with("metadata:")).skip(1);
    let inside = metadata.take_while(|line| line.starts_with([' ', '#']) || line.is_empty());
    let blank = |line: &&str| line.trim_start().is_empty() || line.trim_start().starts_with('#');
    let mut entries = inside.filter(|line| !blank(line)).peekable();
    // Deeper ones belong to labels and annotations.
    let indent = entries.peek().map_or(0, |line| line.len() - line.trim_start().len());
    let own = |line: &&str| {
        line.split_at_checked(indent)
            .is_some_and(|(blank, rest)| blank.trim().is_empty() && rest.starts_with("name:"))
    };
    let name = entries.find(own);
    let name = name.and_then(|line| line.trim_start().strip_prefix("name:")).and_then(value);
    Some(match name {
        Some(name) => format!("{kind}/{name}").into(),
        None => kind.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, line: usize, column: usize) -> Excerpt {
        Excerpt::of(text, is_open(text, None), Position { line, column }, 10)
    }

    #[test]
    fn the_line_is_shown_with_a_mark() {
        let text = "apiVersion: v1\nkind: Service # x\nmetadata:\n  # c\n  labels:\n    name: b\n  name: a\nspec: [x}\n";
        let Excerpt { object, lines } = excerpt(text, 8, 9);
        assert_eq!(object.as_deref(), Some("Service/a"));
        assert_eq!(lines.as_deref(), Some("17 | spec: [x}\n   |         ^"));
        let long =
            format!("apiVersion: v1\nkind: A\nmetadata: {{}}\n{}!{}\n", "x".repeat(300), "y".repeat(300));
        let lines = excerpt(&long, 4, 301).lines.unwrap();
        let (line, mark) = lines.split_once('\n').unwrap();
        let column = mark.chars().count() - 1;
        assert_eq!(line.chars().nth(column), Some('!'));
        assert!(line.chars().count() < 120);
        let odd = "apiVersion: v1\nkind: A\nmetadata: {}\na\u{85}b\tc: !\n";
        assert_eq!(excerpt(odd, 4, 8).lines.unwrap().as_ref(), "13 | a b c: !\n   |        ^");
    }

    #[test]
    fn documents_that_name_secrets_are_shown() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  imagePullSecrets: [{name: a\\}]\n  x: {secretKeyRef: ]\n";
        assert!(excerpt(text, 6, 1).lines.is_some());
    }

    #[test]
    fn nothing_of_a_secret_is_shown() {
        let head = "apiVersion: v1\nmetadata:\n  name: a\n";
        for text in [
            "kind: Secret\nstringData: {x: [hunter2}\n",
            "x: hunter2\n",
            "kind: List\nitems:\n- kind: Secret\n- hunter2\n",
            "kind: \"\\u0053ecret\"\nx: hunter2\n",
            "kind: !!binary U2VjcmV0\nx: hunter2\n",
            "\"kind\": !!b%69nary U2VjcmV0\nx: hunter2\n",
            "type: Opaque\ndata:\n  config.json: {\"kind\": \"x\", \"password\": \"hunter2\"]\n",
            "kind: secret\nx: hunter2\n",
            "kind: Sec\u{0}ret\nx: hunter2\n",
            "kind: A\nkind: B\nx: hunter2\n",
            "kind: A\n<<: {kind: *b}\nx: hunter2\n",
            "kind: A\n? \"\\u006bind\"\n: *b\nx: hunter2\n",
            "kind: PodList\nitems:\n- hunter2\n",
            "kind: A\nstringData:\n  x: hunter2\n",
        ] {
            let text = format!("{head}{text}");
            for line in 1..=8 {
                assert_eq!(excerpt(&text, line, 1).lines, None, "{text}");
            }
        }
        let rest = "apiVersion: v1\nkind: Config\nmetadata: {}\nuser: {token: hunter2]\n";
        assert!(
            is_open(rest, Some("kind: Pod\n"))
                && !is_open(rest, Some("kind: Secret\nstringData:\n  kubeconfig: |\n"))
        );
        assert!(!is_open("{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{}}", None));
    }

    #[test]
    fn the_label_is_the_objects_own() {
        let label = |text: &str| excerpt(text, 1, 1).object;
        assert_eq!(label("kind: Secret\nmetadata:\n name: a\n").as_deref(), Some("Secret/a"));
        assert_eq!(
            label("kind: Secret\nmetadata:\n annotations:\n  name: hunter2\n name: a\n").as_deref(),
            Some("Secret/a")
        );
        assert_eq!(label("kind: A\nmetadata:\n      a: b\n    ————»]\n").as_deref(), Some("A"));
        assert_eq!(label("stringData: {x: \"\nkind: hunter2\n\"}\nkind: Secret\n"), None);
    }
}

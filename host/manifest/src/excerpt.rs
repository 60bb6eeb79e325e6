//! What can be told of a document that could not be read, from its text alone: whose it is, and the line in question.
//!
//! A line is told only where it cannot be a Secret's. The document has to be a plain block map that says in its own words what
//! it is, by one `apiVersion` and one `kind` at the start of their lines, with nothing there that could say it once more in
//! another spelling; the word `Secret` must not stand in it, nor in a document before it of which it may be a part that a
//! stray `---` has cut off. Of other documents the line is not told, nor the name of any key.

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

/// Whether lines of the document may be shown.
pub(crate) fn is_open(text: &str) -> bool {
    let list = kind(text).is_some_and(|kind| kind.ends_with("List")) || starts(text, "items:") > 0;
    is_plain(text) && !list && !tells_of_secret(text)
}

/// Whether the document is a plain block map that says once what it is.
fn is_plain(text: &str) -> bool {
    // With these a key could be spelt otherwise, or the whole be in flow style.
    let odd = |line: &str| line.starts_with(['?', '{', '[', '"', '\'', '&', '*', '!', '|', '>', '<']);
    !text.lines().any(odd) && starts(text, "apiVersion:") == 1 && kind(text).is_some()
}

/// How many lines start so.
fn starts(text: &str, with: &str) -> usize {
    text.lines().filter(|line| line.starts_with(with)).count()
}

/// Whether the text could be a Secret's, in any form that somebody would write by mistake.
pub(crate) fn tells_of_secret(text: &str) -> bool {
    let word = |at: usize| {
        let is_inner = |c: char| c.is_alphanumeric();
        let (before, after) = (text[..at].chars().next_back(), text[at + "Secret".len()..].chars().next());
        !before.is_some_and(is_inner) && !after.is_some_and(is_inner)
    };
    let kind_of = |kind: &str| kind.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("secr"));
    let typed = |line: &str| {
        line.strip_prefix("type:").is_some_and(|of| of.contains("Opaque") || of.contains("kubernetes.io/"))
    };
    text.match_indices("Secret").any(|(at, _)| word(at))
        || text.contains("stringData")
        || text.lines().any(typed)
        || kind(text).is_some_and(kind_of)
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
    let column = column.saturating_sub(1);
    let start = if column < WIDTH { 0 } else { column - WIDTH / 2 };
    let mut rest =
        line.chars().skip(start).map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c });
    let shown: String = rest.by_ref().take(WIDTH).collect();
    let (before, after) = (if start > 0 { "…" } else { "" }, if rest.next().is_some() { "…" } else { "" });
    let column = (column - start).min(shown.chars().count()) + before.chars().count();
    (format!("{before}{shown}{after}"), column)
}

/// `Kind/name`, or `Kind`, of a plain block map.
fn label(text: &str) -> Option<Box<str>> {
    let kind = kind(text).filter(|_| is_plain(text))?;
    Some(match name(text) {
        Some(name) => format!("{kind}/{name}").into(),
        None => kind.into(),
    })
}

/// The object's name, where nothing else can be taken for it.
fn name(text: &str) -> Option<&str> {
    if starts(text, "metadata:") != 1 {
        return None;
    }
    let metadata = text.lines().skip_while(|line| !line.starts_with("metadata:")).skip(1);
    let inside = metadata.take_while(|line| line.starts_with([' ', '#']) || line.is_empty());
    let blank = |line: &&str| line.trim_start().is_empty() || line.trim_start().starts_with('#');
    let entries: Vec<&str> = inside.filter(|line| !blank(line)).collect();
    // Text in quotes that goes over several lines could hold a line that looks like a name.
    let goes_on = |line: &&str| ['"', '\''].iter().any(|quote| line.matches(*quote).count() % 2 == 1);
    if entries.iter().any(goes_on) {
        return None;
    }
    // Deeper ones belong to labels and annotations.
    let indent = entries.first().map_or(0, |line| line.len() - line.trim_start().len());
    let own = entries.iter().filter_map(|line| {
        let (blank, rest) = line.split_at_checked(indent)?;
        rest.strip_prefix("name:").filter(|_| blank.trim().is_empty())
    });
    let [name] = own.collect::<Vec<_>>()[..] else { return None };
    value(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, line: usize, column: usize) -> Excerpt {
        Excerpt::of(text, is_open(text), Position { line, column }, 10)
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
            "kind: Secrets\ndata:\n  x: hunter2\n",
            "kind: secrect\ndata:\n  x: hunter2\n",
            "kind: A\ntype: Opaque\ndata:\n  x: hunter2\n",
        ] {
            let text = format!("{head}{text}");
            for line in 1..=8 {
                assert_eq!(excerpt(&text, line, 1).lines, None, "{text}");
            }
        }
        assert!(!is_open("{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{}}"));
    }

    #[test]
    fn the_label_is_the_objects_own() {
        let label = |text: &str| excerpt(&format!("apiVersion: v1\n{text}"), 1, 1).object;
        assert_eq!(label("kind: Secret\nmetadata:\n name: a\n").as_deref(), Some("Secret/a"));
        let annotated = "kind: Secret\nmetadata:\n annotations:\n  name: hunter2\n name: a\n";
        assert_eq!(label(annotated).as_deref(), Some("Secret/a"));
        assert_eq!(label("kind: A\nmetadata:\n      a: b\n    ————»]\n").as_deref(), Some("A"));
        for text in [
            "stringData: {x: \"\nkind: hunter2\n\"}\nkind: Secret\n",
            "stringData:\n  x: \"\nkind: hunter2\n\"\n  y: ]\n",
            "\"kind\": Secret\nstringData:\n  x: |\n    a\nkind: hunter2\n",
        ] {
            assert_eq!(label(text), None, "{text}");
        }
        let quoted =
            "kind: Secret\nmetadata:\n  annotations:\n    note: \"first\n  name: hunter2\n  \"\n  name: a\n";
        assert_eq!(label(quoted).as_deref(), Some("Secret"));
    }
}

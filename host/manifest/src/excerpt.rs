//! What can be told of a document that could not be read, from its text alone: whose it is, and the line in question.
//!
//! The line is told only where it cannot be a Secret's: the document says what kind it is, and the word does not stand in
//! it. An escape or base64 could spell the word, so a document with a backslash or `!!binary` is not shown either.

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
    /// Of a document's text, for a place within it. `first` is the line of the file at which the text begins.
    pub(crate) fn of(text: &str, at: Position, first: usize) -> Self {
        let object = label(text);
        let telling = object.is_some() || text.contains("\"kind\"");
        let open = telling && !["Secret", "\\", "binary"].iter().any(|word| text.contains(word));
        let line = if open { text.lines().nth(at.line - 1) } else { None };
        let lines = line.filter(|line| !line.trim().is_empty()).map(|line| {
            let number = (at.line + first - 1).to_string();
            let (line, column) = window(line, at.column);
            let pad = " ".repeat(number.len());
            format!("{number} | {line}\n{pad} | {}^", " ".repeat(column)).into()
        });
        Self { object, lines }
    }
}

/// The part of a line around a column, and the column within it, from 0.
fn window(line: &str, column: usize) -> (String, usize) {
    let characters: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
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
    let after = |line: &str, key: &str| {
        let word = line.strip_prefix(key)?.trim().trim_matches(['"', '\'']);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
        (!word.is_empty() && word.len() <= 253 && word.chars().all(plain)).then(|| word.to_owned())
    };
    let kind = text.lines().find_map(|line| after(line, "kind:"))?;
    let metadata = text.lines().skip_while(|line| !line.starts_with("metadata:")).skip(1);
    let mut inside =
        metadata.take_while(|line| line.starts_with(' ') || line.is_empty() || line.starts_with('#'));
    let name = inside.find_map(|line| after(line, "  name:"));
    Some(match name {
        Some(name) => format!("{kind}/{name}").into(),
        None => kind.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, line: usize, column: usize) -> Excerpt {
        Excerpt::of(text, Position { line, column }, 10)
    }

    #[test]
    fn the_line_is_shown_with_a_mark() {
        let text = "kind: Service\nmetadata:\n  labels: {}\n  name: a\nspec: [x}\n";
        let Excerpt { object, lines } = excerpt(text, 5, 9);
        assert_eq!(object.as_deref(), Some("Service/a"));
        assert_eq!(lines.as_deref(), Some("14 | spec: [x}\n   |         ^"));
        let long = format!("kind: A\n{}!{}\n", "x".repeat(300), "y".repeat(300));
        let lines = excerpt(&long, 2, 301).lines.unwrap();
        let (line, mark) = lines.split_once('\n').unwrap();
        let column = mark.chars().count() - 1;
        assert_eq!(line.chars().nth(column), Some('!'));
        assert!(line.chars().count() < 120);
    }

    #[test]
    fn nothing_of_a_secret_is_shown() {
        for text in [
            "kind: Secret\nstringData: {x: [hunter2}\n",
            "x: hunter2\n",
            "kind: List\nitems:\n- kind: Secret\n- hunter2\n",
            "kind: \"\\u0053ecret\"\nx: hunter2\n",
            "kind: !!binary U2VjcmV0\nx: hunter2\n",
        ] {
            for line in 1..=4 {
                assert_eq!(excerpt(text, line, 1).lines, None, "{text}");
            }
        }
    }
}

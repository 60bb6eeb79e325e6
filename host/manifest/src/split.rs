//! A stream taken apart into documents, as apimachinery's `YAMLReader` does it.
//!
//! That reader works on lines, before any YAML is parsed: `---` at the start of a line ends a document wherever it
//! stands, CRLF becomes LF, and the last line gets a line feed.

use std::borrow::Cow;

/// One document of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Document<'a> {
    /// Its text, where the line `---` above it is left out.
    pub(crate) text: Cow<'a, str>,
    /// The line of the stream on which the text starts, from 1.
    pub(crate) line: usize,
    /// Whether kubectl leaves the line `---` above it in its text, which then starts there.
    pub(crate) below_separator: bool,
}

impl Document<'_> {
    /// The template that Helm says the document was rendered from: `# Source: …` before anything else.
    pub(crate) fn template(&self) -> Option<&str> {
        let comments =
            self.text.lines().map(str::trim_end).take_while(|line| line.is_empty() || line.starts_with('#'));
        comments.filter_map(|line| line.strip_prefix("# Source: ")).find(|template| is_path(template))
    }
}

/// Whether it is the path of a template and nothing that could be more than one comment's line.
fn is_path(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
}

/// A separator line with something other than a comment behind its dashes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GluedSeparator {
    /// The line of the stream, from 1.
    pub(crate) line: usize,
}

/// Takes the stream apart. A glued separator is told, and the documents around it are read all the same, so that what is wrong
/// with them is told as well.
pub(crate) fn documents(text: &str) -> (Vec<Document<'_>>, Vec<GluedSeparator>) {
    let mut documents = Vec::new();
    let mut glued = Vec::new();
    let (mut start, mut start_line, mut offset, mut below_separator) = (0, 1, 0, false);
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        if let Some(rest) = line.strip_prefix("---") {
            // With nothing before it kubectl leaves the line to YAML.
            let leading = offset == start;
            if !(if leading { is_yaml_separator(rest) } else { is_separator(rest) }) {
                glued.push(GluedSeparator { line: number });
            }
            push(&mut documents, &text[start..offset], start_line, below_separator);
            start = offset + line.len();
            start_line = number + 1;
            below_separator = leading;
        }
        offset += line.len();
    }
    push(&mut documents, &text[start..], start_line, below_separator);
    (documents, glued)
}

/// What kubectl takes behind the dashes.
fn is_separator(rest: &str) -> bool {
    let rest = rest.trim();
    rest.is_empty() || rest.starts_with('#')
}

/// What YAML takes there and reads as nothing: blanks, and a comment behind at least one.
fn is_yaml_separator(rest: &str) -> bool {
    let rest = rest.strip_suffix('\n').unwrap_or(rest);
    let rest = rest.strip_suffix('\r').unwrap_or(rest);
    let comment = rest.trim_start_matches([' ', '\t']);
    let odd = |c: char| {
        c.is_control() && c != '\t'
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}' | '\u{feff}')
    };
    comment.is_empty() || comment.starts_with('#') && comment.len() < rest.len() && !comment.contains(odd)
}

fn push<'a>(documents: &mut Vec<Document<'a>>, text: &'a str, line: usize, below_separator: bool) {
    // YAML drops the mark at the start of what it is given.
    let text = if below_separator { text } else { text.strip_prefix('\u{feff}').unwrap_or(text) };
    if text.is_empty() {
        return;
    }
    let mut text =
        if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    if !text.ends_with('\n') {
        text.to_mut().push('\n');
    }
    documents.push(Document { text, line, below_separator });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(stream: &str) -> Vec<(String, usize)> {
        documents(stream).0.into_iter().map(|d| (d.text.into_owned(), d.line)).collect()
    }

    #[test]
    fn separators_end_documents() {
        assert_eq!(texts("a: 1\n--- # c\nb: 2"), [("a: 1\n".into(), 1), ("b: 2\n".into(), 3)]);
        assert_eq!(texts("---\n---\na: 1\r\nb: |\r\n  x\r\n"), [("a: 1\nb: |\n  x\n".into(), 3)]);
        assert_eq!(texts("\u{feff}a: 1\n---\n\u{feff}b: 1\n"), [("a: 1\n".into(), 1), ("b: 1\n".into(), 3)]);
    }

    #[test]
    fn the_template_stands_before_anything_else() {
        let template = |text| documents(text).0[0].template().map(ToOwned::to_owned);
        assert_eq!(template("---\n\n# Source: a/b.yaml\na: 1\n").as_deref(), Some("a/b.yaml"));
        assert_eq!(template("# c\r\n# Source: a/b.yaml\r\na: 1\r\n").as_deref(), Some("a/b.yaml"));
        assert_eq!(template("a: 1\n# Source: a/b.yaml\n"), None);
    }

    #[test]
    fn a_glued_separator_is_refused() {
        assert_eq!(documents("a: 1\n---apiVersion: v1\n").1, [GluedSeparator { line: 2 }]);
        assert_eq!(documents("--- {a: 1}\n").1, [GluedSeparator { line: 1 }]);
        assert_eq!(documents("---#a: 1\n").1, [GluedSeparator { line: 1 }]);
        for rest in [" \u{b}", "\u{a0}", " #\u{1}", " #\u{feff}", " #\rb"] {
            assert_eq!(documents(&format!("---{rest}\na: 1\n")).1, [GluedSeparator { line: 1 }], "{rest:?}");
        }
        assert!(documents("---\t # é\na: 1\n---\u{a0}\nb: 1\n").1.is_empty());
        assert_eq!(documents("--- # c\u{85}a: 1\n").1, [GluedSeparator { line: 1 }]);
        assert!(documents("a: 1\n---#c\nb: 1\n").1.is_empty());
        assert!(documents("a: |\n  ---x\n").1.is_empty());
    }
}

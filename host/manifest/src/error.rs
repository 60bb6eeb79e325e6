//! What can be wrong with input, and where.

use std::fmt;
use std::sync::Arc;

use crate::scalar::ScalarError;

/// A place in a file, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl Position {
    /// The place of a byte offset, which has to lie on a character's boundary.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before = &text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        Self { line, column }
    }

    /// This place of a document, as a place of the file in which the document starts at `line`.
    pub(crate) fn within(self, line: usize) -> Self {
        Self { line: self.line + line - 1, ..self }
    }
}

/// One thing wrong with one document.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{}:{}: {}{kind}{}", at.line, at.column, Whose(*document, object), Lines(excerpt))]
#[non_exhaustive]
pub struct ReadError {
    /// The file, as it was named to [`Reader::add`].
    pub file: Arc<str>,
    /// Which document of the file, from 1; 0 where the file as a whole is meant.
    pub document: usize,
    /// The place in the file.
    pub at: Position,
    /// The object, as `Kind/name`, where the document says that much.
    pub object: Option<Box<str>>,
    /// The line with a mark under the place; `None` where it may be out of a Secret.
    pub excerpt: Option<Box<str>>,
    /// What is wrong.
    pub kind: ReadErrorKind,
}

/// The document's number and the object in it.
struct Whose<'a>(usize, &'a Option<Box<str>>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 {
            write!(f, "document {}: ", self.0)?;
        }
        match self.1 {
            Some(object) => write!(f, "{object}: "),
            None => Ok(()),
        }
    }
}

/// The lines of an excerpt, below the message.
struct Lines<'a>(&'a Option<Box<str>>);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(excerpt) => write!(f, "\n{excerpt}"),
            None => Ok(()),
        }
    }
}

/// A key that has a name, or one that must not be named.
pub(crate) struct Key<'a>(pub(crate) &'a Option<Box<str>>);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 60;
        let Some(name) = self.0 else { return f.write_str("a key") };
        // Line breaks in a name must not look like lines of ours.
        let shown = name.chars().take(LONGEST).flat_map(char::escape_debug);
        let shown: String = shown.collect();
        let rest = if name.chars().nth(LONGEST).is_some() { "…" } else { "" };
        write!(f, "the key `{shown}{rest}`")
    }
}

/// What can be wrong with a document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// No YAML.
    #[error("{0}")]
    Syntax(&'static str),
    /// A character that YAML does not take.
    #[error("a control character stands here, which YAML takes only as an escape in double quotes")]
    ControlCharacter,
    /// No JSON, in a file that is named or looks like JSON.
    #[error("{0}")]
    Json(String),
    /// Bytes that are neither UTF-8 nor UTF-16 with a byte order mark.
    #[error("the file is neither UTF-8 nor UTF-16")]
    Encoding,
    /// A scalar without a value.
    #[error("{0}")]
    Scalar(#[from] ScalarError),
    /// Text behind `---`.
    #[error("`---` is followed by text; put it on a line of its own")]
    GluedSeparator,
    /// More content after the end of the document, which kubectl would drop without a word.
    #[error("content follows the end of the document; separate documents with a line `---`")]
    SecondDocument,
    /// One key twice in a map.
    #[error("{} stands here again; it stood on line {} first", Key(key), first.line)]
    DuplicateKey {
        /// The key; `None` where its name may be secret.
        key: Option<Box<str>>,
        /// Where it stood first, in the file.
        first: Position,
    },
    /// U+FEFF behind the first character. go-yaml looks for it at the start of its buffer, wherever that happens to stand, and
    /// drops the first characters of lines from there on.
    #[error(
        "a byte order mark stands within the document, behind which kubectl loses characters by chance; write it as `\\ufeff` in double quotes"
    )]
    ByteOrderMark,
    /// UTF-16 that kubectl cuts apart within characters, or of which it drops all but the first document.
    #[error(
        "text in UTF-16 may hold one document, and no character with the bytes of a line break; write UTF-8"
    )]
    Utf16,
    /// Aliases that kubectl takes for an attack.
    #[error("too much of the document comes out of aliases; kubectl refuses it as excessive aliasing")]
    ExcessiveAliasing,
    /// `<<` with something that is no map.
    #[error("`<<` takes a map or a list of maps")]
    MergeValue,
    /// An alias inside of its own anchor.
    #[error("an alias stands inside the node that it names")]
    AliasWithinItself,
    /// Aliases that expand beyond the limit.
    #[error("anchors and aliases expand to too much data")]
    AliasLimit,
    /// Nested too deep.
    #[error("maps and lists nest deeper than {0} levels")]
    Depth(usize),
    /// More input than the limit.
    #[error("the inputs have more than {0} bytes together")]
    Size(usize),
    /// One document larger than the limit.
    #[error("the document has more than {0} bytes")]
    DocumentSize(usize),
    /// A key longer than the limit.
    #[error("a key has more than {0} bytes")]
    KeyLength(usize),
    /// The document is not an object.
    #[error("a manifest is an object with apiVersion and kind; this is of type {0}")]
    NotAnObject(&'static str),
    /// No `apiVersion` or no `kind`, or not text.
    #[error("`{0}` is missing or no text")]
    MissingField(&'static str),
    /// A name that is read as a boolean or number, as `y` and `12` are.
    #[error("`metadata.{0}` is no text; put it in quotes")]
    MetadataText(&'static str),
    /// A list whose `items` are not a list.
    #[error("`items` of a List is no list")]
    Items,
}

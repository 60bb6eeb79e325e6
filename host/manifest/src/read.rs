//! From the bytes of files to objects, with every problem of every document told at once.

use std::fmt;
use std::sync::Arc;

use crate::event;
use crate::json;
use crate::object::{Object, Source};
use crate::scalar::ScalarError;
use crate::split;
use crate::value::{Map, Value};

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

    pub(crate) fn error(self, error: ScalarError) -> event::EventError {
        event::EventError { at: self, kind: ReadErrorKind::Scalar(error) }
    }

    /// This place of a document, as a place of the file in which the document starts at `line`.
    fn within(self, line: usize) -> Self {
        Self { line: self.line + line - 1, ..self }
    }
}

/// Bounds on what is read, and how forgiving reading is.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// How deep maps and lists may nest. Default 512; kubectl gives up at 10,000.
    pub max_depth: usize,
    /// How many bytes in memory anchors and aliases may expand to per document. Default 16 MiB.
    pub max_alias_bytes: usize,
    /// How many bytes all inputs may have together. Default 1 GiB.
    pub max_bytes: usize,
    /// Take the last of repeated keys, as kubectl does without a word, and warn; else they are refused.
    pub lenient_duplicates: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { max_depth: 512, max_alias_bytes: 16 << 20, max_bytes: 1 << 30, lenient_duplicates: false }
    }
}

/// One thing wrong with one document.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{}:{}: {}{kind}", at.line, at.column, DocumentNumber(*document))]
#[non_exhaustive]
pub struct ReadError {
    /// The file, as it was named to [`Reader::add`].
    pub file: Arc<str>,
    /// Which document of the file, from 1; 0 where the file as a whole is meant.
    pub document: usize,
    /// The place in the file.
    pub at: Position,
    /// What is wrong.
    pub kind: ReadErrorKind,
}

struct DocumentNumber(usize);

impl fmt::Display for DocumentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 { write!(f, "document {}: ", self.0) } else { Ok(()) }
    }
}

/// What can be wrong with a document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// No YAML.
    #[error("{0}")]
    Syntax(String),
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
    #[error("the key `{key}` stands here again; it stood on line {} first", first.line)]
    DuplicateKey {
        /// The key.
        key: Box<str>,
        /// Where it stood first, in the file.
        first: Position,
    },
    /// A character that YAML 1.1 takes for a line break and YAML 1.2 does not.
    #[error(
        "U+0085, U+2028 or U+2029 stands here, which readers take for different things; write it as an escape"
    )]
    OldLineBreak,
    /// A plain scalar in flow style that YAML 1.1 and 1.2 readers cut at different places.
    #[error(
        "readers differ on where this ends; in flow style put a blank behind `:` and quotes around text with `?`"
    )]
    FlowScalar,
    /// A tag that a comma touches.
    #[error("readers differ on whether the comma is part of the tag; put a blank or a value between them")]
    TagBeforeComma,
    /// A name of an anchor or alias that readers cut at different places.
    #[error("readers differ on where the name of this anchor ends; it may hold letters, digits, `-` and `_`")]
    AnchorName,
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

/// Collects objects and problems over any number of files.
#[derive(Debug, Default)]
pub struct Reader {
    options: ReadOptions,
    bytes: usize,
    objects: Vec<Object>,
    errors: Vec<ReadError>,
    warnings: Vec<String>,
}

impl Reader {
    /// A reader with these bounds.
    pub fn new(options: ReadOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The documents of one file as they stand: lists not taken apart, null documents left out, no object demanded.
    pub fn documents(options: ReadOptions, file: &str, bytes: &[u8]) -> Result<Vec<Value>, Vec<ReadError>> {
        let mut reader = Self::new(options);
        let documents = reader.parse(&file.into(), bytes);
        if reader.errors.is_empty() {
            Ok(documents.into_iter().map(|(_, _, value)| value).collect())
        } else {
            Err(reader.errors)
        }
    }

    /// Reads one file's bytes. Problems are kept until [`finish`](Self::finish), so that all are told at once.
    pub fn add(&mut self, file: &str, bytes: &[u8]) {
        let file: Arc<str> = file.into();
        let before = self.errors.len();
        for (document, at, value) in self.parse(&file, bytes) {
            self.document(&file, document, at, value);
        }
        self.errors[before..].sort_by_key(|error| error.at);
    }

    /// All objects in the order read, and the warnings; or all problems in the order of the files and lines.
    pub fn finish(self) -> Result<(Vec<Object>, Vec<String>), Vec<ReadError>> {
        if self.errors.is_empty() { Ok((self.objects, self.warnings)) } else { Err(self.errors) }
    }

    /// Number, place and value of each document that holds something.
    fn parse(&mut self, file: &Arc<str>, bytes: &[u8]) -> Vec<(usize, Position, Value)> {
        const START: Position = Position { line: 1, column: 1 };
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > self.options.max_bytes {
            self.fail(file, 0, START, ReadErrorKind::Size(self.options.max_bytes));
            return Vec::new();
        }
        let decoded;
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let Some(text) = utf16(bytes) else {
                    let sound = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                    let at = Position::of(&sound, sound.len());
                    self.fail(file, 0, at, ReadErrorKind::Encoding);
                    return Vec::new();
                };
                decoded = text;
                &decoded
            }
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with('{') {
            match json::stream(text) {
                Ok(values) => {
                    return values
                        .into_iter()
                        .enumerate()
                        .map(|(index, (value, at))| (index + 1, at, value))
                        .collect();
                }
                Err(error) if file.ends_with(".json") || error.only_json_could_know() => {
                    self.fail(file, 0, error.at, ReadErrorKind::Json(error.message));
                    return Vec::new();
                }
                // Flow style YAML looks like JSON as well.
                Err(_) => {}
            }
        }
        self.yaml(file, text)
    }

    fn yaml(&mut self, file: &Arc<str>, text: &str) -> Vec<(usize, Position, Value)> {
        let (documents, glued) = split::documents(text);
        for separator in glued {
            self.fail(file, 0, Position { line: separator.line, column: 1 }, ReadErrorKind::GluedSeparator);
        }
        let mut values = Vec::with_capacity(documents.len());
        for (index, document) in documents.iter().enumerate() {
            let warnings = &mut self.warnings;
            let tree = event::tree(&document.text, &self.options, |key, at| {
                let line = at.within(document.line).line;
                warnings.push(format!("{file}:{line}: the key `{key}` is repeated; the last one counts"));
            });
            match tree {
                Ok(None) => {}
                Ok(Some((value, at))) => values.push((index + 1, at.within(document.line), value)),
                Err(mut error) => {
                    if let ReadErrorKind::DuplicateKey { first, .. } = &mut error.kind {
                        *first = first.within(document.line);
                    }
                    self.fail(file, index + 1, error.at.within(document.line), error.kind);
                }
            }
        }
        values
    }

    /// Takes a document's value: one object, or a list of them.
    fn document(&mut self, file: &Arc<str>, document: usize, at: Position, value: Value) {
        if value == Value::Null {
            return;
        }
        let Value::Object(mut map) = value else {
            self.fail(file, document, at, ReadErrorKind::NotAnObject(value.type_name()));
            return;
        };
        for field in ["apiVersion", "kind"] {
            if map.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
                self.fail(file, document, at, ReadErrorKind::MissingField(field));
                return;
            }
        }
        for field in ["name", "namespace", "generateName"] {
            let value = map.get("metadata").and_then(|metadata| metadata.get(field));
            if value.is_some_and(|value| value.as_str().is_none() && *value != Value::Null) {
                self.fail(file, document, at, ReadErrorKind::MetadataText(field));
                return;
            }
        }
        // kubectl takes whatever has `items` at its top for a list, and gives items without a kind the list's own.
        let Some(items) = map.remove("items") else {
            let source = Source { file: file.clone(), document, at };
            self.objects.push(Object::new(Value::Object(map), source));
            return;
        };
        match items {
            Value::Array(items) => {
                for mut item in items {
                    inherit_type(&mut item, &map);
                    self.document(file, document, at, item);
                }
            }
            Value::Null => {}
            _ => self.fail(file, document, at, ReadErrorKind::Items),
        }
    }

    fn fail(&mut self, file: &Arc<str>, document: usize, at: Position, kind: ReadErrorKind) {
        self.errors.push(ReadError { file: file.clone(), document, at, kind });
    }
}

/// Gives an item of a typed list, such as `ConfigMapList`, the type that it leaves out.
fn inherit_type(item: &mut Value, list: &Map) {
    let Value::Object(item) = item else { return };
    let kind = list.get("kind").and_then(Value::as_str).unwrap_or_default();
    let kind = kind.strip_suffix("List").unwrap_or(kind);
    if kind.is_empty() {
        return;
    }
    let absent = |item: &Map, field| item.get(field).is_none_or(|value| value.as_str() == Some(""));
    if absent(item, "kind") && absent(item, "apiVersion") {
        item.insert("kind", kind.into());
        if let Some(version) = list.get("apiVersion") {
            item.insert("apiVersion", version.clone());
        }
    }
}

/// UTF-16 text that says so by its byte order mark.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (mark, rest) = bytes.split_first_chunk::<2>()?;
    let unit: fn([u8; 2]) -> u16 = match mark {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    if rest.len() % 2 != 0 {
        return None;
    }
    let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Object>, Vec<ReadError>> {
        let mut reader = Reader::new(ReadOptions::default());
        reader.add("x.yaml", text.as_bytes());
        reader.finish().map(|(objects, _)| objects)
    }

    fn errors(text: &str) -> Vec<String> {
        read(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lists_are_taken_apart() {
        let text = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n- {metadata: {name: b}, apiVersion: v1, kind: Secret}\n";
        let objects = read(text).unwrap();
        assert_eq!(objects.iter().map(Object::label).collect::<Vec<_>>(), ["ConfigMap/a", "Secret/b"]);
        assert_eq!(objects[0].api_version(), "v1");
        assert!(read("apiVersion: v1\nkind: List\nitems: []\n").unwrap().is_empty());
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let text = "kind: A\n---\napiVersion: v1\nkind: B\nkind: C\n---\napiVersion: v1\nkind: D\nx: 'open\n";
        let told = errors(text);
        assert_eq!(told[0], "x.yaml:1:1: document 1: `apiVersion` is missing or no text");
        assert_eq!(
            told[1],
            "x.yaml:5:1: document 2: the key `kind` stands here again; it stood on line 4 first"
        );
        assert!(told[2].starts_with("x.yaml:"), "{told:?}");
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn what_kubectl_would_drop_is_refused() {
        assert!(errors("apiVersion: v1\nkind: A\n...\nkind: B\n")[0].contains("content follows"));
        assert!(
            errors("a: 1\n---x\n")
                .iter()
                .any(|told| told.starts_with("x.yaml:2:1: `---` is followed by text"))
        );
    }

    #[test]
    fn merges_and_aliases_read_as_go_yaml_v2_reads_them() {
        let objects =
            read("apiVersion: v1\nkind: A\nx: &x {q: 1}\nw: {q: 0, <<: *x}\nz: {<<: [{r: 1}, {r: 2}]}\n")
                .unwrap();
        let value = &objects[0].value;
        assert_eq!(
            json::to_string(value),
            r#"{"apiVersion":"v1","kind":"A","w":{"q":1},"x":{"q":1},"z":{"r":1}}"#
        );
    }

    #[test]
    fn what_yaml_1_1_and_1_2_cut_differently_is_refused() {
        for line in [
            "{cpu:, m: 1}",
            "[a:]",
            "[?x]",
            "{a: x?y}",
            "[a, !!str, b]",
            "{a: !, b: 1}",
            "&b:c x",
            "[&a 1, *a:x]",
            "{<<: {1: x}, 1.0: y}",
        ] {
            let told = errors(&format!("apiVersion: v1\nkind: A\nx: {line}\n"));
            assert!(told[0].starts_with("x.yaml:3:"), "{told:?}");
        }
        for line in [
            "[a: b]",
            "{a: b:c, d: 'x?'}",
            "[!!str a, !!str '']",
            "https://a/?b",
            "[https://a/b, c]",
            "{a: &x 1, b: *x }",
        ] {
            assert!(read(&format!("apiVersion: v1\nkind: A\nx: {line}\n")).is_ok(), "{line}");
        }
        assert!(errors("---\n...\napiVersion: v1\nkind: A\n")[0].contains("content follows"));
        assert!(errors("{\"apiVersion\":\"v1\",\"kind\":\"A\",\"x\":1e400}")[0].contains("out of range"));
    }

    #[test]
    fn keys_of_two_types_and_one_text_are_refused_whatever_the_options() {
        let options = ReadOptions { lenient_duplicates: true, ..ReadOptions::default() };
        for (keys, read) in [
            ("{1: a, 1.: b}", false),
            ("{1: a, '1': b}", false),
            ("{on: a, 'true': b}", false),
            ("{1: a, 0x1: b}", true),
        ] {
            let text = format!("apiVersion: v1\nkind: A\nx: {keys}\n");
            assert_eq!(Reader::documents(options.clone(), "x.yaml", text.as_bytes()).is_ok(), read, "{keys}");
        }
    }

    #[test]
    fn text_in_utf16_is_read() {
        let bytes: Vec<u8> =
            "\u{feff}apiVersion: v1\nkind: Ä\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut reader = Reader::new(ReadOptions::default());
        reader.add("x.yaml", &bytes);
        assert_eq!(reader.finish().unwrap().0[0].kind(), "Ä");
    }

    #[test]
    fn an_alias_bomb_ends_early() {
        let mut text = "apiVersion: v1\nkind: A\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..10 {
            let refs = vec![format!("*a{}", level - 1); 10].join(",");
            text.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
        }
        assert!(errors(&text)[0].ends_with("anchors and aliases expand to too much data"));
    }
}

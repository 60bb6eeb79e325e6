//! From the bytes of files to objects, with every problem of every document told at once.

use std::sync::Arc;

use crate::error::{Position, ReadError, ReadErrorKind};
use crate::excerpt::Excerpt;
use crate::json::{self, Streamed};
use crate::object::{Object, Source};
use crate::split::{self, Document};
use crate::value::{Map, Value};
use crate::yaml::{self, Keys};

/// Bounds on what is read, and how forgiving reading is.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// How deep maps and lists may nest in YAML. Default 512, which JSON always has; kubectl gives up at 10,000. Reading
    /// takes stack for each level.
    pub max_depth: usize,
    /// How many bytes in memory anchors and aliases may expand to per document. Default 16 MiB.
    pub max_alias_bytes: usize,
    /// How many bytes all inputs may have together. Default 1 GiB.
    pub max_bytes: usize,
    /// How many bytes one document may have. Default 64 MiB; an API server takes 3 MiB.
    pub max_document_bytes: usize,
    /// How many bytes a key may have. Default 64 KiB.
    pub max_key_bytes: usize,
    /// Take the last of repeated keys, as kubectl does without a word, and warn; else they are refused.
    pub lenient_duplicates: bool,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            max_depth: json::MAX_DEPTH,
            max_alias_bytes: 16 << 20,
            max_bytes: 1 << 30,
            max_document_bytes: 64 << 20,
            max_key_bytes: json::MAX_KEY_BYTES,
            lenient_duplicates: false,
        }
    }
}

/// Collects objects and problems over any number of files.
#[derive(Debug, Default)]
pub struct Reader {
    options: ReadOptions,
    bytes: usize,
    objects: Vec<Object>,
    errors: Vec<ReadError>,
    warnings: Vec<String>,
    keys: Keys,
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
            Ok(documents.into_iter().map(|document| document.value).collect())
        } else {
            Err(reader.errors)
        }
    }

    /// Reads one file's bytes. Problems are kept until [`finish`](Self::finish), so that all are told at once.
    pub fn add(&mut self, file: &str, bytes: &[u8]) {
        let file: Arc<str> = file.into();
        let before = self.errors.len();
        for Parsed { document, at, template, value } in self.parse(&file, bytes) {
            let source = Source { file: file.clone(), document, at, template };
            self.document(&source, value);
        }
        self.errors[before..].sort_by_key(|error| error.at);
    }

    /// All objects in the order read, and the warnings; or all problems in the order of the files and lines.
    pub fn finish(self) -> Result<(Vec<Object>, Vec<String>), Vec<ReadError>> {
        if self.errors.is_empty() { Ok((self.objects, self.warnings)) } else { Err(self.errors) }
    }

    /// The documents that hold something.
    fn parse(&mut self, file: &Arc<str>, bytes: &[u8]) -> Vec<Parsed> {
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
        if text.trim_start().starts_with('{')
            && let Some(parsed) = self.json(file, text)
        {
            return parsed;
        }
        self.yaml(file, text)
    }

    /// Values of a JSON stream; `None` where it is flow style YAML, which looks like JSON.
    fn json(&mut self, file: &Arc<str>, text: &str) -> Option<Vec<Parsed>> {
        let values = match json::stream(text) {
            Ok(values) => values,
            Err(error) if file.ends_with(".json") || error.only_json_could_know() => {
                let excerpt = Excerpt::of(text, error.at, 1);
                self.refuse(file, 0, error.at, excerpt, ReadErrorKind::Json(error.message));
                return Some(Vec::new());
            }
            Err(_) => return None,
        };
        let max = self.options.max_document_bytes;
        let mut parsed = Vec::with_capacity(values.len());
        for (Streamed { value, at, length }, document) in values.into_iter().zip(1..) {
            if length > max {
                self.fail(file, document, at, ReadErrorKind::DocumentSize(max));
            } else {
                parsed.push(Parsed { document, at, template: None, value });
            }
        }
        Some(parsed)
    }

    fn yaml(&mut self, file: &Arc<str>, text: &str) -> Vec<Parsed> {
        let (documents, glued) = split::documents(text);
        for separator in glued {
            self.fail(file, 0, Position { line: separator.line, column: 1 }, ReadErrorKind::GluedSeparator);
        }
        let mut parsed = Vec::with_capacity(documents.len());
        for (document, number) in documents.iter().zip(1..) {
            let warnings = &mut self.warnings;
            let duplicate = |key: &str, at: Position| {
                let line = at.within(document.line).line;
                warnings.push(format!("{file}:{line}: the key `{key}` is repeated; the last one counts"));
            };
            match tree(document, &self.options, &mut self.keys, duplicate) {
                Ok(None) => {}
                Ok(Some((value, at))) => {
                    let (at, template) = (at.within(document.line), document.template().map(Into::into));
                    parsed.push(Parsed { document: number, at, template, value });
                }
                Err(mut error) => {
                    if let ReadErrorKind::DuplicateKey { first, .. } = &mut error.kind {
                        *first = first.within(document.line);
                    }
                    let excerpt = Excerpt::of(&document.text, error.at, document.line);
                    self.refuse(file, number, error.at.within(document.line), excerpt, error.kind);
                }
            }
        }
        parsed
    }

    /// Takes a document's value: one object, or a list of them.
    fn document(&mut self, source: &Source, value: Value) {
        if value == Value::Null {
            return;
        }
        let Value::Object(mut map) = value else {
            self.fail_at(source, None, ReadErrorKind::NotAnObject(value.type_name()));
            return;
        };
        for field in ["apiVersion", "kind"] {
            if map.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
                self.fail_at(source, None, ReadErrorKind::MissingField(field));
                return;
            }
        }
        for field in ["name", "namespace", "generateName"] {
            let value = map.get("metadata").and_then(|metadata| metadata.get(field));
            if value.is_some_and(|value| value.as_str().is_none() && *value != Value::Null) {
                self.fail_at(source, map.get("kind"), ReadErrorKind::MetadataText(field));
                return;
            }
        }
        // kubectl takes whatever has `items` at its top for a list, and gives items without a kind the list's own.
        let Some(items) = map.remove("items") else {
            self.objects.push(Object::new(Value::Object(map), source.clone()));
            return;
        };
        match items {
            Value::Array(items) => {
                for mut item in items {
                    inherit_type(&mut item, &map);
                    self.document(source, item);
                }
            }
            Value::Null => {}
            _ => self.fail_at(source, map.get("kind"), ReadErrorKind::Items),
        }
    }

    /// Notes a problem of an object that was read.
    fn fail_at(&mut self, source: &Source, what: Option<&Value>, kind: ReadErrorKind) {
        let object = what.and_then(Value::as_str).map(Into::into);
        self.refuse(&source.file, source.document, source.at, Excerpt { object, lines: None }, kind);
    }

    fn fail(&mut self, file: &Arc<str>, document: usize, at: Position, kind: ReadErrorKind) {
        self.refuse(file, document, at, Excerpt::default(), kind);
    }

    fn refuse(
        &mut self,
        file: &Arc<str>,
        document: usize,
        at: Position,
        excerpt: Excerpt,
        kind: ReadErrorKind,
    ) {
        let Excerpt { object, lines: excerpt } = excerpt;
        self.errors.push(ReadError { file: file.clone(), document, at, object, excerpt, kind });
    }
}

/// A document that holds something.
struct Parsed {
    /// Its number, from 1.
    document: usize,
    at: Position,
    template: Option<Arc<str>>,
    value: Value,
}

/// The tree of a document that is not too large.
fn tree(
    document: &Document<'_>,
    options: &ReadOptions,
    keys: &mut Keys,
    duplicate: impl FnMut(&str, Position),
) -> Result<yaml::Tree, yaml::Fault> {
    if document.text.len() > options.max_document_bytes {
        let kind = ReadErrorKind::DocumentSize(options.max_document_bytes);
        return Err(yaml::Fault { at: Position { line: 1, column: 1 }, kind });
    }
    yaml::tree(&document.text, options, keys, duplicate)
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
            "x.yaml:5:1: document 2: B: the key `kind` stands here again; it stood on line 4 first\n5 | kind: C\n  | ^"
        );
        assert!(told[2].starts_with("x.yaml:"), "{told:?}");
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn what_kubectl_would_drop_is_refused() {
        for text in [
            "apiVersion: v1\nkind: A\n...\nx\n",
            "{apiVersion: v1, kind: A} x\n",
            "...\napiVersion: v1\nkind: A\n",
        ] {
            assert!(errors(text)[0].contains("content follows"), "{:?}", errors(text));
        }
        assert!(errors("apiVersion: v1\nkind: A\n...\nkind: B\n")[0].starts_with("x.yaml:4:1:"));
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
    fn flow_style_is_cut_where_kubectl_cuts_it() {
        for (line, want) in [
            ("{cpu:, m: 1}", r#"{"cpu:":null,"m":1}"#),
            ("[a:]", r#"["a:"]"#),
            ("[?x]", r#"[{"x":null}]"#),
            ("&b:c x", r#"":c x""#),
            ("[&a 1, *a:x]", r#"[1,{"1":"x"}]"#),
            ("[!!str, b]", r#"["b"]"#),
            ("[a: b]", r#"[{"a":"b"}]"#),
            ("{a: b:c, d: 'x?'}", r#"{"a":"b:c","d":"x?"}"#),
            ("[!!str a, !!str '']", r#"["a",""]"#),
            ("https://a/?b", r#""https://a/?b""#),
            ("{\"a\":b, ? c : d, ? e}", r#"{"a":"b","c":"d","e":null}"#),
            ("{a: &x 1, b: *x }", r#"{"a":1,"b":1}"#),
        ] {
            let objects = read(&format!("apiVersion: v1\nkind: A\nx: {line}\n")).unwrap();
            assert_eq!(json::to_string(objects[0].value.get("x").unwrap()), want, "{line}");
        }
        for line in ["{a: x?y}", "{a: !, b: 1}", "{<<: {1: x}, 1.0: y}", "\"\\/\""] {
            let told = errors(&format!("apiVersion: v1\nkind: A\nx: {line}\n"));
            assert!(told[0].starts_with("x.yaml:3:"), "{line}: {told:?}");
        }
    }

    #[test]
    fn json_is_read_as_json() {
        assert!(errors("{\"apiVersion\":\"v1\",\"kind\":\"A\",\"x\":1e400}")[0].contains("out of range"));
        assert!(read("{\"apiVersion\":\"v1\",\"kind\":\"A\",\"x\":\"\\/\"}").is_ok());
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
        assert!(errors(&text)[0].contains("anchors and aliases expand to too much data"));
    }
}

//! From the bytes of files to objects, with every problem of every document told at once.

mod encoding;
mod list;

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{Key, Position, ReadError, ReadErrorKind};
use crate::excerpt::{self, Excerpt};
use crate::json::{self, Streamed};
use crate::object::{Object, Source};
use crate::split::{self, Document};
use crate::value::Value;
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
    /// The inputs hold secret values as a whole: nothing of their text is told, neither a line nor the name of a key.
    pub confidential: bool,
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
            confidential: false,
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
            self.document(&source, None, value);
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
        let text = match encoding::decode(bytes) {
            Ok(text) => text,
            Err((at, kind)) => {
                self.fail(file, 0, at, kind);
                return Vec::new();
            }
        };
        // Behind a byte order mark kubectl sees no JSON.
        let json = if text.trim_start().starts_with('{') { self.json(file, &text) } else { None };
        let parsed = json.unwrap_or_else(|| self.yaml(file, &text));
        // kubectl sees no separator in UTF-16, and YAML reads one document.
        let separates = |line: &str| line.starts_with("---") || line.starts_with("...");
        if matches!(text, Cow::Owned(_)) && (parsed.len() > 1 || text.lines().skip(1).any(separates)) {
            self.fail(file, 0, START, ReadErrorKind::Utf16);
        }
        parsed
    }

    /// Values of a JSON stream; `None` where it is flow style YAML, which looks like JSON.
    fn json(&mut self, file: &Arc<str>, text: &str) -> Option<Vec<Parsed>> {
        let values = match json::stream(text) {
            Ok(values) => values,
            Err((document, error)) if file.ends_with(".json") || error.only_json_could_know() => {
                // JSON stands on few lines, and a Secret's value on any of them.
                self.fail(file, document, error.at, ReadErrorKind::Json(error.message));
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
        // Text behind a separator is cut off, and may say what the rest is.
        let mut cut = glued.iter().map(|separator| separator.line).collect::<Vec<_>>().into_iter().peekable();
        for separator in glued {
            self.fail(file, 0, Position { line: separator.line, column: 1 }, ReadErrorKind::GluedSeparator);
        }
        let mut parsed = Vec::with_capacity(documents.len());
        // What comes behind a Secret may be a part of it that a stray `---` has cut off, until a whole object has been read.
        let mut suspect = false;
        for (document, number) in documents.iter().zip(1..) {
            while cut.next_if(|line| *line < document.line).is_some() {
                suspect = true;
            }
            let mut repeated: Vec<(Box<str>, usize)> = Vec::new();
            let duplicate =
                |key: &str, at: Position| repeated.push((key.into(), at.within(document.line).line));
            let read = tree(document, &self.options, &mut self.keys, duplicate);
            let open = (read.is_err() || !repeated.is_empty())
                && !self.options.confidential
                && !suspect
                && excerpt::is_open(&document.text);
            for (key, line) in repeated {
                let key = open.then_some(key);
                self.warnings
                    .push(format!("{file}:{line}: {} stands here again; the last one counts", Key(&key)));
            }
            suspect = excerpt::tells_of_secret(&document.text) || suspect && !is_whole(&read);
            match read {
                Ok(None) => {}
                Ok(Some((value, at))) => {
                    let (at, template) = (at.within(document.line), document.template().map(Into::into));
                    parsed.push(Parsed { document: number, at, template, value });
                }
                Err(mut error) => {
                    if let ReadErrorKind::DuplicateKey { first, key } = &mut error.kind {
                        *first = first.within(document.line);
                        key.take_if(|_| !open);
                    }
                    let told = if self.options.confidential {
                        Excerpt::default()
                    } else {
                        Excerpt::of(&document.text, open, error.at, document.line)
                    };
                    self.refuse(file, number, error.at.within(document.line), told, error.kind);
                }
            }
        }
        parsed
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

/// Whether an object was read that names itself.
fn is_whole(read: &Result<yaml::Tree, yaml::Fault>) -> bool {
    let Ok(Some((value, _))) = read else { return false };
    [&["apiVersion"][..], &["kind"], &["metadata", "name"]].iter().all(|path| value.str_at(path).is_some())
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
    yaml::tree(&document.text, document.below_separator, options, keys, duplicate)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn read(text: &str) -> Result<Vec<Object>, Vec<ReadError>> {
        let mut reader = Reader::new(ReadOptions::default());
        reader.add("x.yaml", text.as_bytes());
        reader.finish().map(|(objects, _)| objects)
    }

    pub(super) fn errors(text: &str) -> Vec<String> {
        read(text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_problem_is_told_with_its_place() {
        let text =
            "kind: A\n---\napiVersion: v1\nkind: B\nx: 1\nx: 2\n---\napiVersion: v1\nkind: D\nx: 'open\n";
        let told = errors(text);
        assert_eq!(told[0], "x.yaml:1:1: document 1: `apiVersion` is missing or no text");
        assert_eq!(
            told[1],
            "x.yaml:6:1: document 2: B: the key `x` stands here again; it stood on line 5 first\n6 | x: 2\n  | ^"
        );
        assert_eq!(
            told[2],
            "x.yaml:10:4: document 3: D: the text in quotes that starts here does not end\n10 | x: 'open\n   |    ^"
        );
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn names_of_keys_are_told_only_where_the_line_is() {
        let secret = "apiVersion: v1\nkind: Secret\nstringData:\n  hunter2: 1\n  hunter2: 2\n";
        assert_eq!(
            errors(secret)[0],
            "x.yaml:5:3: document 1: Secret: a key stands here again; it stood on line 4 first"
        );
        let mut reader = Reader::new(ReadOptions { lenient_duplicates: true, ..ReadOptions::default() });
        reader.add("x.yaml", secret.as_bytes());
        reader.add("y.yaml", secret.replace("Secret", "A").replace("stringData", "data").as_bytes());
        let warnings = reader.finish().unwrap().1;
        assert_eq!(warnings[0], "x.yaml:5: a key stands here again; the last one counts");
        assert_eq!(warnings[1], "y.yaml:5: the key `hunter2` stands here again; the last one counts");
        let key = format!("\"a\\n{}\"", "b".repeat(200));
        let long = errors(&format!("apiVersion: v1\nkind: A\nx: {{{key}: 1, {key}: 2}}\n"));
        assert!(long[0].contains("`a\\nbbb") && long[0].lines().next().unwrap().len() < 160, "{long:?}");
    }

    #[test]
    fn byte_order_marks_are_taken_only_where_yaml_drops_them() {
        let values = |text: &str| Reader::documents(ReadOptions::default(), "x", text.as_bytes());
        assert_eq!(values("\u{feff}a: 1\n---\n\u{feff}b: 2\n").unwrap().len(), 2);
        assert_eq!(values("\u{feff}---\na: 1\n").unwrap().len(), 1);
        for text in [
            "---\n\u{feff}a: 1\n",
            "\u{feff}\u{feff}a: 1\n",
            "null\n\u{feff}---\na: 1\n",
            "a: |\n  \u{feff}b\n",
            "# \u{feff}\na: 1\n",
        ] {
            assert_eq!(values(text).unwrap_err()[0].kind, ReadErrorKind::ByteOrderMark, "{text:?}");
        }
        assert!(values("\u{feff}{\"a\": \"\\/\"}").is_err(), "JSON behind a mark is YAML to kubectl");
    }

    #[test]
    fn what_may_be_a_part_of_a_secret_is_not_shown() {
        let rest = "apiVersion: v1\nkind: Config\nuser: {token: hunter2]\n";
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  kubeconfig: |\n";
        let whole = "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\n";
        for (text, shown) in [
            (rest.to_owned(), true),
            (format!("{secret}---\n{rest}"), false),
            (format!("{secret}---\n# Source: x\n---\n{rest}"), false),
            (format!("{secret}---\nfoo: bar\n---\n{rest}"), false),
            (format!("---kind: Secret\n---\n{rest}"), false),
            (format!("{secret}---\n{whole}---\n{rest}"), true),
        ] {
            let told = errors(&text);
            assert_eq!(told.iter().any(|line| line.contains("hunter2")), shown, "{told:?}");
        }
    }

    #[test]
    fn a_second_document_is_refused_whatever_begins_it() {
        for text in ["---\n\r---\na: 1\n", "---\n# c\u{2028}---\na: 1\n"] {
            let told = Reader::documents(ReadOptions::default(), "x", text.as_bytes()).unwrap_err();
            assert_eq!(told[0].kind, ReadErrorKind::SecondDocument, "{text:?}");
        }
        // Lines are what editors count.
        let told = Reader::documents(ReadOptions::default(), "x", b"x: 1\rdata: {p: q]\n").unwrap_err();
        assert_eq!(told[0].at, Position { line: 1, column: 17 });
    }

    #[test]
    fn aliases_count_in_depth_and_against_kubectls_ratio() {
        let deep =
            |levels: usize, inner: &str| format!("{}{inner}{}", "{a: ".repeat(levels), "}".repeat(levels));
        let text = |levels| format!("x: &a {}\ny: {}\n", deep(300, "1"), deep(levels, "*a"));
        let read = |text: &str| Reader::documents(ReadOptions::default(), "x", text.as_bytes());
        assert!(read(&text(211)).is_ok());
        assert_eq!(read(&text(212)).unwrap_err()[0].kind, ReadErrorKind::Depth(512));
        let text = |times| format!("a: &a [{}]\nb: [{}]\n", "1,".repeat(2000), "*a,".repeat(times));
        assert!(read(&text(50)).is_ok());
        assert_eq!(read(&text(110)).unwrap_err()[0].kind, ReadErrorKind::ExcessiveAliasing);
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
    fn what_is_missing_at_the_end_is_told_where_the_text_ends() {
        for end in ["", "\n", "\n\n\n"] {
            let told = errors(&format!("apiVersion: v1\nkind: A\nx: [1, 2{end}"));
            assert!(
                told[0].starts_with("x.yaml:3:9: document 1: A: `,` or `]` is wanted here\n3 | x: [1, 2\n"),
                "{told:?}"
            );
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
            ("{1.00000001: a, 1.000000011: b}", false),
            ("{<<: {1: x}, '1': w}", false),
            ("{'1': w, <<: {1: x}}", false),
            ("{<<: [{1: x}, {'1': w}]}", false),
            ("{<<: {on: x}, <<: {'true': w}}", false),
            ("{<<: {1: x}, 2: w}", true),
            ("{<<: {'1': x}, '1': w}", true),
        ] {
            let text = format!("apiVersion: v1\nkind: A\nx: {keys}\n");
            assert_eq!(Reader::documents(options.clone(), "x.yaml", text.as_bytes()).is_ok(), read, "{keys}");
        }
    }

    #[test]
    fn an_alias_bomb_ends_early() {
        let mut text = "apiVersion: v1\nkind: A\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..10 {
            let refs = vec![format!("*a{}", level - 1); 10].join(",");
            text.push_str(&format!("a{level}: &a{level} [{refs}]\n"));
        }
        assert!(errors(&text)[0].contains("excessive aliasing"));
        let wide = format!("x: &a [{}]\ny: [{}]\n", "1,".repeat(40_000), "*a,".repeat(9));
        let options = ReadOptions { max_alias_bytes: 1 << 20, ..ReadOptions::default() };
        assert_eq!(
            Reader::documents(options, "x", wide.as_bytes()).unwrap_err()[0].kind,
            ReadErrorKind::AliasLimit
        );
    }

    #[test]
    fn text_in_utf16_is_read() {
        let bytes: Vec<u8> =
            "\u{feff}apiVersion: v1\nkind: Ä\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut reader = Reader::new(ReadOptions::default());
        reader.add("x.yaml", &bytes);
        assert_eq!(reader.finish().unwrap().0[0].kind(), "Ä");
        for text in [
            "\u{feff}a: 1\n---\nb: 1\n",
            "\u{feff}a: \u{a0d}\n",
            "\u{feff}---\n---\na: 1\n",
            "\u{feff}~\n...\n",
        ] {
            let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let told = Reader::documents(ReadOptions::default(), "x", &bytes).unwrap_err();
            assert_eq!(told[0].kind, ReadErrorKind::Utf16, "{text:?}");
        }
    }
}

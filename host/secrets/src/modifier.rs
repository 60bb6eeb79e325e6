//! What a reference has done to its value, step by step, as argocd-vault-plugin's modifiers do it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lathe_manifest::{ReadOptions, Reader};

use crate::encoding::{self, Encoding};
use crate::error::Why;
use crate::jsonpath::Template;
use crate::node::Node;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Modifier {
    /// The value's base64.
    Base64Encode,
    /// The bytes whose base64 the value is.
    Base64Decode,
    /// What kubectl's `JSONPath` template makes of it.
    JsonPath(Template),
    /// The JSON that the value's text is.
    JsonParse,
    /// The YAML that the value's text is.
    YamlParse,
    /// Spaces before each line but the first.
    Indent(usize),
    /// The hexadecimal sha256 of the value.
    Sha256Sum,
    /// The value without a line feed at its end.
    TrimNewline,
    /// The value as the inside of a JSON string.
    JsonEscape,
}

/// More spaces than any manifest has.
const WIDEST: usize = 256;

impl Modifier {
    /// Reads `NAME ARGUMENT`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (name, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let argument = argument.trim();
        let bare = |modifier| {
            if argument.is_empty() { Ok(modifier) } else { Err(format!("`{name}` takes nothing")) }
        };
        match name {
            "base64encode" => bare(Self::Base64Encode),
            "base64decode" => bare(Self::Base64Decode),
            "jsonParse" => bare(Self::JsonParse),
            "yamlParse" => bare(Self::YamlParse),
            "sha256sum" => bare(Self::Sha256Sum),
            "jsonEscape" => bare(Self::JsonEscape),
            "jsonPath" => Template::parse(argument).map(Self::JsonPath),
            "indent" => {
                let width = argument.parse().ok().filter(|width| *width <= WIDEST);
                width.map(Self::Indent).ok_or_else(|| "`indent` takes a number of spaces".to_owned())
            }
            _ => Err("it has an unknown modifier; there are base64encode, base64decode, jsonPath, jsonEscape, jsonParse, yamlParse, indent and sha256sum".to_owned()),
        }
    }

    /// Does the step.
    pub(crate) fn apply(&self, node: Node) -> Result<Node, Why> {
        let bytes = |node: Node| node.into_bytes(false);
        let wrong = |told: &str| Why::Type(told.to_owned());
        match self {
            Self::Base64Encode => Ok(Node::Text(STANDARD.encode(bytes(node)?.expose()).into())),
            Self::Base64Decode => {
                let value = bytes(node)?;
                let text = value.text().ok_or_else(|| wrong("it is no base64 to decode"))?;
                // As Go's decoder, which takes line feeds; `base64` prints them.
                let decoded =
                    encoding::decode(text.trim()).ok_or_else(|| wrong("it is no base64 to decode"))?;
                Ok(Node::Text(decoded.into()))
            }
            Self::JsonPath(template) => template.apply(&node),
            Self::JsonParse => Node::json(bytes(node)?.expose()),
            Self::YamlParse => {
                let value = bytes(node)?;
                let options = ReadOptions { confidential: true, ..ReadOptions::default() };
                let documents = Reader::documents(options, "value", value.expose());
                let document = documents.ok().and_then(|documents| documents.into_iter().next());
                Ok(Node::from(&document.ok_or_else(|| wrong("it is no YAML map"))?))
            }
            Self::Indent(width) => {
                let value = bytes(node)?;
                let text = value.text().ok_or_else(|| wrong("it is no text to indent"))?;
                Ok(Node::Text(text.replace('\n', &format!("\n{}", " ".repeat(*width))).into()))
            }
            Self::Sha256Sum => {
                let sum = lathe_manifest::digest::sha256(bytes(node)?.expose());
                Ok(Node::Text(sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()))
            }
            Self::JsonEscape => {
                let value = bytes(node)?;
                if value.text().is_none() {
                    return Err(wrong("it is no text that JSON could hold"));
                }
                Ok(Node::Text(Encoding::Json.encode_bytes(value.expose())))
            }
            Self::TrimNewline => {
                let value = bytes(node)?;
                let trimmed = value.expose();
                let trimmed = trimmed
                    .strip_suffix(b"\n")
                    .map_or(trimmed, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
                Ok(Node::Text(trimmed.to_vec().into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(steps: &[&str], value: &str) -> Result<String, Why> {
        let steps = steps.iter().map(|step| Modifier::parse(step).unwrap());
        let node = steps.into_iter().try_fold(Node::Text(value.into()), |node, step| step.apply(node))?;
        node.into_bytes(true).map(|bytes| bytes.text().unwrap().to_owned())
    }

    #[test]
    fn steps_are_avps() {
        assert_eq!(
            through(&["base64decode", "jsonPath {.key2}", "base64encode"], "eyJrZXkyIjoidiJ9").unwrap(),
            "dg=="
        );
        assert_eq!(through(&["yamlParse", "jsonPath {.key1}"], "key1: v\n").unwrap(), "v");
        assert_eq!(through(&["indent 2"], "a\nb\n").unwrap(), "a\n  b\n  ");
        assert_eq!(
            through(&["sha256sum"], "foo").unwrap(),
            "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
        );
        assert_eq!(through(&["jsonParse"], "[1, 2]").unwrap(), "[1,2]");
    }

    #[test]
    fn what_cannot_be_done_is_told_without_the_value() {
        for (step, value) in [
            ("base64decode", "hunter2!"),
            ("jsonParse", "{hunter2"),
            ("yamlParse", "a: [hunter2"),
            ("jsonPath {.a}", "hunter2"),
        ] {
            let Err(why) = through(&[step], value) else { panic!("{step} was done") };
            assert!(!why.to_string().contains("hunter2"), "{step}");
        }
    }
}

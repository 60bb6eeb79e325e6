//! The end of a run: what tokens stand for is put in their place.

use std::sync::{Mutex, PoisonError};

use lathe_manifest::{Edit, Object, Pointer, Value, json, pointer};

use crate::bytes::SecretBytes;
use crate::encoding::{self, Encoding};
use crate::error::{SecretError, SecretErrorKind, Why};
use crate::guard::keeps_json;
use crate::lines::{Rest, place};
use crate::live::{self, Live};
use crate::modifier::Modifier;
use crate::node::Node;
use crate::provider::Resolver;
use crate::reference::{self, Reference, Shape, Target};
use crate::seal::{Content, Field, Seal, secret_field};
use crate::token::{self, Piece};

/// What is put in place of tokens.
pub enum Fill<'a> {
    /// References as they were written, and plain values as they stood.
    References,
    /// Values.
    Values {
        /// Has them.
        resolver: &'a Resolver<'a>,
        /// What a cluster has, for when a store is down.
        live: Option<Live<'a>>,
        /// Takes down what the user is to know.
        noted: &'a Mutex<Noted>,
    },
}

/// What filling notes beside the objects.
#[derive(Default)]
pub struct Noted {
    /// Values that were kept as the cluster has them, told.
    pub kept: Vec<String>,
    /// Values that stand outside of Secrets now.
    pub outside: Vec<SecretBytes>,
    /// Fields of `data` whose value a store had, and which is taken for base64.
    pub taken: Vec<String>,
}

/// What filling an object has put into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// How many fields hold plain text of the input.
    pub plain: usize,
    /// How many fields hold references, or values of them.
    pub references: usize,
    /// How many fields outside of a Secret's values hold values.
    pub outside: usize,
}

/// A field's new content.
enum New {
    Text(SecretBytes),
    Value(Value),
    /// The field goes: what may be missing is missing.
    Gone,
}

impl Seal {
    /// Puts into the object what its tokens stand for.
    pub fn fill(&self, key: u32, object: &mut Object, fill: &Fill<'_>) -> Result<Filled, Vec<SecretError>> {
        let mut filled = Filled::default();
        let (mut errors, mut fields) = (Vec::new(), Vec::new());
        let is_secret = object.is_secret();
        let values = matches!(fill, Fill::Values { .. }) && !self.ignored.contains(&key);
        pointer::each_string(&object.value, &mut |pointer, text| {
            let sealed = self.sealed_within(key, pointer, text);
            let field = if is_secret { secret_field(pointer) } else { None };
            if sealed.is_none() && !text.contains(token::PREFIX) {
                if let (true, std::borrow::Cow::Owned(text)) = (values, reference::unescape(text)) {
                    fields.push((pointer.to_owned(), field, New::Text(text.into())));
                }
                return;
            }
            let name = pointer.rsplit('/').next().unwrap_or_default();
            let mut work = Work {
                seal: self,
                fill,
                filled: Filled::default(),
                object,
                name,
                unescape: values,
                is_base64: false,
                taken: false,
            };
            match work.field(text, sealed.as_deref(), field) {
                Ok(new) => fields.push((pointer.to_owned(), field, new)),
                Err(kind) => {
                    errors.push(SecretError { object: self.label(key), pointer: pointer.to_owned(), kind });
                }
            }
            filled.plain += work.filled.plain.min(1);
            filled.references += work.filled.references.min(1);
            filled.outside += work.filled.outside.min(1);
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        // What moves from `stringData` into `data` wins over what stands there, and comes last. All else from the back, for what is taken
        // out of a list moves what stands behind it.
        let moves = |field: Option<Field>, new: &New| {
            field == Some(Field::StringData) && matches!(new, New::Text(bytes) if bytes.text().is_none())
        };
        let (last, first): (Vec<_>, Vec<_>) =
            fields.into_iter().partition(|(_, field, new)| moves(*field, new));
        for (pointer, field, new) in first.into_iter().rev().chain(last) {
            put(object, &pointer, field, new).map_err(|why| {
                vec![SecretError { object: self.label(key), pointer, kind: SecretErrorKind::Unfit(why) }]
            })?;
        }
        // Whatever went wrong, no token leaves.
        let mut left = Vec::new();
        pointer::each_string(&object.value, &mut |pointer, text| {
            let issued =
                |piece: &Piece<'_>| matches!(piece, Piece::Token(token) if self.tokens.contains_key(*token));
            if text.contains(token::PREFIX) && token::pieces(text).iter().any(issued) {
                left.push(SecretError {
                    object: self.label(key),
                    pointer: pointer.to_owned(),
                    kind: SecretErrorKind::Left,
                });
            }
        });
        if left.is_empty() { Ok(filled) } else { Err(left) }
    }

    /// Whether a line ends where the piece begins, as it stands or as what it stands for.
    pub(crate) fn starts_line(&self, piece: &Piece<'_>) -> bool {
        match piece {
            Piece::Text(text) => text.starts_with(['\n', '\r']),
            Piece::Broken(_) => false,
            Piece::Token(token) => match self.tokens.get(*token).map(|issued| &issued.content) {
                Some(Content::Plain(value)) => value.starts_with(['\n', '\r']),
                _ => false,
            },
        }
    }

    /// The text within the base64 of a field whose references nobody opened.
    pub(crate) fn sealed_within(&self, key: u32, pointer: &str, text: &str) -> Option<String> {
        let place = self.places.get(&(key, pointer.to_owned()))?;
        if !place.encoded || text.contains(token::PREFIX) {
            return None;
        }
        String::from_utf8(encoding::decode(text)?).ok()
    }
}

/// Puts a field's new content where its tokens stood.
fn put(object: &mut Object, pointer: &str, field: Option<Field>, new: New) -> Result<(), Why> {
    let Ok(place) = Pointer::parse(pointer) else { return Ok(()) };
    let edits = match new {
        New::Gone => vec![Edit::Remove(place)],
        New::Value(value) => vec![Edit::Set(place, value)],
        New::Text(bytes) => match (bytes.text(), pointer.strip_prefix("/stringData/")) {
            (Some(text), _) => vec![Edit::Set(place, text.into())],
            // Bytes that are no text can stand in `data` alone, which `stringData` would be turned into anyway.
            (None, Some(name)) if field == Some(Field::StringData) => {
                let Ok(data) = Pointer::parse(&format!("/data/{name}")) else { return Ok(()) };
                let encoded = Encoding::Base64.encode_bytes(bytes.expose());
                vec![Edit::Remove(place), Edit::Set(data, encoded.text().unwrap_or_default().into())]
            }
            _ => {
                let told = "the value is no UTF-8 text; such bytes may stand in a Secret";
                return Err(Why::Type(told.to_owned()));
            }
        },
    };
    // The field stands there, for its tokens were found in it.
    edits
        .into_iter()
        .try_for_each(|edit| edit.apply(&mut object.value))
        .map_err(|error| Why::Type(error.to_string()))
}

/// One field's filling.
struct Work<'a> {
    seal: &'a Seal,
    fill: &'a Fill<'a>,
    filled: Filled,
    object: &'a Object,
    /// The last part of the field's pointer.
    name: &'a str,
    /// Whether escapes are taken for what they mean.
    unescape: bool,
    /// Whether the field is one of `data` that is written as it is, so that its text is base64.
    is_base64: bool,
    /// Whether a value of a store was taken for that.
    taken: bool,
}

impl<'a> Work<'a> {
    /// What a field holds in the end; `sealed` is the text in its base64, where nobody opened that.
    fn field(
        &mut self,
        text: &str,
        sealed: Option<&str>,
        field: Option<Field>,
    ) -> Result<New, SecretErrorKind> {
        if let Some(gone) = self.whole(sealed.unwrap_or(text), field)? {
            return Ok(gone);
        }
        self.is_base64 = field == Some(Field::Data)
            && sealed.is_none()
            && !matches!(
                self.seal.tokens.get(text).map(|issued| &issued.content),
                Some(Content::Encoded(..))
            );
        if let Some(inner) = sealed {
            return self.text(inner).map(|bytes| New::Text(Encoding::Base64.encode_bytes(bytes.expose())));
        }
        let bytes = self.text(text)?;
        let values = matches!(self.fill, Fill::Values { .. });
        if let (Fill::Values { noted, .. }, None) = (self.fill, field)
            && self.filled.references > 0
        {
            self.filled.outside += 1;
            noted.lock().unwrap_or_else(PoisonError::into_inner).outside.push(bytes.clone());
        }
        if values && self.filled.references > 0 && field == Some(Field::Data) {
            let is_base64 = bytes.text().is_some_and(|text| encoding::decode(text).is_some());
            if !is_base64 {
                let told = "`data` holds base64, and the value is none; put the reference into `stringData`, or encode it (`| base64encode`)";
                return Err(SecretErrorKind::Unfit(Why::Type(told.to_owned())));
            }
            if let (Fill::Values { noted, .. }, true) = (self.fill, self.taken) {
                let place = format!("{} /data/{}", self.object.label(), self.name);
                noted.lock().unwrap_or_else(PoisonError::into_inner).taken.push(place);
            }
        }
        Ok(New::Text(bytes))
    }

    /// What a field becomes that is one reference and nothing else, where that is not its value as text.
    fn whole(&mut self, text: &str, field: Option<Field>) -> Result<Option<New>, SecretErrorKind> {
        let Some(reference) = Self::only_reference(self.seal, text) else { return Ok(None) };
        let Fill::Values { resolver, live, noted } = self.fill else { return Ok(None) };
        match resolver.resolve(reference) {
            Err(why) if why.is_missing() && reference.missing.as_deref() == Some("") => Ok(Some(New::Gone)),
            Err(why) if why.is_outage() => {
                let (Some(live), Some(field)) = (live, field) else { return Ok(None) };
                let kept = live::value(live, self.object, self.name, reference);
                // Why the cluster cannot help is told beside why the store cannot.
                let kept = kept.map_err(|cluster| SecretErrorKind::Resolve {
                    reference: reference.text.to_string(),
                    why: Why::Unavailable(format!("{why}; {cluster}")),
                })?;
                let Some(bytes) = kept else { return Ok(None) };
                let told = format!(
                    "{}: `{}` is kept as the cluster has it, for {why}",
                    self.object.label(),
                    reference.text
                );
                noted.lock().unwrap_or_else(PoisonError::into_inner).kept.push(told);
                self.filled.references += 1;
                let data = field == Field::Data;
                Ok(Some(New::Text(if data { Encoding::Base64.encode_bytes(bytes.expose()) } else { bytes })))
            }
            Err(why) if why.is_missing() && field.is_none() && reference.shape != Shape::Text => {
                let Some(default) = &reference.missing else { return Ok(None) };
                self.typed(Node::Text(default.as_str().into()), reference).map(Some)
            }
            Ok(node) if field.is_none() && reference.shape != Shape::Text => {
                self.typed(node, reference).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// A value outside of Secrets that is more than text.
    fn typed(&mut self, node: Node, reference: &Reference) -> Result<New, SecretErrorKind> {
        let told = |why| SecretErrorKind::Resolve { reference: reference.text.to_string(), why };
        self.filled.references += 1;
        if let (Fill::Values { noted, .. }, Ok(bytes)) = (self.fill, node.clone().into_bytes(true)) {
            self.filled.outside += 1;
            noted.lock().unwrap_or_else(PoisonError::into_inner).outside.push(bytes);
        }
        typed(node, reference).map(New::Value).map_err(told)
    }

    /// The reference that the text is, encoded or not.
    fn only_reference(seal: &'a Seal, text: &str) -> Option<&'a Reference> {
        let mut content = &seal.tokens.get(text)?.content;
        loop {
            match content {
                Content::Reference(reference) => return Some(reference),
                Content::Encoded(inner, _) => content = &seal.tokens.get(inner)?.content,
                _ => return None,
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<SecretBytes, SecretErrorKind> {
        let mut out = SecretBytes::default();
        // The same with tokens where references are, to compare with.
        let mut around = SecretBytes::default();
        let mut values = Vec::new();
        let pieces = token::pieces(text);
        for (index, piece) in pieces.iter().enumerate() {
            let token = match piece {
                Piece::Text(text) => {
                    let text = if self.unescape { reference::unescape(text) } else { (*text).into() };
                    out.push(text.as_bytes());
                    around.push(text.as_bytes());
                    continue;
                }
                Piece::Broken(_) => return Err(SecretErrorKind::Forged),
                Piece::Token(token) => *token,
            };
            match self.seal.tokens.get(token).map(|issued| &issued.content) {
                Some(Content::Plain(value)) => {
                    self.filled.plain += 1;
                    let plain = if self.unescape { plain(value, self.is_base64) } else { value.clone() };
                    out.push(plain.as_bytes());
                    around.push(plain.as_bytes());
                }
                Some(Content::Reference(reference)) => {
                    self.filled.references += 1;
                    around.push(token.as_bytes());
                    let rest = match pieces.get(index + 1) {
                        None => Rest::End,
                        Some(piece) if self.seal.starts_line(piece) => Rest::LineEnd,
                        Some(_) => Rest::Line,
                    };
                    let value = self.reference(reference, rest, &mut out)?;
                    let escaped = reference.modifiers.last() == Some(&Modifier::JsonEscape);
                    values.push((token, if escaped { None } else { Some(value) }));
                }
                Some(Content::Encoded(inner, encoding)) => {
                    around.push(token.as_bytes());
                    let inner = self.text(inner)?;
                    let told = || {
                        SecretErrorKind::Unfit(Why::Type(
                            "the value is no UTF-8 text, and is to be encoded as one".to_owned(),
                        ))
                    };
                    if inner.text().is_none() && *encoding == Encoding::Json {
                        return Err(told());
                    }
                    out.push(encoding.encode_bytes(inner.expose()).expose());
                }
                Some(Content::Refused) | None => return Err(SecretErrorKind::Forged),
            }
        }
        if self.filled.references > 0 && matches!(self.fill, Fill::Values { .. }) {
            keeps_json(&around, &values).map_err(SecretErrorKind::Unfit)?;
        }
        Ok(out)
    }

    /// Appends a reference's value, and gives it.
    fn reference(
        &mut self,
        reference: &Reference,
        rest: Rest,
        out: &mut SecretBytes,
    ) -> Result<SecretBytes, SecretErrorKind> {
        let Fill::Values { resolver, .. } = self.fill else {
            let before = out.text().and_then(|text| text.chars().next_back());
            let joins = before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
            if reference.is_mapped && !reference.text.starts_with('<') && joins {
                let told = "what it is mapped to cannot be written as a reference directly behind this text; put something between them";
                return Err(SecretErrorKind::Resolve {
                    reference: reference.text.to_string(),
                    why: Why::Type(told.to_owned()),
                });
            }
            out.push(reference.text.as_bytes());
            return Ok(SecretBytes::default());
        };
        let told = |why| SecretErrorKind::Resolve { reference: reference.text.to_string(), why };
        let mut own = matches!(reference.target, Target::Generated(_));
        let mut bytes: SecretBytes = match resolver.resolve(reference) {
            Err(why) if why.is_missing() && reference.missing.is_some() => {
                own = true;
                reference.missing.as_deref().unwrap_or_default().into()
            }
            found => found.and_then(|node| node.into_bytes(reference.shape == Shape::Json)).map_err(told)?,
        };
        if matches!(reference.shape, Shape::Int | Shape::Bool) {
            typed(Node::Text(bytes.clone()), reference).map_err(told)?;
        }
        let encodes = reference.modifiers.last() == Some(&Modifier::Base64Encode);
        if self.is_base64 && own && !encodes {
            // What Lathe itself comes by is no base64 yet.
            bytes = Encoding::Base64.encode_bytes(bytes.expose());
        }
        self.taken |= self.is_base64 && !own && !encodes;
        if reference.modifiers.iter().any(|step| matches!(step, Modifier::Indent(_))) {
            out.push(bytes.expose());
        } else {
            place(bytes.expose(), rest, out).map_err(told)?;
        }
        Ok(bytes)
    }
}

/// A plain value of the input as its escapes mean it, in base64 where it is that.
fn plain(value: &str, is_base64: bool) -> zeroize::Zeroizing<String> {
    if let std::borrow::Cow::Owned(text) = reference::unescape(value) {
        return text.into();
    }
    let decoded =
        encoding::decode(value).filter(|_| is_base64).and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().map(reference::unescape) {
        Some(std::borrow::Cow::Owned(text)) => Encoding::Base64.encode(&text).into(),
        _ => value.to_owned().into(),
    }
}

/// A value of the type that the reference asks for.
fn typed(node: Node, reference: &Reference) -> Result<Value, Why> {
    let parsed =
        reference.modifiers.iter().any(|step| matches!(step, Modifier::JsonParse | Modifier::YamlParse));
    let is_text = matches!(node, Node::Text(_));
    let bytes = node.into_bytes(reference.shape == Shape::Json)?;
    let text = bytes.text().ok_or_else(|| Why::Type("it is no UTF-8 text".to_owned()))?;
    let wrong = |kind: &str| Why::Type(format!("it is no {kind}"));
    match reference.shape {
        Shape::Text => Ok(text.into()),
        Shape::Int => {
            let number = text.trim().parse::<i64>().map_err(|_| wrong("whole number"))?;
            Ok(Value::Number(lathe_manifest::Number::Int(number)))
        }
        Shape::Bool => match text.trim() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(wrong("boolean, which is `true` or `false`")),
        },
        // What was parsed is text where it is, and JSON where it is that.
        Shape::Json if is_text && parsed => Ok(text.into()),
        Shape::Json => json::parse(text).map_err(|_| wrong("JSON")),
    }
}

#[cfg(test)]
mod tests;

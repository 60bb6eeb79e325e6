//! The table of tokens: what was sealed, opened and encoded, and for which place.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lathe_manifest::{Identity, Object, Pointer, Value, digest, pointer};
use zeroize::Zeroizing;

use crate::encoding::{self, Encoding};
use crate::error::{SecretError, SecretErrorKind};
use crate::reference::{self, Reference};
use crate::token::{self, Piece};

/// A plugin may name any text as a pointer; of longer ones the beginning has to do.
const LONGEST_POINTER: usize = 4096;

/// A field of an object: the object's key, which stays the same when it is renamed, and the pointer's text.
pub(crate) type At = (u32, String);

/// Everything the host knows about the secrets of one run.
#[derive(Clone, Debug)]
pub struct Seal {
    derivation: String,
    pub(crate) tokens: HashMap<String, Issued>,
    pub(crate) places: BTreeMap<At, Place>,
    pub(crate) labels: BTreeMap<u32, String>,
    identities: BTreeMap<u32, String>,
    /// How many objects had each identity; those that have only a prefix for a name share theirs.
    twins: HashMap<String, usize>,
    touched: BTreeSet<At>,
    /// Objects of the input that asked to be left alone; an annotation that comes later asks in vain.
    pub(crate) ignored: BTreeSet<u32>,
    pub(crate) refusals: Vec<SecretError>,
}

/// A token that was handed out.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) at: Option<At>,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A value that the input holds.
    Plain(Zeroizing<String>),
    /// A reference that the input holds.
    Reference(Box<Reference>),
    /// A text with tokens, encoded.
    Encoded(String, Encoding),
    /// A call that was refused; the refusal is noted.
    Refused,
}

/// A field of the input that holds a reference, or a value of a Secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// References in the field's text, as written.
    pub(crate) references: Vec<String>,
    /// Whether secrets may stand in the field.
    pub(crate) sink: bool,
    /// Whether the references stand in the field's base64.
    pub(crate) encoded: bool,
    /// The text with its tokens as it must stand in the end; `None` where no secret may stand.
    pub(crate) joined: Option<String>,
    /// Whether a plugin has opened its references. What that plugin wrote counts, and nobody else's.
    pub(crate) settled: bool,
}

/// What is put in place of tokens.
pub enum Fill<'a> {
    /// References as they were written, and plain values as they stood.
    References,
    /// Values; the function resolves a reference or says why it cannot.
    Values(&'a mut dyn FnMut(&Reference) -> Result<Zeroizing<String>, String>),
}

/// What filling an object has put into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// How many fields hold plain text of the input.
    pub plain: usize,
    /// How many fields hold references, or values of them.
    pub references: usize,
}

impl Seal {
    /// A table whose tokens follow from this text, which names lock and environment, and from the input.
    pub fn new(derivation: &[&str]) -> Self {
        let parts: Vec<&[u8]> = derivation.iter().map(|part| part.as_bytes()).collect();
        Self {
            derivation: digest::base32(&digest::of_parts(&parts), 52),
            tokens: HashMap::new(),
            places: BTreeMap::new(),
            labels: BTreeMap::new(),
            identities: BTreeMap::new(),
            twins: HashMap::new(),
            touched: BTreeSet::new(),
            ignored: BTreeSet::new(),
            refusals: Vec::new(),
        }
    }

    /// Seals one object of the input under its key: values of Secrets become tokens, places of references are noted.
    pub fn seal(&mut self, key: u32, object: &mut Object) {
        let label = object.label();
        // An object without a name is known by its content, which holds the values; its kind and prefix have to do.
        let mut identity =
            if object.name().is_empty() { label.clone() } else { Identity::of(object).to_string() };
        let twins = self.twins.entry(identity.clone()).or_default();
        *twins += 1;
        if *twins > 1 {
            identity.push_str(&format!(" #{twins}"));
        }
        self.labels.insert(key, label);
        self.identities.insert(key, identity);
        if holds_token(&object.value) {
            self.refuse(&(key, String::new()), SecretErrorKind::TokenInInput);
            return;
        }
        let ignored = is_ignored(object);
        if ignored {
            self.ignored.insert(key);
        }
        let secret = object.is_secret();
        for pointer in if secret { fields_without_text(&object.value) } else { Vec::new() } {
            self.refuse(&(key, pointer), SecretErrorKind::NotText);
        }
        let mut sealed = Vec::new();
        pointer::each_string(&object.value, &mut |pointer, text| {
            let field = secret.then(|| secret_field(pointer)).flatten();
            let at = (key, pointer.to_owned());
            if let Some(new) = self.seal_text(&at, text, field, ignored) {
                sealed.push((at.1, new));
            }
        });
        for (pointer, text) in sealed {
            if let Some(place) =
                Pointer::parse(&pointer).ok().as_ref().and_then(|p| p.get_mut(&mut object.value))
            {
                *place = Value::from(text);
            }
        }
    }

    fn seal_text(&mut self, at: &At, text: &str, field: Option<Field>, ignored: bool) -> Option<String> {
        let mut decoded = None;
        if field == Some(Field::Data)
            && let Some(bytes) = encoding::decode(text)
        {
            match String::from_utf8(bytes) {
                Ok(text) => decoded = Some(text),
                Err(error)
                    if !ignored
                        && !reference::find(&String::from_utf8_lossy(error.as_bytes())).is_empty() =>
                {
                    self.refuse(at, SecretErrorKind::Binary);
                }
                Err(_) => {}
            }
        }
        let inner = decoded.as_deref().unwrap_or(text);
        let found =
            if ignored || field == Some(Field::LastApplied) { Vec::new() } else { reference::find(inner) };
        if !found.is_empty() {
            let references = found.iter().map(|range| inner[range.clone()].to_owned()).collect();
            let place =
                Place { references, sink: field.is_some(), encoded: decoded.is_some(), ..Place::default() };
            self.places.insert(at.clone(), place);
        }
        field?;
        if text.is_empty() {
            return None;
        }
        let sealed = if found.is_empty() {
            self.issue_plain(at, 0, text)
        } else {
            let mut out = String::with_capacity(inner.len() + token::LENGTH);
            let mut from = 0;
            for (index, range) in found.iter().enumerate() {
                self.seal_between(at, index, &inner[from..range.start], from > 0, &mut out);
                out.push_str(&inner[range.clone()]);
                from = range.end;
            }
            self.seal_between(at, found.len(), &inner[from..], true, &mut out);
            if decoded.is_some() { Encoding::Base64.encode(&out) } else { out }
        };
        let place = self.places.entry(at.clone()).or_default();
        place.sink = true;
        place.joined = Some(sealed.clone());
        Some(sealed)
    }

    /// Seals the text beside references. The character that ends a reference stays, or the reference would not end there.
    fn seal_between(&mut self, at: &At, index: usize, text: &str, after_reference: bool, out: &mut String) {
        let ends = text.chars().next().filter(|_| after_reference).map_or(0, char::len_utf8);
        out.push_str(&text[..ends]);
        if ends < text.len() {
            let token = self.issue_plain(at, index, &text[ends..]);
            out.push_str(&token);
        }
    }

    fn issue_plain(&mut self, at: &At, index: usize, value: &str) -> String {
        let token = self.derive(at, "plain", &index.to_string());
        self.put_plain(token.clone(), at, value);
        token
    }

    pub(crate) fn put_plain(&mut self, token: String, at: &At, value: &str) {
        let content = Content::Plain(Zeroizing::new(value.to_owned()));
        self.tokens.insert(token, Issued { at: Some(at.clone()), content });
    }

    /// Follows from the place and what stands there, never from a value, so a token tells nothing of one.
    pub(crate) fn derive(&self, at: &At, what: &str, text: &str) -> String {
        let identity = self.identities.get(&at.0).map_or("", String::as_str);
        token::derive(&[&self.derivation, identity, &at.1, what, text])
    }

    /// A token for a reference of the input. What is refused is noted and gets a token all the same.
    pub fn open(&mut self, key: u32, pointer: &str, reference: &str) -> String {
        let at = (key, pointer[..pointer.floor_char_boundary(LONGEST_POINTER)].to_owned());
        let token = self.derive(&at, "reference", reference);
        if self.tokens.contains_key(&token) {
            return token;
        }
        let place =
            self.places.get(&at).filter(|place| place.references.iter().any(|known| known == reference));
        let content = match place.map(|place| place.sink) {
            None => self.refused(&at, SecretErrorKind::NotInInput),
            Some(false) => self.refused(&at, SecretErrorKind::Sink),
            Some(true) => match reference::parse(reference) {
                Ok(reference) => Content::Reference(Box::new(reference)),
                Err(why) => self.refused(&at, SecretErrorKind::Syntax { why }),
            },
        };
        self.touched.insert(at.clone());
        self.tokens.insert(token.clone(), Issued { at: Some(at), content });
        token
    }

    /// A token for a text with tokens, encoded; bound to the one place that they are bound to.
    pub fn encode(&mut self, text: &str, encoding: Encoding) -> String {
        let token = token::derive(&[&self.derivation, "encode", encoding.name(), text]);
        if self.tokens.contains_key(&token) {
            return token;
        }
        let mut places = BTreeSet::new();
        let mut sound = true;
        for piece in token::pieces(text) {
            match piece {
                Piece::Text(_) => {}
                Piece::Broken(_) => sound = false,
                Piece::Token(token) => match self.tokens.get(token).and_then(|issued| issued.at.clone()) {
                    Some(at) => drop(places.insert(at)),
                    None => sound = false,
                },
            }
        }
        let issued = match places.pop_first() {
            Some(at) if sound && places.is_empty() => {
                self.touched.insert(at.clone());
                Issued { at: Some(at), content: Content::Encoded(text.to_owned(), encoding) }
            }
            at => {
                let at = at.unwrap_or_default();
                Issued { at: None, content: self.refused(&at, SecretErrorKind::Unbound) }
            }
        };
        self.tokens.insert(token.clone(), issued);
        token
    }

    /// Notes how the fields stand whose tokens were opened since the last call: so they must stand in the end.
    /// `text` gives the text of a field now.
    pub fn settle(&mut self, text: impl Fn(u32, &str) -> Option<String>) {
        for at in std::mem::take(&mut self.touched) {
            let joined = text(at.0, &at.1);
            if let Some(place) = self.places.get_mut(&at).filter(|place| place.sink && !place.settled) {
                place.joined = joined;
                place.settled = true;
            }
        }
    }

    /// Whether a reference of the input stands in a field of the object where secrets may go, opened or not.
    pub fn holds_references(&self, key: u32, object: &Object) -> bool {
        let places = self.places.range((key, String::new())..(key.saturating_add(1), String::new()));
        places.into_iter().any(|((_, pointer), place)| {
            let there = || Pointer::parse(pointer).is_ok_and(|pointer| pointer.get(&object.value).is_some());
            place.sink && !place.references.is_empty() && there()
        })
    }

    /// Object key, pointer and text of each reference of the input, in order.
    pub fn references(&self) -> impl Iterator<Item = (u32, &str, &str)> {
        self.places.iter().flat_map(|((key, pointer), place)| {
            place.references.iter().map(move |reference| (*key, pointer.as_str(), reference.as_str()))
        })
    }

    /// What was refused so far. After sealing, anything here means that no plugin may see the objects.
    pub fn refusals(&self) -> &[SecretError] {
        &self.refusals
    }

    /// Puts into the object what its tokens stand for.
    pub fn fill(
        &self,
        key: u32,
        object: &mut Object,
        fill: &mut Fill<'_>,
    ) -> Result<Filled, Vec<SecretError>> {
        let mut filled = Filled::default();
        let (mut errors, mut texts) = (Vec::new(), Vec::new());
        pointer::each_string(&object.value, &mut |pointer, text| {
            let sealed = self.sealed_within(key, pointer, text);
            if sealed.is_none() && !text.contains(token::PREFIX) {
                return;
            }
            let mut here = Filled::default();
            let value = match &sealed {
                // Nobody opened the references, so the tokens beside them stand within the base64 still.
                Some(inner) => self
                    .evaluate(inner, fill, &mut here)
                    .map(|text| Zeroizing::new(Encoding::Base64.encode(&text))),
                None => self.evaluate(text, fill, &mut here),
            };
            filled.plain += here.plain.min(1);
            filled.references += here.references.min(1);
            match value {
                Ok(value) => texts.push((pointer.to_owned(), value)),
                Err(kind) => {
                    errors.push(SecretError { object: self.label(key), pointer: pointer.to_owned(), kind });
                }
            }
        });
        if !errors.is_empty() {
            return Err(errors);
        }
        for (pointer, text) in texts {
            if let Some(place) =
                Pointer::parse(&pointer).ok().as_ref().and_then(|p| p.get_mut(&mut object.value))
            {
                *place = Value::from(text.as_str());
            }
        }
        Ok(filled)
    }

    /// The text within the base64 of a field whose references nobody opened.
    pub(crate) fn sealed_within(&self, key: u32, pointer: &str, text: &str) -> Option<String> {
        let place = self.places.get(&(key, pointer.to_owned()))?;
        if !place.encoded || text.contains(token::PREFIX) {
            return None;
        }
        String::from_utf8(encoding::decode(text)?).ok()
    }

    fn evaluate(
        &self,
        text: &str,
        fill: &mut Fill<'_>,
        filled: &mut Filled,
    ) -> Result<Zeroizing<String>, SecretErrorKind> {
        let mut out = Zeroizing::new(String::with_capacity(text.len()));
        for piece in token::pieces(text) {
            let token = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Broken(_) => return Err(SecretErrorKind::Forged),
                Piece::Token(token) => token,
            };
            match self.tokens.get(token).map(|issued| &issued.content) {
                Some(Content::Plain(value)) => {
                    filled.plain += 1;
                    out.push_str(value);
                }
                Some(Content::Reference(reference)) => {
                    filled.references += 1;
                    match fill {
                        Fill::References => out.push_str(&reference.text),
                        Fill::Values(resolve) => {
                            let value = resolve(reference);
                            out.push_str(&value.map_err(|why| SecretErrorKind::Resolve {
                                reference: reference.text.to_string(),
                                why,
                            })?);
                        }
                    }
                }
                Some(Content::Encoded(inner, encoding)) => {
                    let inner = self.evaluate(inner, fill, filled)?;
                    out.push_str(&Zeroizing::new(encoding.encode(&inner)));
                }
                Some(Content::Refused) | None => return Err(SecretErrorKind::Forged),
            }
        }
        Ok(out)
    }

    /// Whether the token is the answer to a call that was refused, which has been told.
    pub(crate) fn is_refused(&self, token: &str) -> bool {
        self.tokens.get(token).is_some_and(|issued| matches!(issued.content, Content::Refused))
    }

    pub(crate) fn label(&self, key: u32) -> String {
        self.labels.get(&key).cloned().unwrap_or_else(|| "an object that a plugin added".to_owned())
    }

    fn refused(&mut self, at: &At, kind: SecretErrorKind) -> Content {
        self.refuse(at, kind);
        Content::Refused
    }

    pub(crate) fn refuse(&mut self, at: &At, kind: SecretErrorKind) {
        self.refusals.push(SecretError { object: self.label(at.0), pointer: at.1.clone(), kind });
    }
}

/// The fields of a Secret that hold values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Data,
    StringData,
    /// What `kubectl apply` keeps of the Secret, values included.
    LastApplied,
}

pub(crate) fn secret_field(pointer: &str) -> Option<Field> {
    if pointer == "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration" {
        return Some(Field::LastApplied);
    }
    let (field, key) = pointer.strip_prefix('/')?.split_once('/')?;
    match field {
        _ if key.contains('/') => None,
        "data" => Some(Field::Data),
        "stringData" => Some(Field::StringData),
        _ => None,
    }
}

/// Whether the field is one whose text may be a secret: a value of a Secret, or kubectl's copy of all of them.
pub fn is_secret_field(object: &Object, pointer: &str) -> bool {
    object.is_secret() && secret_field(pointer).is_some()
}

/// Pointers of what stands where a Secret's values stand and is no text.
fn fields_without_text(secret: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for field in ["data", "stringData"] {
        match secret.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => {
                let wrong = map.iter().filter(|(_, value)| !matches!(value, Value::String(_) | Value::Null));
                found.extend(wrong.map(|(key, _)| format!("/{field}/{}", pointer::escape(key))));
            }
            Some(_) => found.push(format!("/{field}")),
        }
    }
    found
}

/// Whether the object asks that references in it be left as text.
fn is_ignored(object: &Object) -> bool {
    let annotation = |name: &str| object.value.str_at(&["metadata", "annotations", name]);
    annotation("avp.kubernetes.io/ignore") == Some("true")
        || annotation("lathe.dev/ignore")
            .is_some_and(|list| list.split(',').any(|name| name.trim() == "secrets"))
}

/// Whether the prefix of tokens stands in any text or key.
pub(crate) fn holds_token(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(token::PREFIX),
        Value::Array(items) => items.iter().any(holds_token),
        Value::Object(map) => {
            map.iter().any(|(key, value)| key.contains(token::PREFIX) || holds_token(value))
        }
        _ => false,
    }
}

//! The table of tokens: what was sealed, opened and encoded, and for which place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use lathe_manifest::{Identity, Object, Pointer, Value, digest, pointer};
use zeroize::Zeroizing;

use crate::encoding::{self, Encoding};
use crate::error::{SecretError, SecretErrorKind};
use crate::reference::{self, Generic, Reference};
use crate::rules::Rules;
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
    /// What the annotations of objects say of `<KEY>`.
    generic: BTreeMap<u32, Generic>,
    pub(crate) rules: Rules,
    pub(crate) refusals: Vec<SecretError>,
    warnings: BTreeSet<String>,
    /// Entries of the mapping that stood for something.
    used: BTreeSet<usize>,
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
    pub(crate) references: BTreeSet<String>,
    /// Whether secrets may stand in the field.
    pub(crate) sink: bool,
    /// Whether the references stand in the field's base64.
    pub(crate) encoded: bool,
    /// The text with its tokens as it must stand in the end; `None` where no secret may stand.
    pub(crate) joined: Option<String>,
    /// Whether a plugin has opened its references. What that plugin wrote counts, and nobody else's.
    pub(crate) settled: bool,
}

impl Seal {
    /// A table whose tokens follow from this text, which names lock and environment, and from the input.
    pub fn new(derivation: &[&str], rules: Rules) -> Self {
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
            generic: BTreeMap::new(),
            rules,
            refusals: Vec::new(),
            warnings: BTreeSet::new(),
            used: BTreeSet::new(),
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
        if let Some(generic) = generic(object).filter(|_| !ignored) {
            self.generic.insert(key, generic);
        }
        let secret = object.is_secret();
        for pointer in if secret { fields_without_text(&object.value) } else { Vec::new() } {
            self.refuse(&(key, pointer), SecretErrorKind::NotText);
        }
        let mut sealed = Vec::new();
        pointer::each_string(&object.value, &mut |pointer, text| {
            let field = secret.then(|| secret_field(pointer)).flatten();
            let at = (key, pointer.to_owned());
            let sink = field.is_some() || self.rules.is_sink(object, pointer);
            if let Some(new) = self.seal_text(&at, text, field, sink, ignored) {
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

    fn seal_text(
        &mut self,
        at: &At,
        text: &str,
        field: Option<Field>,
        sink: bool,
        ignored: bool,
    ) -> Option<String> {
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
        let found = if ignored || field == Some(Field::LastApplied) {
            Vec::new()
        } else {
            self.find(at, inner, sink)
        };
        if !ignored && field != Some(Field::LastApplied) {
            self.look_for_residue(at, inner, &found, field.is_some());
        }
        if !found.is_empty() {
            let references = found.iter().map(|range| inner[range.clone()].to_owned()).collect();
            let place = Place { references, sink, encoded: decoded.is_some(), ..Place::default() };
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
            let mut open = false;
            for (index, range) in found.iter().enumerate() {
                self.seal_between(at, index, &inner[from..range.start], open, &mut out);
                open = !inner[range.clone()].ends_with(['+', '>']);
                out.push_str(&inner[range.clone()]);
                from = range.end;
            }
            self.seal_between(at, found.len(), &inner[from..], open, &mut out);
            if decoded.is_some() { Encoding::Base64.encode(&out) } else { out }
        };
        let place = self.places.entry(at.clone()).or_default();
        place.sink = true;
        place.joined = Some(sealed.clone());
        Some(sealed)
    }

    /// Where references stand in a text of an object.
    fn find(&mut self, at: &At, text: &str, sink: bool) -> Vec<Range<usize>> {
        if !self.generic.contains_key(&at.0) {
            return reference::find(text);
        }
        let keys = if sink { reference::Keys::Any } else { reference::Keys::Plain };
        let found = reference::find_generic(text, keys);
        let is_whole = |found: &[Range<usize>]| matches!(found, [range] if *range == (0..text.len()));
        if sink || is_whole(&found) {
            return found;
        }
        if reference::looks_like_generic(text) {
            let told =
                "`<…>` stands here as text; in this object it would be a reference where a secret may stand";
            self.warnings.insert(format!("{} {}: {told}", self.label(at.0), at.1));
        }
        reference::find(text)
    }

    /// Tells what looks like a reference or an encrypted value beside the references.
    fn look_for_residue(&mut self, at: &At, text: &str, found: &[Range<usize>], is_secret: bool) {
        let mut from = 0;
        let ends = found.iter().map(|range| (range.start, range.end)).chain([(text.len(), text.len())]);
        let mut what = None;
        for (start, end) in ends {
            let between = text.get(from..start).unwrap_or_default();
            what = what.or_else(|| reference::residue(between));
            if is_secret && self.has_generic(at.0) && reference::has_brackets(between) {
                what = what.or(Some("<"));
            }
            from = end;
        }
        match what {
            Some(what) if is_secret => self.refuse(at, SecretErrorKind::Residue { what }),
            Some(what) => {
                let told =
                    format!("`{what}` stands here and begins nothing that can be read; it stays as it is");
                self.warnings.insert(format!("{} {}: {told}", self.label(at.0), at.1));
            }
            None => {}
        }
    }

    /// Whether an entry of the mapping stood for something.
    pub fn has_used(&self, entry: usize) -> bool {
        self.used.contains(&entry)
    }

    /// What the user should look at: texts that are nearly references.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().map(String::as_str)
    }

    /// Seals the text beside references. The character that ends a reference that is `open` stays, or it would not end there.
    fn seal_between(&mut self, at: &At, index: usize, text: &str, open: bool, out: &mut String) {
        let ends = text.chars().next().filter(|_| open).map_or(0, char::len_utf8);
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
        let place = self.places.get(&at).filter(|place| place.references.contains(reference));
        let content = match place.map(|place| place.sink) {
            None => self.refused(&at, SecretErrorKind::NotInInput),
            Some(false) => self.refused(&at, SecretErrorKind::Sink),
            Some(true) => match self.read(key, reference) {
                Ok(reference) => Content::Reference(Box::new(reference)),
                Err(kind) => self.refused(&at, kind),
            },
        };
        self.touched.insert(at.clone());
        self.tokens.insert(token.clone(), Issued { at: Some(at), content });
        token
    }

    /// The reference that the text is in an object, mapped to what it stands for.
    fn read(&mut self, key: u32, text: &str) -> Result<Reference, SecretErrorKind> {
        let read =
            Reference::parse(text, self.generic.get(&key)).map_err(|why| SecretErrorKind::Syntax { why })?;
        let mapped = self.rules.mapping.apply(read).map_err(|why| SecretErrorKind::Syntax { why })?;
        let (reference, entry) =
            mapped.ok_or_else(|| SecretErrorKind::Unmapped { reference: text.to_owned() })?;
        self.used.extend(entry);
        Ok(reference)
    }

    /// Whether `<KEY>` is a reference in an object.
    pub(crate) fn has_generic(&self, key: u32) -> bool {
        self.generic.contains_key(&key)
    }

    /// What a reference of an object asks for; `None` where it is malformed.
    pub fn address(&self, key: u32, text: &str) -> Option<String> {
        let read = Reference::parse(text, self.generic.get(&key));
        read.ok().map(|reference| reference.target.address())
    }

    /// Object key, pointer and reference of each that a plugin has opened.
    pub fn opened(&self) -> impl Iterator<Item = (u32, &str, &Reference)> {
        self.tokens.values().filter_map(|issued| match (&issued.at, &issued.content) {
            (Some((key, pointer)), Content::Reference(reference)) => {
                Some((*key, pointer.as_str(), &**reference))
            }
            _ => None,
        })
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

/// What the annotations of argocd-vault-plugin say. A definition's texts are documentation.
fn generic(object: &Object) -> Option<Generic> {
    let annotation = |name: &str| object.value.str_at(&["metadata", "annotations", name]);
    let path =
        annotation("avp.kubernetes.io/path").filter(|_| object.kind() != "CustomResourceDefinition")?;
    Some(Generic {
        path: path.to_owned(),
        version: annotation("avp.kubernetes.io/secret-version").map(ToOwned::to_owned),
        remove_missing: annotation("avp.kubernetes.io/remove-missing") == Some("true"),
    })
}

/// Whether the object asks that references in it be left as text, or is a definition, whose texts are documentation.
fn is_ignored(object: &Object) -> bool {
    if object.kind() == "CustomResourceDefinition" {
        return true;
    }
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

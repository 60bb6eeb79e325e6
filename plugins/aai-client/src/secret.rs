//! Secrets of the input: the client's own keys go, what would write over them is told, what is revealed is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lathe_sdk::{Outcome, Value, escape};

use crate::literal::{Literals, What};
use crate::login::Login;
use crate::set::Set;

/// The length of what stands for a secret: `lathe1x` and 40 digits.
const TOKEN: usize = 47;

/// Takes the client's keys out of the input's Secrets of that name; one that is left empty goes.
pub(crate) fn take_keys(
    set: &mut Set<'_>,
    login: &Login<'_>,
    literals: &mut Literals,
    outcome: &mut Outcome,
) {
    let secret = login.secret;
    let of_name = |set: &Set<'_>, index: usize| {
        let object = &set.objects[index];
        object.is("", "Secret") && object.name == secret && set.is_at_home(object)
    };
    let mine: Vec<usize> = (0..set.objects.len()).filter(|index| of_name(set, *index)).collect();
    for index in mine {
        let object = &set.objects[index];
        let mut left = 0;
        let mut taken = Vec::new();
        for field in ["data", "stringData"] {
            for (key, value) in object.value[field].as_object().into_iter().flatten() {
                match login.keys.iter().find(|(_, name)| name == key) {
                    Some((of, _)) => {
                        if let Some(text) = value.as_str().and_then(|text| view(field, text)) {
                            literals.note(What::of_field(of), &text);
                        }
                        taken.push((field, key));
                    }
                    None => left += 1,
                }
            }
        }
        if left == 0 {
            set.drop(index);
            let told = format!("Secret `{secret}` held nothing but the client's own keys");
            outcome.info("client-secret-dropped", told, Some(set.place(index, "")));
            continue;
        }
        for (field, key) in taken {
            if let Some(map) = set.edit(index)[field].as_object_mut() {
                map.remove(key);
            }
        }
    }
}

/// Tells of objects whose controllers would write over the client's Secret.
pub(crate) fn check_competing(set: &Set<'_>, login: &Login<'_>, outcome: &mut Outcome) {
    let secret = login.secret;
    for (index, object, value) in set.staying() {
        let spec = &value["spec"];
        let (name, at) = match (object.group(), object.kind.as_str()) {
            ("external-secrets.io", "ExternalSecret") => match spec["target"]["name"].as_str() {
                Some(name) => (name, "/spec/target/name"),
                None => (object.name.as_str(), "/metadata/name"),
            },
            ("bitnami.com", "SealedSecret") => (object.name.as_str(), "/metadata/name"),
            ("cert-manager.io", "Certificate") => {
                (spec["secretName"].as_str().unwrap_or_default(), "/spec/secretName")
            }
            _ => continue,
        };
        if name != secret || !set.is_at_home(object) {
            continue;
        }
        let told = format!(
            "this writes Secret `{secret}`, which is to hold client `{}`; name another one, or leave this out",
            login.client.name
        );
        if object.kind == "Certificate" {
            outcome.warning("competing-secret", told, Some(set.place(index, at)));
        } else {
            outcome.error("competing-secret", told, Some(set.place(index, at)));
        }
    }
}

/// The text within a field of a Secret; `None` where it holds no text, or is sealed as a whole.
pub(crate) fn view(field: &str, text: &str) -> Option<String> {
    if is_token(text) {
        return None;
    }
    if field != "data" {
        return Some(text.to_owned());
    }
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    String::from_utf8(STANDARD.decode(compact).ok()?).ok()
}

/// The text as it stands in a field of a Secret.
pub(crate) fn written(field: &str, text: &str) -> Value {
    if field == "data" { Value::from(STANDARD.encode(text)) } else { Value::from(text) }
}

/// Whether the text is a token and nothing else.
pub(crate) fn is_token(text: &str) -> bool {
    text.len() == TOKEN && starts_with_token(text)
}

/// Whether the text is sealed: tokens, and references between them.
pub(crate) fn is_sealed(text: &str) -> bool {
    let mut rest = text;
    let mut tokens = 0;
    let mut between = String::new();
    while let Some(at) = rest.find("lathe1x") {
        let whole = starts_with_token(&rest[at..]);
        tokens += usize::from(whole);
        between.push_str(&rest[..at]);
        rest = &rest[at + if whole { TOKEN } else { 1 }..];
    }
    between.push_str(rest);
    // Whatever has a setting in it can be read.
    tokens > 0 && !["\n", ": ", " = "].iter().any(|mark| between.contains(mark))
}

fn starts_with_token(text: &str) -> bool {
    let digits = text.strip_prefix("lathe1x").and_then(|rest| rest.as_bytes().get(..TOKEN - 7));
    digits.is_some_and(|digits| digits.iter().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')))
}

/// The pointer of a field of a Secret or `ConfigMap`.
pub(crate) fn pointer(field: &str, key: &str) -> String {
    format!("/{field}/{}", escape(key))
}

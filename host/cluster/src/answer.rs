//! What the server says of an object it refuses, as text that holds no value of it.
//!
//! API servers like to quote: `Invalid value: "…"`, whole pod templates, the text that was no number. Field paths and
//! reasons stay, values go. Of a Secret, nothing that equals one of its own values is left, whatever the form of the answer.

use std::cmp::Reverse;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::core::Status;
use lathe_manifest::pointer::each_string;
use lathe_manifest::{Object, Value, json};

use crate::outcome::Cause;

/// What stands in place of a value.
const HIDDEN: &str = "(…)";

/// Shorter values of a Secret are hidden where they stand alone; parts of words are no news of them.
const SHORTEST_VALUE: usize = 4;

/// Longer messages are cut.
const LONGEST: usize = 1000;

/// The server's refusal of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What is wrong, a line each; never empty.
    pub(crate) lines: Vec<String>,
    /// Of what kind it is.
    pub(crate) cause: Cause,
}

impl Refusal {
    /// `live` is the Secret that is there, of which the server may quote as well.
    pub(crate) fn of(status: &Status, object: &Object, live: Option<&Value>) -> Self {
        let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
        let conflict = causes.iter().any(|cause| cause.reason == "FieldManagerConflict");
        let mut lines: Vec<String> = causes
            .iter()
            .filter(|cause| !cause.message.is_empty())
            .map(|cause| {
                let said = if conflict { owner(&cause.message) } else { without_values(&cause.message) };
                if cause.field.is_empty() { said } else { format!("{}: {said}", cause.field) }
            })
            .collect();
        // A refusal whose causes say nothing of fields says all in its message.
        if lines.is_empty() || !conflict && causes.iter().all(|cause| cause.field.is_empty()) {
            lines = vec![without_values(&status.message)];
        }
        for line in &mut lines {
            if object.is_secret() {
                *line = without_secrets(line, [Some(&object.value), live]);
            }
            if line.len() > LONGEST {
                // At the end of a word, so that nothing is left of one that is looked for as a whole later.
                let cut = line.floor_char_boundary(LONGEST);
                let cut =
                    line.get(..cut).and_then(|line| line.rfind(char::is_whitespace)).unwrap_or_default();
                line.truncate(cut);
                line.push('…');
            }
            if line.is_empty() {
                *line = format!("HTTP status {}", status.code);
            }
        }
        lines.dedup();
        let cause = match status.code {
            _ if conflict => Cause::Conflict,
            _ if is_immutable(status) => Cause::Immutable,
            403 if is_about_rights(&status.message) => Cause::Rights,
            _ => Cause::Other,
        };
        Self { lines, cause }
    }
}

/// What Kubernetes says of fields that may not change. What webhooks say is theirs.
const IMMUTABLE: &[&str] = &[
    "field is immutable",
    "Value is immutable",
    "Forbidden: updates to ",
    "may not change fields other than",
    "may not change once set",
    "cannot change roleRef",
    "may not be changed in an update",
];

/// Whether all that the server has against an object is that fields may not change (422).
pub(crate) fn is_immutable(status: &Status) -> bool {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let says = |text: &str| IMMUTABLE.iter().any(|words| text.contains(words));
    status.code == 422 && !causes.is_empty() && causes.iter().all(|cause| says(&cause.message))
}

/// Whether RBAC refuses (403): `User "x" cannot …` behind the object's name.
pub(crate) fn is_about_rights(message: &str) -> bool {
    let said = message.split_once(" is forbidden: ").map_or(message, |(_, said)| said);
    said.starts_with("User ") || said.contains("attempting to grant")
}

/// What the server says of an object that it does not delete. Of a Secret nothing but the code, for a webhook may quote it.
pub(crate) fn undeleted(status: &Status, is_secret: bool) -> String {
    if is_secret && !is_about_rights(&status.message) {
        return format!("HTTP status {}", status.code);
    }
    without_values(&status.message)
}

/// `conflict with "helm" using apps/v1` as the owner of the field.
fn owner(message: &str) -> String {
    let manager = message.strip_prefix("conflict with ").unwrap_or(message);
    format!("belongs to field manager {manager}")
}

/// What stands before a value in the messages of validation and structured merge.
const MARKS: &[&str] = &[
    "Invalid value: ",
    "Unsupported value: ",
    "Duplicate value: ",
    ", got &value.valueUnstructured",
    ", got ",
    "parsing time ",
    "cannot parse ",
];

/// The message without the values that Kubernetes' validation and structured merge put into it.
fn without_values(message: &str) -> String {
    // More is cut in the end, and each value is looked for anew.
    let message = message.get(..message.floor_char_boundary(16 * LONGEST)).unwrap_or(message);
    // Behind the first line of what may not be changed stands the change itself.
    if let Some((first, diff)) = message.split_once('\n')
        && ["@@", "  core.", "  &core.", "  any(", "- ", "+ "]
            .iter()
            .any(|start| diff.lines().any(|line| line.starts_with(start)))
    {
        return format!("{} {HIDDEN}", without_values(first));
    }
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    loop {
        let found = MARKS
            .iter()
            .filter_map(|mark| Some((rest.find(mark)?, *mark)))
            .min_by_key(|(at, mark)| (*at, Reverse(mark.len())));
        let Some((at, mark)) = found else { break };
        let (before, after) = rest.split_at(at + mark.len());
        out.push_str(before);
        out.push_str(HIDDEN);
        rest = after.get(value_length(after)..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// How long the Go value is that the text begins with: a quoted string, a composite with braces, or a word.
fn value_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if bytes.get(at) == Some(&b'\\') { 2 } else { 1 };
                }
            }
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => {
                if depth == 0 {
                    return at;
                }
                depth -= 1;
            }
            b':' | b',' | b'\n' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    // An unclosed value takes all that is left.
    text.len()
}

/// The line without any value of the Secrets: as it stands, in base64 or out of it, trimmed, and as Go and JSON quote it.
fn without_secrets(line: &str, secrets: [Option<&Value>; 2]) -> String {
    let mut values: Vec<String> = Vec::new();
    for part in secrets
        .into_iter()
        .flatten()
        .flat_map(|secret| [secret.get("data"), secret.get("stringData")])
        .flatten()
    {
        each_string(part, &mut |_, text| {
            values.push(text.to_owned());
            values.push(STANDARD.encode(text));
            // As the server reads it, which takes line breaks.
            let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            if let Ok(bytes) = STANDARD.decode(&compact) {
                values.push(STANDARD.encode(&bytes));
                values.extend(String::from_utf8(bytes));
            }
            values.push(compact);
        });
    }
    let trimmed: Vec<String> = values.iter().map(|value| value.trim().to_owned()).collect();
    values.extend(trimmed);
    let quoted: Vec<String> = values.iter().flat_map(|value| quoted(value)).collect();
    values.extend(quoted);
    values.retain(|value| !value.is_empty());
    // The longest first, for one value may be a part of another.
    values.sort_by(|a, b| (Reverse(a.len()), a).cmp(&(Reverse(b.len()), b)));
    values.dedup();
    values.iter().fold(line.to_owned(), |line, value| hide(&line, value))
}

/// The text as Rust and Go quote it, and as Go's JSON does, which escapes what HTML knows; without the quotes.
fn quoted(text: &str) -> [String; 4] {
    let inner = |quoted: &str| quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned();
    let plain = inner(&json::to_string(&Value::from(text)));
    let html = plain.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let ascii = html.chars().map(|c| {
        let mut units = [0; 2];
        let escape = |unit: &u16| format!("\\u{unit:04x}");
        if c.is_ascii() { c.to_string() } else { c.encode_utf16(&mut units).iter().map(escape).collect() }
    });
    let ascii = ascii.collect();
    [inner(&format!("{text:?}")), plain, html, ascii]
}

/// Hides a value; a short one only where it stands alone, for it may be a part of any word.
fn hide(line: &str, value: &str) -> String {
    if value.len() >= SHORTEST_VALUE {
        return line.replace(value, HIDDEN);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(value) {
        let (before, after) = (&rest[..at], &rest[at + value.len()..]);
        let joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        // What was taken before counts as what stands before.
        let alone =
            !joined(before.chars().next_back().or(out.chars().next_back())) && !joined(after.chars().next());
        out.push_str(before);
        out.push_str(if alone { HIDDEN } else { value });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    fn object(text: &str) -> Object {
        Object::added(json::parse(text).unwrap()).unwrap()
    }

    fn refusal(message: &str, causes: &[(&str, &str, &str)], object: &Object) -> Refusal {
        let cause = |(reason, field, message): &(&str, &str, &str)| StatusCause {
            reason: (*reason).to_owned(),
            field: (*field).to_owned(),
            message: (*message).to_owned(),
        };
        let causes = causes.iter().map(cause).collect();
        let details = Some(StatusDetails { causes, ..serde_json::from_str("{}").unwrap() });
        Refusal::of(&Status { code: 422, details, ..Status::failure(message, "Invalid") }, object, None)
    }

    #[test]
    fn values_of_secrets_go_in_every_form() {
        let secret = object(
            r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"data":{"w":"c3dvcmRmaXNo\nLWh1bnRlcjI=\n"},"stringData":{"a":"abc<d&f","b":"trailing\n","c":"pässwörd"}}"#,
        );
        let live = json::parse(r#"{"data":{"x":"b2xkcGFzc3dvcmQxMjM="}}"#).unwrap();
        let said = "c3dvcmRmaXNoLWh1bnRlcjI= swordfish-hunter2 [\"abc\\u003cd\\u0026f\"] trailing p\\u00e4ssw\\u00f6rd b2xkcGFzc3dvcmQxMjM= oldpassword123";
        let status = Status { code: 403, ..Status::failure(said, "Forbidden") };
        let told = Refusal::of(&status, &secret, Some(&live)).lines.join("\n");
        assert_eq!(told, "(…) (…) [\"(…)\"] (…) (…) (…) (…)");
    }

    #[test]
    fn what_may_not_change_is_told_without_the_change() {
        let pod = object(r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}"#);
        let diff = "Forbidden: pod updates may not change fields other than `spec.tolerations`\n@@ -4,1 +4,1 @@\n- \"--password=one\"\n+ \"--password=two\"\n";
        let told = refusal("", &[("FieldValueForbidden", "spec", diff)], &pod).lines;
        assert_eq!(
            told,
            ["spec: Forbidden: pod updates may not change fields other than `spec.tolerations` (…)"]
        );
        let status = Status {
            code: 422,
            ..Status::failure(&format!("Pod \"a\" is invalid: spec: {diff}"), "Invalid")
        };
        assert!(!Refusal::of(&status, &pod, None).lines.join("").contains("password"));
    }

    #[test]
    fn values_go_and_reasons_stay() {
        for (message, want) in [
            ("Invalid value: \"a_b\": must be lower case", "Invalid value: (…): must be lower case"),
            ("Invalid value: \"a\\\": b\": wrong", "Invalid value: (…): wrong"),
            (
                "Invalid value: core.PodTemplateSpec{A:\"x: y\", B:[]int{1}}: field is immutable",
                "Invalid value: (…): field is immutable",
            ),
            (
                "Invalid value: 70000: must be between 1 and 65535",
                "Invalid value: (…): must be between 1 and 65535",
            ),
            (
                ".data.a: expected string, got &value.valueUnstructured{Value:420}\n.data.b: expected string, got 7",
                ".data.a: expected string, got &value.valueUnstructured(…)\n.data.b: expected string, got (…)",
            ),
            ("Invalid value: \"never closed", "Invalid value: (…)"),
            ("illegal base64 data at input byte 4", "illegal base64 data at input byte 4"),
            ("you forgot to label this: weak", "you forgot to label this: weak"),
            (
                "parsing time \"hunter2\" as \"2006\": cannot parse \"hunter2\" as \"2006\"",
                "parsing time (…): cannot parse (…)",
            ),
        ] {
            assert_eq!(without_values(message), want);
        }
    }

    #[test]
    fn a_conflict_names_field_and_manager() {
        let deployment = object(r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"}}"#);
        let causes = [("FieldManagerConflict", ".spec.replicas", "conflict with \"helm\" using apps/v1")];
        let refusal = refusal("Apply failed with 1 conflict", &causes, &deployment);
        assert_eq!(refusal.cause, Cause::Conflict);
        assert_eq!(refusal.lines, [".spec.replicas: belongs to field manager \"helm\" using apps/v1"]);
    }

    #[test]
    fn no_value_of_a_secret_is_left() {
        let secret = object(
            r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"data":{"x":"aHVudGVyMg=="},"stringData":{"y":"swordfish","z":"123"}}"#,
        );
        let said =
            "webhook says: hunter2, aHVudGVyMg==, swordfish, c3dvcmRmaXNo and 123 (MTIz), 1234 are weak";
        let refusal = refusal(said, &[], &secret);
        assert_eq!(refusal.lines, ["webhook says: (…), (…), (…), (…) and (…) ((…)), 1234 are weak"]);
    }
}

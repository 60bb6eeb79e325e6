//! The transcript of a run: each transform's call with the digests of what went in and what came out. Holds no value, so it can
//! be kept beside what was rendered, and a later run can show that it gives the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use lathe_manifest::{Object, digest, json};
use lathe_runtime::types::{Edit, Location, Outcome, Request, Write};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::connect;
use crate::environment::Environment;
use crate::file::API_VERSION;
use crate::lock::OUTPUT;
use crate::problem::Problem;
use crate::typed;

/// The transcript of one run.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Transcript {
    /// `lathe.dev/v1alpha1`.
    pub api_version: String,
    /// `Transcript`.
    pub kind: String,
    /// The output version of the Lathe that ran.
    pub output: u32,
    /// The environment's name.
    pub environment: String,
    /// The review, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
    /// The slot of a pool that it held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Digest of the lock.
    pub lock: String,
    /// Digest of the input's objects, with tokens in place of secrets.
    pub input: String,
    /// The transforms that ran, in order.
    pub transforms: Vec<Recorded>,
    /// Digest of the objects as they were in the end, with tokens in place of secrets.
    pub sealed: String,
    /// Digest of the objects as they were written; left out where they hold values of secrets, which a digest could be tried
    /// against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
}

/// One transform of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recorded {
    /// The plugin, as the pipeline names it.
    pub plugin: String,
    /// The sha256 of its bytes.
    pub digest: String,
    /// Digest of its settings, the environment and the objects it was given.
    pub request: String,
    /// What it asked the host, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<HostCall>,
    /// The fuel it used.
    pub fuel: u64,
    /// Digest of its edits and findings.
    pub outcome: String,
}

/// One call of a capability.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostCall {
    /// Interface and function, such as `secrets.open`.
    pub function: String,
    /// Digest of the arguments.
    pub arguments: String,
    /// Digest of the answer.
    pub answer: String,
}

impl Transcript {
    /// Reads a transcript.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let problems =
            |list: Vec<String>| list.into_iter().map(|line| Problem::new("transcript", line)).collect();
        let transcript: Self = typed::parse(name, bytes).map_err(problems)?;
        if transcript.api_version != API_VERSION || transcript.kind != "Transcript" {
            let told = format!("{name}: this is no {API_VERSION} Transcript");
            return Err(problems(vec![told]));
        }
        Ok(transcript)
    }

    /// The transcript's text.
    pub fn to_json(&self) -> String {
        // Plain data always serializes.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// In what another run differs from this one.
    pub fn differences(&self, other: &Self) -> Vec<Problem> {
        let mut told = Vec::new();
        let mut compare = |what: &str, then: &str, now: &str| {
            if then != now {
                told.push(Problem::new("replay", format!("{what} was {then}, and is {now}")));
            }
        };
        compare("the output version", &self.output.to_string(), &other.output.to_string());
        compare("the lock", &self.lock, &other.lock);
        compare("the input", &self.input, &other.input);
        compare("the number of transforms", &count(self), &count(other));
        for (index, (then, now)) in self.transforms.iter().zip(&other.transforms).enumerate() {
            let at = |what: &str| format!("transforms[{index}] ({}): {what}", then.plugin);
            compare(&at("the plugin"), &then.plugin, &now.plugin);
            compare(&at("the plugin's digest"), &then.digest, &now.digest);
            compare(&at("what it was given"), &then.request, &now.request);
            compare(&at("the number of calls"), &then.calls.len().to_string(), &now.calls.len().to_string());
            let differs = then.calls.iter().zip(&now.calls).enumerate().find(|(_, (then, now))| then != now);
            if let Some((call, (then, now))) = differs {
                compare(&at(&format!("call {call}")), &then.text(), &now.text());
            }
            compare(&at("the fuel"), &then.fuel.to_string(), &now.fuel.to_string());
            compare(&at("the outcome"), &then.outcome, &now.outcome);
        }
        compare("the result", &self.sealed, &other.sealed);
        if let (Some(then), Some(now)) = (&self.rendered, &other.rendered) {
            compare("what is written", then, now);
        }
        told
    }

    pub(crate) fn new(environment: &Environment, lock: String, input: String) -> Self {
        let review = environment.review.as_ref();
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Transcript".to_owned(),
            output: OUTPUT,
            environment: environment.name.clone(),
            review: review.map(|review| review.id.clone()),
            slot: review.and_then(|review| review.slot.clone()),
            lock,
            input,
            transforms: Vec::new(),
            sealed: String::new(),
            rendered: None,
        }
    }
}

fn count(transcript: &Transcript) -> String {
    transcript.transforms.len().to_string()
}

impl HostCall {
    fn text(&self) -> String {
        format!("{} {} -> {}", self.function, self.arguments, self.answer)
    }
}

/// Takes down the calls of one transform; each part of a request that was split has its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<BTreeMap<usize, Vec<HostCall>>>>);

impl Recorder {
    /// Notes a call of the part whose first object has this position.
    pub(crate) fn note(&self, part: usize, function: &str, arguments: &[&str], answer: &[&str]) {
        let of = |parts: &[&str]| {
            let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            digest::named(&digest::of_parts(&parts))
        };
        let call = HostCall { function: function.to_owned(), arguments: of(arguments), answer: of(answer) };
        connect::lock(&self.0).entry(part).or_default().push(call);
    }

    /// The calls in the order of their objects.
    pub(crate) fn take(&self) -> Vec<HostCall> {
        std::mem::take(&mut *connect::lock(&self.0)).into_values().flatten().collect()
    }
}

/// The digest of objects, in their order.
pub(crate) fn of_objects<'a>(objects: impl Iterator<Item = &'a Object>) -> String {
    let mut text = String::new();
    for object in objects {
        json::write_value(&mut text, &object.value);
        text.push('\n');
    }
    digest::of_bytes(text.as_bytes())
}

/// The digest of what a plugin is given.
pub(crate) fn of_request(request: &Request) -> String {
    let mut parts = vec![request.config.as_bytes(), request.environment.as_bytes()];
    parts.extend(request.objects.iter().map(|object| object.json.as_bytes()));
    digest::named(&digest::of_parts(&parts))
}

/// The digest of a plugin's answer.
pub(crate) fn of_outcome(outcome: &Outcome) -> String {
    let mut parts: Vec<String> = Vec::new();
    let place = |parts: &mut Vec<String>, at: &Location| {
        parts.extend([at.object.to_string(), at.pointer.clone()]);
    };
    for edit in &outcome.edits {
        let (name, write): (_, Option<&Write>) = match edit {
            Edit::Set(write) => ("set", Some(write)),
            Edit::Insert(write) => ("insert", Some(write)),
            Edit::Remove(at) => {
                place(&mut parts, at);
                ("remove", None)
            }
            Edit::AddObject(text) => {
                parts.push(text.clone());
                ("add-object", None)
            }
            Edit::DropObject(key) => {
                parts.push(key.to_string());
                ("drop-object", None)
            }
        };
        if let Some(write) = write {
            place(&mut parts, &write.at);
            parts.push(write.value.clone());
        }
        parts.push(name.to_owned());
    }
    for finding in &outcome.findings {
        parts.extend([format!("{:?}", finding.severity), finding.code.clone(), finding.message.clone()]);
        match &finding.at {
            Some(at) => place(&mut parts, at),
            None => parts.push("nowhere".to_owned()),
        }
    }
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    digest::named(&digest::of_parts(&parts))
}

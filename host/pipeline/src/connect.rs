//! A plugin's calls during one transform, led to the tables of secrets and intents.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lathe_aai::{Declared, IntentError, IssuerSpec};
use lathe_runtime::capability::{self, Binding};
use lathe_secrets::{Encoding, Seal};

use crate::transcript::Recorder;

/// A table that host and capability share during a call. A panic of one user leaves no half-written entry behind.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right `secrets`.
pub(crate) struct Secrets {
    pub(crate) seal: Arc<Mutex<Seal>>,
    /// Keys of the request's objects, by position.
    pub(crate) keys: Vec<u32>,
    pub(crate) recorder: Option<Recorder>,
    /// Which part of the request this is.
    pub(crate) part: usize,
}

impl capability::Secrets for Secrets {
    fn open(&mut self, object: u32, pointer: &str, reference: &str) -> String {
        let key = usize::try_from(object).ok().and_then(|at| self.keys.get(at)).copied();
        let token = lock(&self.seal).open(key.unwrap_or(u32::MAX), pointer, reference);
        if let Some(recorder) = &self.recorder {
            let object = (object as usize + self.part).to_string();
            recorder.note(self.part, "secrets.open", &[&object, pointer, reference], &[&token]);
        }
        token
    }

    fn encode(&mut self, text: &str, encoding: capability::Encoding) -> String {
        let encoding = match encoding {
            capability::Encoding::Base64 => Encoding::Base64,
            capability::Encoding::Base64url => Encoding::Base64Url,
            capability::Encoding::Percent => Encoding::Percent,
            capability::Encoding::Json => Encoding::Json,
        };
        let token = lock(&self.seal).encode(text, encoding);
        if let Some(recorder) = &self.recorder {
            recorder.note(self.part, "secrets.encode", &[text, encoding.name()], &[&token]);
        }
        token
    }
}

/// Intents that were declared, and those that were refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intents {
    pub(crate) declared: Vec<Declared>,
    known: HashSet<String>,
    pub(crate) refused: Vec<IntentError>,
}

/// The right `oidc-clients`.
pub(crate) struct Clients {
    pub(crate) intents: Arc<Mutex<Intents>>,
    /// Project, environment and review.
    pub(crate) identity: Vec<String>,
    /// The pipeline's issuers.
    pub(crate) issuers: BTreeMap<String, IssuerSpec>,
    pub(crate) recorder: Option<Recorder>,
    /// Which part of the request this is.
    pub(crate) part: usize,
}

impl capability::Clients for Clients {
    fn declare(&mut self, intent: &str) -> Binding {
        let binding = self.bind(intent);
        if let Some(recorder) = &self.recorder {
            let mut answer = vec![binding.secret_name.as_str()];
            answer.extend(binding.keys.iter().flat_map(|(field, key)| [field.as_str(), key.as_str()]));
            recorder.note(self.part, "oidc-clients.declare", &[intent], &answer);
        }
        binding
    }
}

impl Clients {
    fn bind(&self, intent: &str) -> Binding {
        let identity: Vec<&str> = self.identity.iter().map(String::as_str).collect();
        let mut intents = lock(&self.intents);
        match Declared::parse(intent, &identity, &self.issuers) {
            Ok(declared) => {
                let keys = declared
                    .keys()
                    .into_iter()
                    .map(|(field, key)| (field.to_owned(), key.to_owned()))
                    .collect();
                let binding = Binding { secret_name: declared.intent.secret_name.clone(), keys };
                // Declaring the same intent twice is one declaration.
                if intents.known.insert(intent.to_owned()) {
                    intents.declared.push(declared);
                }
                binding
            }
            Err(error) => {
                intents.refused.push(error);
                Binding { secret_name: String::new(), keys: Vec::new() }
            }
        }
    }
}

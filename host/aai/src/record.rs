//! What is kept of one client, away from the environment that it serves: its registration must outlive the environment's namespace.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::intent::{AuthMethod, Declared};
use crate::issuer::IssuerSpec;
use crate::secret::SecretText;

/// One client: whose it is, what is registered, and what was under way when it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// What tells it from all others.
    pub key: String,
    /// Its name within the project.
    pub name: String,
    /// Project, environment and review; the review is empty where it is none.
    pub identity: [String; 3],
    /// The namespace of the Secret that applications read.
    pub namespace: String,
    /// The name of that Secret.
    pub secret_name: String,
    /// Field of the client and the Secret's key that holds it.
    pub keys: BTreeMap<String, String>,
    /// Where users are sent back to.
    pub redirect_uris: Vec<String>,
    /// The scopes that are asked for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How the client shows who it is.
    #[serde(default)]
    pub auth_method: AuthMethod,
    /// The issuer, as the pipeline had it.
    pub issuer: IssuerSpec,
    /// The certificates to trust, as the pipeline's folder had them (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// What was under way.
    pub phase: Phase,
    /// What is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
    /// What it took the place of, and what is still registered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Registration>,
    /// Digest of the metadata that was registered last.
    #[serde(default)]
    pub digest: String,
    /// Which of the client's credentials these are: when they came to be, in milliseconds since 1970. Part of the checksum on
    /// workloads.
    #[serde(default)]
    pub generation: u64,
    /// Clients that may be left at the provider, out of reach: when, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<String>,
    /// When it was written last, RFC 3339.
    pub at: String,
    /// Until when it may stay, RFC 3339; empty where it may stay for good.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expires: String,
    /// Since when its environment is not there, RFC 3339.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub absent: String,
    /// The issuer's endpoints, by field.
    #[serde(default)]
    pub endpoints: BTreeMap<String, String>,
}

/// What is under way with a client. What a run that was killed leaves here tells the next one what may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Nothing: it is kept for its generation alone.
    Absent,
    /// It is being registered; whether the provider has it already, nobody knows.
    Registering,
    /// It is registered.
    Registered,
    /// It is being changed; which token the provider accepts by now, nobody knows.
    Updating,
    /// It is being taken back; its token was good before.
    Deregistering,
    /// The provider does not accept its token.
    Lost,
    /// It waits for somebody's approval.
    Pending,
}

impl Phase {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Registering => "registering",
            Self::Registered => "registered",
            Self::Updating => "updating",
            Self::Deregistering => "deregistering",
            Self::Lost => "lost",
            Self::Pending => "pending",
        }
    }
}

/// One client at a provider (RFC 7591 section 3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`; a public client has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretText>,
    /// `client_secret_expires_at`, seconds since 1970; 0 for never.
    #[serde(default)]
    pub secret_expires_at: u64,
    /// `registration_client_uri` (RFC 7592).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// `registration_access_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretText>,
}

impl Record {
    /// What is wanted of a client that nothing is known of yet.
    pub(crate) fn new(wanted: &Wanted<'_>) -> Self {
        let mut record = Self {
            key: wanted.declared.key.clone(),
            name: String::new(),
            identity: wanted.identity.clone(),
            namespace: String::new(),
            secret_name: String::new(),
            keys: BTreeMap::new(),
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            auth_method: AuthMethod::default(),
            issuer: wanted.issuer.clone(),
            authority: None,
            phase: Phase::Absent,
            registration: None,
            superseded: Vec::new(),
            digest: String::new(),
            generation: 0,
            suspects: Vec::new(),
            at: String::new(),
            expires: String::new(),
            absent: String::new(),
            endpoints: BTreeMap::new(),
        };
        record.refresh(wanted);
        record
    }

    /// Takes over what may change without anything being registered.
    pub(crate) fn refresh(&mut self, wanted: &Wanted<'_>) {
        let Declared { intent, .. } = wanted.declared;
        self.name.clone_from(&intent.name);
        wanted.namespace.clone_into(&mut self.namespace);
        self.secret_name.clone_from(&intent.secret_name);
        let keys = wanted.declared.keys().into_iter();
        self.keys = keys.map(|(field, key)| (field.to_owned(), key.to_owned())).collect();
        self.redirect_uris.clone_from(&intent.redirect_uris);
        self.scopes.clone_from(&intent.scopes);
        self.auth_method = intent.auth_method;
        self.issuer = wanted.issuer.clone();
        self.authority.clone_from(&wanted.authority);
        self.expires.clone_from(&wanted.expires);
        self.absent.clear();
    }

    /// How messages call it: `portal of portal/review/42`.
    pub fn label(&self) -> String {
        let [project, environment, review] = &self.identity;
        let review = if review.is_empty() { String::new() } else { format!("/{review}") };
        format!("{} of {project}/{environment}{review}", self.name)
    }

    /// What the Secret holds that applications read, by its keys.
    pub fn values(&self) -> BTreeMap<String, SecretText> {
        let Some(registration) = &self.registration else { return BTreeMap::new() };
        let value = |field: &str| match field {
            "client-id" => Some(SecretText::from(registration.client_id.as_str())),
            "client-secret" => registration.client_secret.clone(),
            "issuer" => Some(SecretText::from(self.issuer.issuer.as_str())),
            field => self.endpoints.get(field).map(|text| SecretText::from(text.as_str())),
        };
        self.keys.iter().filter_map(|(field, key)| Some((key.clone(), value(field)?))).collect()
    }

    /// Notes that the credentials are others.
    pub(crate) fn renewed(&mut self, fresh: u64) {
        self.generation = fresh.max(self.generation + 1);
    }

    /// Takes over what the issuer says of itself. Applications read it from the same Secret, when they start.
    pub(crate) fn take_endpoints(&mut self, endpoints: &BTreeMap<String, String>, fresh: u64) {
        if !self.endpoints.is_empty() && self.endpoints != *endpoints {
            self.renewed(fresh);
        }
        self.endpoints.clone_from(endpoints);
    }

    /// Notes that a client may be left at the provider.
    pub(crate) fn suspect(&mut self, at: &str, why: &str) {
        self.suspects.push(format!("{at}: {why}"));
    }
}

/// What is wanted of one client.
#[derive(Clone)]
pub struct Wanted<'a> {
    /// What was declared.
    pub declared: &'a Declared,
    /// Project, environment and review.
    pub identity: [String; 3],
    /// The environment's namespace.
    pub namespace: &'a str,
    /// Its issuer.
    pub issuer: &'a IssuerSpec,
    /// The certificates to trust (PEM).
    pub authority: Option<String>,
    /// The slot of the environment's pool, where it has one.
    pub slot: Option<&'a str>,
    /// Until when it may stay, RFC 3339; empty for good.
    pub expires: String,
}

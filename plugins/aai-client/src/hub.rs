//! What `JupyterHub` reads beside its variables: its config goes before them, so it must read them, or not speak of the
//! client at all.

use std::collections::BTreeSet;

use lathe_sdk::{Object, Outcome, Value};

use crate::block;
use crate::flag;
use crate::literal::{Literals, What};
use crate::login::Login;
use crate::pod;
use crate::python;
use crate::secret;
use crate::set::Set;

/// The part of a class's name by which all of them are known.
pub(crate) const CLASS: &str = "OAuthenticator";

/// The config of hubs that log in through one client.
pub(crate) struct Hub<'a> {
    login: &'a Login<'a>,
    /// Objects that have been read; several pods may read one.
    seen: BTreeSet<usize>,
}

/// What reading one text has found.
#[derive(Default)]
pub(crate) struct Reading {
    /// The text as it has to be, where it has to be another.
    pub(crate) text: Option<String>,
    /// What was taken away.
    pub(crate) taken: Vec<(What, String)>,
    /// Lines, from 1, that nobody but Python or YAML can read.
    pub(crate) unread: Vec<usize>,
}

/// What a trait of the login has to be.
pub(crate) enum Trait {
    /// The variable of that name.
    Variable(&'static str, What),
    /// Empty: a public client has no secret.
    Empty,
}

impl Trait {
    /// What a trait has to be; `None` where it is not for this client to say.
    pub(crate) fn of(name: &str, login: &Login<'_>) -> Option<Self> {
        let what = flag::trait_of(name, login)?;
        let variable = match name {
            "client_id" => "OAUTH_CLIENT_ID",
            "client_secret" if !login.has("client-secret") => return Some(Self::Empty),
            "client_secret" => "OAUTH_CLIENT_SECRET",
            "oauth_callback_url" => "OAUTH_CALLBACK_URL",
            "authorize_url" => "OAUTH2_AUTHORIZE_URL",
            "token_url" => "OAUTH2_TOKEN_URL",
            "userdata_url" => "OAUTH2_USERDATA_URL",
            _ => return None,
        };
        Some(Self::Variable(variable, what))
    }

    /// Whether a text is right as it stands.
    pub(crate) fn is_right(&self, text: &str, login: &Login<'_>) -> bool {
        match self {
            Self::Variable(_, What::Callback) => login.redirect == Some(text),
            Self::Variable(..) => false,
            Self::Empty => text.is_empty(),
        }
    }

    /// What the trait holds.
    pub(crate) fn what(&self) -> What {
        match self {
            Self::Variable(_, what) => *what,
            Self::Empty => What::Secret,
        }
    }
}

impl<'a> Hub<'a> {
    /// For one client.
    pub(crate) fn new(login: &'a Login<'a>) -> Self {
        Self { login, seen: BTreeSet::new() }
    }

    /// Reads the config of a pod; where no container of it is wired, its variables are not there to be read.
    pub(crate) fn read(
        &mut self,
        set: &mut Set<'_>,
        object: &Object,
        spec: &Value,
        wired: bool,
        literals: &mut Literals,
        outcome: &mut Outcome,
    ) {
        for (kind, name) in pod::sources(spec) {
            if kind == "Secret" && name == self.login.secret {
                continue;
            }
            for index in set.beside(object, kind, name).to_vec() {
                if self.seen.insert(index) {
                    self.object(set, index, wired, literals, outcome);
                }
            }
        }
    }

    fn object(
        &self,
        set: &mut Set<'_>,
        index: usize,
        wired: bool,
        literals: &mut Literals,
        outcome: &mut Outcome,
    ) {
        let object = &set.objects[index];
        let is_secret = object.kind == "Secret";
        let mut changes = Vec::new();
        for field in ["data", "stringData"] {
            for (key, value) in set.value(index)[field].as_object().into_iter().flatten() {
                let Some(raw) = value.as_str() else { continue };
                let at = || set.place(index, secret::pointer(field, key));
                let text = if is_secret { secret::view(field, raw) } else { Some(raw.to_owned()) };
                if is_secret && is_hidden(key, raw, text.as_deref()) {
                    let name = &object.name;
                    let told = format!(
                        "what JupyterHub reads in Secret `{name}` is sealed; `reveal: [NAMESPACE/{name}]` at this transform, with the namespace that the input gives it, lets it be looked into"
                    );
                    outcome.error("sealed-config", told, Some(at()));
                    continue;
                }
                let Some(text) = text.filter(|text| text.contains(CLASS)) else { continue };
                let reading = read(key, &text, self.login);
                for line in reading.unread {
                    let told = format!(
                        "line {line} sets the login in a way that cannot be followed, and goes before the client's variables; write one plain assignment, or take it out"
                    );
                    outcome.error("unread-login", told, Some(at()));
                }
                let Some(new) = reading.text else { continue };
                if !wired {
                    let told = "this sets the login, and no container has the client's variables; name the workload under `workloads`";
                    outcome.error("unread-login", told, Some(at()));
                    continue;
                }
                for (what, text) in reading.taken {
                    literals.note(what, &text);
                }
                changes.push((field, key.clone(), new));
            }
        }
        for (field, key, new) in changes {
            let value = if is_secret { secret::written(field, &new) } else { Value::from(new) };
            set.edit(index)[field][key.as_str()] = value;
        }
    }
}

/// Reads a text as what it is: Python, or YAML which may have Python in it.
fn read(key: &str, text: &str, login: &Login<'_>) -> Reading {
    let mut reading = python::read(text, login);
    if extension(key) != "py" {
        let now = reading.text.take().filter(|now| {
            // Within YAML's own quotes, Python's quotes would end them.
            let lines: Vec<&str> = text.lines().collect();
            let changed = lines.iter().zip(now.lines()).enumerate().filter(|(_, (old, new))| *old != new);
            let quoted = changed.map(|(index, _)| index).filter(|index| !is_literal(&lines, *index));
            let before = reading.unread.len();
            reading.unread.extend(quoted.map(|index| index + 1));
            reading.unread.len() == before
        });
        let block = block::read(now.as_deref().unwrap_or(text), login);
        reading.text = block.text.or(now);
        reading.taken.extend(block.taken);
        reading.unread.extend(block.unread);
        reading.unread.sort_unstable();
        reading.unread.dedup();
    }
    reading
}

/// Whether a line of YAML stands in a literal block (`|`), and so as it is.
fn is_literal(lines: &[&str], index: usize) -> bool {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut inner = lines.get(index).map_or(0, |line| depth(line));
    for line in lines.iter().take(index).rev().filter(|line| !line.trim().is_empty()) {
        if depth(line) < inner {
            let head = line.split(" #").next().unwrap_or_default().trim_end();
            if head.trim_end_matches(['-', '+', '1', '2', '3', '4', '5', '6', '7', '8', '9']).ends_with('|') {
                return true;
            }
            inner = depth(line);
        }
    }
    // A text that is Python as a whole has no head.
    lines.first().is_some_and(|line| !line.contains(':'))
}

/// Whether a value of a Secret that may be config is sealed. JSON with secrets in it is seldom the hub's own config, so there
/// only a value that is sealed as a whole counts.
fn is_hidden(key: &str, raw: &str, text: Option<&str>) -> bool {
    let whole = secret::is_token(raw) || text.is_some_and(secret::is_token);
    match extension(key) {
        "json" => whole,
        "py" | "yaml" | "yml" => whole || text.is_some_and(secret::is_sealed),
        _ => false,
    }
}

fn extension(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(_, extension)| extension)
}

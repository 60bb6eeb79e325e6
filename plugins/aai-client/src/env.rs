//! The variables of one container.

use lathe_sdk::{Value, json};

use crate::flag;
use crate::literal::Literals;
use crate::login::{Login, Variable, Wanted};
use crate::reference;

/// A place within a container, and what is wrong there.
pub(crate) struct Problem {
    /// Pointer from the container on.
    pub(crate) pointer: String,
    /// One sentence, without any value.
    pub(crate) message: String,
}

/// Makes the container's variables what the application needs. `redirected` tells that a callback was taken away elsewhere,
/// so that one must stand here.
pub(crate) fn set(
    container: &mut Value,
    login: &Login<'_>,
    redirected: bool,
    literals: &mut Literals,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    reference::note_sources(container, login, literals);
    let Some(container) = container.as_object_mut() else { return problems };
    let mut env = container.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
    for variable in &login.variables {
        one(&mut env, variable, login, redirected, literals, &mut problems);
    }
    if container.contains_key("env") || !env.is_empty() {
        container.insert("env".to_owned(), Value::Array(env));
    }
    problems
}

fn one(
    env: &mut Vec<Value>,
    variable: &Variable,
    login: &Login<'_>,
    redirected: bool,
    literals: &mut Literals,
    problems: &mut Vec<Problem>,
) {
    let is_it = |item: &Value| item["name"].as_str().is_some_and(|name| login.is_same(name, &variable.name));
    // Of two of one name the last one counts; all become right.
    let mut exact = false;
    for (index, item) in env.iter_mut().enumerate().filter(|(_, item)| is_it(item)) {
        let name = item["name"].as_str().unwrap_or_default().to_owned();
        let wanted = match &variable.wanted {
            Wanted::Key(key) => Some(login.reference(&name, key)),
            Wanted::Text(text) => Some(json!({"name": name, "value": text})),
            Wanted::TextWhereSet(text) => {
                let own = item["value"].as_str().is_some_and(|own| !flag::is_template(own));
                (own || redirected).then(|| json!({"name": name, "value": text}))
            }
            Wanted::Listed(_) if !item["valueFrom"].is_null() => {
                let message =
                    format!("`{name}` comes from elsewhere and may not hold the client; give it as text");
                problems.push(Problem { pointer: format!("/env/{index}"), message });
                None
            }
            Wanted::Listed(id) => listed(item, id).map(|value| json!({"name": name, "value": value})),
            Wanted::Absent => None,
        };
        exact |= name == variable.name;
        let literal = item["value"].as_str().unwrap_or_default();
        match wanted {
            Some(wanted) if *item != wanted => {
                literals.note(variable.what, literal);
                reference::note(item, variable.what, login, literals);
                *item = wanted;
            }
            None if matches!(variable.wanted, Wanted::Absent) => {
                literals.note(variable.what, literal);
                reference::note(item, variable.what, login, literals);
            }
            _ => {}
        }
    }
    let new = match &variable.wanted {
        Wanted::Absent => {
            env.retain(|item| !is_it(item));
            return;
        }
        Wanted::TextWhereSet(_) if !redirected => return,
        _ if exact => return,
        Wanted::Key(key) => login.reference(&variable.name, key),
        Wanted::Text(text) | Wanted::TextWhereSet(text) | Wanted::Listed(text) => {
            json!({"name": variable.name, "value": text})
        }
    };
    env.push(new);
}

/// The comma list with the item; `None` where it is there.
fn listed(variable: &Value, id: &str) -> Option<String> {
    let list = variable["value"].as_str().unwrap_or_default();
    let mut items = list.split(',').map(str::trim).filter(|item| !item.is_empty()).peekable();
    if items.peek().is_none() {
        return Some(id.to_owned());
    }
    (!items.any(|item| item.eq_ignore_ascii_case(id))).then(|| format!("{list},{id}"))
}

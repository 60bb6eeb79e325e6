//! Variables of a Spring Boot container that go before those of the client.

use lathe_sdk::Value;

use crate::env::Problem;
use crate::flag;
use crate::login::Login;

/// Variables that hold options of the Java machine.
const OPTIONS: &[&str] = &["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS"];

/// Finds the client's properties in options of the Java machine and in Spring's own JSON.
pub(crate) fn check(container: &Value, login: &Login<'_>, problems: &mut Vec<Problem>) {
    for (index, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        let (Some(name), Some(value)) = (variable["name"].as_str(), variable["value"].as_str()) else {
            continue;
        };
        let found = if OPTIONS.contains(&name) {
            let mut words = value.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
            words.any(|word| word.starts_with("-D") && flag::flag(word, login).is_some())
        } else if name == "SPRING_APPLICATION_JSON" {
            serde_json::from_str(value).is_ok_and(|json| holds(&json, &mut String::new(), login))
        } else {
            false
        };
        if found {
            let message =
                format!("what `{name}` says of the client goes before the client's variables; take it out");
            problems.push(Problem { pointer: format!("/env/{index}/value"), message });
        }
    }
}

/// Whether the tree, written as properties, has one of the client's.
fn holds(value: &Value, name: &mut String, login: &Login<'_>) -> bool {
    let Some(map) = value.as_object() else {
        return flag::property(name, value.as_str(), login).is_some();
    };
    map.iter().any(|(key, value)| {
        let length = name.len();
        if length > 0 {
            name.push('.');
        }
        name.push_str(key);
        let found = holds(value, name, login);
        name.truncate(length);
        found
    })
}

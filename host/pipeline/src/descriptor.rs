//! What a plugin says of itself, and whether its settings fit that.

use jsonschema::{PatternOptions, Validator};
use lathe_manifest::{Value, json};

/// The longest schema of settings that is taken, in bytes.
const LONGEST_SCHEMA: usize = 256 << 10;

/// How many things wrong with settings are told.
const MOST: usize = 50;

/// The answer of `describe` (wit `lathe:transform/descriptor`). Members that are not known are ignored.
pub struct Descriptor {
    /// Of the pipeline entry's `config`; `None` for a plugin that describes no settings.
    validator: Option<Validator>,
    /// Whether each object's edits depend on that object alone (`scope: object`).
    pub(crate) per_object: bool,
}

impl Descriptor {
    /// Reads the answer. Its `configSchema` is JSON Schema, draft 2020-12 unless it says another; patterns take time linear in
    /// the text, and a reference leads nowhere outside of the schema.
    pub fn parse(text: &str) -> Result<Self, String> {
        let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text)
            .map_err(|error| format!("describes itself by something that is no descriptor: {error}"))?;
        let per_object = members.get("scope").and_then(serde_json::Value::as_str) == Some("object");
        let Some(schema) = members.get("configSchema").filter(|schema| !schema.is_null()) else {
            return Ok(Self { validator: None, per_object });
        };
        let length = schema.to_string().len();
        if length > LONGEST_SCHEMA {
            return Err(format!(
                "has a schema of {length} bytes for its config, and {LONGEST_SCHEMA} are taken"
            ));
        }
        count(schema, schema, 0, &mut 0).map_err(|why| format!("has a schema for its config that {why}"))?;
        let built = jsonschema::options().with_pattern_options(PatternOptions::regex()).build(schema);
        let validator =
            built.map_err(|error| format!("has a schema for its config that cannot be used: {error}"))?;
        Ok(Self { validator: Some(validator), per_object })
    }

    /// What is wrong with settings, each as place and message; never a value of them.
    pub(crate) fn check(&self, config: &Value) -> Result<Vec<(String, String)>, String> {
        let Some(validator) = &self.validator else { return Ok(Vec::new()) };
        let text = json::to_string(config);
        let config: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let wrong = validator.iter_errors(&config).take(MOST);
        let mut told: Vec<(String, String)> = wrong
            .map(|error| {
                let message = error.masked_with("this").to_string();
                (error.instance_path().to_string(), message.trim_end_matches('.').to_owned())
            })
            .collect();
        told.sort();
        Ok(told)
    }
}

/// How many schemas one may hold, each counted as often as it is referred to, and how deep they may lie in one another:
/// validating takes time and memory for each.
const MOST_WORK: usize = 20_000;
const DEEPEST: usize = 100;

/// Counts the schemas in one, references followed.
fn count(
    root: &serde_json::Value,
    at: &serde_json::Value,
    depth: usize,
    work: &mut usize,
) -> Result<(), &'static str> {
    *work += 1;
    if *work > MOST_WORK || depth > DEEPEST {
        return Err("refers to itself, or takes too much work");
    }
    match at {
        serde_json::Value::Array(items) => {
            items.iter().try_for_each(|item| count(root, item, depth + 1, work))
        }
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value.as_str()) {
                    ("$ref", Some(place)) => {
                        let target = place.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
                        count(root, target.ok_or("refers to a place outside of itself")?, depth + 1, work)?;
                    }
                    ("$dynamicRef" | "$recursiveRef" | "$anchor" | "$dynamicAnchor", Some(_)) => {
                        return Err("refers to places by other means than `$ref` and a pointer");
                    }
                    _ => count(root, value, depth + 1, work)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(schema: &str) -> Result<Descriptor, String> {
        Descriptor::parse(&format!("{{\"name\":\"x\",\"configSchema\":{schema}}}"))
    }

    #[test]
    fn settings_are_held_against_the_schema_and_not_quoted() {
        let descriptor = parse(
            r#"{"type":"object","additionalProperties":false,"required":["team"],"properties":{"team":{"type":"string","pattern":"^[a-z]+$"},"n":{"maximum":3}}}"#,
        )
        .unwrap();
        let check = |config: &str| descriptor.check(&json::parse(config).unwrap()).unwrap();
        assert!(check(r#"{"team":"portal","n":9007199254740993}"#)[0].0 == "/n");
        assert!(check(r#"{"team":"portal"}"#).is_empty());
        let told = check(r#"{"team":"hunter2!","more":1}"#);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|(_, message)| !message.contains("hunter2")), "{told:?}");
        assert!(Descriptor::parse("{}").unwrap().check(&Value::Null).unwrap().is_empty());
    }

    /// A schema that refers to one twice, that refers to one twice, and so on.
    fn doubling(levels: usize) -> String {
        let twice = |n: usize| {
            format!(r##""a{n}":{{"allOf":[{{"$ref":"#/$defs/a{0}"}},{{"$ref":"#/$defs/a{0}"}}]}}"##, n + 1)
        };
        let defs: Vec<String> = (0..levels).map(twice).collect();
        format!(r##"{{"$ref":"#/$defs/a0","$defs":{{{},"a{levels}":{{"type":"object"}}}}}}"##, defs.join(","))
    }

    #[test]
    fn schemas_that_could_lead_astray_are_refused() {
        for schema in [
            r#"{"$ref":"https://example.org/schema.json"}"#,
            r#"{"$ref":"file:///etc/passwd"}"#,
            r#"{"pattern":"(a)\\1"}"#,
            r#"{"pattern":"(?=a)"}"#,
            r#"{"type":"nothing"}"#,
            r##"{"allOf":[{"$ref":"#"}]}"##,
            r#"{"$defs":{"a":{"$anchor":"b"}}}"#,
            &doubling(20),
            &format!("{{\"description\":\"{}\"}}", "x".repeat(LONGEST_SCHEMA)),
        ] {
            assert!(parse(schema).is_err(), "{schema:.80}");
        }
        assert!(parse(&doubling(5)).is_ok());
        assert!(Descriptor::parse("[]").is_err());
    }

    #[test]
    fn a_pattern_takes_linear_time() {
        let descriptor = parse(r#"{"pattern":"^(a+)+$"}"#).unwrap();
        let text = json::parse(&format!("\"{}!\"", "a".repeat(100_000))).unwrap();
        let started = std::time::Instant::now();
        assert_eq!(descriptor.check(&text).unwrap().len(), 1);
        assert!(started.elapsed().as_secs() < 5);
    }
}

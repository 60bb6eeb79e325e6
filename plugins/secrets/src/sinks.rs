//! Fields where secrets may stand beside the values of Secrets: `Kind.group /pointer`, with `*` for one segment and `**` at the end
//! for all below.

use lathe_sdk::{Object, Request};

/// The rules of the pipeline.
pub(crate) struct Sinks<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Sinks<'a> {
    /// Reads the config: `sinks` and nothing else.
    pub(crate) fn read(request: &'a Request) -> Result<Self, String> {
        let config = request.config.as_object();
        if config.is_some_and(|config| config.keys().any(|key| key != "sinks")) {
            return Err("config: this plugin takes none; `secrets.sinks` of the pipeline says where secrets may stand".to_owned());
        }
        let rules = request.config["sinks"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rules = rules.iter().map(|rule| rule.as_str().and_then(|rule| rule.split_once(' ')));
        let rules: Option<Vec<_>> = rules.collect();
        rules.map(Self).ok_or_else(|| "config: a sink is `Kind.group /pointer`".to_owned())
    }

    /// Whether a secret may stand in the field.
    pub(crate) fn cover(&self, object: &Object, pointer: &str) -> bool {
        self.0.iter().any(|(kind, place)| is_kind(kind, object) && is_place(place.trim(), pointer))
    }
}

fn is_kind(rule: &str, object: &Object) -> bool {
    let (kind, group) = rule.split_once('.').unwrap_or((rule, ""));
    rule == "*" || if group.is_empty() { object.kind == kind } else { object.is(group, kind) }
}

fn is_place(rule: &str, pointer: &str) -> bool {
    let mut place = pointer.split('/').skip(1);
    for segment in rule.split('/').skip(1) {
        if segment == "**" {
            return true;
        }
        match place.next() {
            Some(name) if segment == "*" || segment == name => {}
            _ => return false,
        }
    }
    place.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_place;

    #[test]
    fn places_are_segments() {
        for (rule, pointer, want) in [
            ("/data/*", "/data/a", true),
            ("/data/*", "/data/a/b", false),
            ("/spec/**", "/spec/a/0/b", true),
            ("/spec/**", "/spec", true),
            ("/data/a", "/data/b", false),
            ("/data/a~1b", "/data/a~1b", true),
        ] {
            assert_eq!(is_place(rule, pointer), want, "{rule} {pointer}");
        }
    }
}

//! Objects that go to a cluster without a pipeline.

use lathe_manifest::{Object, order};
use lathe_secrets::{Fill, Rules, Seal};

use crate::problem::Problem;
use crate::render::SECRETS_ANNOTATION;

/// The objects in canonical order, if no reference to a secret stands in them: nobody is there to resolve it, and as it
/// stands it would become a password.
pub fn as_is(mut objects: Vec<Object>) -> Result<Vec<Object>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut seal = Seal::new(&[], Rules::default());
    for (object, key) in objects.iter_mut().zip(0..) {
        let mark = object.value.str_at(&["metadata", "annotations", SECRETS_ANNOTATION]);
        if mark.is_some() {
            let told =
                format!("it carries {SECRETS_ANNOTATION}, so references stand in it in place of secrets");
            problems.push(Problem::new("secret-unresolved", told).at(object.label(), ""));
        }
        seal.seal(key, object);
    }
    let keyed = || objects.iter().zip(0..).map(|(object, key)| (key, object));
    problems.extend(seal.verify(keyed(), true).into_iter().map(Problem::from));
    if !problems.is_empty() {
        problems.sort();
        return Err(problems);
    }
    for (object, key) in objects.iter_mut().zip(0..) {
        if let Err(errors) = seal.fill(key, object, &Fill::References) {
            problems.extend(errors.into_iter().map(Problem::from));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    order::sort(&mut objects);
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;

    fn secret(value: &str, annotations: &str) -> Vec<Object> {
        let text = format!(
            r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"a","annotations":{annotations}}},"stringData":{{"x":"{value}"}}}}"#
        );
        vec![Object::added(json::parse(&text).unwrap()).unwrap()]
    }

    #[test]
    fn a_reference_never_becomes_a_password() {
        let plain = secret("plain", "{}");
        assert_eq!(as_is(plain.clone()).unwrap(), plain);
        let told = as_is(secret("<path:kv/data/a#b>", "{}")).unwrap_err();
        assert_eq!(
            told[0].to_string(),
            "Secret/a /stringData/x: a reference stands here that was not resolved"
        );
        assert!(as_is(secret("x", r#"{"lathe.dev/secrets":"refs"}"#)).is_err());
    }
}

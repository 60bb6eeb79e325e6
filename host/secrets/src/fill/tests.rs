use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::provider::{ProviderSpec, Surroundings};
use crate::rules::Rules;
use crate::{MappedSecret, Mapping};

fn object(text: &str) -> Object {
    Object::added(json::parse(text).unwrap()).unwrap()
}

fn secret(fields: &str) -> Object {
    object(&format!(
        r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s","namespace":"n"}},{fields}}}"#
    ))
}

/// Opens every reference as the secrets plugin does.
fn open(seal: &mut Seal, object: &mut Object) {
    let mut texts = Vec::new();
    pointer::each_string(&object.value, &mut |pointer, text| {
        texts.push((pointer.to_owned(), text.to_owned()));
    });
    let mut changed = Vec::new();
    for (pointer, text) in texts {
        let in_data = object.is_secret() && pointer.starts_with("/data/");
        let decoded =
            encoding::decode(&text).filter(|_| in_data).and_then(|bytes| String::from_utf8(bytes).ok());
        let inner = decoded.as_deref().unwrap_or(&text);
        let found =
            seal.places.get(&(0, pointer.clone())).map(|place| place.references.clone()).unwrap_or_default();
        if found.is_empty() {
            continue;
        }
        let mut out = inner.to_owned();
        for reference in found {
            let token = seal.open(0, &pointer, &reference);
            out = out.replacen(&reference, &token, 1);
        }
        if decoded.is_some() {
            out = seal.encode(&out, Encoding::Base64);
        }
        changed.push((pointer, out));
    }
    for (pointer, text) in changed {
        *Pointer::parse(&pointer).unwrap().get_mut(&mut object.value).unwrap() = text.into();
    }
    let now = object.clone();
    seal.settle(|_, pointer| Some(Pointer::parse(pointer).ok()?.get(&now.value)?.as_str()?.to_owned()));
}

/// The object with values; those of `env` are the variables', and `files` lie in the folder.
fn filled(
    rules: Rules,
    mut object: Object,
    env: &[(&str, &str)],
    files: &[(&str, &[u8])],
) -> Result<String, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let variable =
        |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let around = surroundings(folder.path(), &variable);
    let allow = env.iter().map(|(name, _)| (*name).to_owned()).collect();
    let instances = BTreeMap::from([("ci".to_owned(), ProviderSpec::Env { allow })]);
    let told = |errors: Vec<SecretError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut seal = Seal::new(&["test"], rules);
    seal.seal(0, &mut object);
    open(&mut seal, &mut object);
    let wrong = seal.verify([(0, &object)].into_iter(), true);
    if !wrong.is_empty() {
        return Err(told(wrong));
    }
    let mut resolver = Resolver::new(&instances, &around);
    resolver.fetch(seal.opened().map(|(_, _, reference)| reference));
    seal.fill(0, &mut object, &Fill::Values { resolver: &resolver, live: None, noted: &Mutex::default() })
        .map_err(told)?;
    Ok(json::to_string(&object.value))
}

fn surroundings<'a>(
    folder: &'a Path,
    variable: &'a (dyn Fn(&str) -> Option<String> + Sync),
) -> Surroundings<'a> {
    Surroundings {
        folder,
        variable,
        age_keys: None,
        cluster: None,
        generated: None,
        bounds: Vec::new(),
        offline: false,
    }
}

fn data(fields: &str, env: &[(&str, &str)]) -> Result<String, Vec<String>> {
    let text = filled(Rules::default(), secret(fields), env, &[])?;
    let value = json::parse(&text).unwrap();
    let member = |name: &str| value.get(name).map(|part| format!("\"{name}\":{}", json::to_string(part)));
    Ok(["data", "stringData"].into_iter().filter_map(member).collect::<Vec<_>>().join(","))
}

#[test]
fn nothing_that_was_resolved_is_scanned_again() {
    let values = [("A", "ref+env://B"), ("B", "second"), ("C", "$$ref+env://B <path:kv/p#x>")];
    assert_eq!(
        data(r#""stringData":{"a":"x ref+env://A","c":"ref+env://C"}"#, &values).unwrap(),
        r#""stringData":{"a":"x ref+env://B","c":"$$ref+env://B <path:kv/p#x>"}"#
    );
    let told = data(r#""stringData":{"a":"ref+env://ref+env://A"}"#, &values).unwrap_err();
    assert!(told[0].contains("within a reference"), "{told:?}");
}

#[test]
fn escapes_are_text() {
    assert_eq!(
        data(r#""stringData":{"a":"$$ref+env://A","b":"$$"}"#, &[]).unwrap(),
        r#""stringData":{"a":"ref+env://A","b":"$$"}"#
    );
    let beside = r#""stringData":{"a":"ref+env://A+$$ref+env://A"}"#;
    assert_eq!(data(beside, &[("A", "x")]).unwrap(), r#""stringData":{"a":"xref+env://A"}"#);
    // base64 of `$$ref+env://A`.
    assert_eq!(
        data(r#""data":{"a":"JCRyZWYrZW52Oi8vQQ=="}"#, &[]).unwrap(),
        r#""data":{"a":"cmVmK2VudjovL0E="}"#
    );
}

#[test]
fn base64_is_once_and_only_once() {
    let values = [("A", "root"), ("E", "cm9vdA==")];
    for (fields, want) in [
        // base64 of `ref+env://A`, and of `u:ref+env://A`.
        (r#""data":{"a":"cmVmK2VudjovL0E="}"#, r#""data":{"a":"cm9vdA=="}"#),
        (r#""data":{"a":"dTpyZWYrZW52Oi8vQQ=="}"#, r#""data":{"a":"dTpyb290"}"#),
        (r#""data":{"a":"ref+env://A?encoding=base64"}"#, r#""data":{"a":"cm9vdA=="}"#),
        (r#""data":{"a":"ref+env://E"}"#, r#""data":{"a":"cm9vdA=="}"#),
        (r#""stringData":{"a":"ref+env://E?decode=base64"}"#, r#""stringData":{"a":"root"}"#),
        (r#""data":{"a":"ref+file://gone.yaml?default=changeme#/k"}"#, r#""data":{"a":"Y2hhbmdlbWU="}"#),
        // base64 of an escape is no escape where text stands.
        (r#""stringData":{"a":"JCRyZWYrZW52Oi8vQQ=="}"#, r#""stringData":{"a":"JCRyZWYrZW52Oi8vQQ=="}"#),
    ] {
        assert_eq!(data(fields, &values).unwrap(), want);
    }
    let told = data(r#""data":{"a":"ref+env://A?trim=nl"}"#, &[("A", "no base64!")]).unwrap_err();
    assert!(told[0].contains("holds base64") && !told[0].contains("no base64!"), "{told:?}");
}

#[test]
fn lines_stand_where_lines_can() {
    let pem = "-BEGIN-\nabc\n-END-\n";
    let ended = r#""stringData":{"a":"cert: |\n  ref+env://P+\nother: x\n"}"#;
    let want = r#""stringData":{"a":"cert: |\n  -BEGIN-\n  abc\n  -END-\nother: x\n"}"#;
    assert_eq!(data(ended, &[("P", pem)]).unwrap(), want);
    let text = r#""stringData":{"whole":"ref+env://P","nested":"a:\n  key: |\n    ref+env://P\n  b: c\n","last":"x:\n  ref+env://P"}"#;
    assert_eq!(
        data(text, &[("P", pem)]).unwrap(),
        r#""stringData":{"last":"x:\n  -BEGIN-\n  abc\n  -END-\n","nested":"a:\n  key: |\n    -BEGIN-\n    abc\n    -END-\n  b: c\n","whole":"-BEGIN-\nabc\n-END-\n"}"#
    );
    let told = data(r#""stringData":{"a":"x: 1\nca: ref+env://P\n"}"#, &[("P", pem)]).unwrap_err();
    assert!(told[0].contains("Secret/n/s /stringData/a") && told[0].contains("line 2"), "{told:?}");
    assert_eq!(
        data(r#""stringData":{"a":"u:ref+env://P?trim=nl+@h"}"#, &[("P", "x\n")]).unwrap(),
        r#""stringData":{"a":"u:x@h"}"#
    );
}

#[test]
fn bytes_stand_in_data() {
    let files: [(&str, &[u8]); 1] = [("b.bin", &[0xff, 0, b'x'])];
    let both = r#""data":{"a":"b2xk"},"stringData":{"a":"ref+file://b.bin"}"#;
    let text = filled(Rules::default(), secret(both), &[], &files).unwrap();
    assert!(text.contains(r#""data":{"a":"/wB4"}"#), "{text}");
    let text =
        filled(Rules::default(), secret(r#""stringData":{"a":"ref+file://b.bin"}"#), &[], &files).unwrap();
    assert!(text.contains(r#""data":{"a":"/wB4"}"#) && text.contains(r#""stringData":{}"#), "{text}");
}

#[test]
fn no_value_breaks_out_of_json() {
    let bare = r#""stringData":{"a":"{\"p\": ref+env://A}"}"#;
    assert_eq!(data(bare, &[("A", "80")]).unwrap(), r#""stringData":{"a":"{\"p\": 80}"}"#);
    assert!(data(bare, &[("A", "1,\"admin\":true")]).is_err());
    let lines = r#""stringData":{"a":"{\"p\":\"ref+env://A\"}\n{\"q\":1}\n"}"#;
    assert!(data(lines, &[("A", "x")]).is_ok() && data(lines, &[("A", "x\"")]).is_err());
    let escaped = r#""stringData":{"a":"{\"p\":\"ref+env://A?encoding=json\"}"}"#;
    assert_eq!(data(escaped, &[("A", "x\"\\")]).unwrap(), r#""stringData":{"a":"{\"p\":\"x\\\"\\\\\"}"}"#);
    let text = r#""stringData":{"a":"{\"p\":\"ref+env://A\"}"}"#;
    assert_eq!(data(text, &[("A", "x")]).unwrap(), r#""stringData":{"a":"{\"p\":\"x\"}"}"#);
    for (text, value) in [
        (r#"{\"a\": -ref+env://A}"#, "1, \"admin\": true"),
        (r#"{\"a\": ref+env://A}{\"b\":1}"#, "1, \"admin\": true"),
        (r#"{\"a\": ref+env://A, \"b\":1, \"b\":2}"#, "1, \"admin\": true"),
        (r#"{\"a\": ref+env://A?encoding=json}"#, "pw"),
    ] {
        let fields = format!(r#""stringData":{{"a":"{text}"}}"#);
        assert!(data(&fields, &[("A", value)]).is_err(), "{text}");
    }
    for (text, value) in [
        (r#"[a]\nb = \"\"\"\nref+env://A\n\"\"\"\n"#, "a\nb\n"),
        (r#"[db]\nrack = 19\"\npw = ref+env://A"#, "a\\b"),
        (r"[web]\nref+env://A\n", "host"),
        (r"{{ if x }}\nref+env://A\n{{ end }}\n", "pw"),
    ] {
        let fields = format!(r#""stringData":{{"a":"{text}"}}"#);
        assert!(data(&fields, &[("A", value)]).is_ok(), "{text}");
    }
    for value in ["x\",\"admin\":\"y", "x\"", "a\\", "x\",\"p\":\"y", "p\\b1"] {
        let told = data(text, &[("A", value)]).unwrap_err();
        assert!(told[0].contains("breaks the JSON"), "{told:?}");
    }
}

#[test]
fn what_may_be_missing_may() {
    let fields = r#""stringData":{"a":"ref+file://gone.yaml?optional=true#/k","b":"x-ref+file://gone.yaml?optional=true#/k","c":"ref+file://gone.yaml?default=d%20e#/k"}"#;
    assert_eq!(data(fields, &[]).unwrap(), r#""stringData":{"b":"x-","c":"d e"}"#);
    assert!(data(r#""stringData":{"a":"ref+env://NOT_ALLOWED?optional=true"}"#, &[]).is_err());
}

#[test]
fn residue_in_a_secret_is_refused() {
    for text in [
        "ref+vault:kv",
        "a <path:kv",
        "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]",
        "ref+exec://id",
        "secretref+echo://x",
    ] {
        let fields = format!(r#""stringData":{{"a":"{text}"}}"#);
        assert!(data(&fields, &[]).is_err(), "{text}");
    }
}

fn sinks() -> Rules {
    Rules::new(Mapping::default(), |object, pointer| {
        object.kind() == "Config" && pointer.starts_with("/spec/")
    })
}

#[test]
fn other_sinks_take_types() {
    let config = |spec: &str| {
        object(&format!(r#"{{"apiVersion":"x/v1","kind":"Config","metadata":{{"name":"c"}},"spec":{spec}}}"#))
    };
    let env = [("N", "5"), ("T", "0999991"), ("J", r#"{"a":[1]}"#)];
    let spec =
        r#"{"n":"ref+env://N?type=int","t":"ref+env://T","j":"ref+env://J?type=json","s":"v-ref+env://N"}"#;
    let text = filled(sinks(), config(spec), &env, &[]).unwrap();
    assert!(text.ends_with(r#""spec":{"j":{"a":[1]},"n":5,"s":"v-5","t":"0999991"}}"#), "{text}");
    let gone = r#"{"l":["a","ref+file://gone.yaml?optional=true#/k","c"],"n":"ref+file://gone.yaml?type=int&default=5#/k","m":"ref+env://N $$ref+env://T"}"#;
    let text = filled(sinks(), config(gone), &env, &[]).unwrap();
    assert!(text.ends_with(r#""spec":{"l":["a","c"],"m":"5 ref+env://T","n":5}}"#), "{text}");
    assert!(filled(sinks(), config(r#"{"n":"ref+env://T?type=bool"}"#), &env, &[]).is_err());
    let outside =
        object(r#"{"apiVersion":"x/v1","kind":"Config","metadata":{"name":"ref+env://N"},"spec":{}}"#);
    assert!(filled(sinks(), outside, &env, &[]).unwrap_err()[0].contains("a secret may stand"));
}

#[test]
fn generic_references_count_where_secrets_may_stand() {
    let annotated = |kind: &str, fields: &str| {
        object(&format!(
            r#"{{"apiVersion":"v1","kind":"{kind}","metadata":{{"name":"c","annotations":{{"avp.kubernetes.io/path":"kv/data/p"}}}},{fields}}}"#
        ))
    };
    let html = annotated(
        "ConfigMap",
        r#""data":{"html":"<b>1 < 2</b> <portal@example.org>","g":"Map<String, List<Integer>>"}"#,
    );
    let before = json::to_string(&html.value);
    assert_eq!(filled(Rules::default(), html, &[], &[]).unwrap(), before);
    let whole = annotated("ConfigMap", r#""data":{"a":"<name>"}"#);
    assert!(filled(Rules::default(), whole, &[], &[]).unwrap_err()[0].contains("a secret may stand"));
    let told = filled(Rules::default(), annotated("Secret", r#""stringData":{"a":"x<name>"}"#), &[], &[])
        .unwrap_err();
    assert!(told[0].contains("`<name>`: the pipeline has no provider `kv`"), "{told:?}");
}

#[test]
fn a_review_opens_nothing_that_is_not_mapped() {
    let mapped = MappedSecret {
        reference: Some("ref+env://A".to_owned()),
        prefix: None,
        to: Some("ref+env://B".to_owned()),
        generate: None,
    };
    let rules = || Rules::new(Mapping::new(std::slice::from_ref(&mapped), true).unwrap(), |_, _| false);
    let env = [("A", "production"), ("B", "review")];
    let text = filled(rules(), secret(r#""stringData":{"a":"ref+env://A"}"#), &env, &[]).unwrap();
    assert!(text.contains("review") && !text.contains("production"));
    let told = filled(rules(), secret(r#""stringData":{"a":"ref+env://C"}"#), &env, &[]).unwrap_err();
    assert!(told[0].contains("does not map it"), "{told:?}");
}

/// Pieces that texts with references are made of, whole and broken.
const PIECES: &[&str] = &[
    "<",
    ">",
    "|",
    " ",
    "\n",
    "{",
    "}",
    "'",
    "\"",
    "\\",
    "$$",
    "$",
    "+",
    ",",
    "x",
    "ü",
    "ref+",
    "secretref+",
    "env://A",
    "env://A+",
    "ref+env://A",
    "ref+env://A+",
    "<path:kv/d#k>",
    "<path:kv/data/d#k | base64decode>",
    "path:",
    "#",
    "key",
    "<key>",
    "://",
    "lathe",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 2000, ..Default::default() })]

    /// Whatever stands in a Secret comes back as it stood where references are written, or is refused; no token is left.
    #[test]
    fn what_is_not_refused_comes_back(parts in proptest::collection::vec(0..PIECES.len(), 0..12), annotated: bool, encoded: bool) {
        let text: String = parts.iter().map(|part| PIECES[*part]).collect();
        let annotations = if annotated { r#","annotations":{"avp.kubernetes.io/path":"kv/data/d"}"# } else { "" };
        let (field, value) = if encoded { ("data", Encoding::Base64.encode(&text)) } else { ("stringData", text) };
        let mut quoted = String::new();
        json::write_string(&mut quoted, &value);
        let before = object(&format!(
            r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s"{annotations}}},"{field}":{{"a":{quoted}}}}}"#
        ));
        let mut after = before.clone();
        let mut seal = Seal::new(&["test"], Rules::default());
        seal.seal(0, &mut after);
        open(&mut seal, &mut after);
        let refused = !seal.verify([(0, &after)].into_iter(), true).is_empty();
        if !refused {
            proptest::prop_assert!(seal.fill(0, &mut after, &Fill::References).is_ok());
            proptest::prop_assert_eq!(json::to_string(&after.value), json::to_string(&before.value));
        }
    }
}

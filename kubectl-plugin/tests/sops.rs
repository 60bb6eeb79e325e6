//! Files that the real sops encrypted, and what Lathe encrypts for it.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, and is told by its environment where its tools are"
)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use support::{Place, Run, finish};

/// sops with an identity of this test's, in a place of its own.
struct Sops {
    tools: PathBuf,
    place: Place,
    recipient: String,
}

impl Sops {
    fn new() -> Self {
        let tools = PathBuf::from(std::env::var_os("LATHE_TEST_SOPS").unwrap());
        let place = Place::new();
        let key = place.path("key.txt");
        let made = Command::new(tools.join("age-keygen")).arg("-o").arg(&key).output().unwrap();
        assert!(made.status.success());
        let recipient =
            finish(Command::new(tools.join("age-keygen")).arg("-y").arg(&key).output().unwrap()).stdout;
        Self { tools, place, recipient: recipient.trim().to_owned() }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(self.tools.join("sops"));
        command.args(arguments).env_clear().env("HOME", self.place.folder.path());
        command.env("SOPS_AGE_KEY_FILE", self.place.path("key.txt")).current_dir(self.place.folder.path());
        finish(command.output().unwrap())
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "sops {arguments:?}: {}", run.stderr);
        run.stdout
    }

    /// Encrypts a file in place.
    fn encrypt(&self, name: &str, bytes: &[u8], more: &[&str]) {
        fs::write(self.place.path(name), bytes).unwrap();
        self.ok(&[&["encrypt", "--in-place", "--age", &self.recipient], more, &[name]].concat());
    }

    /// Lathe beside it, with its identity.
    fn lathe(&self, arguments: &[&str]) -> Run {
        let mut command = self.place.command(arguments);
        finish(command.env("SOPS_AGE_KEY_FILE", self.place.path("key.txt")).output().unwrap())
    }

    /// The values of references of a Secret, or why there are none.
    fn values(&self, references: &[&str]) -> Result<Value, String> {
        let lines =
            references.iter().enumerate().map(|(index, reference)| format!("  k{index}: {reference:?}\n"));
        let lines: String = lines.collect();
        self.pipeline(&format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData:\n{lines}"));
        let run = self.lathe(&["render", "--env", "e", "--show-secrets", "-o", "json"]);
        if run.code != 0 {
            assert!(run.stdout.is_empty() && run.code == 3, "{}", run.stderr);
            return Err(run.stderr);
        }
        let list: Value = serde_json::from_str(&run.stdout).unwrap();
        Ok(list["items"][0].clone())
    }

    fn pipeline(&self, input: &str) {
        self.place.write("in.yaml", input);
        self.place.write("lathe.yaml", "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\ninputs: [in.yaml]\nenvironments: {e: {namespace: ns}}\nsecrets:\n  providers: {kv: {type: sops, path: values.yaml}}\ntransforms: [{plugin: \"builtin:secrets\"}]\n");
        self.place.ok(&["lock"]);
    }
}

const YAML: &str = "# a comment at the top\na: x\nn: 12\noctal: 012\nfloat: 1.50\nlarge: 089\ngrouped: 1_000\nb: true\nday: 2026-11-26\nat: 2026-11-26T10:00:00.120+02:00\nempty: \"\"\nnothing: null\nyes_: yes\nlist:\n  - one\n  # a comment in a list\n  - k: v\n  - 3\nnested:\n  z: \"several\\nlines\\n\"\n  y_unencrypted: plain # behind\nanchors:\n  base: &base {p: q}\n  copy: *base\n";

/// What sops makes of a file, in JSON.
fn decrypted(sops: &Sops, name: &str) -> Value {
    serde_json::from_str(&sops.ok(&["decrypt", "--output-type", "json", name])).unwrap()
}

/// Holds each scalar that sops finds against what Lathe finds.
fn same(sops: &Sops, name: &str) {
    fn walk(value: &Value, way: &str, out: &mut Vec<(String, String)>) {
        let mut below = |key: &str, value: &Value| walk(value, &format!("{way}/{key}"), out);
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| below(key, value)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| below(&index.to_string(), item));
            }
            Value::Null => {}
            Value::String(text) => out.push((way.to_owned(), text.clone())),
            other => out.push((way.to_owned(), other.to_string())),
        }
    }
    let mut want = Vec::new();
    walk(&decrypted(sops, name), "", &mut want);
    assert!(want.len() > 1);
    let references: Vec<String> = want.iter().map(|(way, _)| format!("ref+sops://{name}#{way}")).collect();
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    let have = sops.values(&references).unwrap();
    for (index, (way, value)) in want.iter().enumerate() {
        assert_eq!(have["stringData"][format!("k{index}")].as_str(), Some(value.as_str()), "{name}#{way}");
    }
}

#[test]
#[ignore = "needs LATHE_TEST_SOPS"]
fn what_sops_encrypted_is_read_as_sops_reads_it() {
    let sops = Sops::new();
    let all: [(&str, &[&str]); 4] = [
        ("full.yaml", &[]),
        ("regex.yaml", &["--encrypted-regex", "^(nested|a)$"]),
        ("suffix.yaml", &["--encrypted-suffix", "_"]),
        ("not.yaml", &["--unencrypted-regex", "^(a|list|day|at|octal|float|large|grouped|b)$"]),
    ];
    let rules = format!(
        "creation_rules: [{{age: {}, mac_only_encrypted: true, encrypted_regex: ^(nested|list)$}}]\n",
        sops.recipient
    );
    sops.place.write(".sops.yaml", &rules);
    sops.place.write("mac.yaml", YAML);
    sops.ok(&["encrypt", "--in-place", "mac.yaml"]);
    fs::remove_file(sops.place.path(".sops.yaml")).unwrap();
    same(&sops, "mac.yaml");
    for (name, flags) in all {
        sops.encrypt(name, YAML.as_bytes(), flags);
        same(&sops, name);
    }
    sops.encrypt("many.yaml", b"a: x\n---\nb: y\n", &[]);
    assert_eq!(sops.values(&["ref+sops://many.yaml#/a"]).unwrap()["stringData"]["k0"], "x");
    sops.encrypt("a.json", br#"{"a":"x","n":1.5,"i":7,"l":["p",{"q":true}],"e":"","z":null}"#, &[]);
    same(&sops, "a.json");
    sops.encrypt("a.env", b"A=b\n# comment\nD=e f=g\nE=\nL=a\\nb\n", &[]);
    same(&sops, "a.env");
    sops.encrypt("a.ini", b"[one]\na = b\n; comment\nc = d e\n\n[two]\na = x\n", &[]);
    same(&sops, "a.ini");
    sops.encrypt("a.bin", &[0xff, 0, b'x', b'\n'], &[]);
    let read = sops.values(&["ref+sops://a.bin"]).unwrap();
    assert_eq!(read["data"]["k0"], "/wB4Cg==");
    // Of a whole tree there is no one value.
    assert!(sops.values(&["ref+sops://a.json"]).unwrap_err().contains("is a map"));
    // A provider, and avp's spelling.
    sops.encrypt("values.yaml", b"portal:\n  db: {password: pw}\n", &[]);
    assert_eq!(sops.values(&["ref+vault://kv/portal#/db/password"]).unwrap()["stringData"]["k0"], "pw");
    assert_eq!(
        sops.values(&["<path:kv/data/portal#db | jsonPath {.password}>"]).unwrap()["stringData"]["k0"],
        "pw"
    );
}

#[test]
#[ignore = "needs LATHE_TEST_SOPS"]
fn what_was_tampered_with_is_refused() {
    let sops = Sops::new();
    sops.encrypt("t.yaml", b"a: hunter2\nb: other\nlist: [p, q]\nopen_unencrypted: x\n", &[]);
    let sound = fs::read_to_string(sops.place.path("t.yaml")).unwrap();
    let line =
        |key: &str| sound.lines().find(|line| line.starts_with(&format!("{key}:"))).unwrap().to_owned();
    let (a, b) = (line("a"), line("b"));
    let value = |line: &str| line.split_once(": ").unwrap().1.to_owned();
    let mac = sound.lines().find(|line| line.trim_start().starts_with("mac:")).unwrap().to_owned();
    let items: Vec<String> =
        sound.lines().filter(|line| line.trim_start().starts_with("- ENC")).map(ToOwned::to_owned).collect();
    let all = [
        ("value", sound.replace(&a, &a.replace("data:", "data:AAAA")), "not what was encrypted"),
        (
            "swapped",
            sound.replace(&value(&a), "@@").replace(&value(&b), &value(&a)).replace("@@", &value(&b)),
            "not what was encrypted",
        ),
        ("name", sound.replace(&a, &a.replacen("a:", "c:", 1)), "not what was encrypted"),
        (
            "order",
            sound.replace(&items[0], "@@").replace(&items[1], &items[0]).replace("@@", &items[1]),
            "MAC",
        ),
        ("taken out", sound.replace(&format!("{b}\n"), ""), "MAC"),
        ("added", sound.replace(&format!("{b}\n"), &format!("{b}\nnew_unencrypted: y\n")), "MAC"),
        ("open", sound.replace("open_unencrypted: x", "open_unencrypted: y"), "MAC"),
        ("plain", sound.replace(&value(&a), "hunter2"), "not encrypted"),
        ("mac", sound.replace(&mac, &mac.replace("data:", "data:AAAA")), "MAC"),
        ("date", sound.replace("lastmodified: \"2", "lastmodified: \"1"), "MAC"),
        ("no mac", sound.replace(&format!("{mac}\n"), ""), "mac"),
        ("no metadata", sound.split("sops:").next().unwrap().to_owned(), "not encrypted"),
    ];
    assert_eq!(sops.values(&["ref+sops://t.yaml#/a"]).unwrap()["stringData"]["k0"], "hunter2");
    for (what, text, told) in all {
        assert_ne!(text, sound, "{what}");
        fs::write(sops.place.path("t.yaml"), text).unwrap();
        let error = sops.values(&["ref+sops://t.yaml#/a"]).unwrap_err();
        assert!(error.contains(told) && !error.contains("hunter2"), "{what}: {error}");
        assert_ne!(sops.run(&["decrypt", "t.yaml"]).code, 0, "{what}");
    }
    // Somebody else's identity, and none.
    fs::write(sops.place.path("t.yaml"), sound).unwrap();
    let other = Sops::new();
    fs::copy(other.place.path("key.txt"), sops.place.path("key.txt")).unwrap();
    assert!(sops.values(&["ref+sops://t.yaml#/a"]).unwrap_err().contains("none of the age identities"));
    fs::write(sops.place.path("key.txt"), "# no identity\n").unwrap();
    let told = sops.values(&["ref+sops://t.yaml#/a"]).unwrap_err();
    assert!(told.contains("no age identity") && told.contains("hint: `SOPS_AGE_KEY`"), "{told}");
}

const SECRETS: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: one, labels: {a: \"1\", on: \"yes\"}}\ntype: Opaque\nstringData: {a: hunter2, b: \"several\\nlines\\n\", e: \"\"}\ndata: {c: aHVudGVyMg==}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: two}\nimmutable: true\nstringData: {a: other}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: plain}\n";

#[test]
#[ignore = "needs LATHE_TEST_SOPS"]
fn what_lathe_encrypts_sops_decrypts() {
    let sops = Sops::new();
    sops.pipeline(SECRETS);
    let render = |more: &[&str]| {
        sops.lathe(
            &[&["render", "--env", "e", "--secrets", "sops", "--age-recipient", &sops.recipient], more]
                .concat(),
        )
    };
    let run = render(&["--output-dir", "out"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let plain = sops.lathe(&["render", "--env", "e", "--show-secrets", "-o", "json"]);
    let plain: Value = serde_json::from_str(&plain.stdout).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(sops.place.path("out")).unwrap().flatten() {
        let name = format!("out/{}", entry.file_name().to_string_lossy());
        let text = fs::read_to_string(entry.path()).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{name}");
        if !text.contains("kind: Secret") {
            continue;
        }
        count += 1;
        let have = decrypted(&sops, &name);
        let want =
            plain["items"].as_array().unwrap().iter().find(|item| {
                item["kind"] == "Secret" && item["metadata"]["name"] == have["metadata"]["name"]
            });
        assert_eq!(Some(&have), want, "{name}");
        // Lathe reads its own, too.
        let read = sops.values(&[&format!("ref+sops://{name}#/metadata/name")]).unwrap();
        assert_eq!(read["stringData"]["k0"], have["metadata"]["name"]);
        sops.pipeline(SECRETS);
    }
    assert_eq!(count, 2);
    // One name changed is noticed.
    let file = sops.place.path("out").join(
        fs::read_dir(sops.place.path("out"))
            .unwrap()
            .flatten()
            .map(|e| e.file_name().into_string().unwrap())
            .find(|name| name.contains("two"))
            .unwrap(),
    );
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("name: two", "name: three")).unwrap();
    assert_ne!(sops.run(&["decrypt", &file.display().to_string()]).code, 0);
}

#[test]
#[ignore = "needs LATHE_TEST_SOPS"]
fn what_is_the_same_stays_the_same() {
    let sops = Sops::new();
    sops.pipeline(SECRETS);
    let render = |more: &[&str]| {
        let run = sops.lathe(
            &[&["render", "--env", "e", "--secrets", "sops", "--age-recipient", &sops.recipient], more]
                .concat(),
        );
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    let first = render(&[]);
    assert_ne!(first, render(&[]), "each time is another");
    sops.place.write("first.yaml", &first);
    assert_eq!(first, render(&["--previous", "first.yaml"]));
    sops.pipeline(&SECRETS.replace("several", "many"));
    let changed = render(&["--previous", "first.yaml"]);
    let documents = |text: &str| text.split("\n---\n").map(ToOwned::to_owned).collect::<Vec<_>>();
    let (before, after) = (documents(&first), documents(&changed));
    let kept: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before == after).collect();
    // The Secret that changed, the one that did not, the ConfigMap.
    assert_eq!(kept, [false, true, true], "{changed}");
    // Of the one that changed nothing is kept, for its key may be known to who wrote the earlier output.
    let sealed = |text: &str| {
        text.lines().filter(|line| line.contains("ENC[")).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert!(sealed(&after[0]).iter().all(|line| !before[0].contains(line.as_str())));
    // What is not encrypted is not kept, though its MAC fits.
    sops.pipeline("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter2}\n");
    sops.encrypt(
        "open.yaml",
        b"apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  namespace: ns\nstringData:\n  a: hunter2\n",
        &["--encrypted-regex", "^nothing$"],
    );
    assert!(!render(&["--previous", "open.yaml"]).contains("hunter2"));
    sops.pipeline(SECRETS);
    // Without the identity nothing can be kept, and for others nothing is.
    let other = Sops::new();
    let run = sops.lathe(&[
        "render",
        "--env",
        "e",
        "--secrets",
        "sops",
        "--age-recipient",
        &other.recipient,
        "--previous",
        "first.yaml",
    ]);
    assert!(run.code == 0 && !run.stdout.contains(&sops.recipient));
    let run = sops.lathe(&["render", "--env", "e", "--secrets", "sops"]);
    assert!(run.code == 2 && run.stderr.contains("--age-recipient"), "{}", run.stderr);
}

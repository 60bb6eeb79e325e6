//! The forms of a render's output: lines of JSON, a folder of files, Helm's comments.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use support::Place;

const TWO: &str = "# Source: chart/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: web}\n\
    ---\n# Source: chart/templates/b.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b}\n";

fn names(place: &Place, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(folder)).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn lines_of_json_and_helms_comments() {
    let place = Place::new();
    place.write("in.yaml", TWO);
    let lines = place.ok(&["render", "-f", "in.yaml", "-o", "jsonl"]);
    assert_eq!(
        lines,
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\",\"namespace\":\"web\"}}\n\
         {\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"b\"}}\n"
    );
    let yaml = place.ok(&["render", "-f", "in.yaml"]);
    assert!(yaml.starts_with("# Source: chart/templates/a.yaml\napiVersion: v1\n"), "{yaml}");
    assert!(yaml.contains("---\n# Source: chart/templates/b.yaml\napiVersion: apps/v1\n"), "{yaml}");
    place.write("again.yaml", &yaml);
    assert_eq!(place.ok(&["render", "-f", "again.yaml"]), yaml);
    // Which of two equal objects was read first does not show.
    let second = TWO.split("---\n").next().unwrap().replace("a.yaml", "0.yaml");
    place.write("first.yaml", &format!("{TWO}---\n{second}"));
    place.write("last.yaml", &format!("{second}---\n{TWO}"));
    let first = place.ok(&["render", "-f", "first.yaml"]);
    assert_eq!(place.ok(&["render", "-f", "last.yaml"]), first);
}

#[test]
fn a_folder_holds_a_file_for_each_object_and_nothing_that_is_not_lathes_is_touched() {
    let place = Place::new();
    place.write("in.yaml", TWO);
    let render = ["render", "-f", "in.yaml", "--output-dir", "out"];
    assert_eq!(place.ok(&render), "");
    assert_eq!(names(&place, "out"), [".lathe-files", "configmap_web_a.yaml", "deployment.apps_b.yaml"]);
    let map = fs::read_to_string(place.path("out/configmap_web_a.yaml")).unwrap();
    assert!(map.starts_with("# Source: chart/templates/a.yaml\napiVersion: v1\n"), "{map}");

    // What is not there any more goes, and what somebody changed stays.
    place.write("in.yaml", TWO.split("---\n").next().unwrap());
    place.ok(&render);
    assert_eq!(names(&place, "out"), [".lathe-files", "configmap_web_a.yaml"]);
    place.write("in.yaml", &TWO.replace("name: a,", "name: c,"));
    place.write("out/configmap_web_a.yaml", "mine now\n");
    let run = place.run(&render);
    assert!(run.code == 0 && run.stderr.contains("it was changed since Lathe wrote it"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(place.path("out/configmap_web_a.yaml")).unwrap(), "mine now\n");

    // What is in the way is told, and nothing is written.
    place.write("in.yaml", TWO);
    let run = place.run(&render);
    assert!(run.code == 3 && run.stderr.contains("Lathe did not write it"), "{}", run.stderr);
    fs::remove_file(place.path("out/configmap_web_a.yaml")).unwrap();
    place.write("elsewhere", "keep\n");
    symlink(place.path("elsewhere"), place.path("out/configmap_web_a.yaml")).unwrap();
    assert_eq!(place.run(&render).code, 3);
    assert_eq!(fs::read_to_string(place.path("elsewhere")).unwrap(), "keep\n");

    // A list that somebody forged leads nowhere else.
    let forged = "{\"files\": {\"../elsewhere\": \"sha256:0\", \"/etc/passwd\": \"sha256:0\"}}";
    place.write("forged/.lathe-files", forged);
    let run = place.run(&["render", "-f", "in.yaml", "--output-dir", "forged", "-o", "json"]);
    assert!(run.code == 2 && run.stderr.contains("is not a list that Lathe wrote"), "{}", run.stderr);
    assert!(place.path("elsewhere").exists());
    assert_eq!(names(&place, "forged"), [".lathe-files"]);
    let run = place.run(&["render", "-f", "in.yaml", "--output-dir", "x", "-o", "jsonl"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
}

#[test]
fn a_folder_outlives_runs_that_are_killed_and_runs_at_once() {
    let place = Place::new();
    let maps = |text: &str| -> String {
        let one = |n: usize| {
            format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}}}\ndata: {{x: {text}}}\n")
        };
        (0..300).map(one).collect()
    };
    place.write("one.yaml", &maps("one"));
    place.write("two.yaml", &maps("two"));
    let render = |file: &'static str| ["render", "-f", file, "--output-dir", "out"];
    place.ok(&render("one.yaml"));
    for millis in [1, 4, 8, 12, 16, 20, 24, 6, 16, 10, 8, 14] {
        let mut child = place
            .command(&render(if millis % 8 == 0 { "one.yaml" } else { "two.yaml" }))
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let run = place.run(&render("two.yaml"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(names(&place, "out").len(), 301, "{:?}", names(&place, "out"));
    assert!(fs::read_to_string(place.path("out/configmap_c7.yaml")).unwrap().contains("two"));

    // Of two at once one goes ahead, and the other says so.
    let mut children: Vec<_> = (0..4)
        .map(|_| place.command(&render("one.yaml")).stderr(std::process::Stdio::null()).spawn().unwrap())
        .collect();
    let codes: Vec<_> = children.iter_mut().map(|child| child.wait().unwrap().code().unwrap()).collect();
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 2].contains(code)), "{codes:?}");
    assert!(fs::read_to_string(place.path("out/configmap_c7.yaml")).unwrap().contains("one"));
}

#[test]
fn what_the_user_has_in_a_folder_stays_the_users() {
    let place = Place::new();
    let map =
        |value: &str| format!("apiVersion: v1\ndata:\n  v: {value}\nkind: ConfigMap\nmetadata:\n  name: x\n");
    place.write("in.yaml", &map("a"));
    // Equal by chance, and still not Lathe's.
    place.write("out/configmap_x.yaml", &map("a"));
    let render = ["render", "-f", "in.yaml", "--output-dir", "out"];
    place.ok(&render);
    place.write("in.yaml", &map("b"));
    let run = place.run(&render);
    assert!(run.code == 3 && run.stderr.contains("Lathe did not write it"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(place.path("out/configmap_x.yaml")).unwrap(), map("a"));

    // What is there is input as well; an empty input empties nothing.
    place.ok(&["render", "-f", "in.yaml", "--output-dir", "own"]);
    assert!(place.ok(&["render", "-f", "own"]).contains("name: x"));
    place.write("empty.yaml", "");
    let run = place.run(&["render", "-f", "empty.yaml", "--output-dir", "own"]);
    assert!(run.code == 3 && run.stderr.contains("1 files of an earlier run"), "{}", run.stderr);
    place.write("own/configmap_x.yaml", "edited\n");
    let run = place.run(&["render", "-f", "in.yaml", "--output-dir", "own"]);
    assert!(run.code == 3 && run.stderr.contains("changed since Lathe wrote it"), "{}", run.stderr);

    // Modes: a Secret is for its owner, and what was chosen stays.
    place.write("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n");
    place.ok(&["render", "-f", "s.yaml", "--output-dir", "s"]);
    let mode = || fs::metadata(place.path("s/secret_s.yaml")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(place.path("s/secret_s.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
    place.write("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: x\n");
    place.ok(&["render", "-f", "s.yaml", "--output-dir", "s"]);
    assert_eq!(mode(), 0o640);
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    place.write("in.yaml", TWO);
    let reading = fs::File::open(place.path("in.yaml")).unwrap();
    let output = place.command(&["render", "-f", "in.yaml"]).stdout(reading).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("standard output cannot be written"), "{told}");

    // A reader that went away is none.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(place.command(&["render", "-f", "in.yaml"]).stdout(writer).status().unwrap().code(), Some(0));
}

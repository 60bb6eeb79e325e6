//! The forms of a render's output: lines of JSON, a folder of files, Helm's comments.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;

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
    assert_eq!(names(&place, "out"), [".lathe-files.json", "configmap_web_a.yaml", "deployment.apps_b.yaml"]);
    let map = fs::read_to_string(place.path("out/configmap_web_a.yaml")).unwrap();
    assert!(map.starts_with("# Source: chart/templates/a.yaml\napiVersion: v1\n"), "{map}");

    // What is not there any more goes, and what somebody changed stays.
    place.write("in.yaml", TWO.split("---\n").next().unwrap());
    place.ok(&render);
    assert_eq!(names(&place, "out"), [".lathe-files.json", "configmap_web_a.yaml"]);
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
    place.write("forged/.lathe-files.json", forged);
    place.ok(&["render", "-f", "in.yaml", "--output-dir", "forged", "-o", "json"]);
    assert!(place.path("elsewhere").exists());
    assert_eq!(
        names(&place, "forged"),
        [".lathe-files.json", "configmap_web_a.json", "deployment.apps_b.json"]
    );
    let run = place.run(&["render", "-f", "in.yaml", "--output-dir", "x", "-o", "jsonl"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
}

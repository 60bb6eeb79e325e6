//! Plugins and a real registry.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "a test is told by its environment where its tools are")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::registry::{Registry, User};
use support::{Place, console, root};

const PIPELINE: &str = "apiVersion: lathe.dev/v1alpha1
kind: Pipeline
metadata: {name: shop}
inputs: [in.yaml]
environments: {production: {namespace: shop}}
transforms:
- plugin: oci:REGISTRY/plugins/team:1.0
  writes: [\"ConfigMap /metadata/annotations/touched\"]
  config: {do: set-every}
";

/// A registry, and a pipeline whose plugin is there.
fn shop(registry: &Registry) -> Place {
    let place = Place::new();
    fs::write(place.path("team.wasm"), guest(1)).unwrap();
    place.write("shop/lathe.yaml", &PIPELINE.replace("REGISTRY", &registry.address));
    place.write("shop/in.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    place
}

/// The test guest, with a section that nobody reads: other bytes for each number.
fn guest(number: u8) -> Vec<u8> {
    let mut bytes = lathe_test_guests::GUEST.to_vec();
    bytes.extend([0, 3, 1, b'n', number]);
    bytes
}

fn push(place: &Place, registry: &Registry, wasm: &[u8]) -> String {
    fs::write(place.path("team.wasm"), wasm).unwrap();
    let run = place.run(&["plugin", "push", "team.wasm", &format!("{}/plugins/team:1.0", registry.address)]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.stderr
}

/// The file in which the registry keeps a blob.
fn blob(registry: &Registry, digest: &str) -> PathBuf {
    let hex = digest.trim_start_matches("sha256:");
    registry.folder().join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
}

fn digest(wasm: &[u8]) -> String {
    lathe_manifest::digest::of_bytes(wasm)
}

fn forget(place: &Place) {
    fs::remove_dir_all(place.path(".cache/lathe/plugins")).unwrap();
}

#[test]
#[ignore = "needs a registry: cargo xtask test"]
fn the_guide_tells_the_truth() {
    let registry = Registry::start(&User::Anyone);
    let page = root().join("docs/guide/publish.md");
    console::run_beside(&page, &[("REGISTRY", &registry.address)], &|place| {
        fs::write(place.path("team.wasm"), guest(1)).unwrap();
        place.write("shop/lathe.yaml", &PIPELINE.replace("REGISTRY", &registry.address));
        place.write("shop/in.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    });
}

#[test]
#[ignore = "needs a registry: cargo xtask test"]
fn a_tag_counts_only_when_it_is_locked() {
    let registry = Registry::start(&User::Anyone);
    let place = shop(&registry);
    push(&place, &registry, &guest(1));
    place.ok(&["lock", "-p", "shop", "--accept"]);
    let lock = fs::read_to_string(place.path("shop/lathe.lock")).unwrap();
    assert!(lock.contains(&digest(&guest(1))) && lock.contains("manifest: sha256:"), "{lock}");
    let render = ["render", "-p", "shop", "--env", "production"];
    let first = place.ok(&render);
    assert!(first.contains("touched: \"yes\""), "{first}");

    push(&place, &registry, &guest(2));
    // The same from here, and from the registry.
    assert_eq!(place.ok(&render), first);
    forget(&place);
    assert_eq!(place.ok(&render), first);
    let run = place.run(&["lock", "-p", "shop"]);
    assert!(run.code == 0 && run.stderr.contains(&digest(&guest(2))), "{}", run.stderr);
    assert_eq!(place.ok(&render), first);

    // Once fetched, nobody is asked.
    let address = registry.address.clone();
    drop(registry);
    assert_eq!(place.ok(&render), first);
    forget(&place);
    let run = place.run(&render);
    assert!(
        run.code == 3 && run.stderr.contains(&format!("oci:{address}/plugins/team:1.0")),
        "{}",
        run.stderr
    );
}

#[test]
#[ignore = "needs a registry: cargo xtask test"]
fn bytes_with_another_digest_are_refused() {
    let registry = Registry::start(&User::Anyone);
    let place = shop(&registry);
    push(&place, &registry, &guest(1));
    place.ok(&["lock", "-p", "shop", "--accept"]);
    let render = ["render", "-p", "shop", "--env", "production"];
    place.ok(&render);

    // On the way here.
    let file = blob(&registry, &digest(&guest(1)));
    fs::write(&file, guest(3)).unwrap();
    forget(&place);
    let run = place.run(&render);
    assert!(run.code == 3 && run.stderr.contains("igest"), "{}", run.stderr);
    let run = place.run(&["plugin", "pull", &format!("{}/plugins/team:1.0", registry.address)]);
    assert!(run.code == 3 && run.stderr.contains("igest"), "{}", run.stderr);
    fs::write(&file, guest(1)).unwrap();
    place.ok(&render);

    // Where it is kept: what is damaged is fetched anew.
    let kept = fs::read_dir(place.path(".cache/lathe/plugins")).unwrap().flatten().next().unwrap().path();
    fs::write(&kept, guest(3)).unwrap();
    place.ok(&render);
    assert_eq!(fs::read(&kept).unwrap(), guest(1));

    // In the lock: a digest that the repository does not have, and one that is none.
    let lock = fs::read_to_string(place.path("shop/lathe.lock")).unwrap();
    for other in [digest(&guest(9)), "sha256:../../../../etc/passwd".to_owned(), String::new()] {
        place.write("shop/lathe.lock", &lock.replace(&digest(&guest(1)), &other));
        let run = place.run(&render);
        assert!(run.code == 3, "{}", run.stderr);
    }
}

#[test]
#[ignore = "needs a registry: cargo xtask test"]
fn a_bundle_takes_the_place_of_registries() {
    let registry = Registry::start(&User::Anyone);
    let place = shop(&registry);
    push(&place, &registry, &guest(1));
    place.ok(&["lock", "-p", "shop", "--accept"]);
    let render = ["render", "-p", "shop", "--env", "production", "--bundle", "bundle"];
    let first = place.ok(&render[..5]);
    place.ok(&["plugin", "bundle", "bundle", "-p", "shop"]);
    drop(registry);
    forget(&place);
    assert_eq!(place.ok(&render), first);
    // Locking works offline as well; the manifest is the bundle's own.
    let run = place.run(&["lock", "-p", "shop", "--bundle", "bundle"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(place.ok(&render), first);
    let wasm = place.path("bundle/blobs/sha256").join(digest(&guest(1)).trim_start_matches("sha256:"));
    fs::write(&wasm, guest(3)).unwrap();
    let run = place.run(&render);
    assert!(run.code == 3 && run.stderr.contains("digest"), "{}", run.stderr);
    fs::remove_file(&wasm).unwrap();
    let run = place.run(&render);
    assert!(run.code == 3 && run.stderr.contains("is not in the bundle bundle"), "{}", run.stderr);
    let run = place.run(&["render", "-p", "shop", "--env", "production", "--bundle", "nowhere"]);
    assert!(run.code == 3 && run.stderr.contains("nowhere is no bundle of plugins"), "{}", run.stderr);
}

#[test]
#[ignore = "needs a registry: cargo xtask test"]
fn credentials_are_dockers() {
    let registry = Registry::start(&User::Tester);
    let place = shop(&registry);
    let reference = format!("{}/plugins/team:1.0", registry.address);
    let push = ["plugin", "push", "team.wasm", reference.as_str()];
    let refused = |place: &Place| {
        let run = place.run(&push);
        assert!(run.code == 3 && run.stderr.contains(&registry.address), "{}", run.stderr);
    };
    refused(&place);
    let auths = |auth: &str| format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.address);
    place.write(".docker/config.json", &auths("dGVzdGVyOndyb25n"));
    refused(&place);
    place.write(".docker/config.json", &auths(support::registry::AUTH));
    assert_eq!(place.run(&push).code, 0);
    assert_eq!(place.run(&["plugin", "pull", &reference]).code, 0);
    // A helper, which Docker finds on the path by its name.
    let helper = format!(
        "#!/bin/sh\nread server\n[ \"$server\" = {} ] || {{ echo credentials not found in native keychain; exit 1; }}\nprintf '{{\"Username\":\"tester\",\"Secret\":\"%s\"}}' {}\n",
        registry.address,
        support::registry::PASSWORD
    );
    place.write("bin/docker-credential-test", &helper);
    executable(&place.path("bin/docker-credential-test"));
    let with_helper = |server: &str| {
        place.write(".docker/config.json", &format!(r#"{{"credHelpers":{{"{server}":"test"}}}}"#));
        let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
        support::finish(place.command(&push).env("PATH", path).output().unwrap())
    };
    let run = with_helper(&registry.address);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(with_helper("other.example.org").code, 3);
    // Configured, and out of order.
    place.write(".docker/config.json", &format!(r#"{{"credHelpers":{{"{}":"absent"}}}}"#, registry.address));
    refused(&place);
    place.write(".docker/config.json", "{");
    refused(&place);
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[ignore = "needs a registry: cargo xtask test"]
fn a_registry_that_does_not_know_the_types_gets_older_ones() {
    let registry = Registry::start(&User::Anyone);
    let narrow = support::registry::Narrow::before(&registry);
    let place = shop(&registry);
    let reference = |address: &str| format!("{address}/plugins/team:1.0");
    let run = place.run(&["plugin", "push", "team.wasm", &reference(&narrow.address)]);
    assert!(run.code == 0 && run.stderr.contains("the older ones were used"), "{}", run.stderr);
    place.ok(&["plugin", "pull", &reference(&registry.address), "-o", "back.wasm"]);
    assert_eq!(fs::read(place.path("back.wasm")).unwrap(), guest(1));
    let standard = ["plugin", "push", "team.wasm", &reference(&narrow.address), "--media-types", "standard"];
    let run = place.run(&standard);
    assert!(run.code == 3 && run.stderr.contains("unknown media type"), "{}", run.stderr);
}

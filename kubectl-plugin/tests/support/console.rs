//! The console blocks of a page, run as a reader would type them in a checkout.
//!
//! A block is lines of commands (`$ …`), each with what it prints on both streams. `? N` is the exit code where it is not
//! zero, `[..]` stands for anything within a line, `...` for any lines.
#![allow(clippy::disallowed_methods, reason = "a test is told by its environment where its tools are")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::{Place, copy_example, finish, root};

struct Step {
    command: String,
    code: i32,
    lines: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step { command: command.to_owned(), code: 0, lines: Vec::new() });
                }
                (None, Some(step)) => match line.strip_prefix("? ") {
                    Some(code) => step.code = code.parse().unwrap(),
                    None => step.lines.push(line.to_owned()),
                },
                (None, None) => {}
            },
        }
    }
    steps
}

fn line_fits(want: &str, have: &str) -> bool {
    let mut rest = have;
    let parts: Vec<&str> = want.split("[..]").collect();
    for (index, part) in parts.iter().enumerate() {
        let found = if index == 0 { rest.starts_with(part).then_some(0) } else { rest.find(part) };
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || want.ends_with("[..]")
}

fn fits(want: &[String], have: &[&str]) -> bool {
    match want.split_first() {
        None => have.is_empty(),
        Some((first, rest)) if first == "..." => (0..=have.len()).any(|skip| fits(rest, &have[skip..])),
        Some((first, rest)) => {
            have.split_first().is_some_and(|(line, have)| line_fits(first, line) && fits(rest, have))
        }
    }
}

/// A checkout's examples, a `kubectl` that knows the plugin, and a `git` that puts files back.
fn checkout() -> Place {
    let place = Place::new();
    for name in ["hello", "portal", "hedgedoc", "jupyterhub", "review-environment"] {
        copy_example(name, &place);
    }
    fs::create_dir(place.path("examples")).unwrap();
    for name in ["hello", "portal", "hedgedoc", "jupyterhub", "review-environment"] {
        fs::rename(place.path(name), place.path("examples").join(name)).unwrap();
    }
    let binary = env!("CARGO_BIN_EXE_kubectl-lathe");
    let portal = root().join("examples/portal/lathe.yaml");
    place.write("bin/kubectl", &format!("#!/bin/sh\n[ \"$1\" = lathe ] || exec \"$LATHE_TEST_KUBECTL\" \"$@\"\nshift\nexec {binary} \"$@\"\n"));
    place.write("bin/git", &format!("#!/bin/sh\ncp {} examples/portal/lathe.yaml\n", portal.display()));
    for program in ["bin/kubectl", "bin/git"] {
        fs::set_permissions(place.path(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    place
}

/// Runs the page's blocks; `variables` are set beside `HOME` and `PATH`.
pub fn run(page: &Path, variables: &[(&str, &str)]) {
    run_beside(page, variables, &|_| {});
}

/// The same, with files beside the checkout that the page takes for granted.
pub fn run_beside(page: &Path, variables: &[(&str, &str)], prepare: &dyn Fn(&Place)) {
    let place = checkout();
    prepare(&place);
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    let home = place.folder.path().display().to_string();
    run_in(page, &place, &|command| {
        command.env_clear().env("HOME", &home).env("PATH", &path).envs(variables.iter().copied());
    });
}

/// Runs the page's blocks with this process's own environment, where a language's tools and their caches are; what they leave
/// stays as long as the place.
pub fn run_with_toolchains(page: &Path) -> Place {
    let place = checkout();
    let own = std::env::var("PATH").unwrap();
    run_in(page, &place, &|command| {
        command.env("PATH", format!("{}:{own}", place.path("bin").display()));
    });
    place
}

fn run_in(page: &Path, place: &Place, environment: &dyn Fn(&mut Command)) {
    let text = fs::read_to_string(page).unwrap();
    let steps = steps(&text);
    assert!(!steps.is_empty(), "{} has no console block", page.display());
    for step in steps {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("({}) 2>&1", step.command)]).current_dir(place.folder.path());
        environment(&mut command);
        let run = finish(command.output().unwrap());
        let have: Vec<&str> = run.stdout.lines().collect();
        let shown = format!("{}: $ {}\n{}", page.display(), step.command, run.stdout);
        assert_eq!(run.code, step.code, "{shown}");
        assert!(fits(&step.lines, &have), "{shown}\nis not\n{}", step.lines.join("\n"));
    }
}

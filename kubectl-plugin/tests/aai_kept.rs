//! What is kept of login clients: nothing is forgotten that is still registered, whatever a provider does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use serde_json::{Value, json};
use support::Place;
use support::app::{change, set_up};
use support::provider::Turn;

#[test]
fn a_lost_client_is_made_anew_where_that_is_meant() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    provider.seen.lock().unwrap().clients.clear();
    app.fails(3, "`--recreate-lost` registers another one");
    let run = app.run(&["sync", "--recreate-lost"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "client app registered anew\n"), "{}", run.stderr);
    assert!(run.stderr.contains("whose token is not accepted any more"), "{}", run.stderr);
    // One that cannot be taken back is not forgotten unless that is meant.
    provider.seen.lock().unwrap().clients.clear();
    let run = app.run(&["deregister", "--yes"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(app.record()["phase"], "lost");
    let run = app.run(&["deregister", "--yes", "--forget"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(app.record().is_null());
}

#[test]
fn what_cannot_be_taken_back_now_is_taken_back_later() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    provider.judge(|line, _| {
        if line.starts_with("DELETE") { Turn::Say(500, "text/html", "oops".to_owned()) } else { Turn::Fine }
    });
    assert_eq!(app.run(&["deregister", "--yes"]).code, 3);
    assert_eq!(app.record()["phase"], "deregistering");
    provider.judge(|_, _| Turn::Fine);
    let run = app.run(&["gc"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "client app deregistered\n"), "{}", run.stderr);
    assert!(provider.clients().is_empty() && app.record().is_null());
}

#[test]
fn who_has_no_token_may_be_left_out() {
    let (provider, app) = set_up();
    let sync = |more: &[&str]| {
        let fixed = ["aai", "sync", "--env", "prod", "--state", "clients.json"];
        app.place.run(&[&fixed[..], more].concat())
    };
    let run = sync(&[]);
    assert_ne!(run.code, 0);
    assert!(
        run.stderr.contains("the variable `TOKEN` is not set; `--optional` leaves the client out"),
        "{}",
        run.stderr
    );
    let run = sync(&["--optional"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with("client app skipped: "), "{}", run.stdout);
    assert_eq!(provider.count("POST "), 0);
}

#[test]
fn the_file_of_clients_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_provider, app) = set_up();
    app.ok("client app registered");
    let file = app.place.path("clients.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let run = app.sync();
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("others may read it"), "{}", run.stderr);
}

#[test]
fn a_client_on_request_waits_for_approval() {
    let (provider, app) = set_up();
    app.change("mode: dcr, tokenEnv: TOKEN", "mode: request");
    let run = app.sync();
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains("waits for approval"), "{}", run.stderr);
    let form = app.run(&["show", "app", "-o", "request"]).stdout;
    assert_eq!(form, app.run(&["show", "app", "-o", "request"]).stdout);
    let form: Value = serde_json::from_str(&form).unwrap();
    assert_eq!(form["redirectUris"], json!(["https://app.example.org/oauth2/callback"]));
    assert!(!form["clientId"].as_str().unwrap().contains(':'));
    app.place.write("secret", "approved-secret\n");
    let run = app.run(&["import", "app", "--client-id", "approved", "--client-secret-file", "secret"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    app.ok("client app unchanged");
    assert_eq!(provider.count("POST "), 0);
    let shown = app
        .place
        .command(&["aai", "show", "app", "-o", "secret", "--env", "prod", "--state", "clients.json"])
        .output()
        .unwrap();
    let shown = support::finish(shown);
    assert!(
        shown.stdout.contains("approved-secret") && shown.stdout.contains("client-id: approved"),
        "{}{}",
        shown.stdout,
        shown.stderr
    );
}

#[test]
fn who_may_not_be_deleted_is_not_forgotten() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    // RFC 7592 section 2.3: a client that may not delete itself.
    provider.judge(|line, _| {
        if line.starts_with("DELETE") {
            Turn::Say(403, "application/json", "{}".to_owned())
        } else {
            Turn::Fine
        }
    });
    assert_eq!(app.run(&["deregister", "--yes"]).code, 3);
    assert_eq!(app.record()["registration"]["clientId"], "id-1");
    // One that may not read itself is not another client with each run.
    provider.judge(|line, _| {
        if line.starts_with("GET /register") {
            Turn::Say(403, "application/json", "{}".to_owned())
        } else {
            Turn::Fine
        }
    });
    assert_eq!(app.run(&["deregister", "--yes"]).code, 0);
    app.ok("client app registered");
    app.ok("client app unchanged");
    assert_eq!(provider.count("POST "), 2);
    assert_eq!(app.run(&["deregister", "--yes"]).code, 0);
    assert!(provider.clients().is_empty());
}

#[test]
fn a_client_that_was_replaced_is_not_forgotten() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    assert_eq!(app.run(&["rotate", "app"]).code, 0);
    assert_eq!(provider.clients().len(), 2, "workloads still read the first");
    app.ok("client app unchanged");
    assert_eq!(provider.clients().len(), 2, "nobody has seen workloads come");
    provider.judge(|line, _| {
        if line == "DELETE /register/id-1" { Turn::Say(503, "text/plain", String::new()) } else { Turn::Fine }
    });
    assert_eq!(app.run(&["deregister", "--yes"]).code, 3);
    assert_eq!(app.record()["superseded"][0]["clientId"], "id-1");
    provider.judge(|_, _| Turn::Fine);
    assert_eq!(app.run(&["deregister", "--yes"]).code, 0);
    assert!(provider.clients().is_empty() && app.record().is_null());
}

#[test]
fn a_rotation_that_fails_leaves_the_client_as_it_was() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    let before = app.record();
    provider.judge(|line, _| match line {
        "POST /register" => Turn::Change(|document, _| document["redirect_uris"] = json!([])),
        "DELETE /register/id-2" => Turn::Say(500, "text/plain", String::new()),
        _ => Turn::Fine,
    });
    assert_eq!(app.run(&["rotate", "app", "--now"]).code, 3);
    let after = app.record();
    assert_eq!(
        (&after["registration"], &after["generation"]),
        (&before["registration"], &before["generation"])
    );
    assert_eq!(after["superseded"][0]["clientId"], "id-2", "what could not be taken back is kept in mind");
    provider.judge(|_, _| Turn::Fine);
    assert_eq!(app.run(&["deregister", "--yes"]).code, 0);
    assert!(provider.clients().is_empty());
}

#[test]
fn another_mode_does_not_lose_a_client() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    app.change("mode: dcr, tokenEnv: TOKEN", "mode: static, clientId: ours, clientSecretEnv: TOKEN");
    app.fails(3, "was registered by mode `dcr`; `aai deregister` comes first");
    assert_eq!(provider.clients().len(), 1);
    assert_eq!(app.run(&["deregister", "--yes"]).code, 0);
    assert!(provider.clients().is_empty());
    app.ok("client app registered");
    // A client that was registered by hand is never changed.
    app.change("mode: static, clientId: ours, clientSecretEnv: TOKEN", "mode: dcr, tokenEnv: TOKEN");
    app.ok("client app registered");
    assert_eq!(provider.count("PUT "), 0);
    assert_eq!(app.record()["registration"]["clientId"], "id-2");
}

#[test]
fn a_provider_that_manages_no_clients_is_enough() {
    let (provider, app) = set_up();
    // RFC 7591 alone.
    change(&provider, "POST /register", |document, _| {
        let map = document.as_object_mut().unwrap();
        map.remove("registration_client_uri");
        map.remove("registration_access_token");
    });
    app.ok("client app registered");
    app.ok("client app unchanged");
    assert_eq!(provider.count("POST "), 1);
    app.change("hosts: [app.example.org], w", "hosts: [two.example.org], w");
    app.fails(3, "the provider did not tell where it is managed");
    assert_eq!(app.run(&["deregister", "--yes"]).code, 3);
    let run = app.run(&["deregister", "--yes", "--forget"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("it is forgotten all the same"), "{}", run.stderr);
}

#[test]
fn an_outage_while_a_client_is_made_anew_is_none_of_nothing_changed() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    provider.seen.lock().unwrap().clients.clear();
    provider.judge(|line, _| {
        if line == "POST /register" { Turn::Say(429, "text/plain", String::new()) } else { Turn::Fine }
    });
    let run = app.run(&["sync", "--recreate-lost"]);
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("is not available"), "{}", run.stderr);
    // Nor does `--forget` forget a client whose provider is only away.
    provider.judge(|_, _| Turn::Fine);
    app.ok("client app registered");
    provider.judge(|_, _| Turn::Say(503, "text/plain", String::new()));
    assert_ne!(app.run(&["deregister", "--yes", "--forget"]).code, 0);
    assert_eq!(app.record()["phase"], "registered");
}

#[test]
fn an_answer_about_another_client_is_not_taken() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    let before = app.record();
    provider.judge(|line, _| {
        if line.starts_with("GET /register") {
            Turn::Change(|document, _| document["client_id"] = json!("other"))
        } else {
            Turn::Fine
        }
    });
    app.fails(3, "its answer is about another client");
    assert_eq!(app.record()["registration"], before["registration"]);
}

#[test]
fn a_project_has_to_be_named_where_there_is_no_pipeline() {
    let place = Place::new();
    let run = place.run(&["aai", "deregister", "--review", "42", "--state", "clients.json"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no project is named"), "{}", run.stderr);
}

#[test]
fn somebody_elses_client_is_imported_only_where_that_is_meant() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    // Another one, of another hand.
    let document = json!({"client_id": "theirs", "client_name": "Theirs", "client_secret": "x", "redirect_uris": ["https://theirs.example/"]});
    provider.seen.lock().unwrap().clients.insert("theirs".to_owned(), (document, "their-token".to_owned()));
    assert_eq!(app.run(&["deregister", "--yes"]).code, 0);
    app.place.write("token", "their-token");
    let uri = format!("{}/register/theirs", provider.issuer);
    let import = ["import", "app", "--client-id", "theirs", "--client-uri", &uri, "--token-file", "token"];
    let run = app.run(&import);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.stderr.contains("does not carry this one's marker; `--adopt` takes it over"),
        "{}",
        run.stderr
    );
    assert!(app.record().is_null());
    let run = app.run(&[&import[..], &["--adopt"]].concat());
    assert_eq!((run.code, run.stdout.as_str()), (0, "client app adopted\n"), "{}", run.stderr);
}

#[test]
fn runs_about_one_file_wait_for_each_other() {
    let (provider, app) = set_up();
    let start = |_| {
        let fixed = ["aai", "sync", "--env", "prod", "--state", "clients.json"];
        let mut command = app.place.command(&fixed);
        command.env("TOKEN", support::app::TOKEN).stderr(std::process::Stdio::piped());
        command.stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(start).collect();
    for child in children {
        let run = support::finish(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(!run.stderr.contains("may be left"), "{}", run.stderr);
    }
    assert_eq!(provider.count("POST "), 1);
}

//! Providers of login clients that misbehave: what comes of it, what is never sent, and what nobody is shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::net::TcpListener;

use serde_json::{Value, json};
use support::app::{App, TOKEN, change, say, set_up};
use support::provider::{Provider, Put, Turn};

#[test]
fn a_client_lives_with_servers_that_merge_and_that_replace() {
    for put in [Put::Merges, Put::Replaces] {
        let provider = Provider::with(put);
        let app = App::new(&provider.issuer);
        app.ok("client app registered");
        app.ok("client app unchanged");
        assert_eq!(provider.count("POST "), 1);
        app.change(
            "hosts: [app.example.org], w",
            "hosts: [app.example.org, two.example.org], scopes: [openid], postLogout: [], w",
        );
        app.ok("client app updated");
        let client = provider.clients().remove(0);
        assert_eq!(
            client["redirect_uris"],
            json!(["https://app.example.org/oauth2/callback", "https://two.example.org/oauth2/callback"])
        );
        assert_eq!(client["post_logout_redirect_uris"], json!([]));
        assert_eq!(client["scope"], "openid");
        app.ok("client app unchanged");
        // Somebody changes it.
        let mut seen = provider.seen.lock().unwrap();
        seen.clients.values_mut().next().unwrap().0["redirect_uris"] = json!(["https://evil.example/cb"]);
        seen.clients.values_mut().next().unwrap().0["new"] = json!("theirs");
        drop(seen);
        app.ok("client app updated");
        assert_eq!(provider.clients()[0]["new"], "theirs");
        let run = app.run(&["rotate", "app", "--now"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(provider.clients().len(), 1);
        let run = app.run(&["deregister", "--yes"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(provider.clients().is_empty() && app.record().is_null());
        // Nothing is left to do.
        assert_eq!(app.run(&["deregister", "--yes"]).code, 0);
    }
}

#[test]
fn what_makes_no_client_is_refused_before_any_request() {
    let (provider, app) = set_up();
    for callback in ["/*", "/a b", "/x#y", "/../x"] {
        app.change(
            "profile: oauth2-proxy",
            &format!("profile: custom, callbacks: ['{callback}'], variables: {{A: client-id}}"),
        );
        let run = app.sync();
        assert_eq!(run.code, 3, "{callback}: {}", run.stderr);
        assert!(
            run.stderr.contains("client `app`") || run.stderr.contains("callbacks"),
            "{callback}: {}",
            run.stderr
        );
        app.change(
            &format!("profile: custom, callbacks: ['{callback}'], variables: {{A: client-id}}"),
            "profile: oauth2-proxy",
        );
    }
    assert_eq!(provider.count(""), 0);
}

#[test]
fn an_issuer_that_is_not_what_it_seems_is_told_no_token() {
    let (provider, app) = set_up();
    let discovery = "GET /.well-known/openid-configuration";
    change(&provider, discovery, |metadata, _| {
        drop(metadata.as_object_mut().unwrap().remove("registration_endpoint"));
    });
    app.fails(3, "offers no dynamic registration; `mode: pool`, `request` or `static` does without");
    change(&provider, discovery, |metadata, _| metadata["issuer"] = "https://aai.example.org".into());
    app.fails(3, "its metadata is that of `https://aai.example.org`");
    change(&provider, discovery, |metadata, _| {
        metadata["registration_endpoint"] = "https://evil.example/register".into();
    });
    app.fails(3, "its registration_endpoint is of another origin, https://evil.example");
    change(&provider, discovery, |metadata, _| {
        metadata["registration_endpoint"] = "http://evil.example/register".into();
    });
    app.fails(3, "tokens would be sent for all to see");
    provider.judge(|_, _| Turn::Elsewhere("http://127.0.0.1:1/".to_owned()));
    app.fails(3, "it has no metadata (status 302");
    let seen = provider.seen.lock().unwrap();
    assert!(!seen.heads.iter().any(|head| head.contains(TOKEN)), "no token before the issuer is known");
    app.change(&provider.issuer, "http://aai.example.org");
    app.fails(3, "it is no `https://` address");
}

#[test]
fn a_token_goes_to_no_other_origin() {
    let (provider, app) = set_up();
    let other = Provider::start();
    let place = other.issuer.clone();
    provider.judge(move |line, _| {
        if line == "POST /register" { Turn::Elsewhere(format!("{place}/register")) } else { Turn::Fine }
    });
    app.fails(3, "it sends elsewhere (status 302)");
    change(&provider, "POST /register", |document, _| {
        document["registration_client_uri"] = "http://localhost:1/register/x".into();
    });
    app.fails(3, "it is of another origin, http://localhost:1");
    assert_eq!(other.count(""), 0);
    assert!(app.record()["registration"].is_null());
    assert!(app.record()["suspects"][0].as_str().unwrap().contains("cannot be taken back"));
}

#[test]
fn refusals_are_told_once_and_short() {
    let (provider, app) = set_up();
    let echo = format!(
        "{{\"error\":\"invalid_redirect_uri\",\"error_description\":\"{TOKEN} {}\"}}",
        "x".repeat(2000)
    );
    for (status, kind, body, told) in [
        (
            400,
            "application/json",
            echo.as_str(),
            "refuses the registration (400): invalid_redirect_uri: (…) xxx",
        ),
        (
            403,
            "application/json",
            "{\"error\":\"insufficient_scope\"}",
            "refuses the registration (403): insufficient_scope",
        ),
        (
            401,
            "text/html",
            "<html><script>alert(1)</script>",
            "(401): its answer does not say why (31 bytes of text/html)",
        ),
        (
            500,
            "text/html",
            "<html>oops",
            "whether the registration took effect is unknown: it answers with status 500",
        ),
        (201, "text/html", "<html>fine", "took effect is unknown: its answer is no JSON object"),
    ] {
        let before = provider.count("POST ");
        say(&provider, status, kind, body);
        app.fails(3, told);
        let run = app.sync();
        assert!(run.stderr.len() < 1500 && !run.stderr.contains("<script>"), "{}", run.stderr);
        assert_eq!(provider.count("POST "), before + 2, "one for each run");
    }
    say(&provider, 201, "application/json", &format!("{{\"x\":\"{}\"}}", "y".repeat(2 << 20)));
    app.fails(3, "its answer is larger than 1 MiB");
}

#[test]
fn who_is_away_or_busy_is_asked_again() {
    let (provider, app) = set_up();
    provider.judge(|line, before| match (line, before) {
        ("POST /register", 0) => Turn::Say(429, "text/plain", "slowly".to_owned()),
        ("GET /.well-known/openid-configuration", 0) => Turn::Say(503, "text/plain", String::new()),
        _ => Turn::Fine,
    });
    app.ok("client app registered");
    assert_eq!(provider.clients().len(), 1);
    // Nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let app = App::new(&format!("http://127.0.0.1:{port}"));
    app.fails(3, "is not available");
}

#[test]
fn what_may_have_taken_effect_is_not_asked_again() {
    for turn in [|| Turn::Hang, || Turn::Drip] {
        let (provider, app) = set_up();
        provider.judge(
            move |line, before| if line == "POST /register" && before == 0 { turn() } else { Turn::Fine },
        );
        app.fails(3, "whether the registration took effect is unknown: it does not answer in time");
        assert_eq!(provider.count("POST "), 1);
        assert_eq!(app.record()["phase"], "registering");
        let run = app.sync();
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stderr.contains("a client may be left at"), "{}", run.stderr);
        assert_eq!(provider.clients().len(), 2, "one of which is the orphan that is told of");
    }
}

#[test]
fn less_than_was_asked_for_is_given_back() {
    for (spoil, told) in [
        (
            (|document, _| drop(document.as_object_mut().unwrap().remove("client_secret")))
                as fn(&mut Value, &str),
            "it has no client_secret",
        ),
        (|document, _| document["redirect_uris"] = json!([]), "redirect_uris lacks"),
        (
            |document, _| {
                document["redirect_uris"] =
                    json!(["https://app.example.org/oauth2/callback", "https://evil.example/"]);
            },
            "redirect_uris has `https://evil.example/` more",
        ),
        (
            |document, _| document["grant_types"] = json!(["implicit"]),
            "grant_types lacks `authorization_code`",
        ),
        (|document, _| document["scope"] = json!("openid"), "scope lacks `email`, `profile`"),
        (
            |document, _| document["token_endpoint_auth_method"] = json!("none"),
            "token_endpoint_auth_method is",
        ),
    ] {
        let (provider, app) = set_up();
        change(&provider, "POST /register", spoil);
        app.fails(3, told);
        assert_eq!(provider.count("DELETE "), 1, "{told}");
        assert!(provider.clients().is_empty() && app.record().is_null(), "{told}: {}", app.record());
    }
    // One that has no id can be managed all the same where the provider says where.
    let (provider, app) = set_up();
    change(&provider, "POST /register", |document, _| {
        drop(document.as_object_mut().unwrap().remove("client_id"));
    });
    app.fails(3, "it has no client_id");
    assert!(provider.clients().is_empty());
}

#[test]
fn a_provider_that_is_away_does_not_stop_what_has_not_changed() {
    let (provider, app) = set_up();
    app.ok("client app registered");
    provider.judge(|_, _| Turn::Say(503, "text/plain", String::new()));
    let run = app.sync();
    assert_eq!((run.code, run.stdout.as_str()), (0, "client app unchanged\n"), "{}", run.stderr);
    assert!(run.stderr.contains("nothing has changed, so it is taken for good"), "{}", run.stderr);
    let run = app.run(&["sync", "--strict"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    app.change("hosts: [app.example.org], w", "hosts: [two.example.org], w");
    app.fails(3, "is not available");
}

#[test]
fn no_log_holds_a_token_or_a_secret() {
    let (provider, app) = set_up();
    let run = |arguments: &[&str]| {
        let fixed = ["--env", "prod", "--state", "clients.json", "-v=3"];
        let mut command = app.place.command(&[&["aai"], arguments, &fixed[..]].concat());
        let run = support::finish(command.env("TOKEN", TOKEN).env("RUST_LOG", "trace").output().unwrap());
        assert_eq!(run.code, 0, "{}", run.stderr);
        let given = provider.seen.lock().unwrap().given.clone();
        for secret in given.iter().map(String::as_str).chain([TOKEN]) {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{arguments:?}");
        }
        run.stderr.len()
    };
    let logged = run(&["sync"]);
    app.change("hosts: [app.example.org], w", "hosts: [two.example.org], w");
    for verb in [&["sync"][..], &["rotate", "app"], &["list"], &["show", "app"], &["deregister", "--yes"]] {
        run(verb);
    }
    assert!(logged > 500, "something is logged: {logged}");
}

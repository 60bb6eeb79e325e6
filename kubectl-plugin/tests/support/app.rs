//! A pipeline with one client, kept in a file, and a provider for it.

use serde_json::Value;

use super::provider::{Provider, Turn};
use super::{Place, Run, finish};

/// What nobody but the provider may see.
pub const TOKEN: &str = "initial-token-of-a-test";

/// A pipeline with one client, kept in a file.
pub struct App {
    pub place: Place,
}

impl App {
    pub fn new(issuer: &str) -> Self {
        let app = Self { place: Place::new() };
        app.place.write(
            "lathe.yaml",
            &format!(
                "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: app}}\ninputs: [set.yaml]\n\
                 environments:\n  prod: {{namespace: app}}\n  review: {{review: true, namespace: 'app-{{slug}}'}}\n\
                 aai:\n  issuers:\n    op: {{issuer: '{issuer}', mode: dcr, tokenEnv: TOKEN}}\n\
                 transforms:\n- plugin: builtin:review-hosts\n  environments: [review]\n  config: {{reviewDomain: review.example.net, hosts: {{app.example.org: app}}}}\n\
                 - plugin: builtin:aai-client\n  config:\n    clients:\n    - {{name: app, issuer: op, profile: oauth2-proxy, secretName: app-oidc, hosts: [app.example.org], workloads: [Deployment/app]}}\n"
            ),
        );
        app.place.write(
            "set.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {template: {spec: {containers: [{name: app, image: app}]}}}\n",
        );
        app.place.ok(&["lock"]);
        app
    }

    pub fn change(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.place.path("lathe.yaml")).unwrap();
        assert!(text.contains(from), "{from}");
        self.place.write("lathe.yaml", &text.replacen(from, to, 1));
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let fixed = ["--env", "prod", "--state", "clients.json"];
        let mut command = self.place.command(&[&["aai"], arguments, &fixed[..]].concat());
        let run = finish(command.env("TOKEN", TOKEN).output().unwrap());
        for secret in [TOKEN, "secret-of-", "token-of-"] {
            assert!(
                !run.stdout.contains(secret) && !run.stderr.contains(secret),
                "{}{}",
                run.stdout,
                run.stderr
            );
        }
        run
    }

    pub fn sync(&self) -> Run {
        self.run(&["sync"])
    }

    /// A run that has to fail so.
    pub fn fails(&self, code: i32, told: &str) {
        let run = self.sync();
        assert_eq!(run.code, code, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(told), "{told:?} is not in {}", run.stderr);
    }

    pub fn ok(&self, told: &str) {
        let run = self.sync();
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains(told), "{}{}", run.stdout, run.stderr);
    }

    /// The one record, or null.
    pub fn record(&self) -> Value {
        let text = std::fs::read_to_string(self.place.path("clients.json")).unwrap_or_default();
        let all: Value = serde_json::from_str(&text).unwrap_or_default();
        all["clients"].as_object().and_then(|map| map.values().next().cloned()).unwrap_or_default()
    }
}

pub fn set_up() -> (Provider, App) {
    let provider = Provider::start();
    let app = App::new(&provider.issuer);
    (provider, app)
}

/// An answer to the registration.
pub fn say(provider: &Provider, status: u16, kind: &'static str, body: &str) {
    let body = body.to_owned();
    provider.judge(
        move |line, _| {
            if line == "POST /register" { Turn::Say(status, kind, body.clone()) } else { Turn::Fine }
        },
    );
}

pub fn change(provider: &Provider, line: &'static str, change: fn(&mut Value, &str)) {
    provider.judge(move |own, _| if own == line { Turn::Change(change) } else { Turn::Fine });
}

//! Killed at any moment of registering, changing or taking back: the next run ends in exactly one client, or none.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "the environment says how long to go on")]

mod support;

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use support::cluster::Cluster;
use support::keycloak::{BOT, Keycloak};
use support::killer::{Moment, Victim, end_turn};
use support::login::Login;
use support::proxy::{Deed, Proxy};

/// A moment of a run, by name.
#[derive(Clone, Copy, Debug)]
struct Point {
    name: &'static str,
    /// Whether it is asked of Keycloak, and not of the API server.
    at_keycloak: bool,
    moment: Moment,
}

const fn cluster(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    nth: usize,
    after: bool,
) -> Point {
    Point { name, at_keycloak: false, moment: Moment { method, path, nth, after } }
}

const fn keycloak(name: &'static str, method: &'static str, after: bool) -> Point {
    let moment = Moment { method, path: "/clients-registrations/", nth: 1, after };
    Point { name, at_keycloak: true, moment }
}

/// Where records are kept, and the Secret that the application reads.
const RECORD: &str = "/secrets/lathe-client-";
const SECRET: &str = "/secrets/whoami-oidc?fieldManager=lathe-aai";

const OF_REGISTER: &[Point] = &[
    cluster("record to be created", "POST", "/secrets?fieldManager=lathe-aai", 1, false),
    cluster("record created", "POST", "/secrets?fieldManager=lathe-aai", 1, true),
    keycloak("registration to be sent", "POST", false),
    keycloak("registered", "POST", true),
    cluster("registration to be kept", "PUT", RECORD, 1, false),
    cluster("registration kept", "PUT", RECORD, 1, true),
    cluster("registration kept as good", "PUT", RECORD, 2, true),
    cluster("secret to be written", "PATCH", SECRET, 1, false),
    cluster("secret written", "PATCH", SECRET, 1, true),
    cluster("workloads to be applied", "PATCH", "/deployments/whoami", 1, false),
];

const OF_UPDATE: &[Point] = &[
    cluster("change to be noted", "PUT", RECORD, 1, false),
    cluster("change noted", "PUT", RECORD, 1, true),
    keycloak("change to be sent", "PUT", false),
    keycloak("changed", "PUT", true),
    cluster("change to be kept", "PUT", RECORD, 2, false),
    cluster("change kept", "PUT", RECORD, 2, true),
];

const OF_DEREGISTER: &[Point] = &[
    cluster("deletion to be noted", "PUT", RECORD, 1, false),
    cluster("deletion noted", "PUT", RECORD, 1, true),
    keycloak("deletion to be sent", "DELETE", false),
    keycloak("deleted", "DELETE", true),
    cluster("deletion to be kept", "PUT", RECORD, 2, false),
    cluster("deletion kept", "PUT", RECORD, 2, true),
    cluster("secret to be deleted", "DELETE", "/secrets/whoami-oidc", 1, false),
    cluster("secret deleted", "DELETE", "/secrets/whoami-oidc", 1, true),
    cluster("record to be deleted", "DELETE", RECORD, 1, false),
    cluster("record deleted", "DELETE", RECORD, 1, true),
];

/// How clients are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// With an initial access token: who is killed at the wrong moment leaves an orphan that is told of.
    Plain,
    /// The same with an account that sees all clients.
    Seeing,
    Keycloak,
}

struct World<'a> {
    login: Login<'a>,
    keycloak: &'a Keycloak,
    kind: Kind,
}

impl<'a> World<'a> {
    fn new(cluster: &'a Cluster, keycloak: &'a Keycloak, kind: Kind, name: &str) -> Self {
        let name = format!("{name}-{kind:?}").to_lowercase();
        let issuer = keycloak.issuer();
        let account = format!("account: {{clientId: {BOT}, clientSecretEnv: BOT}}");
        let token = keycloak.initial_token(100);
        let login = match kind {
            Kind::Plain => Login::small_dcr(cluster, &name, &issuer, &token),
            Kind::Seeing => Login::small(
                cluster,
                &name,
                &format!("{{issuer: '{issuer}', mode: dcr, tokenEnv: TOKEN, {account}}}"),
                &token,
            ),
            Kind::Keycloak => Login::small_keycloak(cluster, &name, keycloak),
        };
        Self { login, keycloak, kind }
    }

    /// Runs until it is killed at the point.
    fn kill(&self, point: Point, verb: &[&str]) {
        let victim = Victim::default();
        let judge = victim.judge(point.moment);
        let proxy = if point.at_keycloak {
            self.keycloak.judged(judge);
            Proxy::judged(self.login.cluster, |_| Deed::Pass)
        } else {
            Proxy::judged(self.login.cluster, judge)
        };
        victim.run(self.login.command(verb, &["--server", &proxy.address]), point.name);
        self.keycloak.judged(|_| Deed::Pass);
        end_turn(self.login.cluster, &self.login.ops);
    }

    fn host(&self) -> String {
        self.login.namespace().replacen(&self.login.name, "whoami", 1)
    }

    /// One more apply, and then there is one client, whose credentials the application has.
    fn one(&self, what: &str) {
        let run = self.login.run(&["apply"], &[]);
        assert_eq!(run.code, 0, "{what}: {}{}", run.stdout, run.stderr);
        let clients = self.keycloak.clients_of(&self.host());
        let id = self.login.value("whoami-oidc", "client-id");
        let own = clients.iter().find(|client| client["clientId"] == id.as_str());
        let own = own.unwrap_or_else(|| panic!("{what}: {id} is not registered"));
        assert_eq!(
            own["secret"].as_str().unwrap(),
            self.login.value("whoami-oidc", "client-secret"),
            "{what}"
        );
        let suspects = self.login.clients()[0]["suspects"].as_array().unwrap().len();
        match self.kind {
            Kind::Plain => assert!(
                clients.len() <= 1 + suspects,
                "{what}: {} clients, {suspects} told of",
                clients.len()
            ),
            Kind::Seeing | Kind::Keycloak => assert_eq!((clients.len(), suspects), (1, 0), "{what}"),
        }
        assert!(suspects == 0 || run.stderr.contains("a client may be left at"), "{what}: {}", run.stderr);
    }

    /// Nothing is left, but for what was told of.
    fn none(&self, run: &support::Run, what: &str) {
        assert_eq!(run.code, 0, "{what}: {}{}", run.stdout, run.stderr);
        assert_eq!(self.login.clients().len(), 0, "{what}");
        let left = self.keycloak.clients_of(&self.host());
        if self.kind != Kind::Plain {
            assert_eq!(left.len(), 0, "{what}");
        }
        for client in left {
            self.delete(&client);
        }
    }

    fn delete(&self, client: &Value) {
        let path = format!("/admin/realms/aai/clients/{}", client["id"].as_str().unwrap());
        assert_eq!(self.keycloak.asked("DELETE", &path, &Value::Null).status, 204);
    }

    fn deregister(&self) -> support::Run {
        let fixed = ["--project", &self.login.name, "--ops-namespace", &self.login.ops];
        self.login.run(&["aai", "deregister"], &fixed)
    }
}

const KINDS: [Kind; 3] = [Kind::Plain, Kind::Seeing, Kind::Keycloak];

#[test]
#[ignore = "needs a cluster and Keycloak"]
fn a_registration_that_is_killed_ends_in_one_client() {
    let (cluster, keycloak) = (Cluster::new(), Keycloak::start());
    for kind in KINDS {
        let world = World::new(&cluster, &keycloak, kind, "registered");
        for point in OF_REGISTER {
            world.kill(*point, &["apply"]);
            world.one(point.name);
            let run = world.deregister();
            world.none(&run, point.name);
            // So that workloads are wanted to change.
            cluster.ok(&["delete", "deployment", "whoami", "-n", &world.login.namespace()]);
        }
    }
}

#[test]
#[ignore = "needs a cluster and Keycloak"]
fn a_change_that_is_killed_ends_in_one_client() {
    let (cluster, keycloak) = (Cluster::new(), Keycloak::start());
    for kind in KINDS {
        let world = World::new(&cluster, &keycloak, kind, "updated");
        world.login.ok(&["apply"], &[]);
        for (index, point) in OF_UPDATE.iter().enumerate() {
            let (from, to) = [
                ("hosts: [whoami.example.org]", "scopes: [openid, email], hosts: [whoami.example.org]"),
                ("scopes: [openid, email], hosts", "hosts"),
            ][index % 2];
            world.login.change(from, to);
            world.kill(*point, &["apply"]);
            world.one(point.name);
        }
        let run = world.login.run(&["down"], &[]);
        world.none(&run, "down");
    }
}

#[test]
#[ignore = "needs a cluster and Keycloak"]
fn a_taking_back_that_is_killed_ends_in_none() {
    let (cluster, keycloak) = (Cluster::new(), Keycloak::start());
    for kind in [Kind::Plain, Kind::Keycloak] {
        let world = World::new(&cluster, &keycloak, kind, "taken");
        let fixed =
            ["aai", "deregister", "--project", &world.login.name, "--ops-namespace", &world.login.ops];
        for point in OF_DEREGISTER {
            world.login.ok(&["apply"], &[]);
            world.kill(*point, &fixed);
            let run = world.deregister();
            assert_eq!(keycloak.clients_of(&world.host()).len(), 0, "{}", point.name);
            world.none(&run, point.name);
        }
    }
    // The same with all of the environment.
    let world = World::new(&cluster, &keycloak, Kind::Plain, "down");
    for name in ["deletion noted", "deleted", "record deleted"] {
        let point = OF_DEREGISTER.iter().find(|point| point.name == name).unwrap();
        world.login.ok(&["apply"], &[]);
        world.kill(*point, &["down"]);
        let run = world.login.run(&["down"], &[]);
        assert_eq!(keycloak.clients_of(&world.host()).len(), 0, "{name}");
        world.none(&run, name);
        assert!(!cluster.exists(&["namespace", &world.login.namespace()]), "{name}");
    }
}

/// Kills at a time that nobody chose; `LATHE_SOAK` says how often, `LATHE_SEED` which times.
#[test]
#[ignore = "needs a cluster and Keycloak"]
fn killed_at_random_the_end_is_one_client() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (rounds, mut seed) = (number("LATHE_SOAK", 2), number("LATHE_SEED", 1));
    let (cluster, keycloak) = (Cluster::new(), Keycloak::start());
    for kind in KINDS {
        let world = World::new(&cluster, &keycloak, kind, "soak");
        for round in 0..rounds {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let verb = if round % 3 == 2 { "down" } else { "apply" };
            let child = world.login.command(&[verb], &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut child = child.unwrap();
            std::thread::sleep(Duration::from_millis(seed % 1500));
            let _ = child.kill();
            child.wait().unwrap();
            end_turn(&cluster, &world.login.ops);
            world.one(&format!("round {round}, seed {seed}"));
        }
        let run = world.login.run(&["down"], &[]);
        world.none(&run, "down");
    }
}

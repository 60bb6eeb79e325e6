//! What the closure finds, and what it lets stand.

use super::*;
use lathe_manifest::json;

fn hits(object: &str) -> Vec<(String, &'static str)> {
    let object = Object::added(json::parse(object).unwrap()).unwrap();
    let territory = Territory {
        review_domain: "rv.example.org".into(),
        zones: vec!["example.org".into()],
        keep: vec!["aai.example.org".into()],
        shared_services: vec!["smtp.mail".into()],
        ..Territory::default()
    };
    let environment = Environment {
        name: "review".into(),
        project: "p".into(),
        namespace: "p-1".into(),
        review: None,
        hosts: [("portal.example.org".to_owned(), "portal-1.rv.example.org".to_owned())].into(),
        territory: None,
    };
    let acknowledge = [Acknowledge {
        object: "ConfigMap/m".into(),
        pointer: "/data/ack".into(),
        reason: "why".into(),
        host: None,
    }];
    let namespaces = ["portal".to_owned()].into();
    let services = [("backend".to_owned(), "portal".to_owned())].into();
    let search = Search {
        environment: &environment,
        territory: &territory,
        namespaces: &namespaces,
        services: &services,
        acknowledge: &acknowledge,
    };
    let closure = search.check([&object].into_iter());
    closure.hits.into_iter().map(|hit| (format!("{} {}", hit.pointer, hit.host), hit.class)).collect()
}

fn classes(data: &str) -> Vec<(String, &'static str)> {
    hits(&format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"m","namespace":"p-1"}},"data":{data}}}"#
    ))
}

fn class(text: &str) -> Option<&'static str> {
    let data = format!("{{\"a\":{}}}", json::to_string(&text.into()));
    classes(&data).first().map(|(_, class)| *class)
}

#[test]
fn every_spelling_of_a_leftover_is_found() {
    for text in [
        "portal.example.org",
        "https://PORTAL.example.org:8443/x",
        r"^portal\.example\.org$",
        "portal[.]example[.]org",
        "https%3A%2F%2Fportal.example.org",
        "https%253A%252F%252Fportal.example.org",
        r"\nportal.example.org",
        "*.portal.example.org",
        "${P}.example.org",
        "other.example.org",
        "portal.example.org.evil.com",
        "portal.example.org-old",
        "https://user:pass@portal.example.org",
        "mongodb://${U}:${P}@mongo.example.org:27017/portal",
        "mongodb://$(U):$(P)@portal.example.org/x",
        "u:p@portal.example.org:5432/db",
        "root@db.example.org:/backup",
        "unknown.rv.example.org",
        "redis://:p*x@redis.example.org",
        "amqps://user:pa,ss@rabbit.example.org?heartbeat=10",
        "redis://:p=x@portal.example.org",
        "backup@files.example.org:backup/",
        "https://*.aai.example.org",
        "proxy_pass http://backend.portal;",
        "http://operator-made.portal:8080/",
        "mongodb://mongo-0.mongo.portal:27017,mongo-1.mongo.portal:27017",
        "Basic dTpwb3J0YWwuZXhhbXBsZS5vcmc=",
        "AUTH=dTpwb3J0YWwuZXhhbXBsZS5vcmc=",
        "/x/dTpwb3J0YWwuZXhhbXBsZS5vcmc/y",
        "mongo.portal.svc.cluster.local",
        "rabbit@$(POD).rabbit.portal.svc",
        "${HOST}.portal.svc.cluster.local",
        "db.other.svc:5432",
    ] {
        assert_eq!(class(text), Some("leftover"), "{text}");
    }
    assert_eq!(classes(r#"{"apiVersion":"https://portal.example.org"}"#)[0].1, "leftover");
}

#[test]
fn what_may_stay_is_told_apart() {
    assert_eq!(class("https://portal-1.rv.example.org/x"), Some("rewritten"));
    assert_eq!(class("aai.example.org"), Some("kept"));
    assert_eq!(class("x?u=https%3A%2F%2Faai.example.org"), Some("kept"));
    for text in ["mailto:a@portal.example.org", "a%40portal.example.org", "git@portal.example.org:g/r"] {
        assert_eq!(class(text), Some("protected"), "{text}");
    }
    assert_eq!(class("urn:geant:portal.example.org:x#aai"), Some("protected"));
    for text in [
        "myexample.org",
        "mongo.p-1.svc.cluster.local",
        "smtp.mail.svc",
        "service.svc",
        "x.p-1.svcs",
        "kubernetes.default.svc",
        "import com.backend.portal;",
        "backend.portal: x",
    ] {
        assert_eq!(class(text), None, "{text}");
    }
    assert_eq!(
        classes(r#"{"ack":"x.example.org"}"#),
        [("/data/ack x.example.org".to_owned(), "acknowledged")]
    );
    assert_eq!(classes(r#"{"portal.example.org.crt":"x"}"#)[0].1, "leftover");
}

#[test]
fn of_a_secret_only_the_needle_is_told() {
    let secret = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"p-1"},
        "data":{"b":"aHVudGVyNC5leGFtcGxlLm9yZw=="},"stringData":{"a":"hunter2.example.org","u":"x@hunter3.portal.svc"}}"#;
    let told: Vec<String> = hits(secret).into_iter().map(|(place, _)| place).collect();
    let want = ["/data/b example.org", "/stringData/a example.org", "/stringData/u (…).portal.svc"];
    assert_eq!(told, want);
}

#[test]
fn nothing_stands_in_or_names_another_namespace() {
    let object = r#"{"apiVersion":"x.io/v1","kind":"Route","metadata":{"name":"r","namespace":"portal"},"spec":{"ref":{"namespace":"portal"}}}"#;
    let told: Vec<String> = hits(object).into_iter().map(|(place, _)| place).collect();
    assert_eq!(told, [" portal", "/spec/ref/namespace portal"]);
    let object = r#"{"apiVersion":"x.io/v1","kind":"Route","metadata":{"name":"r","namespace":"p-1","annotations":{"a":"portal/cert","b":"portal-auth@kubernetescrd","c/release-namespace":"portal","d":"portals/x"}},
        "spec":{"args":["--namespace=portal","--x=portal"],"principal":"cluster.local/ns/portal/sa/x","gateways":["portal/gw"],"limits":{"example.org/gpu":1}}}"#;
    let told: Vec<String> = hits(object).into_iter().map(|(place, _)| place).collect();
    assert_eq!(told.len(), 6, "{told:?}");
}

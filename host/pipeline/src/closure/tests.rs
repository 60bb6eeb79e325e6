//! What the closure finds, and what it lets stand.

use super::*;
use lathe_manifest::json;

fn hits(object: &str) -> Vec<(String, &'static str)> {
    hits_in(object, &["example.org"], "rv.example.org")
}

fn hits_in(object: &str, zones: &[&str], review_domain: &str) -> Vec<(String, &'static str)> {
    let object = Object::added(json::parse(object).unwrap()).unwrap();
    let territory = Territory {
        review_domain: review_domain.into(),
        zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        keep: vec!["aai.example.org".into()],
        shared_services: vec!["smtp.mail".into()],
        ..Territory::default()
    };
    let environment = Environment {
        name: "review".into(),
        project: "p".into(),
        namespace: "p-1".into(),
        review: None,
        hosts: [
            ("portal.example.org", "portal-1.rv.example.org"),
            ("münchen.example.org", "m-1.rv.example.org"),
            ("xn--mnchen-3ya.example.org", "m-1.rv.example.org"),
            ("*.apps.example.org", "apps-1.rv.example.org"),
        ]
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .into(),
        territory: None,
    };
    let acknowledge = [Acknowledge {
        object: "ConfigMap/m".into(),
        pointer: "/data/ack".into(),
        reason: "why".into(),
        host: None,
    }];
    let namespaces = ["portal".to_owned()].into();
    let search = Search {
        environment: &environment,
        territory: &territory,
        namespaces: &namespaces,
        services: &[("backend".to_owned(), "portal".to_owned())].into(),
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
    let object = r#"{"apiVersion":"x.io/v1","kind":"Route","metadata":{"name":"r","namespace":"p-1","annotations":{"a-secret":"portal/cert","b":"portal-auth@kubernetescrd","c/release-namespace":"portal","d":"portals/x"}},
        "spec":{"args":["--namespace=portal","--x=portal"],"principal":"cluster.local/ns/portal/sa/x","gateways":["portal/gw"],"limits":{"example.org/gpu":1}}}"#;
    let told: Vec<String> = hits(object).into_iter().map(|(place, _)| place).collect();
    assert_eq!(told.len(), 6, "{told:?}");
}

/// The classes of a text in a review that owns no zone, so that hosts are looked for one by one.
fn alone(text: &str) -> Vec<&'static str> {
    let object = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"m","namespace":"p-1"}},"data":{{"a":{}}}}}"#,
        json::to_string(&text.into())
    );
    hits_in(&object, &[], "rv.example.net").into_iter().map(|(_, class)| class).collect()
}

#[test]
fn hosts_are_found_where_no_zone_covers_them() {
    for text in [
        "portal.example.org",
        "%2Fportal.example.org",
        r"\nportal.example.org",
        "https%3A%2F%2Fm%C3%BCnchen.example.org",
        r"h=m\u00fcnchen.example.org",
        "mu\u{308}nchen.example.org",
        "xn--mnchen-3ya.example.org",
        "por\u{ad}tal.example.org",
        "x.apps.example.org",
        r"^portal\.example\.(org|com)$",
        r"^(portal|admin)\.example\.org$",
        "https%25253A%25252F%25252Fportal.example.org",
        "a: \"https://por\\\n  tal.example.org\"",
        "redis://:pa'ss@portal.example.org",
        "访问portal.example.org吧",
        "Ünal:portal.example.orgß",
        "ssh deploy@portal.example.org uptime",
    ] {
        assert!(alone(text).contains(&"leftover"), "{text}: {:?}", alone(text));
    }
    for text in ["myapps.example.org", "example.org", "aai.example.org.evil.net", "www.example.org"] {
        assert!(!alone(text).contains(&"leftover"), "{text}: {:?}", alone(text));
    }
}

#[test]
fn a_host_in_two_spellings_is_told_once() {
    assert_eq!(
        classes(r#"{"a":"x bücher.example.org y"}"#),
        [("/data/a xn--bcher-kva.example.org".to_owned(), "leftover")]
    );
    assert_eq!(classes(r#"{"a":"访问portal.example.org吧"}"#).len(), 1);
}

#[test]
fn another_reviews_host_is_a_leftover() {
    assert_eq!(alone("https://portal-2.rv.example.net"), ["leftover"]);
    assert_eq!(class("domain=.portal-1.rv.example.org;"), Some("rewritten"));
}

#[test]
fn services_of_others_are_found_however_they_are_named() {
    for text in ["pg-rw.portal", "pg-rw.portal:5432", "u:p@rabbit.portal/v", "db-0.db.other.svc"] {
        assert_eq!(class(text), Some("leftover"), "{text}");
    }
    for text in [
        "smtp-0.smtp.mail.svc",
        "smtp.mail.svc.cluster.local",
        "kubernetes.default.svc",
        "com.backend.portal.x",
    ] {
        assert_eq!(class(text), None, "{text}");
    }
    let route = r#"{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"r","namespace":"p-1"},
        "spec":{"rules":[{"backendRefs":[{"name":"db","namespace":"elsewhere"},{"name":"smtp","namespace":"mail"},{"name":"own","namespace":"p-1"}]}]}}"#;
    let told: Vec<String> = hits(route).into_iter().map(|(place, _)| place).collect();
    assert_eq!(told, ["/spec/rules/0/backendRefs/0 db.elsewhere.svc"]);
}

#[test]
fn what_names_a_namespace_of_the_input_is_told() {
    let object = r#"{"apiVersion":"x.io/v1","kind":"Route","metadata":{"name":"r","namespace":"p-1","annotations":{
        "x/reflection-auto-namespaces":"other,portal","t/router.middlewares":"p-1-a@kubernetescrd,portal-b@kubernetescrd"}},
        "spec":{"notNamespaces":["portal"],"sourceNamespace":"portal","allowedRoutes":{"namespaces":{"selector":{"matchLabels":{"name":"portal"}}}},
        "fromEndpoints":[{"matchLabels":{"k8s:io.kubernetes.pod.namespace":"portal"}}],"expr":"up{namespace=\"portal\"}",
        "env":[{"name":"POD_NAMESPACE","value":"portal"}],"args":["-n","portal"],"app":"portal"}}"#;
    let told: BTreeSet<String> =
        hits(object).into_iter().map(|(place, _)| place.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(told.len(), 9, "{told:?}");
    assert!(!told.contains("/spec/app"));
    assert_eq!(classes(r#"{"NAMESPACE":"portal"}"#), [("/data/NAMESPACE portal".to_owned(), "leftover")]);
}

#[test]
fn what_reaches_beyond_the_review_is_told() {
    for (kind, rest, want) in [
        (
            "rabbitmq.com/v1beta1 Queue",
            r#""spec":{"rabbitmqClusterReference":{"name":"rmq","namespace":"elsewhere"}}"#,
            "/spec/rabbitmqClusterReference elsewhere/rmq",
        ),
        ("external-secrets.io/v1alpha1 PushSecret", r#""spec":{}"#, " "),
        ("s3.services.k8s.aws/v1alpha1 Bucket", r#""spec":{"name":"files"}"#, " "),
        ("postgresql.cnpg.io/v1 Cluster", r#""spec":{"bootstrap":{"recovery":{}}}"#, " "),
    ] {
        let (version, kind) = kind.split_once(' ').unwrap();
        let object = format!(
            r#"{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"x","namespace":"p-1"}},{rest}}}"#
        );
        let told: Vec<String> = hits(&object).into_iter().map(|(place, _)| place).collect();
        assert_eq!(told, [want], "{kind}");
    }
    let route = r#"{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"r","namespace":"p-1"},
        "spec":{"parentRefs":[{"name":"gw","namespace":"infra"}]}}"#;
    assert!(hits(route).is_empty());
    // A Service of the input that stands in a text, unrewritten.
    assert_eq!(class("queue: backend.portal\n"), Some("leftover"));
    assert_eq!(class("backend.portal = {}"), None);
}

#[test]
fn names_of_objects_that_are_there_are_no_hosts() {
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"portal.example.org","namespace":"p-1"},
        "spec":{"volumes":[{"configMap":{"name":"portal.example.org"}}],"x":{"name":"www.example.org"}}}"#;
    let told: Vec<String> = hits(pod).into_iter().map(|(place, _)| place).collect();
    assert_eq!(told, ["/spec/x/name www.example.org"]);
    let mapping = r#"{"apiVersion":"serving.knative.dev/v1","kind":"DomainMapping","metadata":{"name":"portal.example.org","namespace":"p-1"}}"#;
    assert_eq!(hits(mapping).len(), 1);
}

#[test]
fn of_a_secret_no_label_is_told_that_could_be_its_value() {
    let secret = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"p-1"},
        "stringData":{"a":"mongodb://u:p4.hunter2.svc@h","b":"db.portal.svc"}}"#;
    let told: Vec<String> = hits(secret).into_iter().map(|(place, _)| place).collect();
    assert_eq!(told, ["/stringData/a (…).svc", "/stringData/b (…).portal.svc"]);
}

#[test]
fn a_long_word_takes_no_quadratic_time() {
    for piece in
        ["a@portal.example.org,", "urn:x:portal.example.org:", "portal.example.org/", "x=--namespace=portal;"]
    {
        let time = |count: usize| {
            let started = std::time::Instant::now();
            drop(classes(&format!("{{\"a\":\"{}\"}}", piece.repeat(count))));
            started.elapsed().as_secs_f64()
        };
        let (once, eight) = (time(1_000), time(8_000));
        assert!(eight < 24.0 * once + 0.05, "{piece}: {once} s, {eight} s");
    }
}

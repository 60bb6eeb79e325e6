//! Spring Boot: variables go before files, and some things go before variables.

mod run;

use lathe_sdk::{Value, json};
use run::{Given, deployment, map};

const REGISTRATION: &str = "SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_AAI";

fn given(container: &Value) -> Given {
    let application = "spring:\n  security:\n    oauth2:\n      client:\n        registration:\n          aai:\n            client-id: ${OIDC_CLIENT_ID}\n";
    let objects = vec![
        deployment("portal", "portal", container),
        map("portal", "portal", &[("application.yaml", application)]),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "portal-oidc", "namespace": "portal"},
            "stringData": {"client-id": "portal-prod", "client-secret": "geheim-1", "issuer-uri": "https://aai.example.org", "x": "y"}}),
    ];
    let client = json!({"name": "portal", "profile": "spring-boot", "registrationId": "aai", "secretName": "portal-oidc", "hosts": ["portal.example.org"]});
    Given::new(client, "portal", objects)
}

fn uses(env: &[Value]) -> Value {
    let mut all = vec![
        json!({"name": "OIDC_CLIENT_ID", "valueFrom": {"secretKeyRef": {"name": "portal-oidc", "key": "client-id"}}}),
    ];
    all.extend_from_slice(env);
    Value::Array(all)
}

#[test]
fn variables_come_and_the_secrets_keys_go() {
    let done = given(&json!({"name": "backend", "env": uses(&[])})).run();
    assert_eq!(done.codes(), [""; 0]);
    let env = done.env(0);
    assert_eq!(env.len(), 3);
    assert_eq!(env[&format!("{REGISTRATION}_CLIENTID")]["valueFrom"], env["OIDC_CLIENT_ID"]["valueFrom"]);
    assert_eq!(
        env[&format!("{REGISTRATION}_CLIENTSECRET")]["valueFrom"]["secretKeyRef"]["key"],
        "client-secret"
    );
    assert_eq!(done.objects[2]["stringData"], json!({"x": "y"}));
    let done = given(&json!({"name": "backend", "env": uses(&[])}))
        .with("issuer", json!("aai"))
        .with("providerId", json!("helmholtz-aai"))
        .run();
    let issuer = &done.env(0)["SPRING_SECURITY_OAUTH2_CLIENT_PROVIDER_HELMHOLTZAAI_ISSUERURI"];
    assert_eq!(issuer["valueFrom"]["secretKeyRef"]["key"], "issuer-uri");
}

#[test]
fn a_callback_of_the_inputs_own_becomes_right() {
    let redirect = format!("{REGISTRATION}_REDIRECTURI");
    for (before, after) in [
        ("{baseUrl}/login/oauth2/code/{registrationId}", "{baseUrl}/login/oauth2/code/{registrationId}"),
        ("https://portal.example.org/login/oauth2/code/aai", "https://p.example.net/login/oauth2/code/aai"),
    ] {
        let env = uses(&[json!({"name": redirect, "value": before})]);
        let done = given(&json!({"name": "backend", "env": env}))
            .review(&[("portal.example.org", "p.example.net")])
            .run();
        assert_eq!(done.codes(), [""; 0]);
        assert_eq!(done.env(0)[&redirect]["value"], after);
    }
    let other = format!("{REGISTRATION}_CLIENT_ID");
    let env = uses(&[json!({"name": other, "value": "portal-prod"})]);
    let done = given(&json!({"name": "backend", "env": env})).run();
    assert_eq!(done.codes(), [""; 0]);
    assert_eq!(done.env(0)[&other]["valueFrom"]["secretKeyRef"]["key"], "client-id");
}

#[test]
fn flags_go() {
    let flag = "--spring.security.oauth2.client.registration.aai";
    let container = json!({
        "name": "backend", "env": uses(&[]),
        "command": ["java", "-Dspring.security.oauth2.client.registration.aai.client-id=portal-prod", "-jar", "app.jar"],
        "args": [format!("{flag}.clientSecret=geheim-1"), "--server.port=8080", format!("{flag}.redirect-uri=https://portal.example.org/x"),
            "--spring.security.oauth2.client.registration.other.client-id=stays",
            "--spring.security.oauth2.client.provider.aai.issuer-uri=https://aai.example.org"],
    });
    let done = given(&container).run();
    assert_eq!(done.codes(), [""; 0]);
    let container = &done.objects[0]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["java", "-jar", "app.jar"]));
    let kept = [
        "--server.port=8080",
        "--spring.security.oauth2.client.registration.other.client-id=stays",
        "--spring.security.oauth2.client.provider.aai.issuer-uri=https://aai.example.org",
    ];
    assert_eq!(container["args"], json!(kept));
    assert_eq!(
        done.env(0)[&format!("{REGISTRATION}_REDIRECTURI")]["value"],
        "https://portal.example.org/login/oauth2/code/aai"
    );
}

#[test]
fn what_goes_before_variables_is_told() {
    let property = "spring.security.oauth2.client.registration.aai.client-id=portal-prod";
    for (name, value) in [
        ("JAVA_TOOL_OPTIONS", format!("-Xmx1g -D{property}")),
        ("JDK_JAVA_OPTIONS", format!("'-D{property}'")),
        (
            "SPRING_APPLICATION_JSON",
            r#"{"spring": {"security.oauth2": {"client": {"registration": {"aai": {"clientId": "x"}}}}}}"#
                .to_owned(),
        ),
    ] {
        let done =
            given(&json!({"name": "backend", "env": uses(&[json!({"name": name, "value": value})])})).run();
        assert!(done.codes().contains(&"unread-login"), "{name}");
        assert!(done.findings.iter().all(|(_, told)| !told.contains("portal-prod")));
    }
    let shell = json!({"name": "backend", "env": uses(&[]), "command": ["sh", "-c", format!("exec java -jar app.jar --{property}")]});
    assert!(given(&shell).run().codes().contains(&"unread-login"));
    let other = json!({"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g -Dspring.security.oauth2.client.registration.b.client-id=x"});
    assert_eq!(given(&json!({"name": "backend", "env": uses(&[other])})).run().codes(), [""; 0]);
}

#[test]
fn names_that_no_variable_can_spell_are_refused() {
    let container = json!({"name": "backend", "env": uses(&[])});
    for id in ["a_b", "a/b", "", "é"] {
        assert!(given(&container).with("registrationId", json!(id)).try_once().is_err(), "{id}");
    }
    let done = given(&container).with("registrationId", json!("my-aai.x")).run();
    assert!(done.env(0).contains_key("SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_MYAAI_X_CLIENTID"));
    assert_eq!(done.intents[0]["redirectUris"][0], "https://portal.example.org/login/oauth2/code/my-aai.x");
}

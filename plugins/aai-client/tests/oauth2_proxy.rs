//! `OAuth2` Proxy, whose flags go before its variables.

mod run;

use lathe_sdk::{Value, json};
use run::{Given, deployment};

fn given(container: &Value) -> Given {
    let client = json!({"name": "proxy", "profile": "oauth2-proxy", "secretName": "proxy-oidc", "hosts": ["a.example.org", "b.example.org"], "workloads": ["Deployment/proxy"]});
    Given::new(client, "shop", vec![deployment("proxy", "shop", container)])
}

#[test]
fn flags_go_and_variables_come() {
    let container = json!({
        "name": "proxy",
        "command": ["oauth2-proxy", "--client-id"],
        "args": ["shop-prod", "--client-secret=geheim-1", "-client-secret-file", "/x", "--redirect-url=https://a.example.org/cb",
            "--oidc-issuer-url=https://aai.example.org", "--http-address=0.0.0.0:4180", "--client-id-x=y"],
    });
    let done = given(&container).run();
    assert_eq!(done.codes(), ["first-host"]);
    let container = &done.objects[0]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["oauth2-proxy"]));
    let kept =
        ["--oidc-issuer-url=https://aai.example.org", "--http-address=0.0.0.0:4180", "--client-id-x=y"];
    assert_eq!(container["args"], json!(kept));
    let env = done.env(0);
    assert_eq!(env["OAUTH2_PROXY_CLIENT_ID"]["valueFrom"]["secretKeyRef"]["key"], "client-id");
    assert_eq!(env["OAUTH2_PROXY_CLIENT_SECRET"]["valueFrom"]["secretKeyRef"]["key"], "client-secret");
    assert_eq!(env["OAUTH2_PROXY_REDIRECT_URL"]["value"], "https://a.example.org/oauth2/callback");
    assert!(!env.contains_key("OAUTH2_PROXY_OIDC_ISSUER_URL"));
    assert_eq!(done.intents[0]["redirectUris"].as_array().unwrap().len(), 2);
}

#[test]
fn the_issuer_comes_where_the_client_names_one() {
    let container = json!({"name": "proxy", "args": ["--oidc-issuer-url", "https://aai.example.org", "--upstream=static://200"]});
    let done = given(&container).with("issuer", json!("aai")).run();
    let container = &done.objects[0]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["args"], json!(["--upstream=static://200"]));
    assert_eq!(done.env(0)["OAUTH2_PROXY_OIDC_ISSUER_URL"]["valueFrom"]["secretKeyRef"]["key"], "issuer-uri");
}

#[test]
fn what_cannot_be_taken_away_is_told() {
    for args in [
        json!(["sh", "-c", "exec oauth2-proxy --client-id=shop-prod --upstream=x"]),
        json!(["--alpha-config=/etc/proxy.yaml"]),
    ] {
        let done = given(&json!({"name": "proxy", "args": args})).run();
        assert_eq!(done.codes(), ["unread-login", "first-host"]);
        assert_eq!(done.objects[0]["spec"]["template"]["spec"]["containers"][0]["args"], args);
    }
}

//! An application that the config describes.

mod run;

use lathe_sdk::{Value, json};
use run::{Given, deployment};

fn given() -> Given {
    let client = json!({
        "name": "shop", "profile": "custom", "secretName": "shop-oidc", "hosts": ["a.example.org"],
        "callbacks": ["/cb", "/silent"], "variables": {"OIDC_ID": "client-id", "OIDC_JWKS": "jwks-uri"},
        "workloads": ["Deployment/shop"],
    });
    Given::new(
        client,
        "shop",
        vec![deployment(
            "shop",
            "shop",
            &json!({"name": "shop", "env": [{"name": "OIDC_ID", "value": "shop-prod"}]}),
        )],
    )
}

#[test]
fn callbacks_and_variables_are_the_configs() {
    let done = given().run();
    // Only an issuer of the pipeline has its keys told.
    assert_eq!(done.codes(), ["unsupplied-variable"]);
    assert_eq!(done.env(0).keys().collect::<Vec<_>>(), ["OIDC_ID"]);
    assert_eq!(
        done.intents[0]["redirectUris"],
        json!(["https://a.example.org/cb", "https://a.example.org/silent"])
    );
    assert_eq!(done.intents[0]["authMethod"], "client_secret_basic");
    let done = given().with("issuer", json!("aai")).with("authMethod", json!("client_secret_post")).run();
    assert_eq!(done.codes(), [""; 0]);
    assert_eq!(
        done.env(0)["OIDC_JWKS"]["valueFrom"]["secretKeyRef"],
        json!({"name": "shop-oidc", "key": "jwks-uri"})
    );
    assert_eq!(done.intents[0]["authMethod"], "client_secret_post");
}

#[test]
fn what_makes_no_client_is_refused() {
    for (member, value) in [
        ("callbacks", Value::Null),
        ("callbacks", json!([])),
        ("callbacks", json!(["cb"])),
        ("postLogout", json!(["https://x"])),
        ("variables", json!({})),
        ("profile", json!("hedgedoc")),
        ("profile", json!("wordpress")),
        ("authMethod", json!("private_key_jwt")),
        ("surprise", json!(1)),
    ] {
        assert!(given().with(member, value).try_once().is_err(), "{member}");
    }
}

#[test]
fn other_profiles_take_variables_as_well() {
    let client = json!({
        "name": "shop", "profile": "hedgedoc", "secretName": "shop-oidc", "hosts": ["a.example.org"],
        "variables": {"OIDC_ID": "client-id"}, "workloads": ["Deployment/shop"],
    });
    let done = Given::new(client, "shop", vec![deployment("shop", "shop", &json!({"name": "shop"}))]).run();
    let names: Vec<String> = done.env(0).into_keys().collect();
    assert_eq!(names, ["CMD_OAUTH2_CLIENT_ID", "CMD_OAUTH2_CLIENT_SECRET", "OIDC_ID"]);
}

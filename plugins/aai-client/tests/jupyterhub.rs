//! `JupyterHub`, whose config goes before its variables.

mod run;

use lathe_sdk::{Value, json};
use run::{Given, b64, map};

const TOKEN: &str = "lathe1xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn hub(env: &Value, volumes: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "hub", "namespace": "jupyterhub"},
    "spec": {"template": {"spec": {
        "containers": [{"name": "hub", "args": ["jupyterhub", "--config", "/etc/jupyterhub/jupyterhub_config.py"], "env": env}],
        "volumes": volumes,
    }}}})
}

fn config(text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hub", "namespace": "jupyterhub"},
        "data": {"jupyterhub_config.py": text, "other": "c.GenericOAuthenticator"}})
}

fn volumes() -> Value {
    json!([{"name": "config", "configMap": {"name": "hub"}}, {"name": "secret", "secret": {"secretName": "hub"}}])
}

fn given(objects: Vec<Value>) -> Given {
    Given::new(
        json!({"name": "hub", "profile": "jupyterhub", "secretName": "hub-oidc", "hosts": ["hub.example.org"], "workloads": ["Deployment/hub"]}),
        "jupyterhub",
        objects,
    )
}

#[test]
fn variables_are_wired_and_the_callback_is_the_reviews() {
    let env = json!([
        {"name": "OAUTH_CLIENT_ID", "value": "hub-prod"},
        {"name": "OAUTH_CALLBACK_URL", "value": "https://hub.example.org/hub/oauth_callback"},
    ]);
    let given = given(vec![hub(&env, &json!([]))]).review(&[("hub.example.org", "hub-42.example.net")]);
    let done = given.run();
    assert_eq!(done.codes(), [""; 0]);
    let env = done.env(0);
    assert_eq!(
        env["OAUTH_CLIENT_ID"]["valueFrom"]["secretKeyRef"],
        json!({"name": "hub-oidc", "key": "client-id"})
    );
    assert_eq!(env["OAUTH_CLIENT_SECRET"]["valueFrom"]["secretKeyRef"]["key"], "client-secret");
    assert_eq!(env["OAUTH_CALLBACK_URL"]["value"], "https://hub-42.example.net/hub/oauth_callback");
    assert!(!env.contains_key("OAUTH2_TOKEN_URL"));
    let intent = &done.intents[0];
    assert_eq!(intent["authMethod"], "client_secret_post");
    assert_eq!(intent["redirectUris"], json!(["https://hub-42.example.net/hub/oauth_callback"]));
}

#[test]
fn python_reads_the_variables() {
    let text = r#"c = get_config()
c.JupyterHub.authenticator_class = "generic-oauth"
# c.GenericOAuthenticator.client_id = os.environ["X"]
c.GenericOAuthenticator.client_id = "hub-prod-client"  # told by the AAI
if True:
    c.GenericOAuthenticator.client_secret = os.environ.get('MY_SECRET', "geheim-1")
c["GenericOAuthenticator"]["oauth_callback_url"] = 'https://hub.example.org/hub/oauth_callback'
c.GenericOAuthenticator.authorize_url = "https://aai.example.org/oauth2/authorize"
c.GenericOAuthenticator.login_service = "AAI"
"#;
    let given = given(vec![hub(&json!([]), &volumes()), config(text)])
        .review(&[("hub.example.org", "hub-42.example.net")]);
    let done = given.run();
    assert_eq!(done.codes(), [""; 0]);
    let want = r#"c = get_config()
c.JupyterHub.authenticator_class = "generic-oauth"
# c.GenericOAuthenticator.client_id = os.environ["X"]
c.GenericOAuthenticator.client_id = __import__("os").environ["OAUTH_CLIENT_ID"]  # told by the AAI
if True:
    c.GenericOAuthenticator.client_secret = __import__("os").environ["OAUTH_CLIENT_SECRET"]
c["GenericOAuthenticator"]["oauth_callback_url"] = __import__("os").environ["OAUTH_CALLBACK_URL"]
c.GenericOAuthenticator.authorize_url = "https://aai.example.org/oauth2/authorize"
c.GenericOAuthenticator.login_service = "AAI"
"#;
    assert_eq!(done.objects[1]["data"]["jupyterhub_config.py"], want);
    // With an issuer the Secret holds its endpoints as well.
    let done = given.with("issuer", json!("aai")).run();
    let text = done.objects[1]["data"]["jupyterhub_config.py"].as_str().unwrap();
    assert!(text.contains(r#"authorize_url = __import__("os").environ["OAUTH2_AUTHORIZE_URL"]"#));
    assert_eq!(
        done.env(0)["OAUTH2_AUTHORIZE_URL"]["valueFrom"]["secretKeyRef"]["key"],
        "authorization-endpoint"
    );
}

#[test]
fn what_is_right_stays_and_what_cannot_be_followed_is_told() {
    let right = "c.GenericOAuthenticator.client_id = os.environ[\"OAUTH_CLIENT_ID\"]\nc.GenericOAuthenticator.oauth_callback_url = \"https://hub.example.org/hub/oauth_callback\"\n";
    let done = given(vec![hub(&json!([]), &volumes()), config(right)]).run();
    assert_eq!(done.codes(), [""; 0]);
    assert_eq!(done.objects[1]["data"]["jupyterhub_config.py"], right);
    for line in [
        "c.GenericOAuthenticator.client_secret = (\n    \"x\"\n)\n",
        "c.GenericOAuthenticator.client_id = f\"{name}-prod\"\n",
        "c.GenericOAuthenticator.client_id = open(\"/x\").read()\n",
        "if x: c.GenericOAuthenticator.client_id = \"x\"\n",
        "c.GenericOAuthenticator.client_id, c.GenericOAuthenticator.client_secret = \"a\", \"b\"\n",
        "c.LocalGitHubOAuthenticator.client_id = \"\"\"x\"\"\"\n",
    ] {
        let done = given(vec![hub(&json!([]), &volumes()), config(line)]).run();
        assert_eq!(done.codes(), ["unread-login"], "{line}");
        assert_eq!(done.objects[1]["data"]["jupyterhub_config.py"], line);
    }
}

#[test]
fn the_charts_secret_is_read_where_it_is_revealed() {
    let values = "hub:\n  config:\n    GenericOAuthenticator:\n      client_id: hub-prod-client # prod\n      client_secret: \"geheim 1\"\n      oauth_callback_url: 'https://hub.example.org/hub/oauth_callback'\n      token_url: https://aai.example.org/token\n      scope:\n        - openid\n    GitHubOAuthenticator:\n      client_id: other\n  extraConfig:\n    10-login: |\n      c.GenericOAuthenticator.client_id = \"x\"\n";
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub", "namespace": "jupyterhub"},
        "data": {"values.yaml": b64(values), "hub.config.CryptKeeper.keys": b64("abc")}});
    let review = [("hub.example.org", "hub-42.example.net")];
    let done = given(vec![hub(&json!([]), &volumes()), secret]).review(&review).run();
    assert_eq!(done.codes(), [""; 0]);
    let want = "hub:\n  config:\n    GenericOAuthenticator:\n      token_url: https://aai.example.org/token\n      scope:\n        - openid\n    GitHubOAuthenticator: {}\n  extraConfig:\n    10-login: |\n      c.GenericOAuthenticator.client_id = __import__(\"os\").environ[\"OAUTH_CLIENT_ID\"]\n";
    assert_eq!(done.objects[1]["data"]["values.yaml"], b64(want));
    for text in [
        "GenericOAuthenticator: {client_id: x}\n",
        "{\"hub\": {\"config\": {\"GenericOAuthenticator\": {\n\"client_id\": \"x\"}}}}\n",
        "GenericOAuthenticator:\n  client_id: |\n    x\n",
        "GenericOAuthenticator:\n  client_id: a\n    b\n",
        "GenericOAuthenticator:\n  client_id: *x\n",
        "GenericOAuthenticator:\n  client_id:\n  - x\n",
        "GenericOAuthenticator: *x\n",
        "GenericOAuthenticator:\n  <<: *x\n",
    ] {
        let map = map("hub", "jupyterhub", &[("values.yaml", text)]);
        let done = given(vec![hub(&json!([]), &volumes()), map]).run();
        assert_eq!(done.codes(), ["unread-login"], "{text}");
    }
    for text in ["GenericOAuthenticator: {scope: [a]}\n", "GenericOAuthenticator:\n  scope: {}\n"] {
        let map = map("hub", "jupyterhub", &[("values.yaml", text)]);
        assert_eq!(given(vec![hub(&json!([]), &volumes()), map]).run().codes(), [""; 0], "{text}");
    }
}

#[test]
fn a_sealed_secret_cannot_be_looked_into() {
    let secret = |key: &str, value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub", "namespace": "jupyterhub"}, "data": {key: value}});
    let done = given(vec![hub(&json!([]), &volumes()), secret("values.yaml", TOKEN)]).run();
    assert_eq!(done.codes(), ["sealed-config"]);
    assert!(done.findings[0].1.contains("`reveal: [NAMESPACE/hub]`"));
    // A reference within what is sealed.
    let parts = b64(&format!("{TOKEN}<path:kv/data/hub#id>{TOKEN}"));
    assert_eq!(
        given(vec![hub(&json!([]), &volumes()), secret("values.yaml", &parts)]).run().codes(),
        ["sealed-config"]
    );
    assert_eq!(
        given(vec![hub(&json!([]), &volumes()), secret("services.json", &parts)]).run().codes(),
        [""; 0]
    );
    assert_eq!(given(vec![hub(&json!([]), &volumes()), secret("cookie", TOKEN)]).run().codes(), [""; 0]);
    // Nobody reads it.
    assert_eq!(given(vec![hub(&json!([]), &json!([])), secret("values.yaml", TOKEN)]).run().codes(), [""; 0]);
}

#[test]
fn a_public_client_has_no_secret() {
    let env = json!([{"name": "OAUTH_CLIENT_SECRET", "value": "geheim-1"}]);
    let text = "c.GenericOAuthenticator.client_secret = \"geheim-1\"\n";
    let done = given(vec![hub(&env, &volumes()), config(text)]).with("authMethod", json!("none")).run();
    assert_eq!(done.codes(), [""; 0]);
    assert!(!done.env(0).contains_key("OAUTH_CLIENT_SECRET"));
    assert_eq!(
        done.objects[1]["data"]["jupyterhub_config.py"],
        "c.GenericOAuthenticator.client_secret = \"\"\n"
    );
}

#[test]
fn config_that_several_pods_read_is_the_wired_ones() {
    let reader = |name: &str| {
        let mut volumes = volumes();
        volumes.as_array_mut().unwrap().push(json!({"name": "oidc", "secret": {"secretName": "hub-oidc"}}));
        let mut object = hub(&json!([]), &volumes);
        object["metadata"]["name"] = json!(name);
        object
    };
    let text = "c.GenericOAuthenticator.client_id = 'hub-prod-client'\n";
    let done = given(vec![reader("a"), reader("hub"), config(text)]).run();
    assert_eq!(done.codes(), [""; 0]);
    // Nobody has the variables.
    let done = given(vec![reader("a"), config(text)]).run();
    assert_eq!(done.codes(), ["unread-login"]);
    assert_eq!(done.objects[1]["data"]["jupyterhub_config.py"], text);
}

#[test]
fn flags_and_string_data_are_read() {
    let mut object = hub(&json!([]), &volumes());
    let container = &mut object["spec"]["template"]["spec"]["containers"][0];
    container["args"] = json!(["jupyterhub", "--GenericOAuthenticator.client_id=hub-prod-client", "--debug"]);
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"},
        "stringData": {"values.yaml": "hub:\n  config:\n    GenericOAuthenticator:\n      client_secret: lathe1x\n"}});
    let done = given(vec![object, secret]).run();
    assert_eq!(done.codes(), [""; 0]);
    assert_eq!(
        done.objects[0]["spec"]["template"]["spec"]["containers"][0]["args"],
        json!(["jupyterhub", "--debug"])
    );
    assert_eq!(
        done.objects[1]["stringData"]["values.yaml"],
        "hub:\n  config:\n    GenericOAuthenticator: {}\n"
    );
}

#[test]
fn python_within_yamls_own_quotes_is_not_rewritten() {
    let with = |text: &str| {
        let map = map("hub", "jupyterhub", &[("values.yaml", text)]);
        given(vec![hub(&json!([]), &volumes()), map]).try_once().unwrap()
    };
    let text = "hub:\n  extraConfig:\n    my: \"import os\\n\n      c.GenericOAuthenticator.client_id = 'hub-prod'\\n\n      x\"\n";
    let done = with(text);
    assert_eq!(done.codes(), ["unread-login"]);
    assert_eq!(done.objects[1]["data"]["values.yaml"], text);
    let text = "hub:\n  extraConfig:\n    my: |\n      if True:\n        c.GenericOAuthenticator.client_id = 'hub-prod'\n";
    let done = with(text);
    assert!(done.codes().is_empty(), "{:?}", done.findings);
    assert!(done.objects[1]["data"]["values.yaml"].as_str().unwrap().contains("environ"));
}

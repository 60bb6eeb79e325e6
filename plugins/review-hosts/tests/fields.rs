//! The table of fields that hold hosts or namespaces, row by row: what is known follows, what claims an unknown host is refused.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use lathe_sdk::{Value, json};
use support::{NAMESPACE, TARGET, edits, findings};

/// An object with one value at a place; a number in the path is the last item of a list of that length.
fn object(version: &str, kind: &str, path: &str, value: &str) -> Value {
    let mut inner = json!(value);
    for token in path.rsplit('/').filter(|token| !token.is_empty()) {
        inner = match token.parse::<usize>() {
            Ok(0) => json!([inner]),
            _ => json!({token.replace("~1", "/"): inner}),
        };
    }
    let mut object =
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "portal"}});
    merge(&mut object, inner);
    object
}

fn merge(into: &mut Value, from: Value) {
    match from {
        Value::Object(map) if into.is_object() => {
            map.into_iter().for_each(|(key, value)| merge(&mut into[key], value));
        }
        from => *into = from,
    }
}

/// Places of hosts by a grammar of their own: version, kind, path, text in which `@` stands for the host.
const TYPED: &[(&str, &str, &str, &str)] = &[
    ("networking.k8s.io/v1", "Ingress", "/spec/rules/0/host", "@"),
    ("networking.k8s.io/v1", "Ingress", "/spec/tls/0/hosts/0", "@"),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1server-alias",
        "@",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1app-root",
        "https://@/app",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1auth-url",
        "https://@/oauth2/auth",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1auth-signin",
        "https://@/oauth2/start?rd=$escaped_request_uri",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1cors-allow-origin",
        "https://@, https://aai.example.org",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1permanent-redirect",
        "https://@",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1temporal-redirect",
        "https://@/x",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-redirect-from",
        "http://@/",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-redirect-to",
        "https://@/",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1upstream-vhost",
        "@",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-ssl-name",
        "@",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1mirror-target",
        "https://@$request_uri",
    ),
    (
        "v1",
        "Service",
        "/metadata/annotations/external-dns.alpha.kubernetes.io~1hostname",
        "@., aai.example.org",
    ),
    ("v1", "Service", "/metadata/annotations/external-dns.alpha.kubernetes.io~1internal-hostname", "@"),
    ("v1", "Service", "/metadata/annotations/external-dns.alpha.kubernetes.io~1target", "@,10.0.0.1"),
    ("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "/spec/endpoints/0/dnsName", "@"),
    ("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "/spec/endpoints/0/targets/0", "@"),
    ("networking.k8s.io/v1", "Ingress", "/metadata/annotations/cert-manager.io~1common-name", "@"),
    ("cert-manager.io/v1", "Certificate", "/spec/dnsNames/0", "@"),
    ("cert-manager.io/v1", "Certificate", "/spec/commonName", "@"),
    ("cert-manager.io/v1", "Certificate", "/spec/uris/0", "https://@/"),
    ("gateway.networking.k8s.io/v1", "Gateway", "/spec/listeners/0/hostname", "@"),
    ("gateway.networking.x-k8s.io/v1alpha1", "XListenerSet", "/spec/listeners/0/hostname", "@"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "/spec/hostnames/0", "@"),
    ("gateway.networking.k8s.io/v1", "GRPCRoute", "/spec/hostnames/0", "@"),
    ("gateway.networking.k8s.io/v1alpha2", "TLSRoute", "/spec/hostnames/0", "@"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "/spec/rules/0/filters/0/urlRewrite/hostname", "@"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "/spec/rules/0/filters/0/requestRedirect/hostname", "@"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "/spec/rules/0/filters/0/cors/allowOrigins/0", "https://@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/hosts/0", "@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/http/0/rewrite/authority", "@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/http/0/redirect/authority", "@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/http/0/corsPolicy/allowOrigins/0/exact", "https://@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/http/0/route/0/destination/host", "@"),
    ("networking.istio.io/v1", "Gateway", "/spec/servers/0/hosts/0", "./@"),
    ("networking.istio.io/v1", "ServiceEntry", "/spec/hosts/0", "@"),
    ("networking.istio.io/v1", "DestinationRule", "/spec/host", "@"),
    ("traefik.io/v1alpha1", "IngressRoute", "/spec/routes/0/match", "Host(`@`) && PathPrefix(`/x`)"),
    ("traefik.io/v1alpha1", "IngressRoute", "/spec/routes/0/match", "Host(\"@\", `aai.example.org`)"),
    ("traefik.containo.us/v1alpha1", "IngressRoute", "/spec/routes/0/match", "Host(\\\"@\\\")"),
    ("traefik.io/v1alpha1", "IngressRouteTCP", "/spec/routes/0/match", "HostSNI(`@`)"),
    ("traefik.io/v1alpha1", "IngressRoute", "/spec/tls/domains/0/main", "@"),
    ("traefik.io/v1alpha1", "IngressRoute", "/spec/tls/domains/0/sans/0", "@"),
    ("traefik.io/v1alpha1", "Middleware", "/spec/redirectRegex/replacement", "https://@/${1}"),
    ("traefik.io/v1alpha1", "Middleware", "/spec/headers/accessControlAllowOriginList/0", "https://@"),
    ("traefik.io/v1alpha1", "Middleware", "/spec/forwardAuth/address", "https://@/auth"),
    ("route.openshift.io/v1", "Route", "/spec/host", "@"),
    ("projectcontour.io/v1", "HTTPProxy", "/spec/virtualhost/fqdn", "@"),
    (
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        "/spec/rules/0/backendRefs/0/filters/0/urlRewrite/hostname",
        "@",
    ),
    (
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        "/spec/rules/0/backendRefs/0/filters/0/requestRedirect/hostname",
        "@",
    ),
    ("gateway.networking.k8s.io/v1", "ListenerSet", "/spec/listeners/0/hostname", "@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/http/0/corsPolicy/allowOrigin/0", "https://@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/http/0/mirror/host", "@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/http/0/mirrors/0/destination/host", "@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/tcp/0/route/0/destination/host", "@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/tls/0/route/0/destination/host", "@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/tls/0/match/0/sniHosts/0", "@"),
    ("networking.istio.io/v1", "DestinationRule", "/spec/trafficPolicy/tls/sni", "@"),
    ("traefik.io/v1alpha1", "Middleware", "/spec/headers/allowedHosts/0", "@"),
    ("traefik.io/v1alpha1", "Middleware", "/spec/headers/sslHost", "@"),
    ("projectcontour.io/v1", "HTTPProxy", "/spec/virtualhost/corsPolicy/allowOrigin/0", "https://@"),
    ("k8s.nginx.org/v1", "VirtualServer", "/spec/host", "@"),
    ("getambassador.io/v3alpha1", "Host", "/spec/hostname", "@"),
    ("getambassador.io/v3alpha1", "Mapping", "/spec/hostname", "@"),
    ("getambassador.io/v2", "Mapping", "/spec/host", "@"),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1mirror-host",
        "@",
    ),
    ("networking.k8s.io/v1", "Ingress", "/metadata/annotations/cert-manager.io~1alt-names", "@"),
    ("networking.k8s.io/v1", "Ingress", "/metadata/annotations/cert-manager.io~1uri-sans", "https://@/"),
];

/// Places where hosts stand in text: they follow, and whether one is left is for the closure to say.
const TEXT: &[(&str, &str, &str, &str)] = &[
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-cookie-domain",
        "backend @",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1configuration-snippet",
        "if ($host = \"@\") { return 301 https://@$request_uri; }",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1server-snippet",
        "add_header Content-Security-Policy \"frame-ancestors https://@\";",
    ),
    (
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        "/spec/rules/0/filters/0/requestHeaderModifier/set/0/value",
        "@",
    ),
    ("networking.istio.io/v1", "VirtualService", "/spec/http/0/corsPolicy/allowOrigins/0/regex", "https://@"),
    ("traefik.io/v1alpha1", "Middleware", "/spec/redirectRegex/regex", "^https://@/(.*)"),
    ("traefik.io/v1alpha1", "Middleware", "/spec/headers/customRequestHeaders/X-Forwarded-Host", "@"),
    ("v1", "Pod", "/spec/containers/0/env/0/value", "https://@"),
    ("v1", "Pod", "/spec/containers/0/args/0", "--public-url=https://@/"),
    ("v1", "Pod", "/spec/containers/0/command/0", "curl https://@"),
    ("v1", "Pod", "/spec/containers/0/livenessProbe/httpGet/httpHeaders/0/value", "@"),
    ("v1", "Pod", "/spec/hostAliases/0/hostnames/0", "@"),
    ("v1", "ConfigMap", "/data/app.json", "{ \"u\" : \"https:\\/\\/@\\/\" }"),
    ("v1", "ConfigMap", "/data/app.yml", "# https://@\nu: 'https://@'  # x\n"),
    ("v1", "ConfigMap", "/data/app.toml", "u = \"https://@\"\n"),
    ("v1", "ConfigMap", "/data/app.properties", "u=https\\://@/\n"),
    ("v1", "ConfigMap", "/data/nginx.conf", "server { server_name @ ; }\n"),
    ("v1", "ConfigMap", "/data/hub.py", "c.X.oauth_callback_url = 'https://@/hub/oauth_callback'\n"),
    ("v1", "ConfigMap", "/data/CMD_DOMAIN", "@"),
    ("v1", "ConfigMap", "/data/CMD_ALLOW_ORIGIN", "['localhost','@']"),
    ("v1", "ConfigMap", "/data/redirect", "https://aai.example.org/x?redirect_uri=https%3A%2F%2F@%2Flogin"),
    ("v1", "Secret", "/stringData/u", "https://@"),
];

/// Places that name a namespace: `@` stands for it.
const NAMESPACES: &[(&str, &str, &str, &str)] = &[
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "/subjects/0/namespace", "@"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "/subjects/0/name", "system:serviceaccount:@:default"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "/subjects/0/name", "system:serviceaccounts:@"),
    (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "/spec/ingress/0/from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name",
        "@",
    ),
    ("monitoring.coreos.com/v1", "ServiceMonitor", "/spec/namespaceSelector/matchNames/0", "@"),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1auth-tls-secret",
        "@/ca",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-ssl-secret",
        "@/tls",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/nginx.ingress.kubernetes.io~1auth-secret",
        "@/basic",
    ),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/traefik.ingress.kubernetes.io~1router.middlewares",
        "@-strip@kubernetescrd",
    ),
    ("v1", "ConfigMap", "/metadata/annotations/cert-manager.io~1inject-ca-from", "@/cert"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "/spec/parentRefs/0/namespace", "@"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "/spec/rules/0/backendRefs/0/namespace", "@"),
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "/spec/from/0/namespace", "@"),
    ("networking.istio.io/v1", "VirtualService", "/spec/gateways/0", "@/gateway"),
    ("networking.istio.io/v1", "Gateway", "/spec/servers/0/hosts/0", "@/aai.example.org"),
    ("networking.istio.io/v1", "DestinationRule", "/spec/exportTo/0", "@"),
    ("networking.istio.io/v1", "DestinationRule", "/spec/host", "db.@.svc.cluster.local"),
    (
        "security.istio.io/v1",
        "AuthorizationPolicy",
        "/spec/rules/0/from/0/source/principals/0",
        "cluster.local/ns/@/sa/web",
    ),
    ("security.istio.io/v1", "AuthorizationPolicy", "/spec/rules/0/from/0/source/namespaces/0", "@"),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "/spec/targetNamespace", "@"),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "/spec/sourceRef/namespace", "@"),
    ("v1", "Pod", "/spec/containers/0/args/0", "--namespace=@"),
    ("v1", "ConfigMap", "/data/a", "mongodb://db-0.db.@.svc.cluster.local:27017"),
    ("v1", "ConfigMap", "/data/a", "mongodb+srv://_mongodb._tcp.db.@.svc.cluster.local"),
    ("v1", "ConfigMap", "/data/a", "db.@:27017"),
    ("v1", "ConfigMap", "/data/a", "spiffe://cluster.local/ns/@/sa/web"),
    ("v1", "ConfigMap", "/data/a", "kubectl -n @ get pods"),
    ("rbac.authorization.k8s.io/v1", "Role", "/rules/0/x", "/api/v1/namespaces/@/pods"),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/traefik.ingress.kubernetes.io~1router.middlewares",
        "@-strip@kubernetescrd,shared-a@kubernetescrd",
    ),
    (
        "v1",
        "ConfigMap",
        "/metadata/annotations/reflector.v1.k8s.emberstack.com~1reflection-auto-namespaces",
        "@,other",
    ),
    ("v1", "ConfigMap", "/metadata/annotations/replicator.v1.mittwald.de~1replicate-to", "@"),
    ("security.istio.io/v1", "AuthorizationPolicy", "/spec/rules/0/from/0/source/notNamespaces/0", "@"),
    ("security.istio.io/v1", "AuthorizationPolicy", "/spec/rules/0/from/0/source/serviceAccounts/0", "@/web"),
    ("networking.istio.io/v1", "VirtualService", "/spec/http/0/match/0/sourceNamespace", "@"),
    (
        "cilium.io/v2",
        "CiliumNetworkPolicy",
        "/spec/ingress/0/fromEndpoints/0/matchLabels/k8s:io.kubernetes.pod.namespace",
        "@",
    ),
    (
        "gateway.networking.k8s.io/v1",
        "Gateway",
        "/spec/listeners/0/allowedRoutes/namespaces/selector/matchLabels/name",
        "@",
    ),
    ("x.example.com/v1", "Job", "/spec/watchNamespaces/0", "@"),
    ("monitoring.coreos.com/v1", "PrometheusRule", "/spec/groups/0/rules/0/expr", "up{namespace=\"@\"}"),
    ("cert-manager.io/v1", "Certificate", "/spec/dnsNames/0", "db.@.svc.cluster.local"),
    ("cert-manager.io/v1", "Certificate", "/spec/dnsNames/0", "*.db.@.svc"),
    ("networking.istio.io/v1", "DestinationRule", "/spec/host", "*.@.svc.cluster.local"),
    ("v1", "ConfigMap", "/metadata/annotations/replicator.v1.mittwald.de~1replicate-from", "@/other"),
    (
        "networking.k8s.io/v1",
        "Ingress",
        "/metadata/annotations/traefik.ingress.kubernetes.io~1router.tls.options",
        "@-modern@kubernetescrd",
    ),
    (
        "projectcalico.org/v3",
        "NetworkPolicy",
        "/spec/ingress/0/source/namespaceSelector",
        "kubernetes.io/metadata.name == '@'",
    ),
    ("v1", "ConfigMap", "/data/POD_NAMESPACE", "@"),
    ("v1", "Secret", "/stringData/NAMESPACE", "@"),
    ("v1", "ConfigMap", "/data/a", "namespace: @\n"),
    ("v1", "Service", "/spec/externalName", "db.@.svc"),
    ("v1", "ConfigMap", "/data/a", "postgres://u:p@pg-rw.@:5432/x"),
];

#[test]
fn typed_fields_follow_and_refuse_what_is_unknown() {
    for (version, kind, path, text) in TYPED {
        let with = |host: &str| object(version, kind, path, &text.replacen('@', host, 1));
        let want = format!("{path} = {}", json!(text.replacen('@', TARGET, 1)));
        let changed = edits(&[with("Portal.example.org")], &json!({}));
        assert!(changed.contains(&want), "{kind} {path}: {changed:?}");
        assert!(
            !findings(&[with("portal.example.org")], &json!({})).iter().any(|f| f.starts_with("unmapped")),
            "{path}"
        );
        for unknown in
            ["www.example.org", "myportal.example.org", "*.portal.example.org", "portal.example.org.evil.net"]
        {
            let told = findings(&[with(unknown)], &json!({}));
            assert!(
                told.iter().any(|f| f.starts_with("unmapped-") && f.contains(&format!(": `{unknown}`"))),
                "{path} {unknown}: {told:?}"
            );
        }
        let kept = with("aai.example.org");
        assert!(!findings(&[kept], &json!({})).iter().any(|f| f.starts_with("unmapped")), "{path}");
    }
}

#[test]
fn text_follows() {
    for (version, kind, path, text) in TEXT {
        let (before, want) = (text.replace('@', "portal.example.org"), text.replace('@', TARGET));
        let changed = edits(&[object(version, kind, path, &before)], &json!({}));
        let want = format!("{path} = {}", json!(want));
        assert!(changed.contains(&want), "{kind} {path}: {changed:?}");
    }
}

#[test]
fn namespaces_follow() {
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "portal"}});
    for (version, kind, path, text) in NAMESPACES {
        let put = |name: &str| text.replace("u:p@", "u:p%").replacen('@', name, 1).replace("u:p%", "u:p@");
        let (before, want) = (put("portal"), put(NAMESPACE));
        let changed = edits(&[object(version, kind, path, &before), service.clone()], &json!({}));
        let want = format!("{path} = {}", json!(want));
        assert!(changed.contains(&want), "{kind} {path}: {changed:?}");
        let other = object(version, kind, path, &put("shared"));
        let changed = edits(&[other, service.clone()], &json!({}));
        assert!(!changed.iter().any(|edit| edit.starts_with(&format!("{path} ="))), "{path}: {changed:?}");
    }
    let arguments = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "portal"},
        "spec": {"containers": [{"args": ["kubectl", "-n", "portal", "portal"], "env": [{"name": "WATCH_NAMESPACE", "value": "portal,other"}, {"name": "APP", "value": "portal"}]}]}});
    let want = [
        format!("/spec/containers/0/args/2 = \"{NAMESPACE}\""),
        format!("/spec/containers/0/env/0/value = \"{NAMESPACE},other\""),
    ];
    assert_eq!(edits(&[arguments], &json!({}))[..2], want);
}

#[test]
fn names_types_and_images_stay() {
    let host = "portal.example.org";
    let object = json!({
        "apiVersion": "portal.example.org/v1", "kind": "Thing",
        "metadata": {"name": host, "labels": {"app": host}, "finalizers": [host]},
        "spec": {
            "image": "portal.example.org/app:1", "selector": {"matchLabels": {"app": host}}, "tls": {"secretName": host},
            "credentialName": host, "secretKeyRef": {"name": host, "key": "k"}, "topologyKey": "portal.example.org/zone",
            "template": {"metadata": {"labels": {"app": host}}}, "tolerations": [{"key": host}],
            "mail": "a@portal.example.org", "urn": "urn:geant:portal.example.org:x",
        },
    });
    let changed = edits(&[object], &json!({}));
    assert!(
        changed.iter().all(|edit| edit.starts_with("+ ") || edit.starts_with("/spec/mail")),
        "{changed:?}"
    );
    // References to an object of the input, by whatever name it has.
    let named =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": host, "namespace": "portal"}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "portal"}, "spec": {
        "volumes": [{"configMap": {"name": host}}, {"projected": {"sources": [{"secret": {"name": host}}]}}],
        "logo": {"image": "https://portal.example.org/logo.png"},
    }});
    let changed = edits(&[pod, named], &json!({}));
    assert_eq!(changed[0], format!("/spec/logo/image = \"https://{TARGET}/logo.png\""));
    assert_eq!(changed.len(), 2, "{changed:?}");
    for text in ["com.portal", "shared/portal:1", "window.db.portal", "java.portal"] {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "portal", "annotations": {"github.com/project-slug": "portal/web"}}, "data": {"a": text}});
        assert!(edits(&[map], &json!({})).iter().all(|edit| edit.starts_with("+ ")), "{text}");
    }
    let dump = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "portal"},
        "spec": {"containers": [{"command": ["pg_dump", "-n", "portal"]}]}});
    assert!(edits(&[dump], &json!({})).iter().all(|edit| edit.starts_with("+ ")));
}

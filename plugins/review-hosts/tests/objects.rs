//! What becomes of whole objects: cluster-scoped ones, clashes, smaller reviews, what is added.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use lathe_sdk::{Value, json};
use support::{NAMESPACE, TARGET, edits, findings};

fn object(version: &str, kind: &str, rest: &Value) -> Value {
    let mut object =
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "portal"}});
    for (name, value) in rest.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

fn global(version: &str, kind: &str, rest: &Value) -> Value {
    let mut object = object(version, kind, rest);
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    object
}

fn namespace() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "portal"}})
}

/// Edits without those of the Namespace, which stands last.
fn own(first: Value, config: &Value) -> Vec<String> {
    let mut edits = edits(&[first, namespace()], config);
    edits.retain(|edit| {
        !edit.starts_with("/metadata/name = \"portal-") && !edit.starts_with("/metadata/labels/lathe.dev")
    });
    edits
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

#[test]
fn what_the_cluster_shares_is_refused_or_becomes_the_reviews_own() {
    for (version, kind) in [
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
        ("apiregistration.k8s.io/v1", "APIService"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("storage.k8s.io/v1", "StorageClass"),
        ("networking.k8s.io/v1", "IngressClass"),
        ("gateway.networking.k8s.io/v1", "GatewayClass"),
        ("cert-manager.io/v1", "ClusterIssuer"),
        ("scheduling.k8s.io/v1", "PriorityClass"),
        ("v1", "PersistentVolume"),
        (RBAC, "ClusterRoleBinding"),
    ] {
        let object = global(version, kind, &json!({}));
        let told = findings(std::slice::from_ref(&object), &json!({}));
        assert!(told.len() == 1 && told[0].starts_with("cluster-scoped: "), "{kind}: {told:?}");
        let drop = json!({"drop": [format!("{kind}/x")]});
        assert_eq!(
            (own(object.clone(), &drop), findings(&[object], &drop)),
            (vec!["dropped 0".to_owned()], vec![])
        );
    }
    let role = global(RBAC, "ClusterRole", &json!({"rules": []}));
    assert_eq!(own(role.clone(), &json!({})), ["/metadata/name = \"x-abcd2345\""]);
    assert_eq!(own(role.clone(), &json!({"sharedClusterRoles": ["x"]})), ["dropped 0"]);
    let reference = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "x"});
    let subject = json!([{"kind": "ServiceAccount", "name": "a", "namespace": "portal"}]);
    let binding = global(RBAC, "ClusterRoleBinding", &json!({"roleRef": reference, "subjects": subject}));
    let told = edits(&[binding.clone(), role.clone(), namespace()], &json!({"clusterRoleBindings": ["x"]}));
    let want = [
        "/metadata/name = \"x-abcd2345\"".to_owned(),
        format!("/subjects/0/namespace = \"{NAMESPACE}\""),
        "/roleRef/name = \"x-abcd2345\"".to_owned(),
    ];
    assert_eq!(told[..3], want);
    let within = object(RBAC, "RoleBinding", &json!({"roleRef": reference}));
    assert!(
        edits(&[within.clone(), role.clone()], &json!({}))
            .contains(&"/roleRef/name = \"x-abcd2345\"".to_owned())
    );
    // One that the input does not have is the cluster's.
    assert!(own(within.clone(), &json!({})).is_empty());
    // So is one that is left out here.
    let told = edits(&[within, role.clone()], &json!({"drop": ["ClusterRole/x"]}));
    assert!(!told.iter().any(|edit| edit.starts_with("/roleRef")), "{told:?}");
    let aggregate = global(RBAC, "ClusterRole", &json!({"aggregationRule": {"clusterRoleSelectors": []}}));
    assert!(findings(&[aggregate], &json!({}))[0].starts_with("cluster-scoped: "));
    let global_policy = global("crd.projectcalico.org/v1", "GlobalNetworkPolicy", &json!({}));
    assert!(findings(&[global_policy], &json!({}))[0].starts_with("cluster-scoped: "));
    let mut aggregated = role;
    aggregated["metadata"]["labels"] = json!({"rbac.authorization.k8s.io/aggregate-to-view": "true"});
    assert!(findings(&[aggregated], &json!({}))[0].starts_with("cluster-scoped: "));
}

#[test]
fn a_review_has_one_namespace_of_its_own() {
    let labelled = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    let two = [
        labelled("a", json!({"x": "1"})),
        labelled("b", json!({"y": "2", "kubernetes.io/metadata.name": "b"})),
    ];
    let told = edits(&two, &json!({}));
    assert!(
        told.contains(&"dropped 1".to_owned()) && told.contains(&"/metadata/labels/y = \"2\"".to_owned()),
        "{told:?}"
    );
    let told = edits(&[labelled("a", json!({"name": "a"}))], &json!({}));
    assert!(told.contains(&format!("/metadata/labels/name = \"{NAMESPACE}\"")), "{told:?}");
    let dropped = findings(
        &[labelled("a", json!({"x": "1"})), labelled("b", json!({"x": "2"}))],
        &json!({"drop": ["Namespace/b"]}),
    );
    assert!(dropped.is_empty(), "{dropped:?}");
    let told = findings(&[labelled("a", json!({"x": "1"})), labelled("b", json!({"x": "2"}))], &json!({}));
    assert!(told[0].starts_with("namespace-clash: "));
    let told = findings(&[labelled("a", json!({"lathe.dev/review": "2"}))], &json!({}));
    assert!(told[0].starts_with("foreign-environment: "));
    assert!(findings(&[labelled("a", json!({"lathe.dev/review": "1"}))], &json!({})).is_empty());
}

#[test]
fn clashes_are_taken_away_or_refused() {
    let spec = json!({"spec": {"type": "LoadBalancer", "loadBalancerIP": "1.2.3.4", "externalIPs": ["1.2.3.4"], "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"], "externalTrafficPolicy": "Local", "healthCheckNodePort": 30000, "ports": [{"port": 1, "nodePort": 30001}]}});
    let told = own(object("v1", "Service", &spec), &json!({}));
    let want = [
        "- /spec/loadBalancerIP",
        "- /spec/externalIPs",
        "- /spec/healthCheckNodePort",
        "- /spec/clusterIP",
        "- /spec/clusterIPs",
        "- /spec/externalTrafficPolicy",
        "/spec/type = \"ClusterIP\"",
        "- /spec/ports/0/nodePort",
    ];
    assert_eq!(told, want);
    assert!(own(object("v1", "Service", &json!({"spec": {"clusterIP": "None"}})), &json!({})).is_empty());
    let claim = json!({"spec": {"volumeName": "pv-1"}});
    assert_eq!(own(object("v1", "PersistentVolumeClaim", &claim), &json!({})), ["- /spec/volumeName"]);
    for (spec, at) in [
        (json!({"hostNetwork": true}), "node's network"),
        (json!({"volumes": [{"hostPath": {"path": "/"}}]}), "files that are there already"),
        (json!({"containers": [{"ports": [{"hostPort": 80}]}]}), "port of the node"),
    ] {
        let told = findings(
            &[object("apps/v1", "DaemonSet", &json!({"spec": {"template": {"spec": spec}}}))],
            &json!({}),
        );
        assert!(told.len() == 1 && told[0].starts_with("clash: ") && told[0].contains(at), "{told:?}");
    }
}

#[test]
fn a_review_may_be_smaller() {
    let config = json!({"shrink": {"replicas": 1, "suspendCronJobs": true, "storage": "1Gi"}});
    let checksum = |edit: &String| !edit.contains("checksum-hosts");
    let told = |object: Value| own(object, &config).into_iter().filter(checksum).collect::<Vec<_>>();
    assert_eq!(
        told(object("apps/v1", "Deployment", &json!({"spec": {"replicas": 3}}))),
        ["/spec/replicas = 1"]
    );
    assert!(told(object("apps/v1", "Deployment", &json!({"spec": {"replicas": 0}}))).is_empty());
    assert!(told(object("apps/v1", "Deployment", &json!({"spec": {}}))).is_empty());
    assert_eq!(told(object("batch/v1", "CronJob", &json!({"spec": {}}))), ["/spec/suspend = true"]);
    let storage = |text: &str| json!({"spec": {"resources": {"requests": {"storage": text}}}});
    assert_eq!(
        told(object("v1", "PersistentVolumeClaim", &storage("20Gi"))),
        ["/spec/resources/requests/storage = \"1Gi\""]
    );
    assert!(told(object("v1", "PersistentVolumeClaim", &storage("100M"))).is_empty());
    let set = json!({"spec": {"volumeClaimTemplates": [storage("1Ti")]}});
    let want = ["/spec/volumeClaimTemplates/0/spec/resources/requests/storage = \"1Gi\""];
    assert_eq!(told(object("apps/v1", "StatefulSet", &set)), want);
    for (version, kind) in
        [("autoscaling/v2", "HorizontalPodAutoscaler"), ("policy/v1", "PodDisruptionBudget")]
    {
        assert_eq!(told(object(version, kind, &json!({}))), ["dropped 0"]);
    }
}

#[test]
fn bounds_are_added_once() {
    let config = json!({
        "sharedServices": ["smtp.mail"],
        "quota": {"pods": "20"},
        "limitRange": {"default": {"memory": "256Mi"}},
        "networkPolicy": {"fromNamespaces": ["ingress-nginx"], "toAddresses": [{"cidr": "131.169.0.0/16", "ports": [443]}]},
    });
    let added = |edits: Vec<String>| -> Vec<Value> {
        edits
            .iter()
            .filter_map(|edit| edit.strip_prefix("+ "))
            .map(|text| serde_json::from_str(text).unwrap())
            .collect()
    };
    let first = added(edits(&[namespace()], &config));
    let kinds: Vec<_> = first.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ResourceQuota", "LimitRange", "NetworkPolicy"]);
    assert!(
        first
            .iter()
            .all(|object| object["metadata"] == json!({"name": "lathe-review", "namespace": NAMESPACE}))
    );
    let policy = &first[2]["spec"];
    let name = |at: &str| policy.pointer(at).unwrap().as_str().unwrap();
    let labels = "namespaceSelector/matchLabels/kubernetes.io~1metadata.name";
    assert_eq!(name(&format!("/ingress/0/from/1/{labels}")), "ingress-nginx");
    assert_eq!(name(&format!("/egress/0/to/1/{labels}")), "mail");
    assert_eq!(policy.pointer("/egress/1/ports/0/port").unwrap(), 53);
    assert_eq!(name("/egress/2/to/0/ipBlock/cidr"), "131.169.0.0/16");
    let all: Vec<Value> = [namespace()].into_iter().chain(first).collect();
    assert!(added(edits(&all, &config)).is_empty());
}

#[test]
fn the_review_class_takes_productions_place() {
    let config = json!({"clusterIssuer": "rv", "imagePullSecrets": ["rv-pull"]});
    let issuer = json!({"metadata": {"name": "x", "namespace": "portal", "annotations": {"cert-manager.io/cluster-issuer": "le"}}});
    let ingress = object("networking.k8s.io/v1", "Ingress", &issuer);
    assert_eq!(own(ingress, &config), ["/metadata/annotations/cert-manager.io~1cluster-issuer = \"rv\""]);
    let certificate = json!({"spec": {"issuerRef": {"kind": "ClusterIssuer", "name": "le"}}});
    assert_eq!(
        own(object("cert-manager.io/v1", "Certificate", &certificate), &config),
        ["/spec/issuerRef/name = \"rv\""]
    );
    let pod = object("v1", "Pod", &json!({"spec": {"imagePullSecrets": [{"name": "prod"}]}}));
    assert_eq!(own(pod, &config), ["/spec/imagePullSecrets = [{\"name\":\"rv-pull\"}]"]);
    let account = object("v1", "ServiceAccount", &json!({"imagePullSecrets": [{"name": "prod"}]}));
    assert_eq!(own(account, &config), ["/imagePullSecrets = [{\"name\":\"rv-pull\"}]"]);

    let config = json!({"tlsSecret": "wildcard"});
    let mut ingress = issuer;
    ingress["spec"] = json!({"tls": [{"hosts": ["portal.example.org"], "secretName": "t"}, {"hosts": []}]});
    let told = own(object("networking.k8s.io/v1", "Ingress", &ingress), &config);
    let want = [
        format!("/spec/tls/0/hosts/0 = \"{TARGET}\""),
        "/spec/tls/0/secretName = \"wildcard\"".to_owned(),
        "- /metadata/annotations/cert-manager.io~1cluster-issuer".to_owned(),
    ];
    assert_eq!(told, want);
}

#[test]
fn a_seed_runs_once() {
    let hook = json!({"metadata": {"name": "x", "namespace": "portal", "annotations": {"helm.sh/hook": "post-install"}},
        "spec": {"ttlSecondsAfterFinished": 60}});
    let told = own(object("batch/v1", "Job", &hook), &json!({"seed": ["x"]}));
    let want = [
        "/metadata/annotations/lathe.dev~1apply = \"once\"",
        "/metadata/annotations/kustomize.toolkit.fluxcd.io~1ssa = \"IfNotPresent\"",
        "- /metadata/annotations/helm.sh~1hook",
        "- /spec/ttlSecondsAfterFinished",
    ];
    assert_eq!(told, want);
    assert!(findings(&[namespace()], &json!({"seed": ["y"]}))[0].starts_with("unused: "));
}

#[test]
fn what_cannot_move_is_refused() {
    for (object, code) in [
        (object("bitnami.com/v1alpha1", "SealedSecret", &json!({})), "sealed-secret"),
        (object("v1", "Secret", &json!({"sops": {"mac": "x"}})), "sops"),
        (object("v1", "ConfigMap", &json!({"data": {"a": "ENC[AES256_GCM,data:x]"}})), "sops"),
        (
            object("v1", "ConfigMap", &json!({"immutable": true, "data": {"a": "portal.example.org"}})),
            "immutable",
        ),
        (object("v1", "Secret", &json!({"type": "kubernetes.io/tls"})), "static-certificate"),
        (object("v1", "Endpoints", &json!({"subsets": []})), "clash"),
        (object("v1", "PersistentVolumeClaim", &json!({"spec": {"selector": {}}})), "clash"),
        (
            object(
                "v1",
                "PersistentVolumeClaim",
                &json!({"spec": {"dataSource": {"kind": "VolumeSnapshot", "name": "p"}}}),
            ),
            "clash",
        ),
        (
            object("v1", "Role", &json!({"metadata": {"name": "x", "namespace": "kube-system"}})),
            "system-namespace",
        ),
        (object("gateway.networking.k8s.io/v1alpha2", "TCPRoute", &json!({"spec": {}})), "hostless"),
        (
            object(
                "networking.istio.io/v1",
                "Gateway",
                &json!({"spec": {"servers": [{"port": {"protocol": "TCP"}, "hosts": ["portal.example.org"]}]}}),
            ),
            "hostless",
        ),
        (object("getambassador.io/v2", "Mapping", &json!({"spec": {}})), "hostless"),
        (object("networking.k8s.io/v1", "Ingress", &json!({"spec": {"rules": [{}]}})), "hostless"),
        (
            object(
                "traefik.io/v1alpha1",
                "IngressRouteTCP",
                &json!({"spec": {"routes": [{"match": "HostSNI(`*`)"}]}}),
            ),
            "hostless",
        ),
        (
            object("networking.istio.io/v1", "Gateway", &json!({"spec": {"servers": [{"hosts": ["*"]}]}})),
            "hostless",
        ),
    ] {
        let told = findings(&[object], &json!({}));
        assert!(told.len() == 1 && told[0].starts_with(&format!("{code}: ")), "{code}: {told:?}");
    }
    // On a Gateway of its own, or within the mesh, a route shares nothing.
    let gateway = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "own", "namespace": "portal"},
        "spec": {"listeners": [{"hostname": "portal.example.org"}]}});
    for (parent, count) in [
        (json!({"name": "own"}), 0),
        (json!({"kind": "Service", "name": "s"}), 0),
        (json!({"name": "shared", "namespace": "gateways"}), 1),
    ] {
        for kind in ["HTTPRoute", "TCPRoute"] {
            let route =
                object("gateway.networking.k8s.io/v1", kind, &json!({"spec": {"parentRefs": [parent]}}));
            assert_eq!(findings(&[route, gateway.clone()], &json!({})).len(), count, "{kind} {parent}");
        }
    }
    let immutable = object("v1", "ConfigMap", &json!({"immutable": true, "data": {"a": "b"}}));
    assert!(findings(&[immutable], &json!({})).is_empty());
}

#[test]
fn values_of_secrets_are_rewritten_within() {
    // base64 of `https://portal.example.org` and of what it becomes.
    let secret = object(
        "v1",
        "Secret",
        &json!({"data": {"u": "aHR0cHM6Ly9wb3J0YWwuZXhhbXBsZS5vcmc=", "x": "AP8=", ".dockerconfigjson": "cG9ydGFsLmV4YW1wbGUub3Jn"}}),
    );
    let told = own(secret, &json!({}));
    let want = "aHR0cHM6Ly9wb3J0YWwtcmV2aWV3LTEtYWJjZDIzNDUucnYuZXhhbXBsZS5uZXQ=";
    assert_eq!(told, [format!("/data/u = \"{want}\"")]);
    // base64 of `portal`, and of the review's namespace.
    let named = object("v1", "Secret", &json!({"data": {"APP_NAMESPACE": "cG9ydGFs"}}));
    let told = own(named, &json!({}));
    assert_eq!(told, ["/data/APP_NAMESPACE = \"cG9ydGFsLXJldmlldy0xLWFiY2QyMzQ1\""]);
}

#[test]
fn what_holds_for_one_object_is_taken_away() {
    let notes = json!({"metadata": {"name": "x", "namespace": "portal", "uid": "u", "ownerReferences": [{"name": "portal.example.org"}],
        "labels": {"argocd.argoproj.io/instance": "portal"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "portal.example.org"}}});
    let want = [
        "- /metadata/uid",
        "- /metadata/ownerReferences",
        "- /metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
        "- /metadata/labels/argocd.argoproj.io~1instance",
    ];
    assert_eq!(own(object("v1", "ConfigMap", &notes), &json!({})), want);
}

#[test]
fn a_shared_certificate_has_no_rival() {
    let ingress = json!({"metadata": {"name": "i", "namespace": "portal", "annotations": {"kubernetes.io/tls-acme": "true"}},
        "spec": {"tls": [{"secretName": "t"}]}});
    let certificate =
        |secret: &str| object("cert-manager.io/v1", "Certificate", &json!({"spec": {"secretName": secret}}));
    let config = json!({"tlsSecret": "wildcard"});
    let ingress = object("networking.k8s.io/v1", "Ingress", &ingress);
    let told = edits(
        &[certificate("t"), certificate("wildcard"), certificate("internal"), ingress, namespace()],
        &config,
    );
    assert!(told.contains(&"dropped 0".to_owned()) && told.contains(&"dropped 1".to_owned()), "{told:?}");
    assert!(!told.contains(&"dropped 2".to_owned()), "{told:?}");
    assert!(told.contains(&"- /metadata/annotations/kubernetes.io~1tls-acme".to_owned()), "{told:?}");
}

#[test]
fn a_certificate_that_others_use_stays() {
    let ingress = json!({"spec": {"tls": [{"secretName": "t"}]}});
    let ingress = object("networking.k8s.io/v1", "Ingress", &ingress);
    let certificate = object("cert-manager.io/v1", "Certificate", &json!({"spec": {"secretName": "t"}}));
    let pod = object("v1", "Pod", &json!({"spec": {"volumes": [{"secret": {"secretName": "t"}}]}}));
    let told = edits(&[certificate, ingress, pod, namespace()], &json!({"tlsSecret": "wildcard"}));
    assert!(!told.iter().any(|edit| edit.starts_with("dropped")), "{told:?}");
}

#[test]
fn what_meets_in_one_namespace_is_refused() {
    let at = |mut object: Value, namespace: &str, name: &str| {
        object["metadata"] = json!({"name": name, "namespace": namespace});
        object
    };
    let service = object("v1", "Service", &json!({"spec": {"selector": {"app": "db"}}}));
    let pods = |label: &str| {
        object(
            "apps/v1",
            "Deployment",
            &json!({"spec": {"template": {"metadata": {"labels": {"app": label}}, "spec": {}}}}),
        )
    };
    let told = findings(
        &[at(service.clone(), "a", "s"), at(pods("db"), "a", "p"), at(pods("db"), "b", "q")],
        &json!({}),
    );
    assert!(told.len() == 1 && told[0].contains("selects pods of Deployment/q of `b` as well"), "{told:?}");
    assert!(
        findings(&[at(service, "a", "s"), at(pods("db"), "a", "p"), at(pods("x"), "b", "q")], &json!({}))
            .is_empty()
    );
    let certificate =
        object("cert-manager.io/v1", "Certificate", &json!({"spec": {"secretName": "t", "dnsNames": []}}));
    let told = findings(&[at(certificate.clone(), "a", "x"), at(certificate, "b", "y")], &json!({}));
    assert!(told.len() == 1 && told[0].contains("writes the Secret `t` as well"), "{told:?}");
}

#[test]
fn objects_that_are_called_like_a_host_keep_their_references() {
    let host = "portal.example.org";
    let certificate = object(
        "cert-manager.io/v1",
        "Certificate",
        &json!({"spec": {"secretName": host, "dnsNames": [host]}}),
    );
    let keycloak = object(
        "k8s.keycloak.org/v2alpha1",
        "Keycloak",
        &json!({"metadata": {"name": "kc", "namespace": "portal",
        "annotations": {"nginx.ingress.kubernetes.io/auth-tls-secret": "portal/portal.example.org"}},
        "spec": {"hostname": {"hostname": host}, "http": {"tlsSecret": host}}}),
    );
    let told = edits(&[keycloak, certificate, namespace()], &json!({}));
    let own: Vec<&String> = told
        .iter()
        .filter(|edit| !edit.starts_with("/metadata/n") && !edit.starts_with("/metadata/labels"))
        .collect();
    let want = [
        format!(
            "/metadata/annotations/nginx.ingress.kubernetes.io~1auth-tls-secret = \"{NAMESPACE}/portal.example.org\""
        ),
        format!("/spec/hostname/hostname = \"{TARGET}\""),
        format!("/spec/dnsNames/0 = \"{TARGET}\""),
    ];
    assert_eq!(own, want.iter().collect::<Vec<_>>());
}

#[test]
fn a_place_may_be_left_alone() {
    let map =
        object("v1", "ConfigMap", &json!({"data": {"a": "namespace: portal", "b": "namespace: portal"}}));
    let told = own(map, &json!({"leave": ["ConfigMap/x /data/a"]}));
    assert_eq!(told, [format!("/data/b = \"namespace: {NAMESPACE}\"")]);
}

#[test]
fn names_in_certificates_fit() {
    let long = format!("{}.apps.example.org", "a".repeat(60));
    let certificate = json!({"spec": {"commonName": long, "dnsNames": ["portal.example.org"]}});
    let told = own(object("cert-manager.io/v1", "Certificate", &certificate), &json!({"keep": [long]}));
    let want = [
        format!("/spec/dnsNames/0 = \"{TARGET}\""),
        "- /spec/commonName".to_owned(),
        format!("/spec/dnsNames/- + \"{long}\""),
    ];
    assert_eq!(told, want);
    let alone = json!({"spec": {"commonName": long}});
    let told = own(object("cert-manager.io/v1", "Certificate", &alone), &json!({"keep": [long]}));
    assert_eq!(told, ["- /spec/commonName".to_owned(), format!("/spec/dnsNames = [\"{long}\"]")]);
}

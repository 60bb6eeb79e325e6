//! Where hosts stand by a grammar of their own: the table.

use lathe_sdk::Object;

/// How a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// One host name, maybe with a wildcard in front.
    Host,
    /// The same in a certificate, which may be a Service's.
    Name,
    /// Several, in a comma list.
    Hosts,
    /// Host names and IP addresses, in a comma list.
    Targets,
    /// A URL, or a path.
    Url,
    /// Origins (RFC 6454) in a comma list, or `*`.
    Origins,
    /// Istio: a host, a Service's short name, `namespace/host`; `*` is every host.
    Mesh,
    /// The same for hosts that are asked for and not claimed, so that `*` is none.
    MeshTarget,
    /// A Traefik rule.
    Rule,
}

impl Grammar {
    /// Whether a host in the field is claimed, and not only asked for.
    pub(crate) fn claims(self) -> bool {
        matches!(self, Self::Host | Self::Name | Self::Hosts | Self::Mesh | Self::Rule)
    }

    /// Whether names of Services may stand in the field.
    pub(crate) fn asks_in_cluster(self) -> bool {
        !matches!(self, Self::Host | Self::Hosts | Self::Rule)
    }
}

/// A field of a kind.
pub(crate) struct Field {
    groups: &'static [&'static str],
    kinds: &'static [&'static str],
    /// `*` is each item of a list.
    pub(crate) path: &'static str,
    pub(crate) grammar: Grammar,
}

impl Field {
    pub(crate) fn is_of(&self, object: &Object) -> bool {
        self.kinds.contains(&object.kind.as_str()) && self.groups.contains(&object.group())
    }
}

const fn field(
    groups: &'static [&'static str],
    kinds: &'static [&'static str],
    path: &'static str,
    grammar: Grammar,
) -> Field {
    Field { groups, kinds, path, grammar }
}

const INGRESS: &[&str] = &["networking.k8s.io", "extensions"];
const GATEWAY: &[&str] = &["gateway.networking.k8s.io", "gateway.networking.x-k8s.io"];
const ISTIO: &[&str] = &["networking.istio.io"];
const TRAEFIK: &[&str] = &["traefik.io", "traefik.containo.us"];
const CERTIFICATES: &[&str] = &["cert-manager.io"];
const LISTENERS: &[&str] = &["Gateway", "ListenerSet", "XListenerSet"];
const ROUTES: &[&str] = &["HTTPRoute", "GRPCRoute", "TLSRoute"];
const TRAEFIK_ROUTES: &[&str] = &["IngressRoute", "IngressRouteTCP"];

/// The fields.
pub(crate) const FIELDS: &[Field] = &[
    field(INGRESS, &["Ingress"], "spec/rules/*/host", Grammar::Host),
    field(INGRESS, &["Ingress"], "spec/tls/*/hosts/*", Grammar::Host),
    field(GATEWAY, LISTENERS, "spec/listeners/*/hostname", Grammar::Host),
    field(GATEWAY, ROUTES, "spec/hostnames/*", Grammar::Host),
    field(GATEWAY, ROUTES, "spec/rules/*/filters/*/urlRewrite/hostname", Grammar::Host),
    field(GATEWAY, ROUTES, "spec/rules/*/filters/*/requestRedirect/hostname", Grammar::Host),
    field(GATEWAY, ROUTES, "spec/rules/*/filters/*/cors/allowOrigins/*", Grammar::Origins),
    field(GATEWAY, ROUTES, "spec/rules/*/backendRefs/*/filters/*/urlRewrite/hostname", Grammar::Host),
    field(GATEWAY, ROUTES, "spec/rules/*/backendRefs/*/filters/*/requestRedirect/hostname", Grammar::Host),
    field(ISTIO, &["VirtualService"], "spec/hosts/*", Grammar::Mesh),
    field(ISTIO, &["VirtualService"], "spec/http/*/rewrite/authority", Grammar::MeshTarget),
    field(ISTIO, &["VirtualService"], "spec/http/*/redirect/authority", Grammar::MeshTarget),
    field(ISTIO, &["VirtualService"], "spec/http/*/corsPolicy/allowOrigins/*/exact", Grammar::Origins),
    field(ISTIO, &["VirtualService"], "spec/http/*/corsPolicy/allowOrigin/*", Grammar::Origins),
    field(ISTIO, &["VirtualService"], "spec/http/*/route/*/destination/host", Grammar::MeshTarget),
    field(ISTIO, &["VirtualService"], "spec/http/*/mirror/host", Grammar::MeshTarget),
    field(ISTIO, &["VirtualService"], "spec/http/*/mirrors/*/destination/host", Grammar::MeshTarget),
    field(ISTIO, &["VirtualService"], "spec/tcp/*/route/*/destination/host", Grammar::MeshTarget),
    field(ISTIO, &["VirtualService"], "spec/tls/*/route/*/destination/host", Grammar::MeshTarget),
    field(ISTIO, &["VirtualService"], "spec/tls/*/match/*/sniHosts/*", Grammar::Mesh),
    field(ISTIO, &["Gateway"], "spec/servers/*/hosts/*", Grammar::Mesh),
    field(ISTIO, &["ServiceEntry"], "spec/hosts/*", Grammar::Mesh),
    field(ISTIO, &["DestinationRule"], "spec/host", Grammar::MeshTarget),
    field(ISTIO, &["DestinationRule"], "spec/trafficPolicy/tls/sni", Grammar::MeshTarget),
    field(TRAEFIK, TRAEFIK_ROUTES, "spec/routes/*/match", Grammar::Rule),
    field(TRAEFIK, TRAEFIK_ROUTES, "spec/tls/domains/*/main", Grammar::Host),
    field(TRAEFIK, TRAEFIK_ROUTES, "spec/tls/domains/*/sans/*", Grammar::Host),
    field(TRAEFIK, &["Middleware"], "spec/forwardAuth/address", Grammar::Url),
    field(TRAEFIK, &["Middleware"], "spec/headers/accessControlAllowOriginList/*", Grammar::Origins),
    field(TRAEFIK, &["Middleware"], "spec/headers/allowedHosts/*", Grammar::Host),
    field(TRAEFIK, &["Middleware"], "spec/headers/sslHost", Grammar::Host),
    field(TRAEFIK, &["Middleware"], "spec/redirectRegex/replacement", Grammar::Url),
    field(&["route.openshift.io"], &["Route"], "spec/host", Grammar::Host),
    field(&["projectcontour.io"], &["HTTPProxy"], "spec/virtualhost/fqdn", Grammar::Host),
    field(
        &["projectcontour.io"],
        &["HTTPProxy"],
        "spec/virtualhost/corsPolicy/allowOrigin/*",
        Grammar::Origins,
    ),
    field(CERTIFICATES, &["Certificate"], "spec/dnsNames/*", Grammar::Name),
    field(CERTIFICATES, &["Certificate"], "spec/commonName", Grammar::Name),
    field(CERTIFICATES, &["Certificate"], "spec/uris/*", Grammar::Url),
    field(&["externaldns.k8s.io"], &["DNSEndpoint"], "spec/endpoints/*/dnsName", Grammar::Host),
    field(&["externaldns.k8s.io"], &["DNSEndpoint"], "spec/endpoints/*/targets/*", Grammar::Targets),
    field(&["k8s.nginx.org"], &["VirtualServer"], "spec/host", Grammar::Host),
    field(&["getambassador.io"], &["Host", "Mapping"], "spec/hostname", Grammar::Host),
    field(&["getambassador.io"], &["Mapping"], "spec/host", Grammar::Host),
];

/// An annotation of any kind of object.
pub(crate) struct Annotation {
    /// The end of the prefix before the slash.
    prefix: &'static str,
    name: &'static str,
    pub(crate) grammar: Grammar,
}

impl Annotation {
    pub(crate) fn is(&self, name: &str) -> bool {
        name.split_once('/').is_some_and(|(prefix, name)| {
            let end = prefix.strip_suffix(self.prefix);
            name == self.name && end.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

const fn annotation(prefix: &'static str, name: &'static str, grammar: Grammar) -> Annotation {
    Annotation { prefix, name, grammar }
}

const NGINX: &str = "ingress.kubernetes.io";
const EXTERNAL_DNS: &str = "external-dns.alpha.kubernetes.io";
const CERT_MANAGER: &str = "cert-manager.io";

/// The annotations. What ingress-nginx takes as a snippet is text as any other.
pub(crate) const ANNOTATIONS: &[Annotation] = &[
    annotation(NGINX, "server-alias", Grammar::Hosts),
    annotation(NGINX, "app-root", Grammar::Url),
    annotation(NGINX, "auth-url", Grammar::Url),
    annotation(NGINX, "auth-signin", Grammar::Url),
    annotation(NGINX, "cors-allow-origin", Grammar::Origins),
    annotation(NGINX, "permanent-redirect", Grammar::Url),
    annotation(NGINX, "temporal-redirect", Grammar::Url),
    annotation(NGINX, "proxy-redirect-from", Grammar::Url),
    annotation(NGINX, "proxy-redirect-to", Grammar::Url),
    annotation(NGINX, "upstream-vhost", Grammar::MeshTarget),
    annotation(NGINX, "proxy-ssl-name", Grammar::MeshTarget),
    annotation(NGINX, "mirror-target", Grammar::Url),
    annotation(NGINX, "mirror-host", Grammar::MeshTarget),
    annotation(EXTERNAL_DNS, "hostname", Grammar::Hosts),
    annotation(EXTERNAL_DNS, "internal-hostname", Grammar::Hosts),
    annotation(EXTERNAL_DNS, "target", Grammar::Targets),
    annotation(CERT_MANAGER, "common-name", Grammar::Host),
    annotation(CERT_MANAGER, "alt-names", Grammar::Hosts),
    annotation(CERT_MANAGER, "uri-sans", Grammar::Url),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_test() {
        let tests = include_str!("../tests/fields.rs");
        for field in FIELDS {
            let place = format!("\"/{}\"", field.path.replace('*', "0"));
            assert!(tests.contains(&place), "{place}");
            assert!(field.kinds.iter().all(|kind| tests.contains(&format!("\"{kind}\""))), "{place}");
        }
        for annotation in ANNOTATIONS {
            assert!(tests.contains(&format!("~1{}\"", annotation.name)), "{}", annotation.name);
        }
    }
}

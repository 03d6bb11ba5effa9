//! Ways in from outside: load balancers of Services, Ingresses, Gateways, and certificates.

use super::promql::{found, once};
use super::{Alert, Group, warning, words};

/// What each code of a load balancer means.
const BALANCERS: &[(&str, &str)] = &[
    ("conflict", "It has no address: another has what it asks for."),
    ("no_addresses", "It has no address: no pool has one for it."),
    ("no_nodes", "It has no address: no node may be behind it."),
    ("no_targets", "Nothing behind it gets its traffic."),
    ("pending", "It has no address, and clients outside of the cluster have no way in by it."),
    ("permissions", "It has no address: what makes its load balancer may not."),
    ("port_error", "What makes its load balancer refuses a port of it."),
    ("quota", "It has no address: a quota of the provider is used up."),
    ("stuck_deleting", "It is deleted, and its load balancer is not taken away."),
    ("subnets", "It has no address: there is no subnet for it, or none with room."),
];

/// What each code of an Ingress means.
const INGRESSES: &[(&str, &str)] = &[
    ("backend_missing", "It leads to a Service that is not there."),
    ("class_missing", "It names a class that is not there, and has no address."),
    ("conflict", "Another has a path of it, and leads elsewhere."),
    ("no_address", "It has no address, while others of its class have one."),
    ("no_class", "It names no class, and has no address."),
    ("no_endpoints", "It leads to a Service of which no endpoint is ready."),
    ("port_missing", "It leads to a port that its Service does not have."),
];

/// What each code of a Certificate, and of what is made to get one, means.
const CERTIFICATES: &[(&str, &str)] = &[
    ("challenge_stuck", "The challenge is open for more than an hour."),
    ("expired", "The certificate has expired."),
    ("expiring", "The certificate expires soon, and nothing shows that it is renewed."),
    ("issuer_missing", "The issuer of the Certificate is not there."),
    ("issuer_not_ready", "The issuer is not ready, and Certificates or requests name it."),
    ("no_approver", "The request is neither approved nor denied."),
    ("not_ready", "The Certificate is not ready, or its last change was not looked at."),
    ("not_renewed", "The certificate should have been renewed and was not."),
    ("request_stuck", "The request is approved, and its issuer does not answer it."),
    ("stuck_deleting", "The challenge is deleted and does not go."),
];

/// What each code of a Gateway, its class and its routes means.
const GATEWAYS: &[(&str, &str)] = &[
    ("class_missing", "The class of the Gateway is not there."),
    ("class_not_accepted", "The class is not accepted, and Gateways name it."),
    ("listener", "A listener of the Gateway is at fault."),
    ("not_accepted", "The Gateway is not accepted."),
    ("not_programmed", "The Gateway is accepted and not programmed."),
    ("route_not_accepted", "The route is not accepted by a Gateway that it names."),
    ("route_silent", "Nothing is said of the route, and other routes are answered."),
    ("route_unattached", "The Gateway that the route names is not there."),
    ("route_unresolved", "A backend of the route is not found, or not permitted."),
];

pub(super) fn group() -> Group {
    let mut alerts = Vec::from(load_balancers());
    alerts.extend(ingresses());
    alerts.extend(gateways());
    alerts.extend(certificates());
    Group { name: "external", component: "external", alerts }
}

fn load_balancers() -> [Alert; 2] {
    let service = "kubectl -n {{ $labels.namespace }} describe service {{ $labels.name }}";
    [
        Alert {
            why: "By Service and not by code, because one may become another while the alert waits.",
            expr: of(r#"check="load_balancer", severity="warning", code!="load_balancer.no_targets""#),
            pending: "5m",
            keep: "5m",
            summary: "The load balancer of a Service is not as it asks for.",
            says: [
                "Service {{ $labels.namespace }}/{{ $labels.name }}:",
                &words::codes_in_namespace("load_balancer", BALANCERS),
            ]
            .concat(),
            next: service,
            panel: 56,
            ..warning("LoadBalancerPending")
        },
        Alert {
            expr: of(r#"code="load_balancer.no_targets""#),
            pending: "10m",
            keep: "5m",
            summary: "A load balancer leads to no endpoint that is ready.",
            says: "Service {{ $labels.namespace }}/{{ $labels.name }} is of type LoadBalancer, and nothing behind it \
                   gets its traffic: clients outside of the cluster get no answer."
                .into(),
            next: service,
            panel: 56,
            ..warning("LoadBalancerNoTargets")
        },
    ]
}

fn ingresses() -> [Alert; 3] {
    let says = || {
        let codes = words::codes_in_namespace("ingress", INGRESSES);
        ["Ingress {{ $labels.namespace }}/{{ $labels.name }}:", &codes].concat()
    };
    let next = "kubectl -n {{ $labels.namespace }} describe ingress {{ $labels.name }}";
    [
        Alert {
            why: "By Ingress and not by code, because one may become another while the alert waits.",
            expr: of(r#"code=~"ingress[.](no_address|no_class|class_missing)""#),
            pending: "10m",
            keep: "5m",
            summary: "Nothing serves an Ingress.",
            says: says(),
            next,
            panel: 91,
            ..warning("IngressNoAddress")
        },
        Alert {
            expr: of(r#"code=~"ingress[.](backend_missing|port_missing|no_endpoints)""#),
            pending: "10m",
            keep: "5m",
            summary: "An Ingress leads to what is not there.",
            says: says(),
            next,
            panel: 91,
            ..warning("IngressBackendMissing")
        },
        Alert {
            expr: of(r#"code="ingress.conflict""#),
            pending: "10m",
            keep: "5m",
            summary: "Two Ingresses have the same path and lead to different backends.",
            says: says(),
            next,
            panel: 91,
            ..warning("IngressConflict")
        },
    ]
}

fn gateways() -> [Alert; 2] {
    let alert = |matchers: &str| {
        let by = ["namespace", "kind", "name"];
        once(&by, &found(&format!(r#"check="gateways", severity="warning", {matchers}"#))) + " == 1"
    };
    let says = || {
        let codes = words::codes_in_namespace("gateways", GATEWAYS);
        let object =
            "{{ $labels.kind }} {{ with $labels.namespace }}{{ . }}/{{ end }}{{ $labels.name }}:";
        [object, &codes].concat()
    };
    [
        Alert {
            why: "By object and not by code, because one may become another while the alert waits.",
            expr: alert(r#"kind!~".*Route""#),
            pending: "10m",
            keep: "5m",
            summary: "A Gateway does not do what it asks for.",
            says: says(),
            next: "kubectl get gatewayclasses.gateway.networking.k8s.io,gateways.gateway.networking.k8s.io -A -o wide",
            panel: 93,
            ..warning("GatewayNotProgrammed")
        },
        Alert {
            expr: alert(r#"kind=~".*Route""#),
            pending: "10m",
            keep: "5m",
            summary: "A route does not lead from its Gateway to its backends.",
            says: says(),
            next: "kubectl -n {{ $labels.namespace }} describe {{ $labels.kind }} {{ $labels.name }}",
            panel: 94,
            ..warning("GatewayRouteNotAccepted")
        },
    ]
}

fn certificates() -> [Alert; 2] {
    let codes = || words::codes_in_namespace("certificates", CERTIFICATES);
    [
        Alert {
            why: "By Certificate and not by code, because one becomes another while nothing is done.",
            expr: of(r#"check="certificates", severity="warning", kind="Certificate""#),
            pending: "15m",
            keep: "5m",
            summary: "A certificate is not there, not renewed in time, or expired.",
            says: ["Certificate {{ $labels.namespace }}/{{ $labels.name }}:", &codes()].concat(),
            next: "kubectl -n {{ $labels.namespace }} describe certificates.cert-manager.io {{ $labels.name }}",
            panel: 92,
            ..warning("CertificateNotRenewed")
        },
        Alert {
            expr: once(
                &["namespace", "kind", "name"],
                &found(r#"check="certificates", severity="warning", kind!="Certificate""#),
            ) + " == 1",
            pending: "15m",
            keep: "5m",
            summary: "What cert-manager makes to get certificates does not come to an end.",
            says: [
                "{{ $labels.kind }} {{ with $labels.namespace }}{{ . }}/{{ end }}{{ $labels.name }}:",
                &codes(),
            ]
            .concat(),
            next: "kubectl get certificaterequests.cert-manager.io,orders.acme.cert-manager.io,\
                   challenges.acme.cert-manager.io -A -o wide",
            panel: 92,
            ..warning("CertificateIssuanceStuck")
        },
    ]
}

/// Selects the objects of findings.
fn of(matchers: &str) -> String {
    once(&["namespace", "name"], &found(matchers)) + " == 1"
}

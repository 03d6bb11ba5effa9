//! Policies: what they keep apart that belongs together.

use super::promql::{found, once};
use super::{Alert, Group, warning, words};

/// What each code of DNS means that is above a note.
const DNS: &[(&str, &str)] = &[
    (
        "blocked",
        "It lets pods send something and keeps all DNS pods from them, so that no name resolves there.",
    ),
    (
        "partly_blocked",
        "It keeps some DNS pods from pods, so that a part of their queries times out.",
    ),
];

/// What each code of Services means that is above a note.
const SERVICES: &[(&str, &str)] = &[
    (
        "blocked",
        "Policies let nobody in to its pods on any of its ports, so that it answers nobody.",
    ),
    (
        "partly_blocked",
        "Policies let nobody in to some of its pods, so that a part of what it is asked times out.",
    ),
];

/// What each code of Ingresses' backends means.
const BACKENDS: &[(&str, &str)] = &[
    (
        "blocked",
        "Policies keep the ingress controller from all pods behind it, so that its Ingresses answer 502 or 504.",
    ),
    (
        "partly_blocked",
        "Policies keep the ingress controller from some pods behind it, or from a port, so that a part of what clients ask \
         times out.",
    ),
];

/// What each code of selectors means that is above a note.
const SELECTORS: &[(&str, &str)] = &[
    (
        "namespace_label",
        "A rule asks for a namespace by a label that it does not have, so that it lets nothing through.",
    ),
    (
        "port_name",
        "A rule names a port that none of its pods declares, so that it lets nothing in there.",
    ),
];

pub(super) fn group() -> Group {
    let dns = Alert {
        why: "By policy and not by code, because one may become another while the alert waits.",
        pending: "5m",
        summary: "A policy keeps pods from cluster DNS.",
        next: "kubectl -n {{ $labels.namespace }} describe networkpolicies",
        panel: 101,
        ..told("DNSBlockedByPolicy", "NetworkPolicy", "policy_dns_egress", DNS)
    };
    let services = Alert {
        why: "By Service and not by code, because one may become another while the alert waits.",
        pending: "5m",
        summary: "Policies let nobody in to a Service's pods.",
        next: "kubectl -n {{ $labels.namespace }} describe networkpolicies",
        panel: 102,
        ..told("ServiceBlockedByPolicy", "Service", "policy_service_ingress", SERVICES)
    };
    let backends = Alert {
        why: "By Service and not by Ingress, because many Ingresses may lead to one, and it is what the policy shuts.",
        pending: "5m",
        summary: "Policies keep an ingress controller from the pods behind an Ingress.",
        next: "kubectl -n {{ $labels.namespace }} describe networkpolicies",
        panel: 140,
        ..told("IngressBlockedByPolicy", "Service", "policy_ingress_backend", BACKENDS)
    };
    let selectors = Alert {
        why: "By policy and not by code, because one policy may have both.",
        pending: "15m",
        summary: "A policy's rule matches nothing, though what it means is there.",
        next: "kubectl -n {{ $labels.namespace }} describe networkpolicy {{ $labels.name }}",
        panel: 103,
        ..told("PolicyIneffective", "NetworkPolicy", "policy_selectors", SELECTORS)
    };
    Group {
        name: "policy",
        component: "policy",
        alerts: vec![dns, services, backends, selectors, engine()],
    }
}

fn engine() -> Alert {
    let without = "policy_engine.node_without";
    let nodes = format!(r#"max by (name) (netvitals_finding{{cluster=%[1]q, code="{without}"}})"#);
    let warned = found(r#"check="policy_engine", severity="warning""#);
    Alert {
        why: "By code, because it is mostly of the cluster as a whole, and of all nodes where it is not.",
        expr: once(&["code"], &warned) + " == 1",
        pending: "10m",
        keep: "5m",
        summary: "Nothing enforces NetworkPolicies.",
        says: [
            &format!("{{{{ if eq $labels.code \"{without}\" }}}}What enforces NetworkPolicies has no pod on these nodes, "),
            "and they have pods that some select: ",
            &words::listed(&nodes, "name", "{{ .Labels.name }}"),
            ".{{ else }}There are NetworkPolicies, and nothing enforces them: every pod may reach every other, whatever \
             they say.{{ end }}",
        ]
        .concat(),
        next: "kubectl get networkpolicies,daemonsets -A",
        panel: 104,
        ..warning("PolicyNotEnforced")
    }
}

/// What is the same of the warnings of a check, one alert for each object.
fn told(name: &'static str, kind: &str, check: &str, codes: &[(&str, &str)]) -> Alert {
    let warned = found(&format!(r#"check="{check}", severity="warning""#));
    Alert {
        expr: once(&["namespace", "name"], &warned) + " == 1",
        keep: "5m",
        says: [
            &format!("{kind} {{{{ $labels.namespace }}}}/{{{{ $labels.name }}}}:"),
            &*words::codes_in_namespace(check, codes),
        ]
        .concat(),
        ..warning(name)
    }
}

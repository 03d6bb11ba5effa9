//! Nodes, pods and Services, by k observers each.

use super::promql::{found, lines, nodes, once, several_nodes};
use super::{Alert, Group, critical, warning, words};

pub(super) fn group() -> Group {
    let observers = |family: &str| once(&["node"], family);
    let alerts = vec![
        Alert {
            why: "Two nodes or more, and a twentieth of all: the series of findings end at 100, the rest is only \
                  counted. Or all: when every observer fails, none is left to name a node.",
            expr: or_nobody_left("pod_reachability", &observers("netvitals_pod_network_observers")),
            pending: "1m",
            keep: "2m",
            summary: "Pods on several nodes cannot be reached.",
            says: [
                "Pods on {{ $value | humanizePercentage }} of the nodes cannot be reached from other nodes: ",
                &words::nodes("pod_reachability", "nobody is left to tell which"),
                ".",
            ]
            .concat(),
            panel: 61,
            ..critical("PodUnreachable")
        },
        Alert {
            expr: of_a_node("pod_reachability"),
            pending: "1m",
            keep: "2m",
            summary: "Pods on a node cannot be reached.",
            says: "{{ $labels.code }} on node {{ $labels.node }}: pods there and pods on other nodes do not reach \
                   each other."
                .into(),
            panel: 61,
            ..warning("PodUnreachable")
        },
        Alert {
            expr: or_nobody_left("node_reachability", &observers("netvitals_node_observers")),
            pending: "1m",
            keep: "2m",
            summary: "Several nodes cannot be reached.",
            says: [
                "{{ $value | humanizePercentage }} of the nodes cannot be reached from other nodes: ",
                &words::nodes("node_reachability", "nobody is left to tell which"),
                ".",
            ]
            .concat(),
            panel: 62,
            ..critical("NodeUnreachable")
        },
        Alert {
            expr: of_a_node("node_reachability"),
            pending: "1m",
            keep: "2m",
            summary: "A node cannot be reached.",
            says: "{{ $labels.code }} on node {{ $labels.node }}: it and other nodes do not reach each other.".into(),
            panel: 62,
            ..warning("NodeUnreachable")
        },
        Alert {
            why: "One Service from most nodes, or most Services from several nodes.",
            expr: services(),
            pending: "1m",
            keep: "2m",
            summary: "Services do not answer although their endpoints do.",
            says: [
                "{{ if $labels.name }}{{ $labels.kind }} {{ $labels.namespace }}/{{ $labels.name }} does not answer \
                 at its ClusterIP, while its endpoints answer directly.{{ else }}On {{ $value | humanizePercentage \
                 }} of the nodes Services do not answer while their endpoints answer directly: ",
                &words::nodes("service_reachability", "none is named"),
                ".{{ end }}",
            ]
            .concat(),
            panel: 63,
            ..critical("ServiceUnreachable")
        },
        Alert {
            expr: of_a_node("service_reachability"),
            pending: "1m",
            keep: "2m",
            summary: "Services do not answer on a node.",
            says: "On node {{ $labels.node }} Services do not answer, while their endpoints answer directly \
                   ({{ $labels.code }})."
                .into(),
            panel: 63,
            ..warning("ServiceUnreachable")
        },
    ];
    Group { name: "reachability", component: "reachability", alerts }
}

fn of_a_node(check: &str) -> String {
    nodes(&["code"], &format!(r#"check="{check}", severity!="info""#)) + " == 1"
}

fn or_nobody_left(check: &str, all: &str) -> String {
    let nobody = once(&[], &found(&format!(r#"code="{check}.nobody_left""#)));
    lines(&[&several_nodes(check, all), "or", &(nobody + " == 1")])
}

fn services() -> String {
    let one = found(r#"code="service_reachability.unreachable""#);
    let one = once(&["kind", "namespace", "name"], &one) + " == 1";
    let all = once(&["node"], r#"netvitals_agent_reporting{vantage="pod"}"#);
    lines(&[&one, "or", &several_nodes("service_reachability", &all)])
}

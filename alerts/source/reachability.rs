//! Nodes, pods and Services, by k observers each.

use super::promql::{broken, count, found, many, nodes, once, settled, total};
use super::{Alert, Group, critical, warning, words};

pub(super) fn group() -> Group {
    let mut alerts = Vec::from(pods());
    alerts.extend(of_nodes());
    alerts.extend(services());
    alerts.extend(proxies());
    Group { name: "reachability", component: "reachability", alerts }
}

fn pods() -> [Alert; 3] {
    let on = "kubectl get pods -A -o wide --field-selector spec.nodeName={{ $labels.node }}";
    [
        Alert {
            expr: many(&broken("pod_reachability"), &observed("netvitals_pod_network_observers")),
            pending: "1m",
            keep: "2m",
            summary: "Pods on several nodes cannot be reached.",
            says: [
                "Pods on these nodes cannot be reached from other nodes: ",
                &words::nodes("pod_reachability"),
                ".",
            ]
            .concat(),
            next: "kubectl get nodes -o wide",
            panel: 61,
            ..critical("PodUnreachable")
        },
        Alert {
            why: "Every observer fails, so none is left to say which side is at fault.",
            expr: nobody_left("pod_reachability"),
            pending: "1m",
            keep: "2m",
            role: "nobody_left",
            summary: "Pods do not reach pods on other nodes.",
            says: [
                "No observer is left to say on which node the fault lies. Pods on these nodes are not reached: ",
                &unreached("netvitals_pod_network_failing_observers"),
                ".",
            ]
            .concat(),
            next: "kubectl get nodes -o wide",
            panel: 61,
            ..critical("PodUnreachable")
        },
        Alert {
            expr: of_a_node("pod_reachability"),
            pending: "1m",
            keep: "2m",
            summary: "Pods on a node cannot be reached, or reach no others.",
            says: [
                "On node {{ $labels.node }}:",
                &words::codes_of_node(
                    "pod_reachability",
                    &[
                        ("unreachable", "Pods on other nodes do not reach the pods there."),
                        ("one_way", "Pods there reach hardly any pod elsewhere, while others reach them."),
                    ],
                ),
            ]
            .concat(),
            next: on,
            panel: 61,
            ..warning("PodUnreachable")
        },
    ]
}

fn of_nodes() -> [Alert; 3] {
    [
        Alert {
            expr: many(&broken("node_reachability"), &observed("netvitals_node_observers")),
            pending: "1m",
            keep: "2m",
            summary: "Several nodes cannot be reached.",
            says: [
                "These nodes cannot be reached from other nodes: ",
                &words::nodes("node_reachability"),
                ".",
            ]
            .concat(),
            next: "kubectl get nodes -o wide",
            panel: 62,
            ..critical("NodeUnreachable")
        },
        Alert {
            why: "Every observer fails, so none is left to say which side is at fault.",
            expr: nobody_left("node_reachability"),
            pending: "1m",
            keep: "2m",
            role: "nobody_left",
            summary: "Nodes do not reach each other.",
            says: [
                "No observer is left to say at which node the fault lies. These nodes are not reached: ",
                &unreached("netvitals_node_failing_observers"),
                ".",
            ]
            .concat(),
            next: "kubectl get nodes -o wide",
            panel: 62,
            ..critical("NodeUnreachable")
        },
        Alert {
            expr: of_a_node("node_reachability"),
            pending: "1m",
            keep: "2m",
            summary: "A node cannot be reached, or reaches no others.",
            says: [
                "Node {{ $labels.node }}:",
                &words::codes_of_node(
                    "node_reachability",
                    &[
                        ("unreachable", "Other nodes do not reach it."),
                        ("one_way", "It reaches hardly any other node, while others reach it."),
                    ],
                ),
            ]
            .concat(),
            next: "kubectl describe node {{ $labels.node }}",
            panel: 62,
            ..warning("NodeUnreachable")
        },
    ]
}

/// netvitals' own Services, as its chart names them.
const OWN: &str = ".*netvitals.*";

fn services() -> [Alert; 4] {
    let unreachable = |name: &str| {
        found(&format!(r#"code="service_reachability.unreachable", name{name}"{OWN}""#))
    };
    let agents = count(&once(&["node"], r#"netvitals_agent_reporting{vantage="pod"}"#));
    [
        Alert {
            expr: once(&["kind", "namespace", "name"], &unreachable("!~")) + " == 1",
            pending: "1m",
            keep: "2m",
            summary: "A Service does not answer although its endpoints do.",
            says: "{{ $labels.kind }} {{ $labels.namespace }}/{{ $labels.name }} does not answer most nodes at its \
                   ClusterIP, while its endpoints answer directly."
                .into(),
            next: "kubectl -n {{ $labels.namespace }} describe service {{ $labels.name }}",
            panel: 63,
            ..critical("ServiceUnreachable")
        },
        Alert {
            why: "No workload uses it; where others fail too, they are told above.",
            expr: once(&["kind", "namespace", "name"], &unreachable("=~")) + " == 1",
            pending: "1m",
            keep: "2m",
            role: "own",
            summary: "netvitals' own Service does not answer although its endpoints do.",
            says: "{{ $labels.kind }} {{ $labels.namespace }}/{{ $labels.name }} of netvitals itself does not answer \
                   most nodes at its ClusterIP, while its endpoints answer directly. Others may be next."
                .into(),
            next: "kubectl -n {{ $labels.namespace }} describe service {{ $labels.name }}",
            panel: 63,
            ..warning("ServiceUnreachable")
        },
        Alert {
            expr: many(&broken("service_reachability"), &agents),
            pending: "1m",
            keep: "2m",
            role: "nodes",
            summary: "Services do not answer on several nodes although their endpoints do.",
            says: [
                "On these nodes most Services do not answer, while their endpoints answer directly: ",
                &words::nodes("service_reachability"),
                ".",
            ]
            .concat(),
            next: "kubectl -n kube-system get pods -o wide",
            panel: 63,
            ..critical("ServiceUnreachable")
        },
        Alert {
            expr: of_a_node("service_reachability"),
            pending: "1m",
            keep: "2m",
            summary: "Services do not answer on a node.",
            says: "On node {{ $labels.node }} most Services do not answer, while their endpoints answer directly."
                .into(),
            next: "kubectl -n kube-system get pods -o wide --field-selector spec.nodeName={{ $labels.node }}",
            panel: 63,
            ..warning("ServiceUnreachable")
        },
    ]
}

fn proxies() -> [Alert; 3] {
    let all = total(&[], &once(&["state"], r#"netvitals_node_network_states{state!="left_out"}"#));
    [
        Alert {
            expr: many(&broken("kube_proxy_pods"), &all),
            pending: "2m",
            keep: "5m",
            summary: "kube-proxy does not run on several nodes, or on the only one.",
            says: [
                "kube-proxy does not run on these nodes, so Services lead to where they led before: ",
                &words::nodes("kube_proxy_pods"),
                ".",
            ]
            .concat(),
            next: "kubectl get pods -A -o wide | grep kube-proxy",
            panel: 120,
            ..critical("KubeProxyDown")
        },
        Alert {
            expr: once(
                &["kind", "namespace", "name"],
                &found(r#"check="kube_proxy_pods", severity!="info", kind="DaemonSet""#),
            ) + " == 1",
            pending: "3m",
            keep: "5m",
            role: "daemon_set",
            summary: "kube-proxy lacks pods.",
            says: "DaemonSet {{ $labels.namespace }}/{{ $labels.name }} lacks pods of kube-proxy, and nobody knows on \
                   which nodes."
                .into(),
            next: "kubectl -n {{ $labels.namespace }} describe daemonset {{ $labels.name }}",
            panel: 120,
            ..warning("KubeProxyDown")
        },
        Alert {
            expr: of_a_node("kube_proxy_pods"),
            pending: "3m",
            keep: "5m",
            summary: "kube-proxy is not as it should be on a node.",
            says: [
                "Node {{ $labels.node }}:",
                &words::codes_of_node(
                    "kube_proxy_pods",
                    &[
                        (
                            "down",
                            "kube-proxy does not run there, so Services lead to where they led before.",
                        ),
                        ("missing", "kube-proxy is not there, and is to be."),
                        ("not_ready", "kube-proxy is not ready there."),
                        ("restarting", "kube-proxy begins again and again there."),
                    ],
                ),
            ]
            .concat(),
            next: "kubectl get pods -A -o wide --field-selector spec.nodeName={{ $labels.node }}",
            panel: 120,
            ..warning("KubeProxyDown")
        },
    ]
}

/// How many nodes somebody tries to reach.
fn observed(family: &str) -> String {
    count(&once(&["node"], family))
}

fn of_a_node(check: &str) -> String {
    nodes(&[], &format!(r#"check="{check}", severity!="info""#)) + " == 1"
}

fn nobody_left(check: &str) -> String {
    once(&[], &found(&format!(r#"code="{check}.nobody_left""#))) + " == 1"
}

/// Names the nodes that somebody does not reach.
fn unreached(family: &str) -> String {
    let failing = settled(&["node"], &format!("{family}{{cluster=%[1]q}}"));
    words::listed(&format!("max by (node) ({failing}) > 0"), "node", "{{ .Labels.node }}")
}

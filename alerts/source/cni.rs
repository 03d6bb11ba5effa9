//! The network of nodes, as they say themselves and as their new pods see it, and the ranges of all.

use super::promql::{broken, count, found, lines, many, nodes, once, total};
use super::{Alert, Group, critical, warning, words};

pub(super) fn group() -> Group {
    let all = once(&["state"], r#"netvitals_node_network_states{state!="left_out"}"#);
    let all = total(&[], &all);
    let mut alerts = Vec::from(ranges());
    alerts.extend(agents(&all));
    alerts.extend(versions());
    alerts.extend([
        Alert {
            expr: many(&broken("node_network_ready"), &all),
            pending: "2m",
            summary: "The network of several nodes, or of the only one, is not ready.",
            says: [
                "The network of these nodes is not ready, so no pod can start there: ",
                &words::nodes("node_network_ready"),
                ".",
            ]
            .concat(),
            next: "kubectl get nodes -o wide",
            panel: 65,
            ..critical("NodeNetworkNotReady")
        },
        Alert {
            expr: nodes(&[], r#"check="node_network_ready", severity!="info""#) + " == 1",
            pending: "2m",
            summary: "The network of a node is not ready, or nobody knows.",
            says: [
                "Node {{ $labels.node }}:",
                &words::codes_of_node(
                    "node_network_ready",
                    &[
                        (
                            "cni_not_initialized",
                            "Its runtime has no CNI configuration, so no pod can start there.",
                        ),
                        (
                            "network_unavailable",
                            "It has no route for its pods, as its CNI or the cloud says.",
                        ),
                        (
                            "unreporting",
                            "Its kubelet has stopped reporting, so that the state of its network is unknown.",
                        ),
                    ],
                ),
            ]
            .concat(),
            next: "kubectl describe node {{ $labels.node }}",
            panel: 65,
            ..warning("NodeNetworkNotReady")
        },
        Alert {
            expr: many(&broken("sandbox_failures"), &all),
            pending: "2m",
            keep: "5m",
            summary: "Several nodes, or the only one, start no pod.",
            says: [
                "These nodes are Ready, and the network of none of their new pods is made: ",
                &words::nodes("sandbox_failures"),
                ".",
            ]
            .concat(),
            next: "kubectl get events -A --field-selector reason=FailedCreatePodSandBox",
            panel: 44,
            ..critical("PodSandboxFailing")
        },
        Alert {
            expr: nodes(&[], r#"check="sandbox_failures", severity="problem""#) + " == 1",
            pending: "2m",
            keep: "5m",
            summary: "A node starts no pod.",
            says: "Node {{ $labels.node }} is Ready, and the network of none of its new pods is made."
                .into(),
            next: "kubectl get pods -A -o wide --field-selector spec.nodeName={{ $labels.node }},status.phase=Pending",
            panel: 44,
            ..warning("PodSandboxFailing")
        },
        Alert {
            why: "A pod is found after a minute; where a whole node fails, that is found in its place.",
            expr: stuck(),
            pending: "4m",
            keep: "5m",
            summary: "Pods wait for their network.",
            says: "{{ if $labels.name }}Pods of namespace {{ $labels.name }} could go only to nodes that are not ready or \
                   have no network.{{ else }}{{ $value }} pods have waited for their network for minutes, and do not start.{{ end }}"
                .into(),
            next: "kubectl get pods -A -o wide --field-selector status.phase=Pending",
            panel: 44,
            ..warning("PodsStuckOnNetwork")
        },
    ]);
    Group { name: "cni", component: "cni", alerts }
}

fn agents(all: &str) -> [Alert; 2] {
    [
        Alert {
            expr: many(&broken("cni_agents"), all),
            pending: "2m",
            keep: "5m",
            summary: "The agent of the CNI does not run on several nodes, or on the only one.",
            says: [
                "The agent of the CNI does not run on these nodes, so no new pod gets a network there: ",
                &words::nodes("cni_agents"),
                ".",
            ]
            .concat(),
            next: "kubectl get daemonsets -A -o wide",
            panel: 110,
            ..critical("CNIAgentDown")
        },
        Alert {
            expr: nodes(&[], r#"check="cni_agents", severity!="info""#) + " == 1",
            pending: "3m",
            keep: "5m",
            summary: "The agent of the CNI is not as it should be on a node.",
            says: [
                "Node {{ $labels.node }}:",
                &words::codes_of_node(
                    "cni_agents",
                    &[
                        (
                            "down",
                            "The agent of its CNI does not run, so no new pod gets a network there.",
                        ),
                        ("missing", "The agent of its CNI is not there, and is to be."),
                        ("not_ready", "The agent of its CNI is not ready."),
                        ("restarting", "The agent of its CNI begins again and again."),
                    ],
                ),
            ]
            .concat(),
            next: "kubectl get pods -A -o wide --field-selector spec.nodeName={{ $labels.node }}",
            panel: 110,
            ..warning("CNIAgentDown")
        },
    ]
}

fn versions() -> [Alert; 2] {
    let of = |matchers: &str| once(&["namespace", "name"], &found(matchers)) + " == 1";
    let set = "kubectl -n {{ $labels.namespace }} describe daemonset {{ $labels.name }}";
    let says = |codes: &[(&str, &str)]| {
        let codes = words::codes_in_namespace("cni_versions", codes);
        ["DaemonSet {{ $labels.namespace }}/{{ $labels.name }}:", &codes].concat()
    };
    [
        Alert {
            why: "By DaemonSet and not by code, because one may become another while the alert waits.",
            expr: of(r#"check="cni_versions", severity="warning", code!="cni_versions.eol""#),
            pending: "5m",
            keep: "5m",
            summary: "The CNI is not of one version, or there are two of them.",
            says: says(&[
                ("mixed", "The agents of its CNI are of several versions, and no rollout moves."),
                (
                    "on_delete",
                    "The agents of its CNI are of several versions, and wait to be deleted by hand.",
                ),
                ("several", "Another CNI has agents on the same nodes."),
                ("eol", "Its version has reached its end of life."),
            ]),
            next: set,
            panel: 111,
            ..warning("CNIVersionsMixed")
        },
        Alert {
            expr: of(r#"code="cni_versions.eol""#),
            pending: "1h",
            keep: "15m",
            summary: "A version of the CNI has reached its end of life.",
            says: "DaemonSet {{ $labels.namespace }}/{{ $labels.name }} runs a version of its CNI that works on and gets \
                   no repairs any more."
                .into(),
            next: set,
            panel: 111,
            ..warning("CNIVersionUnsupported")
        },
    ]
}

fn ranges() -> [Alert; 2] {
    let next = "kubectl get nodes -o custom-columns=NAME:.metadata.name,PODS:.spec.podCIDRs";
    let codes = |severity: &str| {
        let query = format!(
            r#"max by (code) (netvitals_finding{{cluster=%[1]q, check="cidr_overlap", severity="{severity}"}})"#
        );
        words::listed(&query, "code", "{{ .Labels.code }}")
    };
    let warned = found(r#"check="cidr_overlap", severity="warning""#);
    [
        Alert {
            why: "Of the cluster as a whole: ranges are planned once, and all nodes may be wrong.",
            expr: count(&broken("cidr_overlap")) + " > 0",
            pending: "5m",
            keep: "5m",
            summary: "Ranges of pods, Services and nodes overlap.",
            says: [
                "Ranges or addresses of these nodes overlap with others (",
                &codes("problem"),
                "): ",
                &words::nodes("cidr_overlap"),
                ". Packets to one of two go to the other.",
            ]
            .concat(),
            next,
            panel: 47,
            ..critical("CIDROverlap")
        },
        Alert {
            expr: count(&once(&["kind", "name"], &warned)) + " > 0",
            pending: "15m",
            keep: "5m",
            summary: "Ranges of pods and Services are not as they should be.",
            says: [
                "Nothing overlaps by this, but it may one day, or rules that are made for a range leave \
                 something out: ",
                &codes("warning"),
                ".",
            ]
            .concat(),
            next,
            panel: 47,
            ..warning("CIDROverlap")
        },
    ]
}

fn stuck() -> String {
    let pods = count(&once(&["namespace", "name"], &found(r#"code="sandbox_failures.network""#)));
    let without_node = once(&["name"], &found(r#"code="sandbox_failures.no_node""#));
    lines(&[&(pods + " > 0"), "or", &(without_node + " == 1")])
}

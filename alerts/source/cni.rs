//! The network of nodes, as they say themselves.

use super::promql::{broken, many, nodes, once, total};
use super::{Alert, Group, critical, warning, words};

pub(super) fn group() -> Group {
    let all = once(&["state"], r#"netvitals_node_network_states{state!="left_out"}"#);
    let all = total(&[], &all);
    let alerts = vec![
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
    ];
    Group { name: "cni", component: "cni", alerts }
}

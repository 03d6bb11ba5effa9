//! The network of nodes, as they say themselves.

use super::promql::{nodes, once, several_nodes};
use super::{Alert, Group, critical, warning, words};

pub(super) fn group() -> Group {
    let all = once(&["node"], "netvitals_node_network_ready");
    let alerts = vec![
        Alert {
            expr: several_nodes("node_network_ready", &all),
            pending: "2m",
            summary: "The network of several nodes is not ready.",
            says: [
                "The network of {{ $value | humanizePercentage }} of the nodes is not ready, so no pod can start \
                 there: ",
                &words::nodes("node_network_ready", "none is named"),
                ".",
            ]
            .concat(),
            panel: 65,
            ..critical("NodeNetworkNotReady")
        },
        Alert {
            expr: nodes(&["code"], r#"check="node_network_ready", severity!="info""#) + " == 1",
            pending: "2m",
            summary: "The network of a node is not ready.",
            says: "{{ $labels.code }} on node {{ $labels.node }}: while its network is not ready, no pod can start \
                   there."
                .into(),
            panel: 65,
            ..warning("NodeNetworkNotReady")
        },
    ];
    Group { name: "cni", component: "cni", alerts }
}

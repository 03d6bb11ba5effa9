//! Is the network of each node ready, as the node itself says?
//!
//! A node whose runtime has no CNI configuration starts no pod that needs an address, so that
//! nothing above it can be well there.
//!
//! A `NetworkReady` that is true proves little: to most runtimes it means that a configuration
//! can be read. Left out: nodes that somebody takes away and young ones, which pass through this
//! state by nature; virtual nodes, which have no CNI; a node that is not ready for other reasons
//! than its network counts as `not_ready` and is no finding, because it is not the network's.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::{Check, Code, Finding, Layer, Output, Remedy, Severity, Step};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{Fact, Key, Node, Object, Skipped, Status, Unanswered, Unknown};

/// Reads the conditions of each node.
pub static CHECK: Check = Check {
    id: "node_network_ready",
    layer: Layer::Cni,
    question: "Is the network of each node ready, as the node itself says?",
    needs: &[Node::KIND],
    wants: &[],
    families: &[READY.desc(), STATES.desc()],
    codes: &[&CNI_NOT_INITIALIZED, &NETWORK_UNAVAILABLE, &UNREPORTING],
    run,
};

static READY: Family<1> = Family::gauge(
    "netvitals_node_network_ready",
    "Whether a node says that its network is ready; absent while it says nothing.",
    ["node"],
);

static STATES: Family<1> = Family::gauge(
    "netvitals_node_network_states",
    "Nodes by the state of their network; left_out are those that are young or taken away.",
    ["state"],
);

/// `Ready` is false, and the message says `NetworkReady=false`.
pub static CNI_NOT_INITIALIZED: Code = code(
    "node_network_ready.cni_not_initialized",
    Severity::Problem,
    "The runtime on a node has no usable CNI configuration, so that no new pod gets a network.",
    &[
        Remedy { step: Step::Inspect, command: "kubectl describe node {node}" },
        Remedy {
            step: Step::Inspect,
            command: "kubectl get pods -A -o wide --field-selector spec.nodeName={node}",
        },
        Remedy { step: Step::Inspect, command: "on {node}: ls -l /etc/cni/net.d" },
        // A runtime may not notice a file that is moved into the folder, only one that is written.
        Remedy {
            step: Step::Fix,
            command: "kubectl -n <namespace of the CNI> delete pod <its pod on {node}>",
        },
        VERIFY,
    ],
);

/// `NetworkUnavailable` is true.
pub static NETWORK_UNAVAILABLE: Code = code(
    "node_network_ready.network_unavailable",
    Severity::Problem,
    "The CNI or the cloud's route controller says that a node has no route for its pods.",
    &[
        Remedy { step: Step::Inspect, command: "kubectl describe node {node}" },
        Remedy {
            step: Step::Inspect,
            command: "kubectl get events -A --field-selector involvedObject.name={node}",
        },
        Remedy {
            step: Step::Fix,
            command: "kubectl -n <namespace of the CNI> delete pod <its pod on {node}>",
        },
        VERIFY,
    ],
);

/// `Ready` is unknown: nobody has heard of the kubelet for a while.
pub static UNREPORTING: Code = code(
    "node_network_ready.unreporting",
    Severity::Warning,
    "The kubelet of a node stopped reporting, so that nobody knows the state of its network.",
    &[
        Remedy { step: Step::Inspect, command: "kubectl describe node {node}" },
        Remedy { step: Step::Inspect, command: "on {node}: journalctl -u kubelet --since -10min" },
        Remedy { step: Step::Fix, command: "on {node}: systemctl restart kubelet" },
        VERIFY,
    ],
);

const VERIFY: Remedy = Remedy {
    step: Step::Verify,
    command: "kubectl wait --for=condition=Ready node/{node} --timeout=60s",
};

const fn code(
    id: &'static str,
    severity: Severity,
    explain: &'static str,
    remedies: &'static [Remedy],
) -> Code {
    // Long enough for a CNI that rewrites its configuration.
    Code { id, severity, grace: Duration::from_secs(30), explain, remedies }
}

/// What a node says of its network.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum State {
    CniNotInitialized,
    LeftOut,
    NetworkUnavailable,
    NotReady,
    Ready,
    Unreporting,
}

impl State {
    const ALL: [Self; 6] = [
        Self::CniNotInitialized,
        Self::LeftOut,
        Self::NetworkUnavailable,
        Self::NotReady,
        Self::Ready,
        Self::Unreporting,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::CniNotInitialized => "cni_not_initialized",
            Self::LeftOut => "left_out",
            Self::NetworkUnavailable => "network_unavailable",
            Self::NotReady => "not_ready",
            Self::Ready => "ready",
            Self::Unreporting => "unreporting",
        }
    }

    fn of(node: &Node) -> Self {
        // Nobody takes `NetworkUnavailable` back when a node dies, so silence comes before it.
        match &node.ready {
            Some(ready) if ready.status == Status::False && ready.network_not_ready => {
                Self::CniNotInitialized
            }
            None => Self::Unreporting,
            Some(ready) if ready.status == Status::Unknown => Self::Unreporting,
            Some(_) if node.network_unavailable => Self::NetworkUnavailable,
            Some(ready) if ready.status == Status::False => Self::NotReady,
            Some(_) => Self::Ready,
        }
    }

    /// Returns whether the network is ready, where that is known.
    fn is_ready(self) -> Option<bool> {
        match self {
            Self::CniNotInitialized | Self::NetworkUnavailable => Some(false),
            // The message of a kubelet without a network would say so.
            Self::NotReady | Self::Ready => Some(true),
            Self::LeftOut | Self::Unreporting => None,
        }
    }

    fn finding(self) -> Option<(&'static Code, &'static str)> {
        match self {
            Self::CniNotInitialized => Some((
                &CNI_NOT_INITIALIZED,
                "the runtime says NetworkReady=false: look at the CNI's pod on the node and at \
                 /etc/cni/net.d",
            )),
            Self::NetworkUnavailable => Some((
                &NETWORK_UNAVAILABLE,
                "the condition NetworkUnavailable is true: look at its reason with kubectl \
                 describe node",
            )),
            Self::Unreporting => Some((
                &UNREPORTING,
                "the kubelet does not report: look at node_reachability, then at the kubelet's log",
            )),
            Self::LeftOut | Self::NotReady | Self::Ready => None,
        }
    }
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let nodes = cluster.read::<Node>()?;
    if nodes.has_undecoded() {
        out.gap("nodes", Unknown::Undecoded(Node::KIND.name));
    }
    let mut states: BTreeMap<State, usize> = State::ALL.map(|state| (state, 0)).into();
    let mut any = false;
    for (Key { name, .. }, node) in nodes.iter().filter(|(_, node)| !node.is_virtual()) {
        any = true;
        let settled = cluster.is_settled(name, node);
        let state = if settled { State::of(node) } else { State::LeftOut };
        *states.entry(state).or_default() += 1;
        if let Some(ready) = state.is_ready() {
            out.sample(&READY, [name], f64::from(u8::from(ready)));
        }
        if let Some((code, message)) = state.finding() {
            out.finding(Finding {
                code,
                subject: Object { kind: Node::KIND, key: Key::new("", name.clone()) },
                node: Some(name.clone()),
                message: message.to_owned(),
            });
        }
    }
    if !any {
        return Err(Skipped::NotApplicable.into());
    }
    for (state, count) in states {
        out.sample(&STATES, [state.as_str()], count as f64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::CHECK;
    use crate::fixtures::{answer, at, cluster};
    use crate::model::{Node, Skipped, Status, Unknown};

    fn not_ready(node: &mut Node, status: Status, network: bool) {
        let ready = node.ready.as_mut().expect("a condition");
        (ready.status, ready.network_not_ready) = (status, network);
    }

    #[test]
    fn every_state_is_told_from_the_others() {
        type Change = fn(&mut Node);
        let cases: [(Change, &str, Option<&str>, &[&str]); 9] = [
            (|_| {}, "ready", Some("1"), &[]),
            (
                |node| not_ready(node, Status::False, true),
                "cni_not_initialized",
                Some("0"),
                &["node_network_ready.cni_not_initialized Node n1"],
            ),
            (|node| not_ready(node, Status::False, false), "not_ready", Some("1"), &[]),
            (
                |node| node.network_unavailable = true,
                "network_unavailable",
                Some("0"),
                &["node_network_ready.network_unavailable Node n1"],
            ),
            (
                |node| not_ready(node, Status::Unknown, false),
                "unreporting",
                None,
                &["node_network_ready.unreporting Node n1"],
            ),
            (
                |node| node.ready = None,
                "unreporting",
                None,
                &["node_network_ready.unreporting Node n1"],
            ),
            // Nobody takes the condition back when a node dies.
            (
                |node| {
                    node.network_unavailable = true;
                    not_ready(node, Status::Unknown, false);
                },
                "unreporting",
                None,
                &["node_network_ready.unreporting Node n1"],
            ),
            (
                |node| {
                    not_ready(node, Status::False, true);
                    node.taints = vec!["karpenter.sh/disrupted".into()];
                },
                "left_out",
                None,
                &[],
            ),
            (
                |node| {
                    not_ready(node, Status::False, true);
                    node.created = Some(at(0).unix - Duration::from_secs(10));
                },
                "left_out",
                None,
                &[],
            ),
        ];
        for (change, state, ready, expected) in cases {
            let answer = answer(&CHECK, &cluster().node_with("n1", change).after(1));
            let codes: Vec<&str> = answer
                .findings
                .iter()
                .map(|it| it.split_once(": ").expect("a message").0)
                .collect();
            assert_eq!(codes, expected, "{state}");
            let sample = |start: &str| {
                let found = answer.samples.iter().find_map(|it| it.strip_prefix(start));
                found.map(|value| value.trim().to_owned())
            };
            assert_eq!(sample("netvitals_node_network_ready{n1}").as_deref(), ready, "{state}");
            let counted = sample(&format!("netvitals_node_network_states{{{state}}}"));
            assert_eq!(counted.as_deref(), Some("1"), "{state}");
        }
    }

    #[test]
    fn a_node_without_cni_is_named_with_what_to_look_at() {
        let facts = cluster().node("n2").node_with("n1", |it| not_ready(it, Status::False, true));
        assert_eq!(
            answer(&CHECK, &facts).findings,
            [
                "node_network_ready.cni_not_initialized Node n1: the runtime says NetworkReady=false: \
              look at the CNI's pod on the node and at /etc/cni/net.d"
            ]
        );
    }

    #[test]
    fn a_virtual_node_has_no_cni() {
        let facts = || {
            cluster().node_with("v1", |node| {
                node.labels = [("type", "virtual-kubelet")].into();
                not_ready(node, Status::False, true);
            })
        };
        assert_eq!(answer(&CHECK, &facts()).result, Err(Skipped::NotApplicable.into()));
        let answer = answer(&CHECK, &facts().node("n1"));
        assert_eq!(answer.findings, [""; 0]);
        assert!(!answer.samples.iter().any(|sample| sample.contains("v1")));
    }

    #[test]
    fn an_undecodable_node_is_a_gap() {
        let answer = answer(&CHECK, &cluster().node("n1").undecoded::<Node>("/n2"));
        assert_eq!(answer.gaps, [("nodes", Unknown::Undecoded("Node").into())]);
    }

    #[test]
    fn unlisted_nodes_are_unknown() {
        let answer = answer(&CHECK, &cluster().unlisted::<Node>());
        assert_eq!(answer.result, Err(Unknown::NotListed("Node").into()));
    }
}

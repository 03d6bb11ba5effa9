//! Is the network of each node ready, as the node itself says?
//!
//! A node whose runtime has no CNI configuration starts no pod that needs an address, so that
//! nothing above it can be well there.
//!
//! A `NetworkReady` that is true proves little: to most runtimes it means that a configuration
//! can be read. Left out: nodes that are being taken away and young ones, which pass through this
//! state by nature; virtual nodes, which have no CNI; a node that is not ready for other reasons
//! than its network counts as `not_ready` and is no finding, because it is not the network's. What
//! a problem detector says in a condition of its own is a note: such conditions stay when the
//! trouble is over.

use std::collections::BTreeMap;

use crate::check::components::Components;
use crate::check::words::{count, some};
use crate::check::{Check, Code, Finding, Layer, Output, Remedy};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{Fact, Key, Node, Skipped, Status, Unanswered};

/// Reads the conditions of each node.
pub static CHECK: Check = Check {
    id: "node_network_ready",
    layer: Layer::Cni,
    question: "Is the network of each node ready, as the node itself says?",
    runbook: "NetvitalsNodeNetworkNotReady",
    needs: &[Node::KIND],
    wants: &[],
    families: &[READY.desc(), STATES.desc()],
    codes: &[&CNI_NOT_INITIALIZED, &NETWORK_UNAVAILABLE, &UNREPORTING, &CONDITION],
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
pub static CNI_NOT_INITIALIZED: Code =
    Code::problem("node_network_ready.cni_not_initialized", &[Node::KIND])
        .after(GRACE)
        .explain(
            "The runtime on a node has no usable CNI configuration, so that no new pod gets a \
             network.",
        )
        // A runtime may not notice a file that is moved into the folder, only one that is written.
        .remedies(&[
            DESCRIBE,
            PODS,
            Remedy::inspect(
                "kubectl debug node/{node} -it --profile=sysadmin --image=busybox -- ls -l \
                 /host/etc/cni/net.d",
            ),
            LOG,
            RESTART,
            VERIFY,
        ]);

/// `NetworkUnavailable` is true.
pub static NETWORK_UNAVAILABLE: Code =
    Code::problem("node_network_ready.network_unavailable", &[Node::KIND])
        .after(GRACE)
        .explain(
            "The CNI or the cloud's route controller says that a node has no route for its pods.",
        )
        .remedies(&[
            DESCRIBE,
            Remedy::inspect("kubectl get events -A --field-selector involvedObject.name={node}"),
            LOG,
            RESTART,
            VERIFY,
        ]);

/// `Ready` is unknown: the control plane has not heard of the kubelet for a while.
pub static UNREPORTING: Code = Code::warning("node_network_ready.unreporting", &[Node::KIND])
    .after(GRACE)
    .explain(
        "The kubelet of a node stopped reporting, so that the state of its network is not known.",
    )
    .remedies(&[
        DESCRIBE,
        Remedy::inspect("kubectl -n kube-node-lease get lease {node} -o yaml"),
        Remedy::fix(
            "kubectl cordon {node}",
            "no new pod is sent there until its kubelet reports; undone by kubectl uncordon",
        ),
        VERIFY,
    ]);

/// A condition that is not Kubernetes' own says that something is wrong with the network.
pub static CONDITION: Code = Code::info("node_network_ready.condition", &[Node::KIND])
    .after(GRACE)
    .explain("A problem detector on a node says that something is, or was, wrong with its network.")
    .independent()
    .remedies(&[
        DESCRIBE,
        Remedy::inspect("kubectl get events -A --field-selector involvedObject.name={node}"),
        Remedy::verify("kubectl describe node {node}"),
    ]);

const DESCRIBE: Remedy = Remedy::inspect("kubectl describe node {node}");
const PODS: Remedy =
    Remedy::inspect("kubectl get pods -A -o wide --field-selector spec.nodeName={node}");
const LOG: Remedy = Remedy::inspect("kubectl -n {cni_namespace} logs {cni_pod} --tail=50");
const RESTART: Remedy = Remedy::fix(
    "kubectl -n {cni_namespace} delete pod {cni_pod}",
    "its DaemonSet makes another, which writes the configuration anew; running pods keep their \
     network, and there is nothing to undo",
);
const VERIFY: Remedy =
    Remedy::verify("kubectl wait --for=condition=Ready node/{node} --timeout=60s");

/// Long enough for a CNI that rewrites its configuration.
const GRACE: u64 = 30;

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
        // `NetworkUnavailable` stays as it was when a node dies, so silence comes before it.
        match &node.ready {
            Some(ready) if ready.status == Status::False && ready.network == Some(false) => {
                Self::CniNotInitialized
            }
            None => Self::Unreporting,
            Some(ready) if ready.status == Status::Unknown => Self::Unreporting,
            Some(_) if node.network_unavailable => Self::NetworkUnavailable,
            Some(ready) if ready.status == Status::False => Self::NotReady,
            Some(_) => Self::Ready,
        }
    }

    /// Returns whether the network of `node` is ready, where that is known.
    fn is_ready(self, node: &Node) -> Option<bool> {
        match self {
            Self::CniNotInitialized | Self::NetworkUnavailable => Some(false),
            Self::NotReady | Self::Ready => node.ready.as_ref()?.network,
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
    out.lacks("nodes", nodes);
    let mut states: BTreeMap<State, usize> = State::ALL.map(|state| (state, 0)).into();
    let mut components = None;
    for (Key { name, .. }, node) in nodes.iter().filter(|(_, node)| !node.is_virtual()) {
        let settled = cluster.is_settled(name, node);
        let state = if settled { State::of(node) } else { State::LeftOut };
        *states.entry(state).or_default() += 1;
        if let Some(ready) = state.is_ready(node) {
            out.sample(&READY, [name], f64::from(u8::from(ready)));
        }
        if state != State::LeftOut && !node.network_conditions.is_empty() {
            let named: Vec<&str> = node.network_conditions.iter().map(|it| &**it).collect();
            let message = format!(
                "it has the condition {}: look at its message and at when it began",
                named.join(", ")
            );
            out.finding(Finding::of_node(&CONDITION, name, message));
        }
        if let Some((code, message)) = state.finding() {
            let components = components.get_or_insert_with(|| Components::of(cluster));
            out.finding(components.name_cni(Finding::of_node(code, name, message)));
        }
    }
    let all = states.values().sum::<usize>();
    if all == 0 {
        return Err(Skipped::NotApplicable.into());
    }
    out.statement(statement(&states, all));
    for (state, count) in states {
        out.sample(&STATES, [state.as_str()], count as f64);
    }
    Ok(())
}

fn statement(states: &BTreeMap<State, usize>, all: usize) -> String {
    let (ready, left_out) = (states[&State::Ready], states[&State::LeftOut]);
    let statement = format!("{} of {} ready", count(ready), some(all - left_out, "node"));
    match left_out {
        0 => statement,
        left_out => format!("{statement}, {} young or being taken away", count(left_out)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::CHECK;
    use crate::fixtures::{answer, at, cluster};
    use crate::model::{Node, Skipped, Status, Unknown};

    fn not_ready(node: &mut Node, status: Status, network: bool) {
        let ready = node.ready.as_mut().expect("a condition");
        (ready.status, ready.network) = (status, Some(!network));
    }

    #[test]
    fn every_state_is_told_from_the_others() {
        type Change = fn(&mut Node);
        let cases: [(Change, &str, Option<&str>, &[&str]); 11] = [
            (
                |node| {
                    not_ready(node, Status::False, false);
                    node.ready.as_mut().unwrap().network = None;
                },
                "not_ready",
                None,
                &[],
            ),
            (
                |node| node.network_conditions = vec!["NetworkingReady".into()],
                "ready",
                Some("1"),
                &["node_network_ready.condition Node n1"],
            ),
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
            // The condition stays as it was when a node dies.
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
        let changes: [fn(&mut Node); 5] = [
            |node| node.labels = [("type", "virtual-kubelet")].into(),
            |node| node.labels = [("eks.amazonaws.com/compute-type", "fargate")].into(),
            |node| node.labels = [("liqo.io/type", "virtual-node")].into(),
            |node| node.taints = vec!["virtual-node.liqo.io/not-allowed".into()],
            |node| node.taints = vec!["virtual-kubelet.io/provider".into()],
        ];
        for change in changes {
            let facts = || {
                cluster().node_with("v1", |node| {
                    change(node);
                    not_ready(node, Status::False, true);
                })
            };
            assert_eq!(answer(&CHECK, &facts()).result, Err(Skipped::NotApplicable.into()));
            let answer = answer(&CHECK, &facts().node("n1"));
            assert_eq!(answer.findings, [""; 0]);
            assert!(!answer.samples.iter().any(|sample| sample.contains("v1")));
        }
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

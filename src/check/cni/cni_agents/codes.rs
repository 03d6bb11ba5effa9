//! What can be wrong with the agent of a CNI, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{DaemonSet, Fact, Node};

/// What ended once begins again within seconds.
const GRACE: u64 = 60;

/// A new version begins within this time, and takes over what there is.
const READY: u64 = 120;

/// Long enough for a controller to count, and for a rollout to go on.
const LONG: u64 = 300;

/// The agent of a known CNI does not run.
pub static DOWN: Code = Code::problem("cni_agents.down", &[Node::KIND])
    .after(GRACE)
    .explain(
        "The agent of the CNI does not run on a node: pods there keep the network that they have, \
         and new ones get none.",
    )
    .remedies(&[DESCRIBE, PREVIOUS, LOG, SET, UNDO, RESTART, CORDON, SEE]);

/// A node has no agent, and is to have one.
pub static MISSING: Code = Code::warning("cni_agents.missing", &[Node::KIND])
    .after(LONG)
    .explain("A node has no agent of the CNI, and is to have one: new pods get no network there.")
    .remedies(&[
        SET,
        Remedy::inspect("kubectl -n {cni_namespace} get events --sort-by=.lastTimestamp"),
        Remedy::inspect("kubectl describe node {node}"),
        Remedy::inspect("kubectl -n {cni_namespace} get resourcequotas,limitranges"),
        CORDON,
        SEE,
    ]);

/// The agent runs, and is not ready.
pub static NOT_READY: Code = Code::warning("cni_agents.not_ready", &[Node::KIND])
    .after(READY)
    .explain(
        "The agent of a CNI is not ready on a node: new pods may get no network there, or none that \
         leads to other nodes.",
    )
    .remedies(&[DESCRIBE, LOG, RESTART, CORDON, SEE]);

/// The agent is ready now, and was not for long.
pub static RESTARTING: Code = Code::warning("cni_agents.restarting", &[Node::KIND])
    .explain(
        "The agent of a CNI begins again and again on a node: between its end and its beginning no \
         new pod gets a network there.",
    )
    .remedies(&[PREVIOUS, DESCRIBE, SET, UNDO, SEE]);

/// The DaemonSet is for no node, and no other one is.
pub static NO_NODE: Code = Code::info("cni_agents.no_node", &[DaemonSet::KIND])
    .after(LONG)
    .explain(
        "The DaemonSet of a CNI is for no node: that is so where another CNI has its place, and is \
         wrong where none has.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} describe daemonset {name}"),
        Remedy::inspect("kubectl get nodes --show-labels"),
        Remedy::verify("kubectl -n {namespace} get daemonset {name} -o wide"),
    ]);

const DESCRIBE: Remedy = Remedy::inspect("kubectl -n {cni_namespace} describe pod {cni_pod}");
const PREVIOUS: Remedy = Remedy::inspect(
    "kubectl -n {cni_namespace} logs {cni_pod} -c {container} --previous --tail=50",
);
const LOG: Remedy =
    Remedy::inspect("kubectl -n {cni_namespace} logs {cni_pod} -c {container} --tail=50");
const SET: Remedy = Remedy::inspect("kubectl -n {cni_namespace} describe {cni_owner}");
const UNDO: Remedy = Remedy::fix(
    "kubectl -n {cni_namespace} rollout undo {cni_owner}",
    "its agents are made anew one node after the other, as they were before the last rollout, if it \
     began with that; undone by the same command, and what installed it may set it again",
);
const RESTART: Remedy = Remedy::fix(
    "kubectl -n {cni_namespace} delete pod {cni_pod}",
    "its DaemonSet makes another, which writes plugins and configuration anew; running pods keep \
     their network, and there is nothing to undo",
);
const CORDON: Remedy = Remedy::fix(
    "kubectl cordon {node}",
    "no new pod is sent there; undone by kubectl uncordon, once the agent is ready",
);
const SEE: Remedy =
    Remedy::verify("kubectl get pods -A -o wide --field-selector spec.nodeName={node}");

//! What can be wrong with the agents.

use crate::check::{Code, Remedy, Symptom};
use crate::model::{Fact, Namespace, NetworkPolicy, Node};

/// More than half of the agents are silent at once: rather the replica that asks is cut off.
pub static COLLECTOR_ISOLATED: Code = Code::warning(
    "agents.collector_isolated",
    &[Namespace::KIND],
)
.after(30)
.explain("This replica of the cluster role is cut off from most agents, so that it cannot judge.")
.felt_as(&[Symptom::AgentsAnswer])
.remedies(&[
    Remedy::inspect("kubectl -n {name} get pods -o wide"),
    Remedy::inspect(LOG_OF_CLUSTER),
    Remedy::fix(
        "kubectl -n {name} rollout restart deployment \
                 -l app.kubernetes.io/name=netvitals,app.kubernetes.io/component=cluster",
        "its replicas restart one after the other, and every grace begins anew; there is \
                 nothing to undo",
    ),
    Remedy::verify(LOG_OF_CLUSTER),
]);

const LOG_OF_CLUSTER: &str = "kubectl -n {name} logs --prefix --tail=200 \
                              -l app.kubernetes.io/name=netvitals,app.kubernetes.io/component=cluster";

/// A node has no agent that runs.
pub static MISSING: Code = Code::warning("agents.missing", &[Node::KIND, Namespace::KIND])
    // A DaemonSet that rolls is without one for a moment.
    .after(60)
    .explain("A node has no running agent, so that nothing is known of its network.")
    .felt_as(&[Symptom::PodsOfNode])
    .remedies(&[
        Remedy::inspect(PODS_ON_NODE),
        Remedy::inspect("kubectl -n {own} describe daemonsets -l app.kubernetes.io/name=netvitals"),
        Remedy::fix(
            "kubectl -n {own} rollout restart daemonset -l app.kubernetes.io/name=netvitals",
            "every agent restarts, node by node, and says nothing until it has measured; there is \
             nothing to undo",
        ),
        Remedy::verify("kubectl -n {own} get daemonsets -l app.kubernetes.io/name=netvitals"),
    ]);

const PODS_ON_NODE: &str = "kubectl get pods -A -o wide -l app.kubernetes.io/name=netvitals \
                            --field-selector spec.nodeName={node}";

/// No host agent exists, and the namespace enforces a level that refuses them.
pub static REFUSED: Code = Code::warning("agents.refused", &[Namespace::KIND])
    .after(30)
    .explain("Pod Security of the namespace refuses the agents on the nodes' own network.")
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl -n {name} describe daemonsets"),
        Remedy::inspect("kubectl get namespace {name} --show-labels"),
        Remedy::fix(
            "kubectl label namespace {name} pod-security.kubernetes.io/enforce=privileged \
             --overwrite",
            "any pod of this namespace may then be privileged; undone by the same command with the \
             level that the label had",
        ),
        // The DaemonSet's controller waits longer after each refusal, up to a quarter of an hour.
        Remedy::fix(
            "kubectl -n {name} rollout restart daemonset \
             -l app.kubernetes.io/name=netvitals,app.kubernetes.io/component=host-agent",
            "it tries at once instead of a quarter of an hour later; there is nothing to undo",
        ),
        Remedy::verify(
            "kubectl -n {name} get pods \
             -l app.kubernetes.io/name=netvitals,app.kubernetes.io/component=host-agent",
        ),
    ]);

/// Policies keep netvitals' own pods from what they need.
pub static RESTRICTED_BY_POLICY: Code =
    Code::warning("agents.restricted_by_policy", &[NetworkPolicy::KIND])
        .explain(
            "A NetworkPolicy restricts netvitals' own pods, so that they fail where workloads do \
             not.",
        )
        .remedies(&[
            Remedy::inspect("kubectl -n {namespace} get networkpolicy {name} -o yaml"),
            Remedy::fix(
                "kubectl -n {namespace} edit networkpolicy {name}",
                "it changes what all pods that it selects may do; undone by editing it back to \
                 what the first command showed",
            ),
            Remedy::verify("kubectl -n {namespace} describe networkpolicies"),
        ]);

/// An agent's pod is ready, and it does not answer.
pub static STALE: Code = Code::warning("agents.stale", &[Node::KIND])
    // Silence counts after more than a minute; but a pod that replaced another is ready before it
    // was ever asked.
    .after(30)
    .explain(
        "An agent runs and does not answer, so that nothing new is known of its node's network.",
    )
    .felt_as(&[Symptom::PodsOfNode, Symptom::AgentsAnswer])
    .remedies(&[
        Remedy::inspect(PODS_ON_NODE),
        Remedy::inspect("kubectl -n {own} logs {pod} --tail=50"),
        Remedy::fix(
            "kubectl -n {own} delete pod {pod}",
            "its DaemonSet makes a new one, which counts from 0; there is nothing to undo",
        ),
        Remedy::verify(PODS_ON_NODE),
    ]);

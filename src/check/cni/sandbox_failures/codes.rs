//! What can be wrong with sandboxes, and what to do about it.

use crate::check::cni::remedies::{ELSEWHERE, STILL_PENDING};
use crate::check::{Code, Remedy, Symptom};
use crate::model::{Fact, Namespace, Node, Pod};

/// A sandbox that failed once is tried again within seconds.
const GRACE: u64 = 60;

/// As long as a volume takes that another node has, or an image that is large.
const LONG: u64 = 180;

/// A node is Ready and starts no pod.
pub static NODE_FAILING: Code = Code::problem("sandbox_failures.node_failing", &[Node::KIND])
    .after(GRACE)
    .explain("A node is Ready, and the network of none of its new pods is made: they do not start.")
    .runbook("NetvitalsPodSandboxFailing")
    .remedies(&[
        PODS,
        EVENTS,
        PLUGINS,
        CONFIG,
        BRIDGE,
        LEASES,
        LOG,
        RESTART,
        Remedy::fix(
            "kubectl cordon {node}",
            "no new pod is sent there; undone by kubectl uncordon, once a pod starts there again",
        ),
        ELSEWHERE,
        STILL_PENDING,
    ]);

/// A pod waits for its network.
pub static NETWORK: Code = Code::warning("sandbox_failures.network", &[Pod::KIND])
    .after(GRACE)
    .explain("A pod was sent to a node, and its network is not made there: it does not start.")
    .felt_as(&[Symptom::PodsOfNode])
    .remedies(&[DESCRIBE, EVENTS, PLUGINS, CONFIG, BRIDGE, LEASES, LOG, RESTART, ANEW, VERIFY]);

/// Pods could only go to nodes without a network.
pub static NO_NODE: Code = Code::warning("sandbox_failures.no_node", &[Namespace::KIND])
    .after(GRACE)
    .explain(
        "Pods have no node, because every node that they could go to is not ready or has no network.",
    )
    .remedies(&[PENDING, NODES, TAINTS, SEE]);

/// A pod waits for a volume, or for its runtime.
pub static NOT_NETWORK: Code = Code::info("sandbox_failures.not_network", &[Pod::KIND])
    .after(LONG)
    .explain(
        "A pod has waited on its node for three minutes, for a volume or for what the runtime \
         cannot do, and not for the network.",
    )
    .independent()
    .remedies(&[
        DESCRIBE,
        Remedy::inspect("kubectl -n {namespace} get persistentvolumeclaims,configmaps"),
        ANEW,
        VERIFY,
    ]);

/// A pod waits, and nothing says for what.
pub static WAITING: Code = Code::info("sandbox_failures.waiting", &[Pod::KIND])
    .after(LONG)
    .explain(
        "A pod has waited on its node for three minutes, and no event says for what: an image that \
         is large, or a kubelet that says nothing.",
    )
    .felt_as(&[Symptom::PodsOfNode])
    .remedies(&[DESCRIBE, Remedy::inspect("kubectl describe node {node}"), ANEW, VERIFY]);

/// Nodes have as many pods as they take.
pub static TOO_MANY_PODS: Code = Code::info("sandbox_failures.too_many_pods", &[Namespace::KIND])
    .after(LONG)
    .explain(
        "Pods have no node, because nodes have as many pods as they take, which clouds lay down by \
         the addresses that a machine can have.",
    )
    .independent()
    .remedies(&[PENDING, NODES, CAPACITY, SEE]);

const DESCRIBE: Remedy = Remedy::inspect("kubectl -n {namespace} describe pod {name}");
const PODS: Remedy =
    Remedy::inspect("kubectl get pods -A -o wide --field-selector spec.nodeName={node}");
const EVENTS: Remedy =
    Remedy::inspect("kubectl get events -A --field-selector reason=FailedCreatePodSandBox");
const PLUGINS: Remedy = Remedy::inspect(
    "kubectl debug node/{plugins_node} -it --profile=sysadmin --image=busybox -- sh -c \
     'ls -l /host/opt/cni/bin /host/usr/lib/cni || true'",
);
const CONFIG: Remedy = Remedy::inspect(
    "kubectl debug node/{config_node} -it --profile=sysadmin --image=busybox -- ls -l \
     /host/etc/cni/net.d",
);
const BRIDGE: Remedy = Remedy::inspect(
    "kubectl debug node/{bridge_node} -it --profile=sysadmin --image=busybox -- ip address",
);
const LEASES: Remedy = Remedy::inspect(
    "kubectl debug node/{leases_node} -it --profile=sysadmin --image=busybox -- ls -l \
     /host/var/lib/cni",
);
const LOG: Remedy = Remedy::inspect("kubectl -n {cni_namespace} logs {cni_pod} --tail=50");
const RESTART: Remedy = Remedy::fix(
    "kubectl -n {cni_namespace} delete pod {cni_pod}",
    "its DaemonSet makes another, which writes plugins, configuration and token anew; running pods \
     keep their network, and there is nothing to undo",
);
const ANEW: Remedy = Remedy::fix(
    "kubectl -n {namespace} delete pod {name}",
    "what owns it makes another, maybe on another node; a pod that nothing owns is gone for good",
);
const VERIFY: Remedy = Remedy::verify("kubectl -n {namespace} get pod {name} -o wide");

const PENDING: Remedy =
    Remedy::inspect("kubectl -n {name} get pods --field-selector status.phase=Pending");
const NODES: Remedy = Remedy::inspect("kubectl get nodes -o wide");
const TAINTS: Remedy = Remedy::inspect(
    "kubectl get nodes -o 'custom-columns=NAME:.metadata.name,TAINTS:.spec.taints[*].key'",
);
const CAPACITY: Remedy = Remedy::inspect(
    "kubectl get nodes -o 'custom-columns=NAME:.metadata.name,PODS:.status.allocatable.pods'",
);
const SEE: Remedy = Remedy::verify("kubectl -n {name} get pods -o wide");

//! What can be wrong with kube-proxy's pods, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{CiliumConfig, DaemonSet, Fact, KubeProxyConfig, Node};

/// What ended once begins again within seconds.
const GRACE: u64 = 60;

/// A new version begins within this time, and takes over what there is; a DaemonSet is made and then told where it is for.
const READY: u64 = 120;

/// Long enough for a controller to count, and for a rollout to go on.
const LONG: u64 = 300;

/// It does not run.
pub static DOWN: Code = Code::problem("kube_proxy_pods.down", &[Node::KIND])
    .after(GRACE)
    .explain(
        "kube-proxy does not run on a node: Services lead from there to where they led when it \
         ended, and after the node's next start nowhere.",
    )
    .remedies(&[DESCRIBE, PREVIOUS, LOG, SET, UNDO, RESTART, CORDON, SEE]);

/// A node has none, and is to have one.
pub static MISSING: Code = Code::warning("kube_proxy_pods.missing", &[Node::KIND, DaemonSet::KIND])
    .after(LONG)
    .explain(
        "A node has no pod of kube-proxy, and is to have one: Services lead nowhere from there, or \
         to where they led before.",
    )
    .remedies(&[
        SET,
        Remedy::inspect("kubectl -n {proxy_namespace} get events --sort-by=.lastTimestamp"),
        Remedy::inspect("kubectl describe node {node}"),
        CORDON,
        SEE,
        Remedy::verify("kubectl -n {proxy_namespace} get {proxy_owner} -o wide"),
    ]);

/// It runs, and is not ready.
pub static NOT_READY: Code = Code::warning("kube_proxy_pods.not_ready", &[Node::KIND])
    .after(READY)
    .explain(
        "kube-proxy is not ready on a node: Services may lead from there to where they led before.",
    )
    .remedies(&[DESCRIBE, LOG, RESTART, CORDON, SEE]);

/// It is ready now, and was not for long.
pub static RESTARTING: Code = Code::warning("kube_proxy_pods.restarting", &[Node::KIND])
    .explain(
        "kube-proxy begins again and again on a node: between its end and its beginning Services \
         lead from there to where they led before.",
    )
    .remedies(&[PREVIOUS, DESCRIBE, SET, UNDO, SEE]);

/// The DaemonSet is for no node, and nothing that is known does its work.
pub static NO_NODE: Code = Code::info("kube_proxy_pods.no_node", &[DaemonSet::KIND])
    .after(READY)
    .explain(
        "kube-proxy's DaemonSet is for no node: that is so where a CNI does its work, as Calico's \
         eBPF does, and Services lead nowhere where none does.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} describe daemonset {name}"),
        Remedy::inspect("kubectl get nodes --show-labels"),
        Remedy::verify("kubectl -n {namespace} get daemonset {name} -o wide"),
    ]);

/// Cilium does its work, and it runs all the same.
pub static TOGETHER: Code = Code::info("kube_proxy_pods.together", &[CiliumConfig::KIND])
    .after(LONG)
    .explain(
        "Cilium is told to do the work of kube-proxy, and kube-proxy runs beside it: both write \
         rules for the same Services, of which one is to go once the other is seen to work.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect(
            "kubectl -n {namespace} get configmap {name} -o jsonpath='{.data.kube-proxy-replacement}'",
        ),
        Remedy::inspect("kubectl -n {namespace} get pods -o wide"),
        Remedy::fix(
            "kubectl -n {proxy_namespace} patch {proxy_owner} --type=merge \
             -p '{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"no-kube-proxy\":\"true\"}}}}}'",
            "kube-proxy ends on every node, its rules stay until a node starts again, and \
             connections that they lead may break; only where Cilium names the API server by \
             its own address; undone by the same command with null in the place of \"true\"",
        ),
        Remedy::verify("kubectl -n {proxy_namespace} get {proxy_owner} -o wide"),
    ]);

/// It is told to use what is to go.
pub static IPVS: Code = Code::info("kube_proxy_pods.ipvs", &[KubeProxyConfig::KIND])
    .after(LONG)
    .explain(
        "kube-proxy is told to use IPVS, which is deprecated from 1.35 on and may go: nftables is \
         to take its place.",
    )
    .independent()
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} get configmap {name} -o yaml"),
        Remedy::fix(
            "kubectl -n {namespace} edit configmap {name}",
            "mode: nftables counts once kube-proxy restarts, wants Linux 5.13, and leads node ports \
             at the first address of a node alone; what IPVS wrote stays until a node starts again; \
             undone by mode: ipvs and one more restart",
        ),
        Remedy::verify("kubectl -n {proxy_namespace} rollout status {proxy_owner} --timeout=300s"),
    ]);

const DESCRIBE: Remedy = Remedy::inspect("kubectl -n {pod_namespace} describe pod {pod}");
const PREVIOUS: Remedy =
    Remedy::inspect("kubectl -n {pod_namespace} logs {pod} --previous --tail=50");
const LOG: Remedy = Remedy::inspect("kubectl -n {pod_namespace} logs {pod} --tail=50");
const SET: Remedy = Remedy::inspect("kubectl -n {proxy_namespace} describe {proxy_owner}");
const UNDO: Remedy = Remedy::fix(
    "kubectl -n {proxy_namespace} rollout undo {proxy_owner}",
    "its pods are made anew one node after the other, as they were before the last rollout, if it \
     began with that; undone by the same command, and what installed it may set it again",
);
const RESTART: Remedy = Remedy::fix(
    "kubectl -n {proxy_namespace} delete pod {proxy_pod}",
    "the rules of the node stay while its DaemonSet makes another, which writes them anew; there is \
     nothing to undo",
);
const CORDON: Remedy = Remedy::fix(
    "kubectl cordon {node}",
    "no new pod is sent there; undone by kubectl uncordon, once kube-proxy is ready",
);
const SEE: Remedy =
    Remedy::verify("kubectl get pods -A -o wide --field-selector spec.nodeName={node}");

//! What can be wrong with the versions of a CNI, and what to do about it.

use crate::check::{Code, Remedy};
use crate::model::{DaemonSet, Fact};

/// A controller counts, and a pod is ready.
const GRACE: u64 = 300;

/// What is published of a version does not change with what a cluster does.
const READ: u64 = 60;

/// Whoever changes CNIs has two for a while.
const HOUR: u64 = 3600;

/// Agents that wait to be deleted go with the nodes where these are replaced one after the other.
const HOURS: u64 = 6 * HOUR;

/// Agents are of several versions, and no rollout moves.
pub static MIXED: Code = Code::warning("cni_versions.mixed", &[DaemonSet::KIND])
    .after(GRACE)
    .explain(
        "The agents of a CNI are of several versions, and no rollout brings them to one: nodes \
         behave differently, and a repair has not reached all of them.",
    )
    .independent()
    .remedies(&[
        HISTORY,
        DESCRIBE,
        IMAGES,
        Remedy::fix(
            "kubectl -n {namespace} rollout undo daemonset/{name}",
            "if the new version is the one that is not wanted: its agents are made anew one node \
             after the other, as they were before the last rollout; undone by the same command, and \
             what installed it may set it again",
        ),
        SEE,
    ]);

/// Agents are of several versions, and wait for somebody.
pub static ON_DELETE: Code = Code::warning("cni_versions.on_delete", &[DaemonSet::KIND])
    .after(HOURS)
    .explain(
        "The agents of a CNI are of several versions, because its DaemonSet leaves it to somebody to \
         delete the old ones: a repair has not reached all nodes.",
    )
    .independent()
    .remedies(&[
        HISTORY,
        IMAGES,
        Remedy::fix(
            "kubectl -n {cni_namespace} delete pod {cni_pod}",
            "one node after the other, each once the agent before it is ready: another of the new \
             version is made at once, running pods keep their network, and new ones there wait so \
             long; undone by setting the old version and deleting it again",
        ),
        Remedy::fix(
            "kubectl -n {namespace} patch daemonset {name} --type=merge \
             -p '{\"spec\":{\"updateStrategy\":{\"type\":\"RollingUpdate\"}}}'",
            "all agents that are behind are made anew, one node after the other, now and with each \
             version to come; undone by OnDelete in the place of RollingUpdate and null for \
             rollingUpdate, and what installed it may set it again",
        ),
        SEE,
    ]);

/// Two CNIs are on the same nodes.
pub static SEVERAL: Code = Code::warning("cni_versions.several", &[DaemonSet::KIND])
    .after(HOUR)
    .explain(
        "Two CNIs that are not known to work together have agents on the same nodes: which one \
         gives a pod its network depends on the names of files there.",
    )
    .independent()
    .remedies(&[
        IMAGES,
        DESCRIBE,
        Remedy::inspect("kubectl get daemonsets -A -o wide"),
        Remedy::fix(
            "kubectl -n {namespace} patch daemonset {name} --type=merge \
             -p '{\"spec\":{\"template\":{\"spec\":{\"nodeSelector\":{\"non-existing\":\"true\"}}}}}'",
            "if it is this one that is not to be: its agents go from all nodes, pods that have their \
             network from it keep it until they are made anew, and its files in /etc/cni/net.d stay \
             and may have to be removed; undone by null in the place of \"true\"",
        ),
        SEE_ALL,
    ]);

/// Nobody looks after a version.
pub static EOL: Code = Code::warning("cni_versions.eol", &[DaemonSet::KIND])
    .after(READ)
    .explain(
        "A version of a CNI has reached its end of life: it works on, and gets no repairs, also \
         none of its security.",
    )
    .runbook("NetvitalsCNIVersionUnsupported")
    .independent()
    .remedies(&[IMAGES, DESCRIBE, NODES, SEE]);

/// A version is not tested with the Kubernetes of its nodes.
pub static UNTESTED: Code = Code::info("cni_versions.untested", &[DaemonSet::KIND])
    .after(READ)
    .explain(
        "Whoever makes the CNI does not test its version with the Kubernetes of the nodes: it may \
         well work.",
    )
    .runbook("NetvitalsCNIVersionUnsupported")
    .independent()
    .remedies(&[IMAGES, NODES, SEE]);

/// A manifest cannot be applied to this Kubernetes any more.
pub static MANIFEST: Code = Code::info("cni_versions.manifest", &[DaemonSet::KIND])
    .after(READ)
    .explain(
        "The CNI works, and the manifest of its version cannot be applied to this Kubernetes: nobody \
         can install it anew.",
    )
    .runbook("NetvitalsCNIVersionUnsupported")
    .independent()
    .remedies(&[IMAGES, NODES, SEE]);

const HISTORY: Remedy = Remedy::inspect("kubectl -n {namespace} rollout history daemonset/{name}");
const DESCRIBE: Remedy = Remedy::inspect("kubectl -n {namespace} describe daemonset {name}");
const IMAGES: Remedy = Remedy::inspect(
    "kubectl -n {namespace} get pods \
     -o custom-columns='NAME:.metadata.name,NODE:.spec.nodeName,IMAGES:.spec.containers[*].image'",
);
const NODES: Remedy = Remedy::inspect("kubectl get nodes -o wide");
const SEE: Remedy = Remedy::verify("kubectl -n {namespace} get daemonset {name} -o wide");
const SEE_ALL: Remedy = Remedy::verify("kubectl get daemonsets -A -o wide");

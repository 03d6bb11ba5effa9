//! What helps where a node starts no pod, whatever keeps it from that.

use crate::check::Remedy;

/// A pod starts on another node.
pub(super) const ELSEWHERE: Remedy = Remedy::fix(
    "kubectl -n {pod_namespace} delete pod {pod}",
    "what owns it makes another, which starts on another node once this one is cordoned; \
     a pod that nothing owns is gone for good",
);

/// Which pods of the node have not started.
pub(super) const STILL_PENDING: Remedy = Remedy::verify(
    "kubectl get pods -A -o wide --field-selector spec.nodeName={node},status.phase=Pending",
);

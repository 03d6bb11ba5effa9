//! What the control plane says of ranges in its flags, where it runs as pods.

use crate::cluster::Cluster;
use crate::model::{ControlPlane, Key, Pod, Unanswered};

/// Where the control plane runs, where it does so as pods, and kubeadm keeps what it was told.
/// Elsewhere are those of other clusters, which this one hosts.
pub(super) const SYSTEM: &str = "kube-system";

/// Returns what the pods of the control plane are told; those of one are told the same.
///
/// # Errors
///
/// Says why pods cannot be seen.
pub(super) fn flags(
    cluster: &Cluster,
) -> Result<impl Iterator<Item = (&Key, &ControlPlane)>, Unanswered> {
    let is_own = |(key, pod): &(&Key, &Pod)| {
        *key.namespace == *SYSTEM && pod.host_network && !pod.ended && !pod.terminating
    };
    let pods = cluster.read::<Pod>()?.iter().filter(is_own);
    Ok(pods.filter_map(|(key, pod)| Some((key, pod.control_plane.as_deref()?))))
}

//! Whether the CNI runs whose objects are read: what one that is gone was told says nothing.

use crate::cluster::Cluster;
use crate::model::{Pod, Unanswered};

/// The label of Calico's pods.
pub(super) const CALICO: &[(&str, &str)] = &[("k8s-app", "calico-node")];

/// The label of Cilium's agents.
pub(super) const CILIUM: &[(&str, &str)] = &[("k8s-app", "cilium")];

/// Whether any pod runs, or is to, that is labelled so.
///
/// # Errors
///
/// Says why pods cannot be seen.
pub(super) fn is_run(cluster: &Cluster, labels: &[(&str, &str)]) -> Result<bool, Unanswered> {
    let mut pods = cluster.read::<Pod>()?.iter();
    Ok(pods.any(|(_, pod)| pod.host_network && !pod.ended && pod.is_labelled(labels)))
}

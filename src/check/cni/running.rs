//! Whether the CNI runs whose objects are read: what one that is gone was told says nothing.

use crate::cluster::Cluster;
use crate::model::{Key, Pod, Unanswered};

/// The label of Calico's pods.
pub(super) const CALICO: &[(&str, &str)] = &[("k8s-app", "calico-node")];

/// The label of Cilium's agents.
pub(in crate::check) const CILIUM: &[(&str, &str)] = &[("k8s-app", "cilium")];

/// Whether any pod runs, or is to, that is labelled so.
///
/// # Errors
///
/// Says why pods cannot be seen.
pub(super) fn is_run(cluster: &Cluster, labels: &[(&str, &str)]) -> Result<bool, Unanswered> {
    Ok(running(cluster, labels)?.is_some())
}

/// Returns the first such pod.
///
/// # Errors
///
/// As [`is_run`].
pub(super) fn running<'a>(
    cluster: &'a Cluster,
    labels: &[(&str, &str)],
) -> Result<Option<&'a Key>, Unanswered> {
    let mut pods = cluster.read::<Pod>()?.iter();
    let is_one = |pod: &Pod| pod.host_network && !pod.ended && pod.is_labelled(labels);
    Ok(pods.find(|(_, pod)| is_one(pod)).map(|(key, _)| key))
}

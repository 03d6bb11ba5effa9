//! What Cilium was told of addresses, where it hands them out by itself.

use super::running::{CILIUM, running};
use crate::cluster::Cluster;
use crate::model::{CiliumConfig, Fact, Key, Pod, Unanswered};

/// Cilium whose own IPAM gives pods their addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnIpam<'a> {
    /// The ConfigMap that says so.
    pub(super) key: &'a Key,
    /// What else it says.
    pub(super) config: &'a CiliumConfig,
    /// Which of [`MODES`] it is in.
    pub(super) mode: &'static str,
}

/// The modes in which what a node hands out stands in its CiliumNode. The others are `kubernetes`, the
/// ranges of nodes, and `delegated-plugin`, whatever another plugin does.
const MODES: [&str; 7] =
    ["cluster-pool", "cluster-pool-v2beta", "multi-pool", "crd", "eni", "azure", "alibabacloud"];

/// What `cni-chaining-mode` is where no other plugin hands out the addresses.
const UNCHAINED: [&str; 3] = ["", "none", "portmap"];

/// Returns Cilium, where it runs and a ConfigMap beside its pods says that its own IPAM is at work:
/// what one that is gone was told says nothing.
///
/// # Errors
///
/// Says why pods or the ConfigMap cannot be seen.
pub(super) fn own_ipam(cluster: &Cluster) -> Result<Option<OwnIpam<'_>>, Unanswered> {
    let maps = cluster.read::<CiliumConfig>();
    // Most clusters have none, and many pods: these are not looked through then.
    if maps.as_ref().is_ok_and(|maps| maps.iter().next().is_none()) {
        return cluster.can_read(Pod::KIND).map(|()| None);
    }
    let Some(agent) = running(cluster, CILIUM)? else { return Ok(None) };
    let beside = maps?.iter().find(|(key, _)| key.namespace == agent.namespace);
    let Some((key, config)) = beside else { return Ok(None) };
    let text = |of: &str| config.text(of).map(str::trim);
    if !UNCHAINED.contains(&text("cni-chaining-mode").unwrap_or_default()) {
        return Ok(None);
    }
    let told = text("ipam").unwrap_or(MODES[0]);
    let mode = MODES.into_iter().find(|mode| *mode == told);
    Ok(mode.map(|mode| OwnIpam { key, config, mode }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Event;
    use crate::fixtures::cluster;
    use crate::model::ConfigMap;

    #[test]
    fn its_own_ipam_is_at_work_only_where_it_runs_and_is_told_so() {
        for (of, runs_in, texts, mode) in [
            ("as its chart has it", "kube-system", &[("ipam", "cluster-pool")][..], "cluster-pool"),
            ("an old chart that leaves it out", "kube-system", &[], "cluster-pool"),
            ("GKE Dataplane V2, kubeadm, Talos", "kube-system", &[("ipam", "kubernetes")], ""),
            ("AKS", "kube-system", &[("ipam", "delegated-plugin")], ""),
            ("EKS", "kube-system", &[("ipam", "eni"), ("cni-chaining-mode", "none")], "eni"),
            (
                "EKS, behind the VPC CNI",
                "kube-system",
                &[("ipam", "cluster-pool"), ("cni-chaining-mode", "aws-cni")],
                "",
            ),
            ("what is left of one elsewhere", "cilium", &[("ipam", "multi-pool")], ""),
            ("a mode that nobody knows", "kube-system", &[("ipam", "other")], ""),
        ] {
            let texts = texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
            let config: CiliumConfig = ConfigMap::new(texts);
            let facts = cluster()
                .with(Event::Put(Key::new("kube-system", "cilium-config"), config))
                .pod_with(&format!("{runs_in}/cilium-1"), |pod| {
                    pod.host_network = true;
                    pod.labels = [("k8s-app", "cilium")].into();
                });
            let found = own_ipam(&facts).expect("all is seen").map_or("", |it| it.mode);
            assert_eq!(found, mode, "{of}");
        }
        assert!(own_ipam(&cluster()).expect("all is seen").is_none());
    }
}

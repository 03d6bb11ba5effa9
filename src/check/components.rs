//! Which pods make a node's network, as their labels tell: what remedies name, and by which IPAM a
//! node hands out addresses.
//!
//! A component that is not in these lists is not found: then a remedy that would name its pod is
//! left out, and nothing is concluded of how it hands out addresses.

use std::collections::BTreeMap;

use super::Finding;
use crate::cluster::Cluster;
use crate::model::{Key, Labels, Name, Pod};

/// A plugin that gives pods their network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ipam {
    /// The plugin `host-local`, of the ranges of the nodes.
    HostLocal,
    /// Cilium's own, which may be of the ranges of the nodes too.
    Cilium,
    /// Another, of other ranges.
    Other,
}

/// The label by which the pod of a CNI on each node is known, and how that hands out addresses.
static CNIS: &[(&str, &str, Ipam)] = &[
    ("k8s-app", "calico-node", Ipam::Other),
    ("k8s-app", "canal", Ipam::HostLocal),
    ("k8s-app", "cilium", Ipam::Cilium),
    ("k8s-app", "flannel", Ipam::HostLocal),
    ("app", "flannel", Ipam::HostLocal),
    ("app", "kindnet", Ipam::HostLocal),
    ("k8s-app", "kindnet", Ipam::HostLocal),
    ("k8s-app", "kube-router", Ipam::HostLocal),
    ("component", "antrea-agent", Ipam::HostLocal),
    ("k8s-app", "aws-node", Ipam::Other),
    ("k8s-app", "azure-cns", Ipam::Other),
    ("name", "weave-net", Ipam::Other),
    ("app", "ovnkube-node", Ipam::Other),
    ("app", "kube-ovn-cni", Ipam::Other),
];

/// The labels by which kube-proxy is known: of kubeadm and most others, of files on nodes and AKS, of
/// OpenShift, on Windows.
pub(super) static PROXIES: &[(&str, &str)] = &[
    ("k8s-app", "kube-proxy"),
    ("component", "kube-proxy"),
    ("app", "kube-proxy"),
    ("k8s-app", "kube-proxy-windows"),
];

/// What was found, by node.
#[derive(Debug, Default)]
pub(super) struct Components<'a> {
    cni: BTreeMap<&'a Name, (&'a Key, &'a Pod, Ipam)>,
    proxy: BTreeMap<&'a Name, (&'a Key, &'a Pod)>,
}

impl<'a> Components<'a> {
    /// Looks through the pods as they were last seen: remedies are wanted while the API is away.
    pub(super) fn of(cluster: &'a Cluster) -> Self {
        let mut all = Self::default();
        let pods = cluster.last_known::<Pod>().into_iter().flat_map(|pods| pods.iter());
        for (key, pod) in pods.filter(|(_, pod)| pod.host_network && !pod.ended) {
            let Some(node) = &pod.node else { continue };
            if let Some((_, _, ipam)) = CNIS.iter().find(|(k, v, _)| is(&pod.labels, k, v)) {
                all.cni.entry(node).or_insert((key, pod, *ipam));
            } else if pod.is_labelled(PROXIES) {
                all.proxy.entry(node).or_insert((key, pod));
            }
        }
        all
    }

    /// Returns how a node hands out addresses, where its CNI is known.
    pub(super) fn ipam(&self, node: &Name) -> Option<Ipam> {
        self.cni.get(node).map(|(_, _, ipam)| *ipam)
    }

    /// Names the pod of a node's CNI, or any one's owner, in what a finding tells to run.
    pub(super) fn name_cni(&self, finding: Finding) -> Finding {
        let here = finding.node.as_ref().and_then(|node| self.cni.get(node));
        let any = here.or_else(|| self.cni.values().next());
        finding
            .with("cni_pod", here.map(|(key, ..)| &key.name))
            .with("cni_namespace", any.map(|(key, ..)| &key.namespace))
            .with("cni_owner", any.and_then(|(_, pod, _)| pod.owner()))
    }

    /// Names the pod of kube-proxy on a node, or any one's owner.
    pub(super) fn name_proxy(&self, finding: Finding) -> Finding {
        let here = finding.node.as_ref().and_then(|node| self.proxy.get(node));
        let any = here.or_else(|| self.proxy.values().next());
        finding
            .with("proxy_pod", here.map(|(key, _)| &key.name))
            .with("proxy_namespace", any.map(|(key, _)| &key.namespace))
            .with("proxy_owner", any.and_then(|(_, pod)| pod.owner()))
    }
}

fn is(labels: &Labels, key: &str, value: &str) -> bool {
    labels.get(key).is_some_and(|it| **it == *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Code, Remedy};
    use crate::fixtures::cluster;
    use crate::model::{Fact, Node};
    use crate::report::remedy;

    static CODE: Code = Code::problem("a.b", &[Node::KIND]).remedies(&[
        Remedy::inspect("kubectl -n {cni_namespace} logs {cni_pod}"),
        Remedy::inspect("kubectl -n {cni_namespace} describe {cni_owner}"),
        Remedy::inspect("kubectl -n {proxy_namespace} logs {proxy_pod}"),
    ]);

    #[test]
    fn remedies_name_the_pods_that_were_found_and_are_left_out_without_them() {
        let facts = cluster().pod_with("rke2/canal-1", |pod| {
            pod.node = Some("n1".into());
            pod.host_network = true;
            pod.labels = [("k8s-app", "canal")].into();
            pod.daemon_set = Some("rke2-canal".into());
        });
        let components = Components::of(&facts);
        let commands = |node: &str| -> Vec<String> {
            let finding = Finding::of_node(&CODE, &node.into(), "");
            let finding = components.name_proxy(components.name_cni(finding));
            remedy::commands(&finding).map(|(_, command)| command).collect()
        };
        let describe = "kubectl -n rke2 describe daemonset/rke2-canal";
        assert_eq!(commands("n1"), ["kubectl -n rke2 logs canal-1", describe]);
        assert_eq!(commands("n2"), [describe]);
        assert_eq!(components.ipam(&"n1".into()), Some(Ipam::HostLocal));
        assert_eq!(components.ipam(&"n2".into()), None);
    }
}

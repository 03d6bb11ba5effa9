//! Clusters whose ranges overlap or do not fit, as people met them.

use super::{Shape, kubeadm};
use crate::cluster::Event;
use crate::fixtures::cluster;
use crate::model::{IpPool, IpPoolSpec, Key};

pub(super) const WRONG: &[Shape] = &[
    Shape {
        of: "Cilium's default on AKS, whose Services are its first part",
        facts: || {
            cluster()
                .service_cidr("10.0.0.0/16")
                .serves("kubernetes", "10.0.0.1")
                .at("n1", "10.224.0.7", "")
                .holds("web", "n1", "10.0.1.9")
                .runs(("k8s-app", "cilium"), "n1")
                .cilium("10.0.0.0/8")
        },
        found: &["pods_services n1", "latent kube-system/cilium-config"],
    },
    Shape {
        of: "Cilium's default on nodes in its first part",
        facts: || {
            cluster()
                .serves("kubernetes", "172.20.0.1")
                .at("n1", "10.0.0.5", "")
                .at("n2", "10.0.2.5", "")
                .holds("web", "n2", "10.0.0.77")
                .runs(("k8s-app", "cilium"), "n2")
                .cilium("10.0.0.0/8")
        },
        found: &["pods_nodes n1", "latent kube-system/cilium-config"],
    },
    Shape {
        of: "Cilium's default, which nobody has come near",
        facts: || {
            kubeadm()
                .at("n1", "192.168.1.7", "10.244.0.0/24")
                .holds("web", "n1", "10.0.0.77")
                .runs(("k8s-app", "cilium"), "n1")
                .cilium("10.0.0.0/8")
        },
        found: &["latent kube-system/cilium-config"],
    },
    Shape {
        of: "a range that is written with bits of a host, and is larger than it looks",
        facts: || {
            kubeadm()
                .at("n1", "192.168.1.7", "")
                .holds("web", "n1", "10.3.0.77")
                .runs(("k8s-app", "cilium"), "n1")
                .cilium("10.20.0.0/8")
        },
        found: &["latent kube-system/cilium-config"],
    },
    Shape {
        of: "Calico's default at home",
        facts: || {
            kubeadm()
                .at("n1", "192.168.50.10", "")
                .holds("web", "n1", "192.168.196.7")
                .runs(("k8s-app", "calico-node"), "n1")
                .ip_pool("default-ipv4-ippool", "192.168.0.0/16")
        },
        found: &["pods_nodes n1"],
    },
    Shape {
        of: "two pools of Calico's",
        facts: || {
            kubeadm()
                .at("n1", "192.168.1.7", "")
                .runs(("k8s-app", "calico-node"), "n1")
                .ip_pool("a", "10.1.0.0/16")
                .with(Event::Put(
                    Key::new("", "b"),
                    IpPool {
                        spec: Some(IpPoolSpec {
                            cidr: Some("10.1.4.0/24".parse().expect("a range")),
                            ..IpPoolSpec::default()
                        }),
                    },
                ))
        },
        found: &["pools b"],
    },
    Shape {
        of: "flannel's manifest as it stands, and another range told to kubeadm",
        facts: || {
            kubeadm()
                .at("n1", "192.168.163.137", "10.224.0.0/24")
                .runs(("app", "flannel"), "n1")
                .flannel("10.244.0.0/16")
                .flags("kube-controller-manager", "10.96.0.0/12", "10.224.0.0/16")
        },
        found: &["outside n1"],
    },
    Shape {
        of: "every node patched with the whole range, so that flannel starts",
        facts: || {
            kubeadm()
                .at("n1", "192.168.1.1", "10.244.0.0/16")
                .at("n2", "192.168.1.2", "10.244.0.0/16")
                .at("n3", "192.168.1.3", "10.244.3.0/24")
                .runs(("app", "flannel"), "n1")
                .runs(("app", "flannel"), "n2")
                .runs(("app", "flannel"), "n3")
        },
        found: &["shared n2", "shared n3"],
    },
    Shape {
        of: "k3s of both families: Services have what the second node gets",
        facts: || {
            cluster()
                .service_cidr("10.43.0.0/16 2001:cafe:42:1::/112")
                .serves("kubernetes", "10.43.0.1")
                .at("n1", "10.9.0.1", "10.42.0.0/24 2001:cafe:42::/64")
                .at("n2", "10.9.0.2", "10.42.1.0/24 2001:cafe:42:1::/64")
                .holds("web", "n1", "10.42.0.7 2001:cafe:42::7")
                .holds("cart", "n2", "10.42.1.7 2001:cafe:42:1::7")
        },
        found: &["pods_services n2"],
    },
    Shape {
        of: "EKS, whose Services have a part of the nodes' network",
        facts: || {
            cluster()
                .serves("kubernetes", "10.100.0.1")
                .serves("kube-dns", "10.100.0.10")
                .serves("web", "10.100.77.7")
                .at("n1", "10.100.12.7", "")
                .holds("web", "n1", "10.100.12.9")
                .runs(("k8s-app", "aws-node"), "n1")
        },
        found: &["pods_services n1", "services_nodes n1"],
    },
    Shape {
        of: "the same range told for pods and for Services",
        facts: || {
            cluster()
                .service_cidr("10.96.0.0/16")
                .serves("kubernetes", "10.96.0.1")
                .at("n1", "192.168.1.1", "10.96.1.0/24")
                .holds("web", "n1", "10.96.1.7")
        },
        found: &["pods_services n1"],
    },
    Shape {
        of: "nodes in a part of the pods' range that no node has yet",
        facts: || {
            kubeadm()
                .at("n1", "10.244.200.1", "10.244.0.0/24")
                .holds("web", "n1", "10.244.0.7")
                .flags("kube-controller-manager", "10.96.0.0/12", "10.244.0.0/14")
        },
        found: &["latent kube-system/kube-controller-manager-1"],
    },
    Shape {
        of: "nodes in flannel's network",
        facts: || {
            kubeadm()
                .at("n1", "10.244.200.1", "10.244.0.0/24")
                .runs(("app", "flannel"), "n1")
                .flannel("10.244.0.0/16")
        },
        found: &["pods_nodes n1"],
    },
    Shape {
        of: "one node that was there before the cluster got IPv6",
        facts: || {
            kubeadm()
                .at("n1", "192.168.1.1", "10.244.1.0/24 fd00:1::/64")
                .at("n2", "192.168.1.2", "10.244.2.0/24 fd00:2::/64")
                .at("n3", "192.168.1.3", "10.244.3.0/24")
                .holds("web", "n3", "10.244.3.7")
        },
        found: &["one_family n3"],
    },
    Shape {
        of: "the first node of a cluster that gets IPv6",
        facts: || {
            kubeadm()
                .at("n1", "192.168.1.1", "10.244.1.0/24 fd00:1::/64")
                .at("n2", "192.168.1.2", "10.244.2.0/24")
                .at("n3", "192.168.1.3", "10.244.3.0/24")
                .holds("web", "n3", "10.244.3.7")
        },
        found: &[],
    },
    Shape {
        of: "a Service from before a change of ranges",
        facts: || kubeadm().at("n1", "192.168.1.1", "").serves("old", "10.32.0.7"),
        found: &["service_outside default/old"],
    },
];

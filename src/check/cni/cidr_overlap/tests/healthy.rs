//! Clusters whose ranges are apart, as distributions and clouds make them.

use super::{Shape, kubeadm};
use crate::fixtures::cluster;
use crate::model::ControlPlane;

pub(super) const HEALTHY: &[Shape] = &[
    Shape {
        of: "kubeadm with flannel",
        facts: || {
            kubeadm()
                .at("n1", "192.168.56.11", "10.244.0.0/24")
                .at("n2", "192.168.56.12", "10.244.1.0/24")
                .holds("web", "n2", "10.244.1.7")
                .runs(("app", "flannel"), "n1")
                .runs(("app", "flannel"), "n2")
                .flannel("10.244.0.0/16")
                .flags("kube-controller-manager", "10.96.0.0/12", "10.244.0.0/16")
        },
        found: &[],
    },
    Shape {
        of: "kind with both families",
        facts: || {
            cluster()
                .service_cidr("10.96.0.0/16 fd00:10:96::/112")
                .serves("kubernetes", "10.96.0.1")
                .at("n1", "172.18.0.2 fc00:f853:ccd:e793::2", "10.244.0.0/24 fd00:10:244::/64")
                .holds("web", "n1", "10.244.0.7 fd00:10:244::7")
        },
        found: &[],
    },
    Shape {
        of: "EKS: pods have addresses of the nodes' network, of which its Services are no part",
        facts: || {
            cluster()
                .serves("kubernetes", "172.20.0.1")
                .serves("kube-dns", "172.20.0.10")
                .at("n1", "10.0.12.7", "")
                .holds("web", "n1", "10.0.12.9")
                .runs(("k8s-app", "aws-node"), "n1")
        },
        found: &[],
    },
    Shape {
        of: "EKS in 192.168.0.0/16 with Calico for policies, and its default pool",
        facts: || {
            cluster()
                .serves("kubernetes", "10.100.0.1")
                .at("n1", "192.168.12.7", "")
                .holds("web", "n1", "192.168.12.9")
                .runs(("k8s-app", "aws-node"), "n1")
                .runs(("k8s-app", "calico-node"), "n1")
                .ip_pool("default-ipv4-ippool", "192.168.0.0/16")
        },
        found: &[],
    },
    Shape {
        of: "kops on the network of AWS: the controller manager is told all of it",
        facts: || {
            cluster()
                .serves("kubernetes", "100.64.0.1")
                .at("n1", "172.20.33.7", "")
                .holds("web", "n1", "172.20.33.9")
                .runs(("k8s-app", "aws-node"), "n1")
                .flags("kube-controller-manager", "100.64.0.0/13", "172.20.0.0/16")
        },
        found: &[],
    },
    Shape {
        of: "GKE: ranges of nodes are second ones of the same network",
        facts: || {
            cluster()
                .service_cidr("34.118.224.0/20")
                .serves("kubernetes", "34.118.224.1")
                .at("n1", "10.128.0.7", "10.112.0.0/24")
                .holds("web", "n1", "10.112.0.9")
        },
        found: &[],
    },
    Shape {
        of: "AKS with an overlay of Azure's",
        facts: || {
            cluster()
                .serves("kubernetes", "10.0.0.1")
                .serves("kube-dns", "10.0.0.10")
                .at("n1", "10.224.0.7", "")
                .holds("web", "n1", "10.244.0.9")
                .runs(("k8s-app", "azure-cns"), "n1")
        },
        found: &[],
    },
    Shape {
        of: "OpenShift: nodes have no ranges in their spec",
        facts: || {
            cluster()
                .service_cidr("172.30.0.0/16")
                .serves("kubernetes", "172.30.0.1")
                .at("n1", "10.0.128.7", "")
                .holds("web", "n1", "10.128.0.9")
                .runs(("app", "ovnkube-node"), "n1")
        },
        found: &[],
    },
    Shape {
        of: "RKE2 with Calico, whose ranges of nodes nobody uses",
        facts: || {
            cluster()
                .serves("kubernetes", "10.43.0.1")
                .flags("kube-apiserver", "10.43.0.0/16", "")
                .flags("kube-controller-manager", "10.43.0.0/16", "10.42.0.0/16")
                .at("n1", "10.9.0.7", "10.42.0.0/24")
                // The same range, and it does not matter.
                .at("n2", "10.9.0.8", "10.42.0.0/24")
                .holds("web", "n1", "10.42.77.9")
                .holds("cart", "n2", "10.42.80.9")
                .runs(("k8s-app", "calico-node"), "n1")
                .runs(("k8s-app", "calico-node"), "n2")
                .ip_pool("default-ipv4-ippool", "10.42.0.0/16")
        },
        found: &[],
    },
    Shape {
        of: "MicroK8s",
        facts: || {
            cluster()
                .serves("kubernetes", "10.152.183.1")
                .at("n1", "10.0.0.7", "")
                .holds("web", "n1", "10.1.77.9")
                .runs(("k8s-app", "calico-node"), "n1")
                .ip_pool("default-ipv4-ippool", "10.1.0.0/16")
        },
        found: &[],
    },
    Shape {
        of: "a virtual cluster, whose nodes have addresses of Services outside of it",
        facts: || {
            cluster()
                .serves("kubernetes", "10.96.12.1")
                .serves("web", "10.96.200.7")
                .at_with("n1", "10.96.44.7", "", |node| {
                    node.labels = [("vcluster.loft.sh/fake-node", "true")].into();
                })
                .holds("web", "n1", "10.244.0.9")
        },
        found: &[],
    },
    Shape {
        of: "Fargate: a node has the address of its pod",
        facts: || {
            kubeadm().at("n1", "10.0.0.1", "").at_with("f1", "10.97.0.7", "", |node| {
                node.labels = [("eks.amazonaws.com/compute-type", "fargate")].into();
            })
        },
        found: &[],
    },
    Shape {
        of: "a pool of an earlier CNI, of which no pod has an address",
        facts: || {
            kubeadm()
                .at("n1", "192.168.1.7", "10.244.0.0/24")
                .holds("web", "n1", "10.244.0.7")
                .runs(("app", "flannel"), "n1")
                .ip_pool("default-ipv4-ippool", "192.168.0.0/16")
        },
        found: &[],
    },
    Shape {
        of: "a cluster that hosts the control planes of others",
        facts: || {
            kubeadm()
                .at("n1", "192.168.1.7", "10.42.0.0/24")
                .holds("web", "n1", "10.42.0.7")
                .pod_with("tenant/kube-controller-manager-1", |pod| {
                    let told = ControlPlane {
                        services: vec!["192.168.0.0/16".parse().expect("a range")],
                        pods: vec!["10.244.0.0/16".parse().expect("a range")],
                        ..ControlPlane::default()
                    };
                    pod.control_plane = Some(Box::new(told));
                })
        },
        found: &[],
    },
    Shape {
        of: "what flannel, Calico and Cilium were told that are gone",
        facts: || {
            kubeadm()
                .at("n1", "192.168.1.7", "10.42.0.0/24")
                .holds("web", "n1", "10.42.0.7")
                .holds("cart", "n1", "192.168.9.7")
                .flannel("192.168.0.0/16")
                .cilium("10.0.0.0/8")
                .ip_pool("default-ipv4-ippool", "192.168.0.0/16")
        },
        found: &[],
    },
];

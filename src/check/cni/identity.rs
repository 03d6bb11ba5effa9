//! Which CNI a DaemonSet is of, by several weak signals: labels of its pods, its name, its images.
//!
//! The lists only give it a name. One that is in none of them is found by what it does: its pods are
//! on every node, on the node's own network, whatever the taints, and have a folder of CNI there.
//!
//! What needs no DaemonSet cannot be found so: flannel within k3s, kubenet, the routes of a cloud,
//! plugins that were put on nodes by hand.

use crate::check::Output;
use crate::cluster::Table;
use crate::model::{DaemonSet, Key, Labels, Name, Node, Skipped, Unanswered};

/// What a CNI is for pods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::check) enum Role {
    /// It gives pods their network.
    Primary,
    /// It stands before, behind or beside one that does: multus, istio-cni.
    Added,
    /// Nobody knows.
    Unknown,
}

/// A CNI that is known.
#[derive(Debug)]
struct Known {
    name: &'static str,
    role: Role,
    /// Labels of its pods, of which one is enough.
    labels: &'static [(&'static str, &'static str)],
    /// Names of its DaemonSet, of which one is enough: as they stand, or behind what a distribution
    /// puts before them.
    sets: &'static [&'static str],
    /// How the path of an image ends, without what is before `/` or `-`.
    images: &'static [&'static str],
}

const ALL: &[Known] = &[
    primary("canal", &[("k8s-app", "canal")], &["canal"], &[]),
    primary(
        "calico",
        &[("k8s-app", "calico-node")],
        &["calico-node", "calico-node-windows"],
        &["calico/node", "calico-node", "hardened-calico"],
    ),
    primary("cilium", &[("k8s-app", "cilium")], &["cilium", "anetd"], &["cilium/cilium"]),
    primary(
        "flannel",
        &[("app", "flannel"), ("k8s-app", "flannel")],
        &["kube-flannel-ds", "kube-flannel", "kube-flannel-ds-amd64", "kube-flannel-ds-arm64"],
        &["flannel"],
    ),
    primary("aws-vpc-cni", &[("k8s-app", "aws-node")], &["aws-node"], &["amazon-k8s-cni"]),
    primary("azure", &[("k8s-app", "azure-cns")], &["azure-cns"], &["azure-cns"]),
    primary(
        "antrea",
        &[("component", "antrea-agent")],
        &["antrea-agent"],
        &["antrea-agent-ubuntu", "antrea-agent-ubi"],
    ),
    primary("kube-ovn", &[("app", "kube-ovn-cni")], &["kube-ovn-cni"], &[]),
    primary("ovn-kubernetes", &[("app", "ovnkube-node")], &["ovnkube-node"], &[]),
    primary("openshift-sdn", &[("app", "sdn")], &["sdn"], &[]),
    primary("weave", &[("name", "weave-net")], &["weave-net"], &["weave-kube"]),
    primary("kube-router", &[("k8s-app", "kube-router")], &["kube-router"], &["kube-router"]),
    primary("kindnet", &[("app", "kindnet"), ("k8s-app", "kindnet")], &["kindnet"], &["kindnetd"]),
    primary("gke", &[("k8s-app", "netd")], &["netd"], &["netd"]),
    added("multus", &[("app", "multus")], &["multus", "kube-multus-ds"], &["multus-cni"]),
    added("istio-cni", &[("k8s-app", "istio-cni-node")], &["istio-cni-node"], &["install-cni"]),
    added("linkerd-cni", &[("k8s-app", "linkerd-cni")], &["linkerd-cni"], &["cni-plugin"]),
    added("whereabouts", &[("app", "whereabouts")], &["whereabouts"], &["whereabouts"]),
];

/// What a CNI is called that is in no list.
pub(in crate::check) const OTHER: &str = "other";

const fn primary(
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
    sets: &'static [&'static str],
    images: &'static [&'static str],
) -> Known {
    Known { name, role: Role::Primary, labels, sets, images }
}

const fn added(
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
    sets: &'static [&'static str],
    images: &'static [&'static str],
) -> Known {
    Known { role: Role::Added, ..primary(name, labels, sets, images) }
}

/// A DaemonSet that puts the agent of a CNI on nodes.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) struct CniSet<'a> {
    /// Which one.
    pub(in crate::check) key: &'a Key,
    /// What is known of it.
    pub(in crate::check) set: &'a DaemonSet,
    /// The CNI's name, or [`OTHER`].
    pub(in crate::check) cni: &'static str,
    /// What the CNI is for pods.
    pub(in crate::check) role: Role,
}

impl CniSet<'_> {
    /// Returns name and image of the container that is the agent: the one whose image is known, else
    /// the first.
    pub(in crate::check) fn container(&self) -> Option<&(Name, Name)> {
        let images = &self.set.template.images;
        let known = ALL.iter().find(|it| it.name == self.cni).map_or(&[][..], |it| it.images);
        let is_known = |(_, image): &&(Name, Name)| known.iter().any(|it| ends_in(image, it));
        images.iter().find(is_known).or_else(|| images.first())
    }
}

/// Returns the DaemonSets of CNIs, for what judges their pods on nodes; that one cannot be read is a gap.
///
/// # Errors
///
/// Says that there is none, that the one which cannot be read may be the CNI's, or that no node is real.
pub(super) fn sets_on<'a>(
    nodes: &Table<Node>,
    all: &'a Table<DaemonSet>,
    out: &mut Output,
) -> Result<Vec<CniSet<'a>>, Unanswered> {
    let sets = sets(all);
    if sets.is_empty() || nodes.iter().all(|(_, node)| node.is_virtual()) {
        all.whole()?;
        return Err(Skipped::NotApplicable.into());
    }
    out.lacks("DaemonSets", all);
    Ok(sets)
}

/// Returns the DaemonSets that put agents of CNIs on nodes.
pub(in crate::check) fn sets(all: &Table<DaemonSet>) -> Vec<CniSet<'_>> {
    let found = |(key, set): (_, _)| {
        let (cni, role) = identify(key, set)?;
        Some(CniSet { key, set, cni, role })
    };
    all.iter().filter_map(found).collect()
}

/// Returns the CNI that a DaemonSet is of, and what that is for pods.
fn identify(key: &Key, set: &DaemonSet) -> Option<(&'static str, Role)> {
    let template = &set.template;
    if !template.host_network {
        // Every agent of a network is without one itself.
        return None;
    }
    let by = |is: &dyn Fn(&Known) -> bool| ALL.iter().find(|known| is(known));
    let labelled = |labels: &Labels, known: &Known| {
        known.labels.iter().any(|(key, value)| labels.get(key).is_some_and(|it| **it == **value))
    };
    let named = |known: &Known| known.sets.iter().any(|name| is_called(&key.name, name));
    let made_of = |known: &Known| {
        template.images.iter().any(|(_, image)| known.images.iter().any(|it| ends_in(image, it)))
    };
    let found = by(&|known| labelled(&template.labels, known))
        .or_else(|| by(&named))
        .or_else(|| by(&made_of).filter(|_| template.mounts_cni));
    if let Some(known) = found {
        return Some((known.name, known.role));
    }
    (template.tolerates_all && template.mounts_cni).then_some((OTHER, Role::Unknown))
}

/// Whether a DaemonSet has a name: `rke2-canal` has that of `canal`, `cilium-envoy` not that of
/// `cilium`.
pub(in crate::check) fn is_called(set: &Name, name: &str) -> bool {
    set.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('-'))
}

/// Whether the path of an image ends so: `mirror.example.com/calico/node:v3.32.1` in `calico/node`,
/// `rancher/mirrored-calico-node` in `calico-node`.
fn ends_in(image: &str, end: &str) -> bool {
    let path = image.split('@').next().unwrap_or_default();
    let path = match path.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => path,
        _ => path,
    };
    path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with(['/', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Template;

    fn found(name: &str, change: impl FnOnce(&mut Template)) -> Option<&'static str> {
        let mut set = DaemonSet::default();
        set.template.host_network = true;
        change(&mut set.template);
        identify(&Key::new("kube-system", name), &set).map(|(name, _)| name)
    }

    #[test]
    fn a_cni_is_known_by_its_labels_its_name_or_its_images() {
        let labelled = |name: &str, key: &str, value: &str| {
            found(name, |template| template.labels = [(key, value)].into())
        };
        assert_eq!(labelled("rke2-canal", "k8s-app", "canal"), Some("canal"));
        assert_eq!(labelled("a", "k8s-app", "cilium"), Some("cilium"));
        assert_eq!(labelled("ovnkube-node", "app", "ovnkube-node"), Some("ovn-kubernetes"));
        for (name, cni) in [
            ("calico-node", Some("calico")),
            ("kube-flannel-ds-amd64", Some("flannel")),
            ("rke2-flannel-kube-flannel-ds", Some("flannel")),
            ("aws-node", Some("aws-vpc-cni")),
            ("kube-multus-ds", Some("multus")),
            ("anetd", Some("cilium")),
            // What comes with a CNI, and is not it.
            ("cilium-envoy", None),
            ("cilium-node-init", None),
            ("kube-ovn-pinger", None),
            ("aws-node-termination-handler", None),
            ("kube-proxy", None),
            ("node-exporter", None),
        ] {
            assert_eq!(found(name, |_| {}), cni, "{name}");
        }
        for (image, cni) in [
            ("mirror.example.com:5000/calico/node:v3.32.1", Some("calico")),
            ("rancher/mirrored-calico-node:v3.29.0", Some("calico")),
            ("rancher/mirrored-flannelcni-flannel:v0.15.1", Some("flannel")),
            ("quay.io/cilium/cilium:v1.18.1@sha256:0123", Some("cilium")),
            ("example.com/eks/amazon-k8s-cni:v1.20.0-eksbuild.1", Some("aws-vpc-cni")),
            ("quay.io/cilium/cilium-envoy:v1.34", None),
            ("example.com/flannel-exporter:1", None),
        ] {
            let of = |mounts_cni| {
                found("net", |template| {
                    template.images = [("main".into(), image.into())].into();
                    template.mounts_cni = mounts_cni;
                })
            };
            assert_eq!((of(true), of(false)), (cni, None), "{image}");
        }
    }

    #[test]
    fn a_cni_that_nobody_knows_is_found_by_what_it_does() {
        let does = |host_network, tolerates_all, mounts_cni| {
            found("ninth", |template| {
                *template =
                    Template { host_network, tolerates_all, mounts_cni, ..Template::default() };
            })
        };
        assert_eq!(does(true, true, true), Some(OTHER));
        assert_eq!(does(true, false, true), None);
        assert_eq!(does(true, true, false), None);
        assert_eq!(does(false, true, true), None);
    }
}

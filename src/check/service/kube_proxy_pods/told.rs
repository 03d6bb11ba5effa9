//! What kube-proxy is told, and what is told to do its work.

use std::collections::BTreeSet;

use super::{IPVS, Pods, Sets, TOGETHER};
use crate::check::cni::running::CILIUM;
use crate::check::words::some;
use crate::check::{Finding, Output};
use crate::cluster::{Cluster, Table};
use crate::model::{CiliumConfig, DaemonSet, Key, KubeProxyConfig, Name, Pod};

/// What `kube-proxy-replacement` is where Cilium does all of it.
const REPLACES: [&str; 2] = ["true", "strict"];

/// What a mode may be; anything else is no word for a statement.
const MODES: [&str; 5] = ["iptables", "ipvs", "nftables", "userspace", "kernelspace"];

/// The first minor version with which IPVS is deprecated.
const WITHOUT_IPVS: u32 = 35;

/// Cilium that does the work of kube-proxy.
pub(super) struct Cilium<'a> {
    /// Where it is told so.
    config: &'a Key,
    /// The nodes on which it is ready.
    pub(super) nodes: BTreeSet<&'a Name>,
}

/// Returns Cilium, where it is told to do the work of kube-proxy and is ready anywhere: what one that
/// is gone was told says nothing.
pub(super) fn cilium<'a>(cluster: &'a Cluster, pods: &'a Table<Pod>) -> Option<Cilium<'a>> {
    let does = |map: &CiliumConfig| {
        map.text("kube-proxy-replacement").is_some_and(|it| REPLACES.contains(&it.trim()))
    };
    let maps = cluster.read::<CiliumConfig>().ok()?;
    let (config, _) = maps.iter().find(|(_, map)| does(map))?;
    let is_ready = |key: &Key, pod: &Pod| {
        let is_here = key.namespace == config.namespace && pod.host_network;
        is_here && pod.ready && !pod.ended && pod.is_labelled(CILIUM)
    };
    let ready = pods.iter().filter(|(key, pod)| is_ready(key, pod));
    let nodes: BTreeSet<&Name> = ready.filter_map(|(_, pod)| pod.node.as_ref()).collect();
    (!nodes.is_empty()).then_some(Cilium { config, nodes })
}

/// Tells of nodes on which both are ready.
pub(super) fn together(out: &mut Output, cilium: &Cilium<'_>, on_nodes: &Pods<'_>) {
    let ready = |node: &Name| on_nodes.get(node)?.iter().find(|(_, pod)| pod.ready);
    let both: Vec<_> = cilium.nodes.iter().filter_map(|node| ready(node)).collect();
    let Some((key, pod)) = both.first() else { return };
    let message = format!(
        "Cilium is told to do the work of kube-proxy, which is ready beside it on {}: look at \
         whether it is to go",
        some(both.len(), "node")
    );
    let owner = pod.daemon_set.as_ref().and_then(|_| pod.owner());
    out.finding(
        Finding::of::<CiliumConfig>(&TOGETHER, cilium.config.clone(), message)
            .with("proxy_namespace", owner.as_ref().map(|_| &key.namespace))
            .with("proxy_owner", owner),
    );
}

/// Returns the mode that kube-proxy is told to use, where a ConfigMap beside its DaemonSet says it, and
/// tells of one that is to go.
pub(super) fn mode<'a>(cluster: &'a Cluster, out: &mut Output, sets: &Sets<'_>) -> Option<&'a str> {
    let maps = cluster.read::<KubeProxyConfig>().ok()?;
    let found = sets.iter().find_map(|(key, set)| {
        let at = Key::new(key.namespace.clone(), "kube-proxy");
        Some((at.clone(), *key, *set, maps.get(&at)?))
    });
    let (at, key, set, map) = found?;
    let mode = in_config(map.text("config.conf")?)?;
    if mode == "ipvs" && minor(set).is_some_and(|minor| minor >= WITHOUT_IPVS) {
        let message = "kube-proxy is told to use IPVS, which is deprecated: look at what nftables \
                       needs";
        out.finding(
            Finding::of::<KubeProxyConfig>(&IPVS, at, message)
                .with("proxy_namespace", Some(&key.namespace))
                .with("proxy_owner", Some(format!("daemonset/{}", key.name))),
        );
    }
    Some(mode)
}

/// Returns the mode of a configuration in YAML: without one it is iptables.
fn in_config(config: &str) -> Option<&str> {
    let line = config.lines().find_map(|line| line.strip_prefix("mode:"));
    let value = line.map_or("", |value| value.split(" #").next().unwrap_or_default());
    match value.trim().trim_matches(['"', '\'']) {
        "" => Some("iptables"),
        mode => MODES.contains(&mode).then_some(mode),
    }
}

/// Returns the minor version of the image that a DaemonSet runs: `…/kube-proxy:v1.35.2-eksbuild.3`.
fn minor(set: &DaemonSet) -> Option<u32> {
    let tag = |image: &str| {
        let (_, version) = image.split('@').next()?.rsplit_once(":v1.")?;
        version.split('.').next()?.parse().ok()
    };
    let images = set.template.images.iter();
    images.filter(|(name, _)| name.contains("kube-proxy")).find_map(|(_, image)| tag(image))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_as_it_may_stand_and_is_iptables_where_none_is() {
        for (config, mode) in [
            ("kind: KubeProxyConfiguration\nmode: \"\"\n", Some("iptables")),
            ("kind: KubeProxyConfiguration\n", Some("iptables")),
            ("mode: ipvs # as before\r\n", Some("ipvs")),
            ("ipvs:\n  mode: other\nmode: 'nftables'", Some("nftables")),
            ("mode: {{ mode }}", None),
        ] {
            assert_eq!(in_config(config), mode, "{config}");
        }
    }

    #[test]
    fn a_version_is_read_from_the_tag_of_the_image() {
        for (image, version) in [
            ("registry.k8s.io/kube-proxy:v1.35.2", Some(35)),
            ("mirror.example.com:5000/eks/kube-proxy:v1.36.0-minimal-eksbuild.3", Some(36)),
            ("registry.example.com/kube-proxy:v1.34.1@sha256:0123", Some(34)),
            ("registry.example.com/kube-proxy@sha256:0123", None),
            ("registry.example.com/kube-proxy:latest", None),
        ] {
            let mut set = DaemonSet::default();
            set.template.images = [("kube-proxy".into(), image.into())].into();
            assert_eq!(minor(&set), version, "{image}");
        }
    }
}

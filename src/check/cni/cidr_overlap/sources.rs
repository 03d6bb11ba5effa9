//! Who says which ranges there are.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::ranges::{Ranges, canonical, hull};
use crate::check::Output;
use crate::check::cni::control_plane::{SYSTEM, flags};
use crate::check::cni::running::{CALICO, CILIUM, is_run};
use crate::cluster::Cluster;
use crate::model::{
    CiliumConfig, Fact, FlannelConfig, IpFamily, IpPool, Key, KubeadmConfig, Node, Object, Pod,
    Service, ServiceCidr, Unanswered,
};

/// The ranges of which Services get their addresses, and single addresses that lie elsewhere.
pub(super) struct Services {
    pub(super) ranges: Ranges<()>,
    pub(super) by: By,
    /// Services whose addresses lie in no range.
    pub(super) outside: Vec<(Key, IpAddr)>,
}

/// Who says which ranges Services have, the best first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum By {
    Objects,
    Flags,
    Kubeadm,
    /// What their addresses have in common: the range has these at least.
    Addresses,
}

/// Where CNIs keep what they are told.
const OF_CNIS: &[&str] = &[SYSTEM, "kube-flannel", "cilium", "cilium-system"];

/// The labels of those whose pools are read; what one that is gone was told says nothing.
const FLANNEL: &[(&str, &str)] =
    &[("app", "flannel"), ("k8s-app", "flannel"), ("k8s-app", "canal")];

/// Ranges of which whole nodes get theirs.
pub(super) struct Pool {
    pub(super) range: IpNet,
    /// How long the prefix is of what a node gets of it.
    pub(super) block: u8,
    pub(super) what: Object,
    pub(super) is_enabled: bool,
    /// Whether all of it is taken for pods', whoever has it: such a node's pods leave with an
    /// address to which no other machine knows the way.
    pub(super) is_routed: bool,
}

impl Services {
    pub(super) fn of(cluster: &Cluster, out: &mut Output) -> Result<Self, Unanswered> {
        let services = cluster.read::<Service>()?;
        out.lacks("services", services);
        let addresses: Vec<(&Key, IpAddr)> = services
            .iter()
            .filter(|(_, service)| !service.external_name)
            .flat_map(|(key, service)| service.addresses.iter().map(move |it| (key, *it)))
            .collect();
        let (by, ranges) = said(cluster, out, &addresses)?;
        let known: Ranges<()> = ranges.iter().map(|range| (*range, ())).collect();
        let outside: Vec<(Key, IpAddr)> = addresses
            .into_iter()
            .filter(|(_, address)| known.around((*address).into()).is_none())
            .map(|(key, address)| (key.clone(), address))
            .collect();
        let single = outside.iter().map(|(_, address)| IpNet::from(*address));
        let ranges = ranges.into_iter().chain(single).map(|range| (range, ())).collect();
        Ok(Self { ranges, by, outside })
    }
}

fn said(
    cluster: &Cluster,
    out: &mut Output,
    addresses: &[(&Key, IpAddr)],
) -> Result<(By, Vec<IpNet>), Unanswered> {
    if let Ok(objects) = cluster.read::<ServiceCidr>() {
        out.lacks(ServiceCidr::KIND.plural, objects);
        let ranges: Vec<IpNet> = objects.iter().flat_map(|(_, it)| it.ranges()).collect();
        if !ranges.is_empty() {
            return Ok((By::Objects, ranges));
        }
    }
    let told = flags(cluster)?.find(|(_, told)| !told.services.is_empty());
    if let Some((_, told)) = told {
        return Ok((By::Flags, told.services.clone()));
    }
    let api = Key::new("default", "kubernetes");
    let apis: Vec<IpAddr> =
        addresses.iter().filter(|(key, _)| **key == api).map(|(_, address)| *address).collect();
    // It was written when the cluster was made, and may be long past.
    let ranges = kubeadm(cluster);
    if ranges.iter().any(|range| apis.iter().any(|address| range.contains(address))) {
        return Ok((By::Kubeadm, ranges));
    }
    // One range of each family is no wider than the API server takes it, so that addresses which
    // lie farther apart are of several.
    let families = [(IpFamily::V4, 12), (IpFamily::V6, 64)];
    let hulls = families.into_iter().filter_map(|(family, widest)| {
        let of = addresses.iter().map(|(_, it)| *it).filter(|it| IpFamily::of(it) == family);
        hull(of).filter(|range| range.prefix_len() >= widest)
    });
    Ok((By::Addresses, hulls.collect()))
}

/// What is read of kubeadm's `ClusterConfiguration`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Kubeadm {
    networking: Option<Networking>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Networking {
    service_subnet: Option<String>,
}

fn kubeadm(cluster: &Cluster) -> Vec<IpNet> {
    let Ok(maps) = cluster.read::<KubeadmConfig>() else { return Vec::new() };
    let mut own = maps.iter().filter(|(key, _)| *key.namespace == *SYSTEM);
    let text = own.find_map(|(_, map)| map.text("ClusterConfiguration"));
    let read = text.and_then(|text| serde_saphyr::from_str::<Kubeadm>(text).ok());
    let networking = read.and_then(|it| it.networking).unwrap_or_default();
    ranges(networking.service_subnet.as_deref().unwrap_or_default())
}

/// Reads ranges that stand behind each other; what is none is left out.
fn ranges(text: &str) -> Vec<IpNet> {
    text.split([',', ' ', '\n']).filter_map(|range| range.trim().parse().ok()).collect()
}

/// Returns the pools of which pods get addresses, or nodes the ranges of their pods.
///
/// # Errors
///
/// Says why pods cannot be seen.
pub(super) fn pools(cluster: &Cluster, out: &mut Output) -> Result<Vec<Pool>, Unanswered> {
    let mut all = Vec::new();
    if let Ok(calico) = cluster.read::<IpPool>()
        && is_run(cluster, CALICO)?
    {
        out.lacks(IpPool::KIND.plural, calico);
        for (key, pool) in calico.iter() {
            let Some((range, block)) = pool.range() else { continue };
            let is_enabled = pool.is_enabled();
            let what = Object { kind: IpPool::KIND, key: key.clone() };
            all.push(Pool::new(range, block, what, is_enabled, true));
        }
    }
    if let Ok(maps) = cluster.read::<CiliumConfig>()
        && is_run(cluster, CILIUM)?
    {
        for (key, map) in maps.iter().filter(is_of_cni) {
            let ipam = map.text("ipam").unwrap_or("cluster-pool");
            if !ipam.starts_with("cluster-pool") {
                continue;
            }
            for (family, mask) in [("ipv4", 24), ("ipv6", 112)] {
                let text = |end: &str| map.text(&format!("cluster-pool-{family}-{end}"));
                let block = text("mask-size").and_then(|size| size.trim().parse().ok());
                for range in ranges(text("cidr").unwrap_or_default()) {
                    let what = Object { kind: CiliumConfig::KIND, key: key.clone() };
                    all.push(Pool::new(range, block.unwrap_or(mask), what, true, false));
                }
            }
        }
    }
    Ok(all)
}

/// What is read of flannel's `net-conf.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct NetConf {
    #[serde(rename = "Network")]
    v4: Option<IpNet>,
    #[serde(rename = "IPv6Network")]
    v6: Option<IpNet>,
}

/// Returns the ranges of which the ranges of nodes are parts, where flannel and the controller
/// manager say it.
pub(super) fn declared(cluster: &Cluster) -> Result<Vec<Pool>, Unanswered> {
    let mut all = Vec::new();
    if let Ok(maps) = cluster.read::<FlannelConfig>()
        && is_run(cluster, FLANNEL)?
    {
        for (key, map) in maps.iter().filter(is_of_cni) {
            let read = map.text("net-conf.json").map(serde_json::from_str::<NetConf>);
            let networks = read.and_then(Result::ok).unwrap_or_default();
            for range in networks.v4.into_iter().chain(networks.v6) {
                let what = Object { kind: FlannelConfig::KIND, key: key.clone() };
                all.push(Pool::new(range, 0, what, true, true));
            }
        }
    }
    let told = flags(cluster)?.find(|(_, told)| !told.pods.is_empty());
    for (key, range) in told.iter().flat_map(|(key, it)| it.pods.iter().map(move |it| (key, it))) {
        let what = Object { kind: Pod::KIND, key: (*key).clone() };
        all.push(Pool::new(*range, 0, what, true, false));
    }
    Ok(all)
}

fn is_of_cni<T>((key, _): &(&Key, T)) -> bool {
    OF_CNIS.contains(&&*key.namespace)
}

/// Whether a node has addresses that are its own: those of a virtual cluster are Services' outside.
pub(super) fn has_own_addresses(node: &Node) -> bool {
    let is_fake = node.labels.get("vcluster.loft.sh/fake-node").is_some();
    !is_fake && !node.is_virtual() && !node.is_leaving()
}

impl Pool {
    fn new(range: IpNet, block: u8, what: Object, is_enabled: bool, is_routed: bool) -> Self {
        let range = canonical(range);
        Self { range, block: block.max(range.prefix_len()), what, is_enabled, is_routed }
    }

    /// Returns the part of it that a node has with an address of it.
    pub(super) fn block(&self, address: IpAddr) -> IpNet {
        IpNet::new(address, self.block).unwrap_or_else(|_| address.into()).trunc()
    }
}

impl By {
    /// Whether they are all of them, and as they are now.
    pub(super) const fn is_sure(self) -> bool {
        matches!(self, Self::Objects | Self::Flags)
    }

    /// Who says so.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Objects => "as ServiceCIDRs say",
            Self::Flags => "as the flags of the control plane say",
            Self::Kubeadm => "as kubeadm was told",
            Self::Addresses => "as far as their addresses show",
        }
    }
}

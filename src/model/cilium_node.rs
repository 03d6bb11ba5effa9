//! What Cilium's own IPAM gave each node.

use std::fmt;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{Fact, Kind, Name, Scope};

/// What is kept of a CiliumNode: numbers in the place of an entry for each address. Which fields are
/// filled says which mode the IPAM is in.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(from = "Wire")]
pub struct CiliumNode {
    /// `spec.ipam.podCIDRs`: of the modes that give a node ranges.
    pub ranges: Box<[IpNet]>,
    /// `spec.ipam.pools.allocated`: of the mode with several pools, their names and what the node has
    /// of each.
    pub pools: Box<[(Name, Box<[IpNet]>)]>,
    /// `spec.ipam.pool` and `status.ipam.used`: of the modes that give a node single addresses.
    pub v4: Handed,
    /// `spec.ipam.ipv6-pool` and `status.ipam.ipv6-used`.
    pub v6: Handed,
    /// `status.ipam.operator-status.error`: the operator has nothing more for the node, whatever its
    /// words are.
    pub is_refused: bool,
}

/// How many single addresses a node has, and how many of them somebody has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Handed {
    /// Those that the node has.
    pub all: u64,
    /// Those that its agent gave to pods, and keeps for itself.
    pub used: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    ipam: Option<SpecIpam>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecIpam {
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Option<Vec<IpNet>>,
    pools: Option<Pools>,
    pool: Option<Entries>,
    #[serde(rename = "ipv6-pool")]
    v6_pool: Option<Entries>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pools {
    allocated: Option<Vec<Allocated>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Allocated {
    pool: Option<Name>,
    cidrs: Option<Vec<IpNet>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    ipam: Option<StatusIpam>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StatusIpam {
    used: Option<Entries>,
    #[serde(rename = "ipv6-used")]
    v6_used: Option<Entries>,
    #[serde(rename = "operator-status")]
    operator: Option<Operator>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Operator {
    error: Option<String>,
}

/// How many entries a map has.
struct Entries(u64);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Counter)
    }
}

/// Counts the entries of a map, and keeps none.
struct Counter;

impl<'de> Visitor<'de> for Counter {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of addresses")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut number = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            number += 1;
        }
        Ok(Entries(number))
    }
}

impl From<Wire> for CiliumNode {
    fn from(Wire { spec, status }: Wire) -> Self {
        let spec = spec.and_then(|it| it.ipam).unwrap_or_default();
        let status = status.and_then(|it| it.ipam).unwrap_or_default();
        let handed = |all: Option<Entries>, used: Option<Entries>| Handed {
            all: all.map_or(0, |it| it.0),
            used: used.map_or(0, |it| it.0),
        };
        let allocated = spec.pools.and_then(|it| it.allocated).into_iter().flatten();
        let pools = allocated.filter_map(|it| Some((it.pool?, it.cidrs?.into_boxed_slice())));
        let error = status.operator.and_then(|it| it.error);
        Self {
            ranges: spec.pod_cidrs.unwrap_or_default().into_boxed_slice(),
            pools: pools.filter(|(_, ranges)| !ranges.is_empty()).collect(),
            v4: handed(spec.pool, status.used),
            v6: handed(spec.v6_pool, status.v6_used),
            is_refused: error.is_some_and(|error| !error.is_empty()),
        }
    }
}

impl Fact for CiliumNode {
    const KIND: &'static Kind = &Kind {
        group: "cilium.io",
        versions: &["v2"],
        scope: Scope::Cluster,
        optional: true,
        ..Kind::new("CiliumNode", "ciliumnodes")
    };
}

impl CiliumNode {
    /// Whether its node has no address to hand out.
    pub fn has_none(&self) -> bool {
        self.ranges.is_empty() && self.pools.is_empty() && self.v4.all == 0 && self.v6.all == 0
    }
}

//! The pools of which load balancers within the cluster get their addresses: MetalLB's and Cilium's.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Fact, IpFamily, Kind, Name, Scope};

/// Addresses from one to another, both of them among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// The first.
    pub first: IpAddr,
    /// The last, of the same family and not before the first.
    pub last: IpAddr,
}

/// What is kept of an IPAddressPool of MetalLB's.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(try_from = "OfMetalLb")]
pub struct IpAddressPool {
    /// `spec.addresses`.
    pub spans: Box<[Span]>,
    /// `spec.avoidBuggyIPs`: addresses of IPv4 that end with 0 or 255 are kept.
    pub avoids_buggy: bool,
    /// Whether it is for Services by name, in some namespaces, or with some labels only.
    pub is_for_some: bool,
}

/// What is kept of a CiliumLoadBalancerIPPool.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(try_from = "OfCilium")]
pub struct CiliumBalancerPool {
    /// `spec.blocks`, without the first and the last of a range where those are kept.
    pub spans: Box<[Span]>,
    /// Whether it is for some Services only, `disabled`, or in conflict with another.
    pub is_for_some: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OfMetalLb {
    spec: Option<MetalLbSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MetalLbSpec {
    addresses: Option<Vec<String>>,
    auto_assign: Option<bool>,
    #[serde(rename = "avoidBuggyIPs")]
    avoid_buggy_ips: Option<bool>,
    service_allocation: Option<Allocation>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Allocation {
    namespaces: Option<Vec<IgnoredAny>>,
    namespace_selectors: Option<Vec<IgnoredAny>>,
    service_selectors: Option<Vec<IgnoredAny>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OfCilium {
    spec: Option<CiliumSpec>,
    status: Option<CiliumStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CiliumSpec {
    /// As it was called first.
    cidrs: Option<Vec<Block>>,
    blocks: Option<Vec<Block>>,
    #[serde(rename = "allowFirstLastIPs")]
    allow_first_last_ips: Option<Name>,
    disabled: Option<bool>,
    service_selector: Option<Selector>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Block {
    cidr: Option<IpNet>,
    start: Option<IpAddr>,
    stop: Option<IpAddr>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Selector {
    match_labels: Option<serde_json::Map<String, serde_json::Value>>,
    match_expressions: Option<Vec<IgnoredAny>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CiliumStatus {
    conditions: Option<Vec<Condition>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: Option<Name>,
    status: Option<Name>,
}

impl TryFrom<OfMetalLb> for IpAddressPool {
    type Error = String;

    fn try_from(OfMetalLb { spec }: OfMetalLb) -> Result<Self, String> {
        let spec = spec.unwrap_or_default();
        let texts = spec.addresses.iter().flatten();
        let to = spec.service_allocation.unwrap_or_default();
        let mut selectors =
            [to.namespaces, to.namespace_selectors, to.service_selectors].into_iter().flatten();
        Ok(Self {
            spans: texts.map(|text| Span::read(text)).collect::<Result<_, _>>()?,
            avoids_buggy: spec.avoid_buggy_ips.unwrap_or_default(),
            is_for_some: spec.auto_assign == Some(false) || selectors.any(|it| !it.is_empty()),
        })
    }
}

impl TryFrom<OfCilium> for CiliumBalancerPool {
    type Error = String;

    fn try_from(OfCilium { spec, status }: OfCilium) -> Result<Self, String> {
        let spec = spec.unwrap_or_default();
        let keeps = spec.allow_first_last_ips.as_deref() == Some("No");
        let blocks = spec.blocks.into_iter().chain(spec.cidrs).flatten();
        let selector = spec.service_selector.unwrap_or_default();
        let selects = selector.match_labels.is_some_and(|it| !it.is_empty())
            || selector.match_expressions.is_some_and(|it| !it.is_empty());
        let mut conditions = status.and_then(|it| it.conditions).into_iter().flatten();
        let is = |field: &Option<Name>, what: &str| field.as_deref() == Some(what);
        let conflicts =
            conditions.any(|it| is(&it.r#type, "cilium.io/PoolConflict") && is(&it.status, "True"));
        Ok(Self {
            spans: blocks.map(|block| block.span(keeps)).collect::<Result<_, _>>()?,
            is_for_some: selects || spec.disabled == Some(true) || conflicts,
        })
    }
}

impl Block {
    fn span(&self, keeps_ends: bool) -> Result<Span, String> {
        let Some(range) = self.cidr else {
            let first = self.start.ok_or("a block without addresses")?;
            return Span::new(first, self.stop.unwrap_or(first));
        };
        let span = Span::of(&range);
        // One or two addresses would be none.
        let is_small = range.max_prefix_len() - range.prefix_len() < 2;
        if !keeps_ends || is_small {
            return Ok(span);
        }
        let hosts = match (span.first, span.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Span {
                first: IpAddr::V4((first.to_bits() + 1).into()),
                last: IpAddr::V4((last.to_bits() - 1).into()),
            },
            (IpAddr::V6(first), IpAddr::V6(last)) => Span {
                first: IpAddr::V6((first.to_bits() + 1).into()),
                last: IpAddr::V6((last.to_bits() - 1).into()),
            },
            _ => span,
        };
        Ok(hosts)
    }
}

impl Span {
    fn new(first: IpAddr, last: IpAddr) -> Result<Self, String> {
        let is_one = IpFamily::of(&first) == IpFamily::of(&last) && first <= last;
        if is_one {
            Ok(Self { first, last })
        } else {
            Err("a range that ends before it begins".into())
        }
    }

    fn of(range: &IpNet) -> Self {
        Self { first: range.network(), last: range.broadcast() }
    }

    /// Reads a range, or two addresses with a dash between them.
    fn read(text: &str) -> Result<Self, String> {
        if let Some((first, last)) = text.split_once('-') {
            let read = |text: &str| text.trim().parse::<IpAddr>().map_err(|it| it.to_string());
            return Self::new(read(first)?, read(last)?);
        }
        let range: IpNet = text.trim().parse().map_err(|_| "neither a range nor two addresses")?;
        Ok(Self::of(&range))
    }

    /// Whether an address is among them.
    pub fn contains(&self, address: &IpAddr) -> bool {
        IpFamily::of(address) == IpFamily::of(&self.first)
            && (self.first..=self.last).contains(address)
    }

    /// Returns how many there are.
    pub fn size(&self) -> u128 {
        match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                u128::from(last.to_bits() - first.to_bits()) + 1
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                (last.to_bits() - first.to_bits()).saturating_add(1)
            }
            _ => 0,
        }
    }

    /// Returns how many of IPv4 end with 0 or 255.
    pub fn buggy(&self) -> u64 {
        let (IpAddr::V4(first), IpAddr::V4(last)) = (self.first, self.last) else { return 0 };
        let (first, last) = (u64::from(first.to_bits()), u64::from(last.to_bits()));
        // So many of 0 and so on that leave a rest.
        let until = |end: u64, rest: u64| (end + 256 - rest) / 256;
        let of =
            |rest: u64| until(last, rest) - if first == 0 { 0 } else { until(first - 1, rest) };
        of(0) + of(255)
    }
}

impl Fact for IpAddressPool {
    const KIND: &'static Kind = &Kind {
        group: "metallb.io",
        versions: &["v1beta1"],
        optional: true,
        ..Kind::new("IPAddressPool", "ipaddresspools")
    };
}

impl Fact for CiliumBalancerPool {
    const KIND: &'static Kind = &Kind {
        group: "cilium.io",
        versions: &["v2", "v2alpha1"],
        scope: Scope::Cluster,
        optional: true,
        ..Kind::new("CiliumLoadBalancerIPPool", "ciliumloadbalancerippools")
    };
}

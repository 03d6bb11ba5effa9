//! The parts of Calico's pools that nodes have, with what of them is handed out.

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Fact, Kind, Scope};

/// What is kept of an IPAMBlock: numbers in the place of an entry for each address.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(from = "Wire")]
pub struct IpamBlock {
    /// `spec.cidr`; absent where it is being taken away.
    pub range: Option<IpNet>,
    /// How many addresses somebody has, or had so lately that they are not given out again yet.
    pub used: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    spec: Option<Spec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    cidr: Option<IpNet>,
    /// One entry for each address, `null` where it is free.
    allocations: Option<Vec<Option<IgnoredAny>>>,
    deleted: Option<Deleted>,
}

/// A flag, which one version of the API writes as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Deleted {
    Flag(bool),
    Text(String),
}

impl From<Wire> for IpamBlock {
    fn from(Wire { spec }: Wire) -> Self {
        let Spec { cidr, allocations, deleted } = spec.unwrap_or_default();
        let is_deleted = match deleted {
            Some(Deleted::Flag(flag)) => flag,
            Some(Deleted::Text(text)) => text == "true",
            None => false,
        };
        let used = allocations.iter().flatten().flatten().count() as u64;
        Self { range: cidr.filter(|_| !is_deleted), used }
    }
}

impl Fact for IpamBlock {
    const KIND: &'static Kind = &Kind {
        group: "crd.projectcalico.org",
        scope: Scope::Cluster,
        optional: true,
        ..Kind::new("IPAMBlock", "ipamblocks")
    };
}

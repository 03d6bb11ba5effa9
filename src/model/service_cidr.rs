//! The ranges of which Services get their addresses.

use ipnet::IpNet;
use serde::Deserialize;

use super::{Fact, Kind, Scope};

/// What is kept of a ServiceCIDR.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct ServiceCidr {
    /// `spec`.
    pub spec: Option<ServiceCidrSpec>,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct ServiceCidrSpec {
    /// `cidrs`: at most one of each family.
    pub cidrs: Option<Vec<IpNet>>,
}

impl Fact for ServiceCidr {
    /// Since Kubernetes 1.31, and in every cluster since 1.33.
    const KIND: &'static Kind = &Kind {
        group: "networking.k8s.io",
        versions: &["v1", "v1beta1"],
        scope: Scope::Cluster,
        optional: true,
        ..Kind::new("ServiceCIDR", "servicecidrs")
    };
}

impl ServiceCidr {
    /// Returns its ranges.
    pub fn ranges(&self) -> impl Iterator<Item = IpNet> {
        self.spec.iter().flat_map(|spec| spec.cidrs.iter().flatten().copied())
    }
}

//! The ranges of which Services get their addresses.

use ipnet::IpNet;
use serde::Deserialize;

use super::{Fact, Kind, Name, Scope};

/// What is kept of a ServiceCIDR.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct ServiceCidr {
    /// `spec`.
    pub spec: Option<ServiceCidrSpec>,
    /// `status`.
    pub status: Option<ServiceCidrStatus>,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct ServiceCidrSpec {
    /// `cidrs`: at most one of each family.
    pub cidrs: Option<Vec<IpNet>>,
}

/// Its `status`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct ServiceCidrStatus {
    /// `conditions`.
    pub conditions: Option<Vec<ServiceCidrCondition>>,
}

/// One of its conditions.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct ServiceCidrCondition {
    /// `type`.
    pub r#type: Option<Name>,
    /// `status`.
    pub status: Option<Name>,
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

    /// Whether Services get new addresses of it: one that is being taken away says that it is not
    /// `Ready`.
    pub fn is_open(&self) -> bool {
        let mut conditions = self.status.iter().flat_map(|it| it.conditions.iter().flatten());
        let is = |field: &Option<Name>, what: &str| field.as_deref() == Some(what);
        !conditions.any(|it| is(&it.r#type, "Ready") && is(&it.status, "False"))
    }
}

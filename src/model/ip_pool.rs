//! The ranges of which Calico gives pods their addresses.

use ipnet::IpNet;
use serde::Deserialize;

use super::{Fact, Kind, Scope};

/// What is kept of an IPPool of Calico's.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct IpPool {
    /// `spec`.
    pub spec: Option<IpPoolSpec>,
}

/// Its `spec`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct IpPoolSpec {
    /// `cidr`.
    pub cidr: Option<IpNet>,
    /// `blockSize`: how long the prefix is of what a node gets of it at a time.
    pub block_size: Option<u8>,
    /// `disabled`: no pod gets a new address of it.
    pub disabled: Option<bool>,
    /// `nodeSelector`: the nodes on which it is used.
    pub node_selector: Option<String>,
    /// `namespaceSelector`: the namespaces whose pods get addresses of it.
    pub namespace_selector: Option<String>,
    /// `assignmentMode`: `Manual` where only those get one of it that ask for the pool.
    pub assignment_mode: Option<String>,
    /// `allowedUses`: `Workload` among them, or absent, where it is for pods.
    pub allowed_uses: Option<Vec<String>>,
}

impl Fact for IpPool {
    const KIND: &'static Kind = &Kind {
        label: "IPPool.crd.projectcalico.org",
        group: "crd.projectcalico.org",
        scope: Scope::Cluster,
        optional: true,
        ..Kind::new("IPPool", "ippools")
    };
}

impl IpPool {
    /// Returns its range, and the length of the prefix of a node's part of it.
    pub fn range(&self) -> Option<(IpNet, u8)> {
        let spec = self.spec.as_ref()?;
        let range = spec.cidr?;
        let block = if range.max_prefix_len() == 32 { 26 } else { 122 };
        Some((range, spec.block_size.unwrap_or(block)))
    }

    /// Whether pods get new addresses of it.
    pub fn is_enabled(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.disabled != Some(true))
    }

    /// Whether it is for pods at all, rather than for load balancers or tunnels alone.
    pub fn is_for_pods(&self) -> bool {
        let uses = self.spec.as_ref().and_then(|spec| spec.allowed_uses.as_ref());
        uses.is_none_or(|uses| uses.is_empty() || uses.iter().any(|it| it == "Workload"))
    }

    /// Whether pods anywhere get addresses of it without asking for it.
    pub fn is_for_all(&self) -> bool {
        let Some(spec) = &self.spec else { return false };
        let is_all = |selector: &Option<String>| {
            selector.as_deref().is_none_or(|it| matches!(it.trim(), "" | "all()"))
        };
        let is_manual = spec.assignment_mode.as_deref() == Some("Manual");
        is_all(&spec.node_selector) && is_all(&spec.namespace_selector) && !is_manual
    }
}

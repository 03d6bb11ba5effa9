//! What the cluster role is told about its own installation.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{Key, Name};

/// The installation, as flags and manifests give it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The namespace of netvitals' own pods.
    pub namespace: Name,
    /// The DaemonSet of the agents on the pod network; absent where there is none.
    pub agents: Option<Name>,
    /// The DaemonSet of the agents on the nodes' own network; absent where it is switched off.
    pub host_agents: Option<Name>,
    /// The Service in front of the agents on the pod network, in the own namespace.
    pub agent_service: Name,
    /// The headless Service of the same pods, in the own namespace.
    pub headless_service: Name,
    /// The cluster's DNS Service.
    pub dns_service: Key,
    /// How many agents are named by their URL.
    pub named_agents: usize,
    /// A node younger than this may still be setting up its network.
    pub young_node: Duration,
    /// No finding has to last longer than this before it counts, whatever its grace; only the
    /// demo cannot wait.
    pub longest_grace: Duration,
    /// The checks that are not asked, by id.
    pub disabled: BTreeSet<&'static str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            namespace: "netvitals".into(),
            agents: Some("netvitals-agent".into()),
            host_agents: Some("netvitals-host-agent".into()),
            agent_service: "netvitals-agent".into(),
            headless_service: "netvitals-agents".into(),
            dns_service: Key::new("kube-system", "kube-dns"),
            named_agents: 0,
            young_node: Duration::from_secs(300),
            longest_grace: Duration::MAX,
            disabled: BTreeSet::new(),
        }
    }
}

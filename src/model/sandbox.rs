//! Why a pod got no sandbox, as the words of runtimes and plugins tell.
//!
//! A message is a chain: the kubelet's words, the runtime's, those of the library of CNI, those of the
//! plugin; each quotes the next, and each has its own form in each version. So nothing but pieces
//! is looked for, without their case.

/// Of a message no more is looked at; the API keeps a kilobyte.
const MOST: usize = 4096;

/// What kept a runtime from making a sandbox.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SandboxFailure {
    /// No address is free.
    IpExhausted,
    /// The address is taken, by a pod that is gone as often as not.
    IpDuplicate,
    /// What makes the network on the node is not there, or not yet.
    CniNotReady,
    /// A plugin is not in its folder.
    CniBinaryMissing,
    /// The configuration and the plugins do not fit.
    CniConfigInvalid,
    /// The plugin may not ask the API.
    CniAuth,
    /// The bridge has the address of another range.
    BridgeConflict,
    /// No pool may be used for the pod.
    IpamNoPool,
    /// Nothing came in time; of a sandbox, the network is what takes time.
    Timeout,
    /// The network could not be made, in words that are not known.
    CniFailed,
    /// The runtime could not, and not for the network.
    NotNetwork,
    /// The words are not known at all.
    Other,
}

use SandboxFailure::{
    BridgeConflict, CniAuth, CniBinaryMissing, CniConfigInvalid, CniFailed, CniNotReady,
    IpDuplicate, IpExhausted, IpamNoPool, NotNetwork, Other, Timeout,
};

/// Pieces of messages, all of which have to be there, and what they mean.
type Rule = (SandboxFailure, &'static [&'static str]);

/// What is not the network's even where its words look so: a registry forbids, a disk is full.
const BEFORE: &[Rule] = &[
    (NotNetwork, &["failed to pull image"]),
    (NotNetwork, &["failed to get sandbox image"]),
    (NotNetwork, &["failed to reserve sandbox name"]),
    (NotNetwork, &["unable to get oci runtime"]),
    (NotNetwork, &["runc create failed"]),
];

/// What one piece says in any place. The first that fits counts: an agent that is away comes before
/// what its absence is then called.
const ANYWHERE: &[Rule] = &[
    (CniNotReady, &["cilium.sock", "connection refused"]),
    (CniNotReady, &["cilium.sock", "no such file"]),
    (CniNotReady, &["unable to connect to cilium"]),
    (IpExhausted, &["no ip addresses available in range set"]),
    (IpExhausted, &["failed to request ipv4 addresses", "assigned 0 out of"]),
    (IpExhausted, &["failed to request ipv6 addresses", "assigned 0 out of"]),
    (IpExhausted, &["no ips available in pools"]),
    (IpExhausted, &["per host block limit"]),
    (IpExhausted, &["all cidr ranges are exhausted"]),
    (IpExhausted, &["no ips currently available on the node"]),
    (IpExhausted, &["unable to allocate ip via local cilium agent"]),
    (IpExhausted, &["failed to assign an ip address to container"]),
    (IpExhausted, &["no available ip/prefix addresses"]),
    (IpExhausted, &["could not allocate ip in range: ip:"]),
    (IpExhausted, &["noavailableaddress"]),
    (IpExhausted, &["addressoutofrange"]),
    (IpExhausted, &["subnet address pool exhausted"]),
    (IpDuplicate, &["duplicate allocation is not allowed"]),
    // What host-local says before each of the two; a full disk is a third.
    (NotNetwork, &["failed to allocate for range", "no space left"]),
    (IpExhausted, &["failed to allocate for range"]),
    (CniNotReady, &["cni plugin not initialized"]),
    (CniNotReady, &["network is not ready"]),
    (CniNotReady, &["subnet.env"]),
    (CniNotReady, &["check that the calico/node container is running"]),
    (CniNotReady, &["calico is currently not ready to process requests"]),
    (CniNotReady, &["received from addnetwork grpc call"]),
    (CniNotReady, &["failed to connect to backend server"]),
    (CniNotReady, &["failed to get pod annotation"]),
    (CniNotReady, &["readinessindicatorfile"]),
    (CniBinaryMissing, &["failed to find plugin"]),
    (CniConfigInvalid, &["unsupported cni version"]),
    (CniConfigInvalid, &["incompatible cni versions"]),
    (CniConfigInvalid, &["invalid cni config"]),
    (CniConfigInvalid, &["failed to load netconf"]),
    (BridgeConflict, &["already has an ip address different from"]),
    (IpamNoPool, &["no configured calico pools"]),
    (IpamNoPool, &["cannot find a qualified ippool"]),
    (CniAuth, &["connection is unauthorized"]),
];

/// What says something of the network only where the network was being made.
const OF_NETWORK: &[Rule] = &[
    (CniAuth, &["unauthorized"]),
    (CniAuth, &["forbidden"]),
    (CniAuth, &["x509: certificate"]),
    (CniNotReady, &["timed out waiting for"]),
    (NotNetwork, &["no space left"]),
    (Timeout, &["i/o timeout"]),
    (Timeout, &["timeout exceeded"]),
];

/// What is left.
const AFTER: &[Rule] = &[
    (Timeout, &["context deadline exceeded"]),
    (Timeout, &["deadlineexceeded"]),
    (NotNetwork, &["no space left"]),
];

/// By these words a runtime says that it was making the network.
const NETWORK: &[&str] = &[
    "failed to setup network for sandbox",
    "failed to create pod network sandbox",
    "to cni network",
    "networkplugin cni",
    "network for pod",
    "plugin type=",
    "failed (add)",
];

impl SandboxFailure {
    /// Every one, so that each has a name.
    pub const ALL: [Self; 12] = [
        IpExhausted,
        IpDuplicate,
        CniNotReady,
        CniBinaryMissing,
        CniConfigInvalid,
        CniAuth,
        BridgeConflict,
        IpamNoPool,
        Timeout,
        CniFailed,
        NotNetwork,
        Other,
    ];

    /// Reads the message of an event.
    pub fn of(message: &str) -> Self {
        let end = message.char_indices().map(|(at, _)| at).find(|at| *at >= MOST);
        let text = message[..end.unwrap_or(message.len())].to_ascii_lowercase();
        let first = |rules: &[Rule]| {
            let fits = |(_, pieces): &&Rule| pieces.iter().all(|piece| text.contains(piece));
            rules.iter().find(fits).map(|(failure, _)| *failure)
        };
        let of_network = NETWORK.iter().any(|words| text.contains(words));
        first(BEFORE)
            .or_else(|| first(ANYWHERE))
            .or_else(|| first(OF_NETWORK).filter(|_| of_network))
            .or_else(|| first(AFTER))
            .unwrap_or(if of_network { CniFailed } else { Other })
    }

    /// Whether it is the network that was not made.
    pub const fn is_of_network(self) -> bool {
        !matches!(self, NotNetwork | Other)
    }

    /// Whether it is as it is for the node and not for one pod.
    pub const fn is_of_node(self) -> bool {
        matches!(self, CniNotReady | CniBinaryMissing | CniConfigInvalid | CniAuth | BridgeConflict)
    }

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            IpExhausted => "ip_exhausted",
            IpDuplicate => "ip_duplicate",
            CniNotReady => "cni_not_ready",
            CniBinaryMissing => "cni_binary_missing",
            CniConfigInvalid => "cni_config_invalid",
            CniAuth => "cni_auth",
            BridgeConflict => "bridge_conflict",
            IpamNoPool => "ipam_no_pool",
            Timeout => "timeout",
            CniFailed => "cni_failed",
            NotNetwork => "not_network",
            Other => "other",
        }
    }
}

#[cfg(test)]
mod tests;

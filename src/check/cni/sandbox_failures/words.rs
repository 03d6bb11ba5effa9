//! What each class of failure is in words, and what is to be looked at for it.

use super::SandboxFailure;
use crate::check::Finding;
use crate::model::Name;

use SandboxFailure::{
    BridgeConflict, CniAuth, CniBinaryMissing, CniConfigInvalid, CniFailed, CniNotReady,
    IpDuplicate, IpExhausted, IpamNoPool, NotNetwork, Other, Timeout,
};

/// Returns what is so, and what to look at next.
pub(super) const fn words(class: SandboxFailure) -> (&'static str, &'static str) {
    match class {
        IpExhausted => ("no address is left for it", "look at ip_pools, then at the IPAM"),
        IpDuplicate => {
            ("its address is taken, maybe by a pod that is gone", "look at the files of the IPAM")
        }
        CniNotReady => ("what makes the network is not ready", "look at the CNI's pod there"),
        CniBinaryMissing => ("a CNI plugin is missing", "look at /opt/cni/bin there"),
        CniConfigInvalid => {
            ("the CNI configuration does not fit its plugins", "look at /etc/cni/net.d there")
        }
        CniAuth => ("the CNI plugin may not ask the API", "look at the token in its kubeconfig"),
        BridgeConflict => {
            ("the bridge has the address of another range", "compare it with spec.podCIDR")
        }
        IpamNoPool => ("no address pool may be used for it", "look at the pools of the IPAM"),
        Timeout => ("it takes too long", "look at the CNI's pod there"),
        CniFailed => ("its CNI plugin fails", "look at its events"),
        NotNetwork | Other => ("the runtime fails", "look at its events"),
    }
}

/// Opens the commands that are of use for a class; the others have a hole that stays open.
pub(super) fn fitting(finding: Finding, class: SandboxFailure, node: &Name) -> Finding {
    let hole = match class {
        IpExhausted | IpDuplicate => "leases_node",
        CniBinaryMissing => "plugins_node",
        CniConfigInvalid | CniAuth => "config_node",
        BridgeConflict => "bridge_node",
        _ => return finding,
    };
    finding.with(hole, Some(node))
}

/// Whether a new pod of the CNI may mend it: it writes plugins, configuration and token anew.
pub(super) const fn is_mended_by_cni(class: SandboxFailure) -> bool {
    class.is_of_node() && !matches!(class, BridgeConflict) || matches!(class, Timeout)
}

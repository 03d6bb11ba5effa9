//! What enforces policies, as the DaemonSets of pods tell.
//!
//! The API leaves open what engines do with some rules; what is written here of one is what its
//! users report, and only makes an answer uncertain.

use std::collections::BTreeSet;

use crate::model::{Name, Pod};

/// Something that enforces policies on every node.
struct Engine {
    /// What the name of its DaemonSet has in it.
    name: &'static str,
    /// It looks at traffic to a Service once it has the address of a pod, as policies mean it.
    sees_pods: bool,
    /// It holds ranges of addresses against pods.
    holds_ranges: bool,
}

/// AWS' own is not among them: its DaemonSet is the CNI's, whether it enforces or not.
const ALL: &[Engine] = &[
    engine("anetd").without_ranges(),
    engine("antrea-agent"),
    engine("azure-npm"),
    engine("calico-node"),
    engine("canal"),
    engine("cilium").without_ranges(),
    engine("kindnet"),
    engine("kube-network-policies"),
    engine("kube-ovn-cni").before_pods(),
    engine("kube-router").before_pods(),
    engine("ovnkube-node"),
    engine("weave-net"),
];

const fn engine(name: &'static str) -> Engine {
    Engine { name, sees_pods: true, holds_ranges: true }
}

impl Engine {
    const fn before_pods(self) -> Self {
        Self { sees_pods: false, ..self }
    }

    const fn without_ranges(self) -> Self {
        Self { holds_ranges: false, ..self }
    }
}

/// What is known of all that are here together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Engines {
    /// There is one.
    pub(super) any: bool,
    /// None may look at the address of a Service.
    pub(super) see_pods: bool,
    /// All hold ranges of addresses against pods.
    pub(super) hold_ranges: bool,
}

impl Engines {
    /// Looks for them among the pods that are here.
    pub(super) fn of<'a>(pods: impl Iterator<Item = &'a Pod>) -> Self {
        let mut engines = Self { any: false, see_pods: true, hold_ranges: true };
        let names: BTreeSet<&Name> = pods.filter_map(|pod| pod.daemon_set.as_ref()).collect();
        for name in names {
            if let Some(engine) = ALL.iter().find(|engine| name.contains(engine.name)) {
                engines.any = true;
                engines.see_pods &= engine.sees_pods;
                engines.hold_ranges &= engine.holds_ranges;
            }
        }
        engines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_known_by_its_daemon_set_whatever_stands_around_the_name() {
        let of = |names: &[&str]| {
            let pod = |name: &&str| Pod { daemon_set: Some((*name).into()), ..Pod::default() };
            let pods: Vec<Pod> = names.iter().map(pod).collect();
            let engines = Engines::of(pods.iter());
            (engines.any, engines.see_pods, engines.hold_ranges)
        };
        assert_eq!(of(&["rke2-canal", "kube-proxy"]), (true, true, true));
        assert_eq!(of(&["cilium", "cilium-envoy"]), (true, true, false));
        assert_eq!(of(&["calico-node", "kube-router"]), (true, false, true));
        assert_eq!(of(&["kube-flannel-ds", "aws-node", "weave-scope-agent"]), (false, true, true));
    }
}

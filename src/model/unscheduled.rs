//! Why the scheduler has no node for a pod, as far as that is the network's.

/// What keeps a pod from every node, by the words of its condition `PodScheduled`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Unscheduled {
    /// Every node that is not ruled out by what the pod itself wants has no network, or is not
    /// ready: it is tainted `not-ready` or `network-unavailable`.
    NoNodeWithNetwork,
    /// A node has as many pods as it takes. Clouds lay that number down by the addresses that a
    /// machine can have.
    TooManyPods,
}

/// The taints of nodes without a network; `not-ready` is so for other reasons too.
const NO_NETWORK: [&str; 2] =
    ["node.kubernetes.io/not-ready", "node.kubernetes.io/network-unavailable"];

/// By these words a node is ruled out for this pod for ever, whatever becomes of it.
const NEVER: [&str; 6] = [
    "node affinity",
    "node selector",
    "node(s) were unschedulable",
    "didn't match pod topology spread",
    "volume node affinity",
    "untolerated taint",
];

impl Unscheduled {
    /// Reads `0/3 nodes are available: 1 node(s) had …, 2 Too many pods. preemption: …`.
    pub fn of(message: &str) -> Option<Self> {
        let (_, rest) = message.split_once("nodes are available: ")?;
        let reasons = rest.split(". ").next().unwrap_or_default();
        // What is in braces may have a comma: `{key: a, b}` is not two reasons.
        let mut reasons = reasons.split(", ").map(|it| it.trim_end_matches('.'));
        let mut no_network = false;
        let mut others = false;
        let mut too_many = false;
        for reason in &mut reasons {
            if reason.ends_with("Too many pods") {
                too_many = true;
            } else if NO_NETWORK.iter().any(|taint| reason.contains(taint)) {
                no_network = true;
            } else if !NEVER.iter().any(|words| reason.contains(words)) {
                others = true;
            }
        }
        match (too_many, no_network, others) {
            (true, ..) => Some(Self::TooManyPods),
            (false, true, false) => Some(Self::NoNodeWithNetwork),
            (false, ..) => None,
        }
    }

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoNodeWithNetwork => "no_node_with_network",
            Self::TooManyPods => "too_many_pods",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_scheduler_are_read() {
        let (none, full) = (Some(Unscheduled::NoNodeWithNetwork), Some(Unscheduled::TooManyPods));
        for (message, why) in [
            (
                "0/3 nodes are available: 1 node(s) had untolerated taint \
                 {node-role.kubernetes.io/control-plane: }, 2 node(s) had untolerated taint \
                 {node.kubernetes.io/not-ready: }. preemption: 0/3 nodes are available: 3 \
                 Preemption is not helpful for scheduling.",
                none,
            ),
            (
                "0/1 nodes are available: 1 node(s) had untolerated taint \
                 {node.kubernetes.io/network-unavailable: }. no new claims to deallocate",
                none,
            ),
            (
                "0/2 nodes are available: 1 node(s) had untolerated taint \
                 {node.kubernetes.io/not-ready: }, 1 node(s) didn't match Pod's node \
                 affinity/selector.",
                none,
            ),
            // One node is full and another is not ready: there would be room without the latter's
            // fault, and nobody knows whether enough.
            (
                "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint \
                 {node.kubernetes.io/not-ready: }.",
                None,
            ),
            ("0/5 nodes are available: 1 Insufficient memory, 4 Too many pods.", full),
            (
                "0/4 nodes are available: 4 Too many pods. preemption: 0/4 nodes are available: 4 \
                 No preemption victims found for incoming pod.",
                full,
            ),
            ("0/3 nodes are available: 3 Insufficient cpu.", None),
            ("0/3 nodes are available: 3 node(s) had untolerated taint(s).", None),
            ("0/3 nodes are available", None),
            ("pod has unbound immediate PersistentVolumeClaims", None),
            ("", None),
        ] {
            assert_eq!(Unscheduled::of(message), why, "{message}");
        }
    }
}

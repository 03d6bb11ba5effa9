//! Warnings about pods: Kubernetes' own events.

use std::time::Duration;

use super::{Fact, Key, Kind, Name, SandboxFailure, Uid};

/// What is kept of an Event of type Warning about a Pod. Read from `events.k8s.io` alone, because
/// the core group has the same objects.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PodEvent {
    /// `regarding.namespace` and `regarding.name`.
    pub pod: Key,
    /// `regarding.uid`.
    pub uid: Uid,
    /// `deprecatedSource.host`, else `reportingInstance`: where the kubelet is that says it.
    pub node: Name,
    /// What it says.
    pub says: PodWarning,
    /// How often it was said, as far as the API was told: recorders drop what comes too often.
    pub count: u64,
    /// When it was said last, since 1970; absent only in hand-made objects.
    pub last: Option<Duration>,
}

/// What a warning says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PodWarning {
    /// The pod has no sandbox: `FailedCreatePodSandBox`, `NetworkNotReady`, and what an IPAM says
    /// of its own that gives the pod no address.
    Sandbox(SandboxFailure),
    /// The pod has not all of its volumes, which the kubelet wants before it asks for a sandbox:
    /// `FailedMount`, `FailedAttachVolume`, `FailedMapVolume`.
    Volume,
    /// Anything else.
    #[default]
    Other,
}

impl Fact for PodEvent {
    const KIND: &'static Kind = &Kind {
        group: "events.k8s.io",
        fields: Some("type=Warning,regarding.kind=Pod"),
        ..Kind::new("Event", "events")
    };
}

impl PodWarning {
    /// Reads the reason and the message of a warning.
    pub fn of(reason: &str, message: &str) -> Self {
        match reason {
            "FailedCreatePodSandBox" => Self::Sandbox(SandboxFailure::of(message)),
            "NetworkNotReady" => Self::Sandbox(SandboxFailure::CniNotReady),
            // Kube-OVN's controller, in words of its own: the pod gets no address whatever they are.
            "AcquireAddressFailed" => Self::Sandbox(match SandboxFailure::of(message) {
                SandboxFailure::Other => SandboxFailure::CniFailed,
                known => known,
            }),
            "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => Self::Volume,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_say_what_a_pod_waits_for() {
        for (reason, message, says) in [
            ("FailedCreatePodSandBox", "a", PodWarning::Sandbox(SandboxFailure::Other)),
            ("NetworkNotReady", "a", PodWarning::Sandbox(SandboxFailure::CniNotReady)),
            (
                "AcquireAddressFailed",
                "NoAvailableAddress",
                PodWarning::Sandbox(SandboxFailure::IpExhausted),
            ),
            ("AcquireAddressFailed", "a", PodWarning::Sandbox(SandboxFailure::CniFailed)),
            ("FailedMount", "secret \"token\" not found: forbidden", PodWarning::Volume),
            ("FailedAttachVolume", "Multi-Attach error", PodWarning::Volume),
            ("BackOff", "failed to find plugin", PodWarning::Other),
            ("Unhealthy", "context deadline exceeded", PodWarning::Other),
        ] {
            assert_eq!(PodWarning::of(reason, message), says, "{reason} {message}");
        }
    }
}

//! Services that have nothing to send to, which is no fault of the endpoint controller.

use super::{NO_PORT, NONE_READY};
use crate::check::{Finding, Output};
use crate::cluster::endpoints::{Comparison, gets_traffic, port_number};
use crate::model::{Pod, Service, ServicePort};

/// Why a Service has nothing to send to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// Its selector matches no pod that runs: normal for a workload scaled to 0.
    NoPods,
    /// It matches pods, and none is ready.
    NoneReady,
    /// None of its ready pods has a port of the name that one of its ports points at.
    NoPort,
}

impl Reason {
    pub(super) const ALL: [Self; 3] = [Self::NoPods, Self::NoneReady, Self::NoPort];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoPods => "no_pods",
            Self::NoneReady => "none_ready",
            Self::NoPort => "no_port",
        }
    }

    pub(super) fn of(comparison: &Comparison<'_>) -> Option<Self> {
        let mut pods = comparison.selected.iter().map(|(_, pod)| *pod).filter(|pod| !pod.ended);
        if pods.clone().next().is_none() {
            Some(Self::NoPods)
        } else if !pods.any(|pod| is_ready(comparison.service, pod)) {
            Some(Self::NoneReady)
        } else {
            lost_port(comparison).map(|_| Self::NoPort)
        }
    }
}

fn is_ready(service: &Service, pod: &Pod) -> bool {
    !pod.ended && !pod.addresses.is_empty() && gets_traffic(service, pod)
}

/// Returns the first port that no ready pod has.
fn lost_port<'a>(comparison: &Comparison<'a>) -> Option<&'a ServicePort> {
    let service = comparison.service;
    let has =
        |pod: &Pod, port: &ServicePort| is_ready(service, pod) && port_number(port, pod).is_some();
    let all = &comparison.selected;
    service.ports.iter().find(|port| !all.iter().any(|(_, pod)| has(pod, port)))
}

pub(super) fn tell(out: &mut Output, reason: Reason, comparison: &Comparison<'_>) {
    let (code, message) = match reason {
        Reason::NoPods => return,
        Reason::NoneReady => {
            let count = comparison.selected.iter().filter(|(_, pod)| !pod.ended).count();
            let words = "of the pods that it selects is ready: look at their readiness probes";
            (&NONE_READY, format!("none of {count} {words}"))
        }
        Reason::NoPort => {
            let port = lost_port(comparison).map_or(0, |port| port.port);
            let words = "points at a name that no container port of its ready pods has: look at \
                         its targetPort";
            (&NO_PORT, format!("port {port} {words}"))
        }
    };
    out.finding(Finding::of::<Service>(code, comparison.key.clone(), message));
}

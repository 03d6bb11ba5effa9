//! Asks for an echo: a hint beside TCP, because some networks drop ICMP.

use std::time::Duration;

use super::attempt::Probe;
use crate::agent::Switch;
use crate::model::{Failure, ProbeKind};

/// The protocol.
pub static PROBE: Probe = Probe {
    kind: ProbeKind::Icmp,
    switch: Switch { name: "icmp", off: |_| {} },
    failures: &[Failure::Blocked, Failure::Timeout, Failure::Unreachable, Failure::Other],
    timed: false,
    attempt: |target, echo| {
        Box::pin(async move { echo.ask(target.ip(), DEADLINE).await.map(|()| Duration::ZERO) })
    },
};

/// An echo is there or lost.
const DEADLINE: Duration = Duration::from_secs(1);

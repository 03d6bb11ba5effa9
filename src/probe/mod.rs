//! Probes: one file per protocol; one attempt, one deadline, one failure.

pub mod allowed;
pub mod board;
mod datagram;
pub mod dns;
mod errno;
pub mod icmp;
pub mod job;
pub mod matrix;
pub mod plan;
pub mod schedule;
pub mod tally;
pub mod tcp;
pub mod window;

use crate::model::{Failure, ProbeKind};

/// Every probe of reachability; DNS has families of its own.
pub static ALL: &[&Probe] = &[&icmp::PROBE, &tcp::PROBE];

/// What there is to know of a protocol's attempts.
#[derive(Debug)]
pub struct Probe {
    /// What it is called.
    pub kind: ProbeKind,
    /// How an attempt can fail, so that each reason starts at 0.
    pub failures: &'static [Failure],
    /// Whether the times of its attempts mean anything.
    pub timed: bool,
}

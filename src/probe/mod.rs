//! Probes: one file per protocol; one attempt, one deadline, one failure.

pub mod allowed;
mod datagram;
pub mod dns;
mod errno;
pub mod tally;
pub mod tcp;

use crate::model::Failure;

/// Every probe.
pub static ALL: &[&Probe] = &[&tcp::PROBE];

/// What there is to know of a protocol's attempts.
#[derive(Debug)]
pub struct Probe {
    /// The label value.
    pub name: &'static str,
    /// How an attempt can fail, so that each reason starts at 0.
    pub failures: &'static [Failure],
}

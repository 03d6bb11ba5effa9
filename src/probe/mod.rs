//! Probes: one file per protocol; one attempt, one deadline, one failure.

pub mod attempt;
pub mod counters;
mod datagram;
pub mod dns;
pub mod echo;
mod errno;
pub mod icmp;
pub mod job;
pub mod matrix;
pub mod schedule;
pub mod tcp;
pub mod window;
pub mod windows;

use crate::agent::{Part, Switch};
use crate::model::Vantage;

/// Attempts everything that the plan names, again and again.
pub static PART: Part = Part {
    vantages: &Vantage::ALL,
    switches,
    families: counters::FAMILIES,
    start: schedule::start,
};

fn switches() -> Vec<Switch> {
    [matrix::DNS].into_iter().chain(matrix::ALL.iter().map(|(probe, _)| probe.switch)).collect()
}

//! The CPU time of the pods that answer DNS.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Key, Name, Uid};

/// What the kernel counted of one control group: a container's, or that of the whole pod.
///
/// A pod has no quota of its own where one of its containers has none, and the sum of several
/// else, so that only the containers' groups show which of them is held back. Where the limit is
/// the pod's own, only the pod's group does.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Cpu {
    /// The pod, as the plan named it.
    pub pod: Key,
    /// Its `metadata.uid`.
    pub uid: Uid,
    /// The container; empty for the whole pod.
    pub container: Name,
    /// Whether it is the container that answers DNS.
    pub dns: bool,
    /// Whether it runs and its group is not found: then there are no counts.
    pub missing: bool,
    /// The time that the counts are of.
    pub length: Duration,
    /// `nr_periods`; periods in which it wanted to run.
    pub periods: u64,
    /// `nr_throttled`.
    pub throttled: u64,
    /// CPU time that was used.
    pub used: Duration,
    /// Whether it has a quota; a group without cannot be throttled.
    pub limited: bool,
}

//! What is shown on the real cluster, in the order in which it is shown.

mod faults;

use crate::cluster::Cluster;

/// Something that is shown: it panics where it is not so, and leaves the cluster as it was.
pub(crate) struct Scenario {
    /// Its name, a sentence.
    pub(crate) name: &'static str,
    /// Shows it.
    pub(crate) show: fn(&Cluster),
}

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    faults::ALL.iter().map(|(name, show)| Scenario { name, show: *show }).collect()
}

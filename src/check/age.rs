//! How old something is by our clock, and whether that is long; times of objects are of other clocks.

use std::time::Duration;

use super::words::long;
use crate::cluster::Cluster;

/// Returns how long ago something was, since 1970.
pub(super) fn age(cluster: &Cluster, moment: Option<Duration>) -> Option<Duration> {
    Some(cluster.now().unix.abs_diff(moment?))
}

/// Whether something lasts as long as may be; only the demo cannot wait.
pub(super) fn is_long(cluster: &Cluster, age: Duration, most: Duration) -> bool {
    age >= most.min(cluster.settings().longest_grace)
}

/// Whether something is as old as may be, or as old as nobody knows.
pub(super) fn is_old(cluster: &Cluster, moment: Option<Duration>, most: Duration) -> bool {
    age(cluster, moment).is_none_or(|age| is_long(cluster, age, most))
}

/// Says for how long something has been so: ` for 12 min`; nothing where nobody knows.
pub(super) fn lasts(cluster: &Cluster, since: Option<Duration>) -> String {
    age(cluster, since).map(|age| format!(" for {}", long(age))).unwrap_or_default()
}

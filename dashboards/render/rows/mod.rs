//! The rows of the dashboard *Overview*: the verdict, one for each sign, netvitals itself.
//!
//! The id of a panel is in links that users keep: it never changes, and is never used again.

mod coredns;
mod dns;
mod endpoints;
mod external;
mod own;
mod policy;
mod pools;
mod reachability;
mod verdict;

use super::grafana::Row;
use crate::rules::Rules;

/// From this share of failing observers on, a target counts as unreachable.
const FAILING: f64 = 2.0 / 3.0;

/// Returns every row, with thresholds as `rules` have them.
pub(super) fn all(rules: &Rules) -> Vec<Row> {
    vec![
        verdict::row(rules),
        dns::row(rules),
        coredns::row(rules),
        pools::row(rules),
        endpoints::row(rules),
        reachability::row(rules),
        external::row(rules),
        policy::row(rules),
        own::row(rules),
    ]
}

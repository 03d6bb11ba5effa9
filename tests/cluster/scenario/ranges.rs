//! Ranges of which the nodes' are no part, and in which nodes themselves are.

use super::{Scenario, quick};
use crate::stage::Stage;
use crate::tools::source;
use crate::wait::secs;

pub(super) const ALL: &[Scenario] =
    &[quick("ranges_that_do_not_fit_are_found_by_what_flannel_is_told", show)];

const NODES: [&str; 3] = ["Node n1", "Node n2", "Node n3"];

/// Nobody runs flannel here: it is a text, with a pod that stays without a node, and disturbs nothing.
fn show(stage: &Stage) {
    let cluster = &stage.cluster;
    let monitor = stage.monitor();
    stage.healthy(secs(150));

    let elsewhere = source("tests/cluster/files/flannel-elsewhere.yaml");
    cluster.apply(&elsewhere);
    for node in NODES {
        stage.finds("cidr_overlap.outside", node, secs(180));
    }
    stage.nothing_but(|found| found.code == "cidr_overlap.outside");

    cluster.apply(&source("tests/cluster/files/flannel-everywhere.yaml"));
    for node in NODES {
        stage.finds("cidr_overlap.pods_nodes", node, secs(180));
    }
    stage.nothing_but(|found| found.code == "cidr_overlap.pods_nodes");
    monitor.fires("NetvitalsCIDROverlap", secs(480), |alert| {
        alert["labels"]["severity"] == "critical"
    });

    cluster.delete(&elsewhere);
    stage.healthy(secs(180));
    monitor.resolves("NetvitalsCIDROverlap", secs(480));
}

//! The servers of DNS go: all of them, all but one.

use super::{Scenario, quick};
use crate::stage::Stage;
use crate::wait::secs;

pub(super) const ALL: &[Scenario] = &[
    quick("dns_scaled_to_none_is_the_root_of_its_failures", none),
    quick("dns_with_one_replica_is_fragile", single),
];

const SERVICE: &str = "Service kube-system/kube-dns";

/// No replica is left.
fn none(stage: &Stage) {
    let fault = stage.cluster.coredns().scale(0);
    stage.finds("dns_servers.none", SERVICE, secs(180));
    stage.names_root("dns_servers.none", SERVICE, secs(120));
    let monitor = stage.monitor();
    let is_critical = |alert: &serde_json::Value| alert["labels"]["severity"] == "critical";
    monitor.fires("NetvitalsDNSServersDown", secs(120), is_critical);
    fault.heal();
    stage.healthy(secs(180));
    monitor.resolves("NetvitalsDNSServersDown", secs(150));
}

/// One replica is left on three nodes.
fn single(stage: &Stage) {
    let fault = stage.cluster.coredns().scale(1);
    stage.finds("dns_servers.single", SERVICE, secs(150));
    stage.nothing_but(|found| found.code == "dns_servers.single");
    stage.monitor().fires("NetvitalsDNSServersFragile", secs(120), |_| true);
    fault.heal();
    stage.healthy(secs(150));
}

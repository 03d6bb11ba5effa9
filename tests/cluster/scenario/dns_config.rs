//! CoreDNS is told what it refuses, the names of another cluster, and too little.

use super::{Scenario, quick};
use crate::stage::Stage;
use crate::wait::secs;

pub(super) const ALL: &[Scenario] =
    &[quick("dns_with_a_wrong_corefile_is_found_by_what_it_says", wrong)];

const CONFIG: &str = "ConfigMap kube-system/coredns";

/// A pod with a Corefile that is refused would not begin: it is given by the ConfigMap alone, for a while.
fn wrong(stage: &Stage) {
    let dns = stage.cluster.coredns();
    let monitor = stage.monitor();
    let is_critical = |alert: &serde_json::Value| alert["labels"]["severity"] == "critical";
    stage.healthy(secs(150));
    let plain = dns.read_corefile();

    let fault = dns.corefile(&plain.replace("    reload\n", ""));
    stage.finds("coredns_config.reload", CONFIG, secs(180));
    fault.heal();
    stage.healthy(secs(180));

    let fault = dns.corefile(&plain.replace("kubernetes cluster.local", "kubernetes k8s.example"));
    stage.finds("coredns_config.cluster_zone", CONFIG, secs(240));
    stage.names_root("coredns_config.cluster_zone", CONFIG, secs(180));
    monitor.fires("NetvitalsCoreDNSMisconfigured", secs(240), is_critical);
    fault.heal();
    stage.healthy(secs(240));
    monitor.resolves("NetvitalsCoreDNSMisconfigured", secs(240));

    let fault = dns.written(&format!("{plain}\n.:53 {{\n    errors\n}}\n"));
    stage.finds("coredns_config.refused", CONFIG, secs(180));
    stage.names_root("coredns_config.refused", CONFIG, secs(120));
    fault.heal();
    stage.healthy(secs(240));
    dns.answers();
}

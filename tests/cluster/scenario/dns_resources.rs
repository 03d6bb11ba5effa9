//! CoreDNS may use little CPU, whether it needs more or not.

use super::{Scenario, quick};
use crate::stage::Stage;
use crate::wait::{holds, secs};

pub(super) const ALL: &[Scenario] = &[quick("dns_with_a_low_cpu_limit_is_warned_of", low)];

const SERVICE: &str = "Service kube-system/kube-dns";

/// What kubeadm installs is noted only; with 200m of CPU there is a warning, and an alert.
fn low(stage: &Stage) {
    let noted = || {
        for code in ["coredns_resources.cpu_request", "coredns_resources.memory_limit"] {
            stage.finds(code, SERVICE, secs(180));
        }
        stage.healthy(secs(180));
    };
    noted();
    let dns = stage.cluster.coredns();
    let fault = dns.limit_cpu("200m");
    stage.finds("coredns_resources.cpu_limit", SERVICE, secs(180));
    let replicas = dns.replicas();
    stage.every_page("each replica is limited", secs(120), |page| {
        replicas.iter().try_for_each(|replica| {
            let labels = [("namespace", "kube-system"), ("pod", replica.pod.as_str())];
            let limit = page.value("netvitals_coredns_cpu_limit_cores", &labels)?;
            holds(limit == 0.2, || format!("{}: {limit}", replica.pod))
        })
    });
    let monitor = stage.monitor();
    monitor.fires("NetvitalsCoreDNSUnderprovisioned", secs(150), |alert| {
        alert["labels"]["kind"] == "Service"
    });
    fault.heal();
    noted();
    monitor.resolves("NetvitalsCoreDNSUnderprovisioned", secs(180));
}

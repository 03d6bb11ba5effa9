//! CoreDNS has too little CPU.

use super::{Scenario, quick};
use crate::stage::Stage;
use crate::wait::{holds, secs};

pub(super) const ALL: &[Scenario] = &[quick("coredns_throttled_is_the_root_of_the_latency", show)];

/// 20m of CPU under load: both replicas are named, and are why answers are slow; then the same beside a container without
/// a limit, where the pod's own group has no quota, and that of CoreDNS has.
fn show(stage: &Stage) {
    let dns = stage.cluster.coredns();
    let limited = dns.limit_cpu("20m");
    let load = dns.load(stage.cluster.node("n3"), 600);
    starved(stage);
    let any = |(code, object): &(String, String)| {
        code == "coredns_throttling.starved" && object.starts_with("Pod kube-system/coredns-")
    };
    stage.every_page("the root cause is CoreDNS' CPU", secs(90), |page| {
        let roots = crate::netvitals::roots(page);
        holds(roots.first().is_some_and(any), || format!("{roots:?}"))
    });
    stage.monitor().fires("NetvitalsCoreDNSThrottled", secs(120), |_| true);
    // The load goes on, and other replicas have it.
    limited.heal();
    let limited = dns.limit_cpu_beside_sidecar("20m");
    starved(stage);
    load.heal();
    limited.heal();
    stage.monitor().resolves("NetvitalsCoreDNSThrottled", secs(240));
    stage.healthy(secs(180));
}

/// Waits until every replica is measured to be throttled, and found.
fn starved(stage: &Stage) {
    let replicas = stage.cluster.coredns().replicas();
    stage.every_page("every replica is throttled above 25 %", secs(180), |page| {
        replicas.iter().try_for_each(|replica| {
            let labels = [("namespace", "kube-system"), ("pod", replica.pod.as_str())];
            let ratios = page.all("netvitals_coredns_cpu_throttled_ratio", &labels);
            let worst = ratios.iter().map(|sample| sample.value).fold(0.0, f64::max);
            holds(worst > 0.25, || format!("{}: {worst}", replica.pod))
        })
    });
    for replica in &replicas {
        let object = format!("Pod kube-system/{}", replica.pod);
        stage.finds("coredns_throttling.starved", &object, secs(180));
    }
}

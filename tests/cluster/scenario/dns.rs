//! DNS goes wrong: for all, at one replica, in what a replica says, on one node.

use serde_json::json;

use super::policy::own_port;
use super::{Scenario, quick};
use crate::fault::dig;
use crate::netvitals::Part;
use crate::page::Page;
use crate::stage::Stage;
use crate::tools::source;
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] = &[
    quick("dns_packets_dropped_lower_the_ratio_and_fire_the_alert", packets_dropped),
    quick("dns_replica_that_fails_is_named", one_replica),
    quick("dns_replica_without_the_api_answers_wrong", stale_replica),
    quick("dns_of_one_node_dead_names_the_node_and_no_policy", one_node),
    quick("dns_that_hides_empty_services_by_its_corefile_is_not_wrong", empty_hidden),
];

/// Queries over UDP for names of the cluster, of the agents on the pod network, by whatever path.
const ASKED: &[(&str, &str)] = &[("vantage", "pod"), ("query", "cluster"), ("protocol", "udp")];

/// What the agents on the pod network have counted so far: queries, failures, and failures by timeout.
fn counted(stage: &Stage) -> Result<(f64, f64, f64), String> {
    let pages: Vec<Page> = stage
        .cluster
        .netvitals(Part::Agent)
        .iter()
        .map(|pod| pod.page())
        .collect::<Result<_, _>>()?;
    let sum = |name: &str, more: &[(&str, &str)]| {
        let labels: Vec<(&str, &str)> = ASKED.iter().chain(more).copied().collect();
        pages.iter().map(|page| page.sum(name, &labels)).sum::<f64>()
    };
    let failures = "netvitals_dns_query_failures_total";
    Ok((
        sum("netvitals_dns_queries_total", &[]),
        sum(failures, &[]),
        sum(failures, &[("reason", "timeout")]),
    ))
}

/// 30 % of the packets to CoreDNS are dropped.
fn packets_dropped(stage: &Stage) {
    let monitor = stage.monitor();
    let fault = stage.cluster.coredns().drop_udp(30);
    // What was asked before the fault may still be answered.
    stage.cluster.rest(secs(6));
    let before = counted(stage).unwrap();
    let (asked, failed, timed_out) = until("2,000 queries are counted", secs(300), || {
        let now = counted(stage)?;
        let since = (now.0 - before.0, now.1 - before.1, now.2 - before.2);
        holds(since.0 >= 2000.0, || format!("{} of 2,000 queries", since.0)).map(|()| since)
    });
    let ratio = 1.0 - failed / asked;
    println!("    {asked} queries, ratio {ratio:.3}, {timed_out} of {failed} failures by timeout");
    assert!((0.65..=0.75).contains(&ratio), "ratio {ratio:.3} of {asked} queries");
    assert!(timed_out >= 0.99 * failed, "{timed_out} of {failed} failures by timeout");
    let alert = monitor.fires("NetvitalsDNSSuccessLow", secs(120), |alert| {
        alert["labels"]["severity"] == "critical"
    });
    println!("    {}", alert["annotations"]["description"]);
    stage.every_page("the page says so too", secs(90), |page| {
        let labels = [("path", "resolver"), ("query", "cluster"), ("protocol", "udp")];
        let ratio = page.value("netvitals_dns_success_ratio", &labels)?;
        holds((0.6..0.8).contains(&ratio), || format!("ratio {ratio}"))
    });
    fault.heal();
    monitor.resolves("NetvitalsDNSSuccessLow", secs(180));
    stage.healthy(secs(120));
}

/// One replica drops 60 %.
fn one_replica(stage: &Stage) {
    let dns = stage.cluster.coredns();
    let [_, bad] = dns.replicas().try_into().expect("there are two replicas");
    let fault = dns.drop_on_replica(&bad, 60);
    let object = format!("Pod kube-system/{}", bad.pod);
    stage.finds("dns_success.replica_failing", &object, secs(150));
    stage
        .nothing_but(|found| found.code != "dns_success.replica_failing" || found.object == object);
    fault.heal();
    stage.healthy(secs(150));
}

/// One replica is cut off from the API; then a Service is made.
fn stale_replica(stage: &Stage) {
    let dns = stage.cluster.coredns();
    let [_, stale] = dns.replicas().try_into().expect("there are two replicas");
    let fault = dns.cut_off_from_api(&stale);
    // Over pods that are there: a Service without endpoints may be hidden, and is not asked for.
    let services = "/api/v1/namespaces/kube-system/services";
    let spec = json!({"selector": {"k8s-app": "kube-dns"}, "ports": [{"port": 80}]});
    let service = json!({"metadata": {"name": "newest"}, "spec": spec});
    stage.cluster.api().create(services, &service);
    // The plan has a Service once it is a minute old, and the finding has a minute of grace.
    let object = format!("Pod kube-system/{}", stale.pod);
    stage.finds("dns_answers.wrong", &object, secs(300));
    stage.monitor().fires("NetvitalsDNSAnswersWrong", secs(120), |alert| {
        alert["labels"]["name"] == *stale.pod.to_string()
    });
    stage.nothing_but(|found| found.object == object);
    fault.heal();
    stage.healthy(secs(240));
    stage.cluster.api().delete(&format!("{services}/newest"), true);
}

/// One node's DNS is dead among the others, while a policy lets in all that netvitals needs.
fn one_node(stage: &Stage) {
    let policy = own_port(stage);
    let fault = stage.cluster.node("n2").drop_dns();
    stage.finds("dns_success.node_low", "Node n2", secs(150));
    stage.names_root("dns_success.node_low", "Node n2", secs(60));
    stage.nothing_but(|found| found.code == "dns_success.node_low" && found.object == "Node n2");
    let monitor = stage.monitor();
    monitor.fires("NetvitalsDNSSuccessLow", secs(120), |alert| alert["labels"]["node"] == "n2");
    fault.heal();
    stage.healthy(secs(150));
    policy.heal();
    monitor.resolves("NetvitalsDNSSuccessLow", secs(150));
}

/// Services without endpoints are hidden, and one that agents ask for is scaled to zero: no answer is wrong.
fn empty_hidden(stage: &Stage) {
    let cluster = &stage.cluster;
    let fault = cluster.coredns().ignore_empty_services();
    let web = source("tests/cluster/files/web.yaml");
    cluster.apply(&web);
    cluster.rolled_out("default", "deployments", "web");
    until("agents ask every replica for it", secs(180), || {
        cluster.netvitals(Part::Agent).iter().try_for_each(|agent| {
            let said = agent.get("/v1/observations")?;
            holds(said.contains("\"web\""), || said.chars().take(400).collect())
        })
    });
    cluster.kubectl(&["scale", "deployment/web", "--replicas=0"]);
    until("every replica hides it", secs(60), || {
        cluster.coredns().replicas().iter().try_for_each(|replica| {
            let said = dig(cluster.node("n1"), &replica.ip, "web.default.svc.cluster.local")?;
            holds(said.is_empty(), || said)
        })
    });
    // A wrong answer is found after a minute of them.
    for _ in 0..16 {
        cluster.rest(secs(5));
        stage.nothing_but(|_| false);
    }
    cluster.delete(&web);
    fault.heal();
    stage.healthy(secs(180));
}

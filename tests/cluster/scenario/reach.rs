//! Somebody cannot be reached: a node, its pods, Services from it, most of the cluster from one replica.

use super::{Scenario, quick};
use crate::netvitals::{Found, Part, findings};
use crate::stage::{Stage, listed};
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] = &[
    quick("node_isolated_is_named_alone", node_isolated),
    quick("pod_network_broken_is_told_from_the_node", pod_network_broken),
    quick("service_rules_flushed_are_told_from_the_pods", service_rules_flushed),
    quick("node_of_a_replica_isolated_is_one_finding", replica_isolated),
];

/// Whether a finding is about a node, or about what is on it.
fn of_node(found: &Found, node: &str) -> bool {
    found.node == node || found.object == format!("Node {node}")
}

/// The node on which no replica of the cluster role runs, and no replica of CoreDNS if that can be had.
fn spare_node(stage: &Stage) -> String {
    let taken: Vec<String> =
        stage.cluster.netvitals(Part::Cluster).into_iter().map(|pod| pod.node).collect();
    let free = stage.cluster.nodes().iter().find(|node| !taken.contains(&node.name));
    free.expect("two replicas leave one of three nodes free").name.clone()
}

/// A node is unplugged.
fn node_isolated(stage: &Stage) {
    let name = spare_node(stage);
    let node = format!("Node {name}");
    let fault = stage.cluster.node(&name).isolate();
    stage.finds("node_reachability.unreachable", &node, secs(150));
    stage.names_root("node_reachability.unreachable", &node, secs(60));
    // What depends on the node may be found too, but nothing of another node's reachability.
    let reach = ["node_reachability", "pod_reachability", "service_reachability"];
    stage.nothing_but(|found| {
        let check = found.code.split('.').next().unwrap_or_default();
        !reach.contains(&check) || of_node(found, &name)
    });
    stage
        .monitor()
        .fires("NetvitalsNodeUnreachable", secs(120), |alert| alert["labels"]["node"] == *name);
    fault.heal();
    until("every node is Ready", secs(120), || stage.cluster.all_ready());
    stage.healthy(secs(240));
    stage.monitor().resolves("NetvitalsNodeUnreachable", secs(120));
}

/// The pods of a node are cut off, the node is not.
fn pod_network_broken(stage: &Stage) {
    let name = spare_node(stage);
    let node = format!("Node {name}");
    let fault = stage.cluster.node(&name).break_pod_network();
    stage.finds("pod_reachability.unreachable", &node, secs(150));
    stage.nothing_but(|found| {
        !found.code.starts_with("node_reachability.")
            && (!found.code.starts_with("pod_reachability.") || of_node(found, &name))
    });
    stage
        .monitor()
        .fires("NetvitalsPodUnreachable", secs(120), |alert| alert["labels"]["node"] == *name);
    fault.heal();
    stage.healthy(secs(240));
    stage.monitor().resolves("NetvitalsPodUnreachable", secs(120));
}

/// kube-proxy ends on one node, and its rules are gone.
fn service_rules_flushed(stage: &Stage) {
    let name = spare_node(stage);
    let node = stage.cluster.node(&name);
    let stopped = node.stop_kube_proxy();
    let flushed = node.flush_service_rules();
    // Undone, it would start again at once.
    node.kube_proxy.kill();
    stage.every_page("services fail from that node", secs(150), |page| {
        let open = findings(page, false);
        let found = open
            .iter()
            .any(|found| found.code.starts_with("service_reachability.") && found.node == name);
        holds(found, || format!("open: {}", listed(&open)))
    });
    stage.nothing_but(|found| {
        !found.code.starts_with("node_reachability.")
            && !found.code.starts_with("pod_reachability.")
            && (!found.code.starts_with("service_reachability.") || found.node == name)
    });
    stage.monitor().fires("NetvitalsServiceUnreachable", secs(120), |_| true);
    flushed.heal();
    stopped.heal();
    stage.healthy(secs(240));
    stage.monitor().resolves("NetvitalsServiceUnreachable", secs(120));
}

/// The node of a replica of the cluster role is unplugged: that replica says one thing, not one for each agent.
fn replica_isolated(stage: &Stage) {
    let replicas = stage.cluster.netvitals(Part::Cluster);
    let inside = &replicas[0];
    let node = stage.cluster.node(&inside.node);
    let fault = node.isolate();
    // It is not reached from here any more: it is asked from within.
    let page = || {
        let (ip, port) = (inside.ip.as_str(), "12350");
        let script = format!(
            "exec 3<>/dev/tcp/{ip}/{port}; printf 'GET /metrics HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3"
        );
        let said = node.in_pod(&inside.uid, &["timeout", "5", "bash", "-c", &script])?;
        let (_, body) = said.split_once("\r\n\r\n").ok_or("no head in the answer")?;
        crate::page::Page::read(body)
    };
    until("the replica says that it is isolated", secs(180), || {
        let open = findings(&page()?, true);
        let isolated =
            open.iter().filter(|found| found.code == "agents.collector_isolated").count();
        let each = open.iter().filter(|found| {
            found.code.starts_with("agents.") && found.code != "agents.collector_isolated"
        });
        holds(isolated == 1 && each.count() == 0, || format!("open: {}", listed(&open)))
    });
    fault.heal();
    until("every node is Ready", secs(120), || stage.cluster.all_ready());
    stage.healthy(secs(240));
}

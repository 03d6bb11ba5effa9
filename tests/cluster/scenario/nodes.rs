//! Nodes without a network, and nodes that are gone.

use std::time::Instant;

use super::{Scenario, last, quick};
use crate::netvitals::Part;
use crate::stage::Stage;
use crate::wait::{holds, secs, timed, until};

pub(super) const ALL: &[Scenario] = &[
    quick("node_without_cni_configuration_is_named", cni_hidden),
    quick("nodes_by_the_hundred_keep_pages_small", many),
    last("node_killed_and_deleted_leaves_nothing_behind", killed),
];

/// The CNI configuration of a node is hidden.
fn cni_hidden(stage: &Stage) {
    let fault = stage.cluster.node("n2").hide_cni_config();
    let ((), took) = timed("the page says that n2 has no network", secs(60), || {
        stage.cluster.verdicts()?.iter().try_for_each(|page| {
            let ready = page.value("netvitals_node_network_ready", &[("node", "n2")])?;
            holds(ready == 0.0, || format!("{ready}"))
        })
    });
    println!("    seen after {:.1} s", took.as_secs_f64());
    stage.finds("node_network_ready.cni_not_initialized", "Node n2", secs(90));
    stage.nothing_but(|found| found.object == "Node n2" || found.node == "n2");
    stage
        .monitor()
        .fires("NetvitalsNodeNetworkNotReady", secs(120), |alert| alert["labels"]["node"] == "n2");
    fault.heal();
    stage.healthy(secs(120));
    stage.monitor().resolves("NetvitalsNodeNetworkNotReady", secs(120));
}

/// 200 nodes more, of which nobody hears anything: the pages go on, and an agent's stays small.
fn many(stage: &Stage) {
    const COUNT: u16 = 200;
    let cluster = &stage.cluster;
    let began = Instant::now();
    let fault = cluster.kwok(COUNT);
    println!("    {COUNT} nodes are Ready after {:.1} s", began.elapsed().as_secs_f64());
    stage.every_page("the page has every node", secs(120), |page| {
        let ready = page.all("netvitals_node_network_ready", &[]).len();
        holds(ready == usize::from(COUNT) + cluster.nodes().len(), || format!("{ready}"))
    });
    println!("    on every page after {:.1} s", began.elapsed().as_secs_f64());
    until("an agent seems to run on each of them", secs(240), || {
        let agents = cluster.netvitals(Part::Agent);
        let there = agents.iter().filter(|pod| pod.node.starts_with("kwok-") && !pod.ip.is_empty());
        let there = there.count();
        holds(there == usize::from(COUNT), || format!("{there}"))
    });
    // The agents' plan has changed by then.
    cluster.rest(secs(30));
    for part in [Part::Agent, Part::HostAgent] {
        for pod in cluster.netvitals(part).iter().filter(|pod| !pod.node.starts_with("kwok-")) {
            let page = until("the agent answers", secs(60), || pod.page());
            let series = page.samples().len();
            println!("    {}: {series} series", pod.name);
            assert!(series <= 300, "{}: {series} series", pod.name);
        }
    }
    fault.heal();
    until("the pods of netvitals are those of the lab's nodes", secs(120), || {
        let count = cluster.netvitals(Part::Agent).len();
        holds(count == cluster.nodes().len(), || format!("{count}"))
    });
    stage.healthy(secs(180));
}

/// A node loses its power and is deleted: nothing speaks of it any more.
fn killed(stage: &Stage) {
    let taken: Vec<String> =
        stage.cluster.netvitals(Part::Cluster).into_iter().map(|pod| pod.node).collect();
    let node = stage.cluster.nodes().iter().find(|node| !taken.contains(&node.name));
    let node = node.expect("two replicas leave one of three nodes free");
    node.cut_power();
    stage.finds("node_reachability.unreachable", &format!("Node {}", node.name), secs(180));
    stage.cluster.api().delete(&format!("/api/v1/nodes/{}", node.name), true);
    for part in ["kube-system", "netvitals", "default"] {
        for pod in stage.cluster.api().list(&format!("/api/v1/namespaces/{part}/pods")).unwrap() {
            if pod["spec"]["nodeName"] == *node.name {
                let name = crate::api::name(&pod);
                stage.cluster.api().delete(&format!("/api/v1/namespaces/{part}/pods/{name}"), true);
            }
        }
    }
    until("nothing on any page names the node", secs(240), || {
        for page in stage.cluster.verdicts()? {
            let left: Vec<_> = page
                .samples()
                .iter()
                .filter(|sample| sample.labels.values().any(|value| *value == node.name))
                .map(|sample| (&sample.name, &sample.labels))
                .collect();
            holds(left.is_empty(), || format!("{} series, first {:?}", left.len(), left.first()))?;
        }
        Ok(())
    });
    stage.healthy(secs(180));
}

//! Nodes without a network, and nodes that are gone.

use crate::netvitals::Part;
use crate::stage::Stage;
use crate::wait::{holds, secs, timed, until};

/// The CNI configuration of a node is hidden.
pub(super) fn cni_hidden(stage: &Stage) {
    stage.quick();
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

/// A node loses its power and is deleted: nothing speaks of it any more.
pub(super) fn killed(stage: &Stage) {
    stage.quick();
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

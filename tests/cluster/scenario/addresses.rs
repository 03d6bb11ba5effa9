//! A node has no address left for its pods.

use serde_json::json;

use super::{Scenario, quick};
use crate::stage::Stage;
use crate::tools::image;
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] =
    &[quick("addresses_exhausted_on_a_node_with_pods_waiting", show)];

/// 20 pods on a node whose pod CIDR is a /28.
fn show(stage: &Stage) {
    let cluster = &stage.cluster;
    let cidr = cluster.pod_cidr("n2").unwrap();
    assert!(cidr.ends_with("/28"), "{cidr}");
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let labels = json!({"app": "many"});
    let container = json!({
        "name": "many", "image": image::BUSYBOX, "imagePullPolicy": "Never", "command": ["sleep", "100000"],
    });
    let object = json!({
        "metadata": {"name": "many"},
        "spec": {
            "replicas": 20,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "nodeSelector": {"kubernetes.io/hostname": "n2"},
                    "terminationGracePeriodSeconds": 0,
                    "containers": [container],
                },
            },
        },
    });
    cluster.api().create(deployments, &object);
    stage.every_page("the pool is full and pods wait", secs(120), |page| {
        let utilisation = page.value("netvitals_ip_pool_utilisation_ratio", &[("node", "n2")])?;
        let waiting = page.value("netvitals_ip_pool_waiting_pods", &[("node", "n2")])?;
        holds(utilisation == 1.0 && waiting > 0.0, || format!("{utilisation} used, {waiting} wait"))
    });
    stage.finds("ip_pools.exhausted", "Node n2", secs(120));
    stage.every_page("their events say that it is the network", secs(120), |page| {
        let waits = [("node", "n2"), ("cause", "network")];
        let waiting = page.value("netvitals_pods_waiting_for_sandbox", &waits)?;
        let of_class = [("node", "n2"), ("class", "ip_exhausted")];
        let failures = page.value("netvitals_sandbox_failure_events_total", &of_class)?;
        holds(waiting > 0.0 && failures > 0.0, || format!("{waiting} wait, {failures} failures"))
    });
    stage.names_root("ip_pools.exhausted", "Node n2", secs(120));
    // Of one workload, each pod is told by itself.
    stage.nothing_but(|found| match found.code.as_str() {
        "ip_pools.exhausted" => found.object == "Node n2",
        code => code == "sandbox_failures.network" && found.node == "n2",
    });
    stage.monitor().fires("NetvitalsIPPoolExhausted", secs(120), |_| true);
    stage.monitor().fires("NetvitalsPodsStuckOnNetwork", secs(180), |_| true);
    cluster.api().delete(&format!("{deployments}/many"), true);
    until("the pods are gone", secs(120), || {
        let pods = cluster.pods("default", "app=many")?;
        holds(pods.is_empty(), || format!("{} pods", pods.len()))
    });
    stage.healthy(secs(120));
    stage.monitor().resolves("NetvitalsIPPoolExhausted", secs(120));
    stage.monitor().resolves("NetvitalsPodsStuckOnNetwork", secs(120));
}

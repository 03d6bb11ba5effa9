//! Pods that get no sandbox: for their network, or for something else.

use serde_json::json;

use super::faults::Sleeper;
use super::{Scenario, quick};
use crate::stage::Stage;
use crate::tools::image;
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] = &[
    quick("node_without_a_cni_plugin_starts_no_pods", plugin_missing),
    quick("pod_that_waits_for_a_secret_does_not_wait_for_the_network", secret_missing),
];

/// A CNI plugin is gone from a node, which stays Ready: two new pods wait there, and one elsewhere does not.
fn plugin_missing(stage: &Stage) {
    let cluster = &stage.cluster;
    let fault = cluster.node("n2").remove_cni_binary("bridge");
    let waiting = ["plugin-missing-1", "plugin-missing-2"].map(|it| Sleeper::on(cluster, "n2", it));
    let elsewhere = Sleeper::on(cluster, "n3", "plugin-there");
    elsewhere.runs();
    stage.every_page("two pods wait for their network", secs(120), |page| {
        let waits = [("node", "n2"), ("cause", "network")];
        let waiting = page.value("netvitals_pods_waiting_for_sandbox", &waits)?;
        let of_class = [("node", "n2"), ("class", "cni_binary_missing")];
        let failures = page.value("netvitals_sandbox_failure_events_total", &of_class)?;
        holds(waiting == 2.0 && failures > 0.0, || format!("{waiting} wait, {failures} failures"))
    });
    stage.finds("sandbox_failures.node_failing", "Node n2", secs(120));
    stage.names_root("sandbox_failures.node_failing", "Node n2", secs(60));
    stage.nothing_but(|found| found.object == "Node n2" || found.node == "n2");
    stage
        .monitor()
        .fires("NetvitalsPodSandboxFailing", secs(120), |alert| alert["labels"]["node"] == "n2");
    fault.heal();
    for pod in &waiting {
        pod.runs();
    }
    stage.healthy(secs(120));
    stage.every_page("what they waited is measured", secs(60), |page| {
        let measured = page.value("netvitals_pod_sandbox_setup_seconds_count", &[])?;
        holds(measured >= 3.0, || format!("{measured}"))
    });
    stage.monitor().resolves("NetvitalsPodSandboxFailing", secs(120));
}

/// A pod wants a Secret that is not there: its kubelet never asks for a sandbox.
fn secret_missing(stage: &Stage) {
    const PODS: &str = "/api/v1/namespaces/default/pods";
    const NAME: &str = "no-secret";
    let api = stage.cluster.api();
    let container = json!({
        "name": "sleeper", "image": image::BUSYBOX, "imagePullPolicy": "Never", "command": ["sleep", "3600"],
        "volumeMounts": [{"name": "token", "mountPath": "/token"}],
    });
    let volume = json!({"name": "token", "secret": {"secretName": "there-is-none"}});
    let spec = json!({
        "nodeName": "n3", "containers": [container], "volumes": [volume], "terminationGracePeriodSeconds": 0,
    });
    api.create(PODS, &json!({"metadata": {"name": NAME}, "spec": spec}));
    stage.every_page("it waits for a volume, and for nothing else", secs(120), |page| {
        let all = page.all("netvitals_pods_waiting_for_sandbox", &[]);
        let causes: Vec<&str> = all.iter().map(|sample| sample.label("cause")).collect();
        holds(causes == ["volume"], || format!("{causes:?}"))
    });
    stage.finds("sandbox_failures.not_network", "Pod default/no-secret", secs(300));
    stage.nothing_but(|_| false);
    api.delete(&format!("{PODS}/{NAME}"), true);
    until("the pod is gone", secs(60), || {
        let pod = api.get(&format!("{PODS}/{NAME}"));
        holds(pod.is_err_and(|error| error.contains("not found")), || "it is there".into())
    });
    stage.healthy(secs(120));
}

//! A healthy cluster: everything is answered, nothing is found, however much comes and goes.

use std::time::Instant;

use serde_json::{Value, json};

use super::oracle;
use super::{Scenario, shipped};
use crate::cluster::Cluster;
use crate::netvitals::findings;
use crate::stage::{Stage, healthy, listed};
use crate::tools::image;
use crate::wait::{holds, secs, timed, until};

pub(super) const ALL: &[Scenario] = &[shipped("healthy_cluster_has_no_finding_and_no_alert", show)];

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

/// netvitals as shipped, for five minutes in which pods come and go.
fn show(stage: &Stage) {
    let cluster = &stage.cluster;
    let ((), took) = timed("every replica finds the cluster healthy", secs(90), || {
        cluster.verdicts()?.iter().try_for_each(|page| {
            healthy(page)?;
            let reporting = page.sum("netvitals_agent_reporting", &[]);
            holds(reporting == 6.0, || format!("{reporting} of 6 agents report"))
        })
    });
    println!("    answered and healthy after {:.1} s", took.as_secs_f64());
    let monitor = stage.monitor();
    // Agents and host agents on three nodes, two replicas.
    monitor.targets_up(8, secs(60));
    until("the page agrees with the oracle", secs(60), || oracle::agrees(cluster));
    churn(stage);
    until("the page agrees with the oracle after the churn", secs(60), || oracle::agrees(cluster));
}

/// Pods come and go behind a Service for five minutes; nothing is found and nothing fires.
fn churn(stage: &Stage) {
    let (cluster, monitor) = (&stage.cluster, stage.monitor());
    let labels = json!({"app": "churn"});
    let service = json!({
        "metadata": {"name": "churn"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    let container = json!({
        "name": "churn", "image": image::BUSYBOX, "imagePullPolicy": "Never",
        "command": ["sh", "-c", "echo up > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"],
        "readinessProbe": {"httpGet": {"port": 8080, "path": "/index.html"}, "periodSeconds": 1},
    });
    let template = json!({
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    });
    let deployment = json!({
        "metadata": {"name": "churn"},
        "spec": {"replicas": 6, "selector": {"matchLabels": labels}, "template": template},
    });
    cluster.api().create("/api/v1/namespaces/default/services", &service);
    cluster.api().create(DEPLOYMENTS, &deployment);
    let (path, began) = (format!("{DEPLOYMENTS}/churn"), Instant::now());
    let mut round = 0;
    while began.elapsed() < secs(300) {
        round += 1;
        match round % 3 {
            0 => scale(cluster, &path, 3),
            1 => scale(cluster, &path, 9),
            _ => {
                let stamp = json!({"metadata": {"annotations": {"round": round.to_string()}}});
                cluster.api().patch(&path, &json!({"spec": {"template": stamp}}));
            }
        }
        for _ in 0..5 {
            cluster.rest(secs(2));
            calm(stage);
            let firing = monitor.firing().unwrap();
            assert!(firing.is_empty(), "fires though nothing is wrong: {firing:?}");
        }
    }
    println!("    {round} rounds of churn");
    cluster.api().delete(&path, false);
    cluster.api().delete("/api/v1/namespaces/default/services/churn", false);
    until("the pods are gone", secs(120), || {
        let pods: Vec<Value> = cluster.pods("default", "app=churn")?;
        holds(pods.is_empty(), || format!("{} pods", pods.len()))
    });
}

fn scale(cluster: &Cluster, path: &str, replicas: u32) {
    cluster.api().patch(path, &json!({"spec": {"replicas": replicas}}));
}

/// Nothing above info is found by any replica.
fn calm(stage: &Stage) {
    for page in stage.pages() {
        let open = findings(&page, false);
        assert!(open.is_empty(), "found though nothing is wrong: {}", listed(&open));
    }
}

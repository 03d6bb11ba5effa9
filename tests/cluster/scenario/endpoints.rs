//! EndpointSlices are what nobody keeps up.

use serde_json::{Value, json};

use super::{Scenario, quick};
use crate::api;
use crate::control_plane::Component;
use crate::page::Page;
use crate::stage::Stage;
use crate::tools::{image, source};
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] = &[quick("endpoints_stale_while_controllers_stand", show)];

fn mismatches(page: &Page, class: &str) -> Result<f64, String> {
    page.value("netvitals_endpoint_mismatches", &[("class", class)])
}

/// kube-controller-manager stands while a pod goes and another comes.
fn show(stage: &Stage) {
    let cluster = &stage.cluster;
    let web = source("tests/cluster/files/web.yaml");
    cluster.apply(&web);
    cluster.rolled_out("default", "deployments", "web");
    stage.every_page("the slices are right", secs(30), |page| {
        let wrong = (mismatches(page, "stale")?, mismatches(page, "missing")?);
        holds(wrong == (0.0, 0.0), || format!("{wrong:?}"))
    });
    let fault = cluster.pause(Component::ControllerManager);
    let pods = "/api/v1/namespaces/default/pods";
    let dead = cluster.pods("default", "app=web").unwrap().swap_remove(0);
    cluster.api().delete(&format!("{pods}/{}", api::name(&dead)), true);
    let template: Value =
        cluster.api().get("/apis/apps/v1/namespaces/default/deployments/web").unwrap();
    let mut spec = template["spec"]["template"]["spec"].clone();
    spec["containers"][0]["image"] = json!(image::BUSYBOX);
    spec["affinity"] = Value::Null;
    // Where an address has just become free; the scheduler is not what this is about.
    spec["nodeName"] = dead["spec"]["nodeName"].clone();
    let bare = json!({"metadata": {"name": "bare", "labels": {"app": "web"}}, "spec": spec});
    cluster.api().create(pods, &bare);
    cluster.pod_ready("default", "bare");
    stage.every_page("one endpoint is dead and one is missing", secs(60), |page| {
        let wrong = (mismatches(page, "stale")?, mismatches(page, "missing")?);
        holds(wrong == (1.0, 1.0), || format!("{wrong:?}"))
    });
    let oldest =
        |page: &Page| page.value("netvitals_endpoint_oldest_mismatch_timestamp_seconds", &[]);
    stage.every_page("the oldest mismatch has its moment", secs(30), |page| oldest(page).map(drop));
    stage.finds("endpoint_mismatch.stale", "Service default/web", secs(120));
    stage.finds("endpoint_mismatch.missing", "Service default/web", secs(60));
    let monitor = stage.monitor();
    monitor.fires("NetvitalsEndpointsMismatch", secs(120), |_| true);
    monitor.fires("NetvitalsEndpointsLagging", secs(120), |_| true);
    fault.heal();
    stage.every_page("the slices are right again", secs(60), |page| {
        let wrong = (mismatches(page, "stale")?, mismatches(page, "missing")?);
        holds(wrong == (0.0, 0.0) && oldest(page).is_err(), || format!("{wrong:?}"))
    });
    // The wait was measured by the own clock: a minute at least.
    stage.every_page("the lag was measured", secs(30), |page| {
        let (all, quick) = (
            page.sum("netvitals_endpoint_lag_seconds_count", &[]),
            page.sum("netvitals_endpoint_lag_seconds_bucket", &[("le", "30.0")]),
        );
        holds(all > quick, || format!("{all} lags, {quick} of them below 30 s"))
    });
    cluster.api().delete(&format!("{pods}/bare"), true);
    cluster.delete(&web);
    until("the workload is gone", secs(60), || {
        let pods = cluster.pods("default", "app=web")?;
        holds(pods.is_empty(), || format!("{} pods", pods.len()))
    });
    stage.healthy(secs(120));
    stage.monitor().resolves("NetvitalsEndpointsMismatch", secs(120));
}

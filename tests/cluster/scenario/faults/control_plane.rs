//! Faults of the control plane.

use serde_json::json;

use super::web;
use crate::api;
use crate::cluster::Cluster;
use crate::control_plane::Component;
use crate::scenario::{Scenario, any, shipped};
use crate::wait::{holds, secs, until};

pub(in crate::scenario) const ALL: &[Scenario] = &[
    any("fault_watches_expired", |stage| watches_expired(&stage.cluster)),
    any("fault_controllers_paused", |stage| controllers_paused(&stage.cluster)),
    any("fault_etcd_restored_from_a_backup", |stage| etcd_restored(&stage.cluster)),
    any("fault_api_server_killed", |stage| api_server_killed(&stage.cluster)),
    shipped("fault_kind_forbidden", |stage| kind_forbidden(&stage.cluster)),
];

/// Controllers do not look at a change.
fn controllers_paused(cluster: &Cluster) {
    let _ = web(cluster, "n1");
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    let seen = || -> Result<(), String> {
        let web = cluster.api().get(path)?;
        let (wanted, seen) = (&web["metadata"]["generation"], &web["status"]["observedGeneration"]);
        holds(wanted == seen, || format!("generation {wanted}, seen {seen}"))
    };
    let fault = cluster.pause(Component::ControllerManager);
    cluster
        .api()
        .patch(path, &json!({"spec": {"template": {"metadata": {"labels": {"touched": "yes"}}}}}));
    cluster.rest(secs(3));
    assert!(seen().is_err(), "nobody should have looked at the change");
    fault.heal();
    until("the change is seen", secs(30), seen);
    cluster.rolled_out("default", "deployments", "web");
}

/// The API server is away.
fn api_server_killed(cluster: &Cluster) {
    let fault = cluster.kill_apiserver();
    assert!(cluster.api().ready().is_err());
    fault.heal();
    cluster.api().ready().unwrap();
    until("every node is Ready", secs(60), || cluster.all_ready());
}

/// netvitals may not list a kind.
fn kind_forbidden(cluster: &Cluster) {
    let may = |resource: &str| {
        let user = "--as=system:serviceaccount:netvitals:netvitals-cluster";
        let said =
            cluster.try_kubectl(&["auth", "can-i", "list", resource, "--all-namespaces", user]);
        said.is_ok_and(|said| said.trim() == "yes")
    };
    let fault = cluster.forbid("endpointslices");
    until("the kind is forbidden", secs(10), || {
        holds(!may("endpointslices.discovery.k8s.io") && may("pods"), || "not yet".into())
    });
    fault.heal();
    until("the kind is allowed", secs(10), || {
        holds(may("endpointslices.discovery.k8s.io"), || "not yet".into())
    });
    assert!(!may("secrets"), "the role has too much");
    assert_eq!(api::name(&cluster.api().get("/api/v1/namespaces/netvitals").unwrap()), "netvitals");
}

/// A watch that goes on from before is told that its version is too old, and a new list can be watched from.
fn watches_expired(cluster: &Cluster) {
    let list = "/api/v1/namespaces/default/configmaps";
    let version = || -> String {
        let all = cluster.api().get(list).unwrap();
        all["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
    };
    let watch = |from: &str| {
        let path = format!("{list}?watch=1&timeoutSeconds=1&resourceVersion={from}");
        cluster.kubectl(&["get", "--raw", &path])
    };
    let before = version();
    assert!(!watch(&before).contains("ERROR"), "{}", watch(&before));
    cluster.expire_watch();
    let said = watch(&before);
    assert!(said.contains("\"code\":410") && said.contains("too old resource version"), "{said}");
    assert!(!watch(&version()).contains("ERROR"));
    until("every node is Ready", secs(60), || cluster.all_ready());
}

/// How far the revision is ahead of the backup's: the cluster would need a quarter of an hour to come so far again.
const AHEAD: u32 = 1000;

/// What was made after the backup is gone, revisions come a second time, and the cluster goes on.
fn etcd_restored(cluster: &Cluster) {
    let services = "/api/v1/namespaces/default/services";
    let revision = || -> u64 {
        let all = cluster.api().get(services).unwrap();
        all["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
    };
    let snapshot = cluster.control_plane().snapshot_etcd("fault");
    let late = json!({"metadata": {"name": "late"}, "spec": {"ports": [{"port": 80}]}});
    cluster.api().create(services, &late);
    cluster.age_etcd(AHEAD);
    let before = revision();
    cluster.restore_etcd(&snapshot);
    let after = revision();
    assert!(after < before, "revision {before}, then {after}");
    let found = cluster.api().get(&format!("{services}/late"));
    assert!(found.is_err_and(|error| error.contains("not found")), "it was made after the backup");
    cluster.coredns().answers();
}

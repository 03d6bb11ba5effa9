//! What the page has to say of a healthy cluster, worked out anew from plain lists of the API.

use std::collections::{BTreeMap, BTreeSet};

use netvitals::watch;
use serde_json::Value;

use crate::api;
use crate::cluster::Cluster;
use crate::page::Page;
use crate::plan::SERVICE_RANGE;
use crate::wait::holds;

/// What one series has to be.
type Expected = (&'static str, Vec<(&'static str, String)>, f64);

/// Works out what is to be said.
///
/// # Errors
///
/// Fails where the API does not answer.
fn expected(cluster: &Cluster) -> Result<Vec<Expected>, String> {
    let nodes = cluster.api().list("/api/v1/nodes")?;
    let pods = cluster.api().list("/api/v1/pods")?;
    let mut all: Vec<Expected> = Vec::new();
    // Of a kind of which only some objects are followed none is kept.
    for kind in watch::ALL.iter().map(|watch| watch.kind).filter(|kind| kind.fields.is_none()) {
        let [version, ..] = kind.versions else { return Err(format!("{kind:?} has no version")) };
        let mut objects = match cluster.api().list(&kind.path(version)) {
            Ok(objects) => objects,
            Err(_) if kind.optional => continue,
            Err(error) => return Err(error),
        };
        objects.retain(|object| kind.only.is_none_or(|only| api::name(object) == only));
        let labels = vec![("kind", kind.label.to_owned())];
        all.push(("netvitals_watched_objects", labels, objects.len() as f64));
    }
    for vantage in ["pod", "host"] {
        let labels = vec![("vantage", vantage.to_owned())];
        all.push(("netvitals_agents_expected", labels, nodes.len() as f64));
    }
    for node in &nodes {
        let name = api::name(node);
        let ready = f64::from(u8::from(api::condition(node, "Ready") == "True"));
        let of_node = || ("node", name.to_owned());
        all.push(("netvitals_node_network_ready", vec![of_node()], ready));
        for vantage in ["pod", "host"] {
            let labels = vec![of_node(), ("vantage", vantage.to_owned())];
            all.push(("netvitals_agent_reporting", labels, 1.0));
        }
        let used = pods.iter().filter(|pod| holds_address(pod, name)).count() as f64;
        let prefix = node["spec"]["podCIDR"].as_str().and_then(|cidr| cidr.rsplit('/').next());
        let prefix: u32 =
            prefix.and_then(|length| length.parse().ok()).ok_or("a node without pod CIDR")?;
        // Of host-local's range the network, the broadcast and the gateway go to nobody.
        let addresses = f64::from(2_u32.pow(32 - prefix) - 3);
        all.push(("netvitals_ip_pool_used", vec![of_node()], used));
        all.push(("netvitals_ip_pool_utilisation_ratio", vec![of_node()], used / addresses));
        let others = (nodes.len() - 1) as f64;
        for family in ["netvitals_node_observers", "netvitals_pod_network_observers"] {
            all.push((family, vec![of_node()], others));
        }
        for family in
            ["netvitals_node_failing_observers", "netvitals_pod_network_failing_observers"]
        {
            all.push((family, vec![of_node()], 0.0));
        }
    }
    let services = cluster.api().list("/api/v1/services")?;
    let of = |service: &Value| service["spec"]["clusterIP"].as_str().map(ToOwned::to_owned);
    let used: BTreeSet<String> =
        services.iter().filter_map(of).filter(|ip| ip.contains('.')).collect();
    let of_services = || vec![("ipam", "services".to_owned()), ("pool", SERVICE_RANGE.to_owned())];
    all.push(("netvitals_ip_pool_used", of_services(), used.len() as f64));
    // Of a /16 the network and the broadcast go to nobody.
    let share = used.len() as f64 / 65_534.0;
    all.push(("netvitals_ip_pool_utilisation_ratio", of_services(), share));
    for class in ["family", "missing", "node", "orphan", "port", "readiness", "stale"] {
        all.push(("netvitals_endpoint_mismatches", vec![("class", class.to_owned())], 0.0));
    }
    Ok(all)
}

/// Whether a pod has an address of a node's range: it runs there, in a network of its own, and has not finished.
fn holds_address(pod: &Value, node: &str) -> bool {
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    pod["spec"]["nodeName"] == node
        && pod["spec"]["hostNetwork"] != true
        && !["Succeeded", "Failed"].contains(&phase)
        && pod["status"]["podIP"].is_string()
}

/// Compares the page of every replica with what plain lists make of the cluster.
///
/// # Errors
///
/// Fails with all that differs.
pub(super) fn agrees(cluster: &Cluster) -> Result<(), String> {
    let expected = expected(cluster)?;
    cluster.verdicts()?.iter().try_for_each(|page| equal(page, &expected))
}

fn equal(page: &Page, expected: &[Expected]) -> Result<(), String> {
    let mut wrong = Vec::new();
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, labels, value) in expected {
        *counted.entry(name).or_default() += 1;
        let wanted: Vec<(&str, &str)> =
            labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
        match page.value(name, &wanted) {
            Ok(said) if (said - value).abs() < 1e-9 => {}
            Ok(said) => wrong.push(format!("{name}{wanted:?} is {said}, expected {value}")),
            Err(error) => wrong.push(error),
        }
    }
    for (name, count) in counted {
        let said = page.all(name, &[]).len();
        if said != count {
            wrong.push(format!("{said} series of {name}, expected {count}"));
        }
    }
    holds(wrong.is_empty(), || wrong.join("; "))
}

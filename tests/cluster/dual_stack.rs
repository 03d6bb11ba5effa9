//! A cluster of its own whose nodes, pods and Services have addresses of both families.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};

use crate::api::items;
use crate::cluster::{Cluster, Options};
use crate::confine;
use crate::node::Node;
use crate::tools::source;
use crate::wait::{holds, secs, until};

/// Starts it, and shows that both families work, whatever the mode of kube-proxy.
pub(crate) fn show() -> ExitCode {
    let began = Instant::now();
    let mut options =
        Options { nodes: 2, proxy_modes: vec!["iptables", "nftables"], ..Options::default() };
    options.flags.dual_stack = true;
    let cluster = Cluster::start(confine::lab(), &options);
    println!("dual-stack cluster ready in {:.1} s", began.elapsed().as_secs_f64());
    for node in cluster.nodes() {
        let object = cluster.api().get(&format!("/api/v1/nodes/{}", node.name)).unwrap();
        let addresses = families(
            items(&object["status"]["addresses"])
                .iter()
                .filter(|it| it["type"] == "InternalIP")
                .map(|it| &it["address"]),
        );
        assert_eq!(addresses, (1, 1), "{} has other addresses", node.name);
    }
    cluster.apply(&source("tests/cluster/files/web.yaml"));
    // One for each node: no node takes two.
    cluster.kubectl(&["scale", "deployment/web", &format!("--replicas={}", options.nodes)]);
    let service = "/api/v1/namespaces/default/services/web";
    let both =
        cluster.api().patch(service, &json!({"spec": {"ipFamilyPolicy": "RequireDualStack"}}));
    cluster.rolled_out("default", "deployments", "web");
    let clients = cluster.pods("default", "app=web").unwrap();
    for client in &clients {
        let ips: Vec<&str> = texts(items(&client["status"]["podIPs"]).iter().map(|it| &it["ip"]));
        assert_eq!(ips.len(), 2, "{ips:?}");
        let node = cluster.node(client["spec"]["nodeName"].as_str().unwrap());
        let uid = client["metadata"]["uid"].as_str().unwrap();
        let services = texts(items(&both["spec"]["clusterIPs"]).iter());
        assert_eq!(services.len(), 2, "{services:?}");
        for ip in services {
            until(&format!("{ip} answers a pod on {}", node.name), secs(30), || {
                fetch(node, uid, ip, 80)
            });
        }
        for other in &clients {
            for ip in texts(items(&other["status"]["podIPs"]).iter().map(|it| &it["ip"])) {
                fetch(node, uid, ip, 8080).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
    println!(
        "dual-stack: Services and pods answer on both families, {:.1} s in all",
        began.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}

/// Asks a web server from a pod.
fn fetch(node: &Node, uid: &str, ip: &str, port: u16) -> Result<(), String> {
    let host = if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
    let said = node.in_pod(uid, &["curl", "-s", "-m", "2", &format!("http://{host}:{port}/")])?;
    holds(said.starts_with("web-"), || said)
}

fn texts<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<&'a str> {
    values.filter_map(Value::as_str).collect()
}

/// How many addresses are of each family.
fn families<'a>(addresses: impl Iterator<Item = &'a Value>) -> (usize, usize) {
    let all = texts(addresses);
    let six = all.iter().filter(|ip| ip.contains(':')).count();
    (all.len() - six, six)
}

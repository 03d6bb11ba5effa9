//! The test bed's own faults: seen by other means than netvitals to be there, and to be gone.

use serde_json::{Value, json};

use crate::api;
use crate::cluster::Cluster;
use crate::control_plane::Component;
use crate::fault::dig;
use crate::node::Node;
use crate::plan::{DNS_IP, KUBERNETES_IP};
use crate::tools::source;
use crate::wait::{holds, secs, until};

use super::{Scenario, scenario};

pub(super) const CNI_CONFIGURATION_HIDDEN: Scenario =
    scenario("fault_cni_configuration_hidden", |stage| cni_configuration_hidden(&stage.cluster));
pub(super) const NODE_ISOLATED: Scenario =
    scenario("fault_node_isolated", |stage| node_isolated(&stage.cluster));
pub(super) const PACKETS_DROPPED_BETWEEN_NODES: Scenario =
    scenario("fault_packets_dropped_between_nodes", |stage| {
        packets_dropped_between_nodes(&stage.cluster)
    });
pub(super) const POD_NETWORK_BROKEN: Scenario =
    scenario("fault_pod_network_broken", |stage| pod_network_broken(&stage.cluster));
pub(super) const KUBE_PROXY_STOPPED_AND_FLUSHED: Scenario =
    scenario("fault_kube_proxy_stopped_and_flushed", |stage| {
        kube_proxy_stopped_and_flushed(&stage.cluster)
    });
pub(super) const DNS_OF_A_NODE_DROPPED: Scenario =
    scenario("fault_dns_of_a_node_dropped", |stage| dns_of_a_node_dropped(&stage.cluster));
pub(super) const DNS_PACKETS_DROPPED: Scenario =
    scenario("fault_dns_packets_dropped", |stage| dns_packets_dropped(&stage.cluster));
pub(super) const DNS_REPLICA_CUT_OFF: Scenario =
    scenario("fault_dns_replica_cut_off_from_the_api", |stage| {
        dns_replica_cut_off_from_the_api(&stage.cluster)
    });
pub(super) const DNS_CPU_LIMITED: Scenario =
    scenario("fault_dns_cpu_limited", |stage| dns_cpu_limited(&stage.cluster));
pub(super) const CONTROLLERS_PAUSED: Scenario =
    scenario("fault_controllers_paused", |stage| controllers_paused(&stage.cluster));
pub(super) const API_SERVER_KILLED: Scenario =
    scenario("fault_api_server_killed", |stage| api_server_killed(&stage.cluster));
pub(super) const KIND_FORBIDDEN: Scenario =
    scenario("fault_kind_forbidden", |stage| kind_forbidden(&stage.cluster));

fn ready(cluster: &Cluster, node: &str) -> Result<Value, String> {
    let node = cluster.api().get(&format!("/api/v1/nodes/{node}"))?;
    let conditions = node["status"]["conditions"].as_array().ok_or("no conditions yet")?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    ready.cloned().ok_or_else(|| "no condition Ready".to_owned())
}

fn cni_configuration_hidden(cluster: &Cluster) {
    let fault = cluster.node("n2").hide_cni_config();
    until("n2 says that its network is not ready", secs(60), || {
        let ready = ready(cluster, "n2")?;
        let says = ready["message"].as_str().unwrap_or_default();
        holds(ready["status"] == "False" && says.contains("NetworkReady=false"), || {
            ready.to_string()
        })
    });
    fault.heal();
    until("n2 is Ready again", secs(60), || cluster.all_ready());
}

/// How many of `count` echo requests from a node are answered.
fn pings(from: &Node, to: &str, count: usize) -> usize {
    let count = count.to_string();
    let said = from.try_run(&["ping", "-n", "-c", &count, "-i", "0.05", "-W", "1", to]);
    let said = said.unwrap_or_else(|said| said);
    said.lines().filter(|line| line.contains("bytes from")).count()
}

fn node_isolated(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    assert_eq!(pings(n1, &n2.ip, 3), 3);
    let fault = n2.isolate();
    assert_eq!(pings(n1, &n2.ip, 3), 0);
    fault.heal();
    assert_eq!(pings(n1, &n2.ip, 3), 3);
}

fn packets_dropped_between_nodes(cluster: &Cluster) {
    let (n1, n2, n3) = (cluster.node("n1"), cluster.node("n2"), cluster.node("n3"));
    let pods = cluster.pod_cidr("n3").unwrap();
    let fault = n2.drop_to(n3, &pods, 50);
    let answered = pings(n2, &n3.ip, 60);
    assert!((15..=45).contains(&answered), "{answered} of 60 with half of them dropped");
    assert_eq!(pings(n2, &n1.ip, 5), 5);
    assert_eq!(pings(n1, &n3.ip, 5), 5);
    fault.heal();
    assert_eq!(pings(n2, &n3.ip, 10), 10);
}

/// The workload on every node, by node: the pod's uid and address.
fn web(cluster: &Cluster, node: &str) -> (String, String) {
    cluster.apply(&source("tests/cluster/files/web.yaml"));
    cluster.rolled_out("default", "deployments", "web");
    let pods = cluster.pods("default", "app=web").unwrap();
    let pod =
        pods.iter().find(|pod| pod["spec"]["nodeName"] == node).expect("it runs on every node");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&pod["metadata"]["uid"]), text(&pod["status"]["podIP"]))
}

/// Whether the workload's pod of a node can connect to an address.
fn connects(node: &Node, uid: &str, ip: &str, port: &str) -> bool {
    let script = format!("exec 3<>/dev/tcp/{ip}/{port}");
    node.in_pod(uid, &["timeout", "2", "bash", "-c", &script]).is_ok()
}

fn pod_network_broken(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    let (here, _) = web(cluster, "n2");
    let (_, there) = web(cluster, "n1");
    assert!(connects(n2, &here, &there, "8080"), "before the fault");
    let fault = n2.break_pod_network();
    assert!(!connects(n2, &here, &there, "8080"));
    assert_eq!(pings(n2, &n1.ip, 3), 3, "the nodes still reach each other");
    fault.heal();
    assert!(connects(n2, &here, &there, "8080"), "after the fault");
}

fn kube_proxy_stopped_and_flushed(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    let (on_n2, _) = web(cluster, "n2");
    let (on_n1, _) = web(cluster, "n1");
    let alive = |node: &Node| {
        node.try_run(&["timeout", "2", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/10249"]).is_ok()
    };
    let stopped = n2.stop_kube_proxy();
    assert!(!alive(n2));
    assert!(connects(n2, &on_n2, KUBERNETES_IP, "443"), "the rules are still there");
    let flushed = n2.flush_service_rules();
    // Undone, it would start again; here it shall stay stopped for a while.
    n2.kube_proxy.kill();
    assert!(!connects(n2, &on_n2, KUBERNETES_IP, "443"));
    assert!(connects(n1, &on_n1, KUBERNETES_IP, "443"), "the other node's are untouched");
    flushed.heal();
    stopped.heal();
    until("kube-proxy is back with its rules", secs(60), || {
        holds(alive(n2) && connects(n2, &on_n2, KUBERNETES_IP, "443"), || "not yet".into())
    });
}

fn dns_of_a_node_dropped(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    let name = "kubernetes.default.svc.cluster.local";
    let fault = n2.drop_dns();
    assert!(dig(n2, DNS_IP, name).is_err());
    // Every replica, wherever it runs: one on n2 goes on serving the others.
    for replica in cluster.coredns().replicas() {
        assert!(dig(n2, &replica.ip, name).is_err(), "{replica:?}");
        assert_eq!(dig(n1, &replica.ip, name).unwrap(), KUBERNETES_IP, "{replica:?}");
    }
    fault.heal();
    assert_eq!(dig(n2, DNS_IP, name).unwrap(), KUBERNETES_IP);
}

/// How many of `count` questions to one server are answered within a short time.
fn answered(node: &Node, server: &str, count: usize) -> usize {
    let script = format!(
        "for i in $(seq {count}); do dig +short +tries=1 +timeout=1 @{server} kubernetes.default.svc.cluster.local & \
         done | grep -c '^10.96.0.1$'; wait"
    );
    let said = node.try_run(&["bash", "-c", &script]).unwrap_or_default();
    said.trim().parse().unwrap_or(0)
}

fn dns_packets_dropped(cluster: &Cluster) {
    let (dns, n3) = (cluster.coredns(), cluster.node("n3"));
    dns.answers();
    let replicas = dns.replicas();
    let fault = dns.drop_on_replica(&replicas[0], 60);
    let (bad, good) = (answered(n3, &replicas[0].ip, 40), answered(n3, &replicas[1].ip, 40));
    assert!((5..=28).contains(&bad), "{bad} of 40 with 60 % dropped");
    assert_eq!(good, 40);
    fault.heal();
    let fault = dns.drop_udp(30);
    let through = answered(n3, DNS_IP, 80);
    assert!((40..=72).contains(&through), "{through} of 80 with 30 % dropped");
    fault.heal();
    assert_eq!(answered(n3, DNS_IP, 40), 40);
}

fn dns_replica_cut_off_from_the_api(cluster: &Cluster) {
    let (dns, n3) = (cluster.coredns(), cluster.node("n3"));
    dns.answers();
    let replicas = dns.replicas();
    let fault = dns.cut_off_from_api(&replicas[1]);
    let services = "/api/v1/namespaces/default/services";
    let object = json!({"metadata": {"name": "late"}, "spec": {"ports": [{"port": 80}]}});
    let made = cluster.api().create(services, &object);
    let ip = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let name = "late.default.svc.cluster.local";
    until("the other replica knows the Service", secs(10), || {
        holds(dig(n3, &replicas[0].ip, name)? == ip, || "it does not".into())
    });
    assert_eq!(dig(n3, &replicas[1].ip, name).unwrap(), "");
    fault.heal();
    until("the replica catches up", secs(90), || {
        holds(dig(n3, &replicas[1].ip, name)? == ip, || "it does not".into())
    });
    cluster.api().delete(&format!("{services}/late"), true);
}

fn dns_cpu_limited(cluster: &Cluster) {
    let dns = cluster.coredns();
    let quota = || {
        let replica = &dns.replicas()[0];
        let group =
            cluster.node(&replica.node).pod_group("cpu", &replica.uid).expect("the pod runs");
        std::fs::read_to_string(group.join("cpu.cfs_quota_us"))
            .expect("the pod runs")
            .trim()
            .to_owned()
    };
    let fault = dns.limit_cpu("20m");
    assert_eq!(quota(), "2000");
    dns.answers();
    fault.heal();
    assert_eq!(quota(), "-1");
    dns.answers();
}

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

fn api_server_killed(cluster: &Cluster) {
    let fault = cluster.kill_apiserver();
    assert!(cluster.api().ready().is_err());
    fault.heal();
    cluster.api().ready().unwrap();
    until("every node is Ready", secs(60), || cluster.all_ready());
}

fn kind_forbidden(cluster: &Cluster) {
    for file in ["00-namespace.yaml", "20-cluster.yaml"] {
        cluster.apply(&source("deploy/manifests").join(file));
    }
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

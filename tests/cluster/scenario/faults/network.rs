//! Faults of the ways between nodes and pods.

use super::{all_answered, connects, pings, web, whole};
use crate::cluster::Cluster;
use crate::fault::dig;
use crate::node::Node;
use crate::plan::INTERNET_IP;
use crate::scenario::{Scenario, any};

pub(in crate::scenario) const ALL: &[Scenario] = &[
    any("fault_node_isolated", |stage| node_isolated(&stage.cluster)),
    any("fault_packets_dropped_between_nodes", |stage| {
        packets_dropped_between_nodes(&stage.cluster)
    }),
    any("fault_packets_dropped_in_one_direction", |stage| {
        packets_dropped_in_one_direction(&stage.cluster)
    }),
    any("fault_pod_network_broken", |stage| pod_network_broken(&stage.cluster)),
    any("fault_mtu_changed", |stage| mtu_changed(&stage.cluster)),
    any("fault_too_big_is_not_said", |stage| too_big_is_not_said(&stage.cluster)),
    any("fault_default_route_removed", |stage| default_route_removed(&stage.cluster)),
    any("fault_route_added", |stage| route_added(&stage.cluster)),
];

/// A node is unplugged.
fn node_isolated(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    assert_eq!(pings(n1, &n2.ip, 3), 3);
    let fault = n2.isolate();
    assert_eq!(pings(n1, &n2.ip, 3), 0);
    fault.heal();
    assert_eq!(pings(n1, &n2.ip, 3), 3);
}

/// Half of what a node sends to another one is dropped.
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

/// Pods reach no pods of other nodes, while nodes reach nodes.
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

/// What one node gets from another is dropped, and what it sends there arrives.
fn packets_dropped_in_one_direction(cluster: &Cluster) {
    let (n1, n2, n3) = (cluster.node("n1"), cluster.node("n2"), cluster.node("n3"));
    // The echo requests that the node's own kernel has taken in.
    let heard = |node: &Node| -> u64 {
        let said = node.run(&["nstat", "-asz", "IcmpInEchos"]);
        let count = said.lines().find_map(|line| line.strip_prefix("IcmpInEchos"));
        count.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).expect("nstat says it")
    };
    // The packets of the other node that came as far as the node's first rules.
    let dropped = || -> u64 {
        let said = n2.run(&["iptables", "-w", "-nvxL", "INPUT"]);
        let rule = said.lines().find(|line| line.contains("DROP") && line.contains(&n3.ip));
        rule.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .expect("the rule is there")
    };
    let pods = cluster.pod_cidr("n3").unwrap();
    let fault = n2.drop_from(n3, &pods, 100);
    // Agents may ping as well.
    let before = heard(n3);
    assert_eq!(pings(n2, &n3.ip, 3), 0);
    assert!(heard(n3) >= before + 3, "the requests arrive, the answers do not");
    let before = dropped();
    assert_eq!(pings(n3, &n2.ip, 3), 0);
    assert!(dropped() >= before + 3, "the requests do not get in");
    assert_eq!(pings(n2, &n1.ip, 3), 3);
    fault.heal();
    assert_eq!(pings(n3, &n2.ip, 3), 3);
}

/// A node's way has a smaller MTU: it says so, and what comes from others vanishes before it.
fn mtu_changed(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    let ((on_n1, ip_n1), (on_n2, ip_n2)) = (web(cluster, "n1"), web(cluster, "n2"));
    let fault = n2.set_mtu(1400);
    assert!(all_answered(&whole(n2, &on_n2, &ip_n1, 1400)));
    let said = whole(n2, &on_n2, &ip_n1, 1500);
    assert!(said.contains("mtu = 1400"), "{said}");
    assert!(all_answered(&whole(n1, &on_n1, &ip_n2, 1400)));
    let said = whole(n1, &on_n1, &ip_n2, 1500);
    assert!(said.contains(" 0 received") && !said.contains("mtu"), "{said}");
    fault.heal();
    assert!(all_answered(&whole(n2, &on_n2, &ip_n1, 1500)));
    assert!(all_answered(&whole(n1, &on_n1, &ip_n2, 1500)));
}

/// Nobody says that a packet was too big: big ones vanish, small ones pass.
fn too_big_is_not_said(cluster: &Cluster) {
    let n2 = cluster.node("n2");
    let ((_, there), (here, _)) = (web(cluster, "n1"), web(cluster, "n2"));
    let silent = n2.blackhole_icmp_too_big();
    let smaller = n2.set_mtu(1400);
    let said = whole(n2, &here, &there, 1500);
    assert!(said.contains(" 0 received") && !said.contains("mtu"), "{said}");
    assert!(all_answered(&whole(n2, &here, &there, 1400)));
    silent.heal();
    let said = whole(n2, &here, &there, 1500);
    assert!(said.contains("mtu = 1400"), "{said}");
    smaller.heal();
    assert!(all_answered(&whole(n2, &here, &there, 1500)));
}

/// A node has no default route: it reaches its neighbours, and nothing beyond.
fn default_route_removed(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    let ((_, there), (here, _)) = (web(cluster, "n1"), web(cluster, "n2"));
    let beyond = |node: &Node| dig(node, INTERNET_IP, "example.com").ok();
    assert_eq!(beyond(n2).as_deref(), Some("192.0.2.80"));
    let fault = n2.remove_default_route();
    let said = n2.try_run(&["ip", "route", "get", INTERNET_IP]).unwrap_err();
    assert!(said.contains("unreachable"), "{said}");
    assert_eq!(beyond(n2), None);
    assert!(beyond(n1).is_some(), "the other node's is there");
    assert!(connects(n2, &here, &there, "8080"), "pods still reach pods");
    fault.heal();
    assert_eq!(beyond(n2).as_deref(), Some("192.0.2.80"));
}

/// A node has one route too many: some pods are elsewhere for it.
fn route_added(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    let (_, there) = web(cluster, "n1");
    let route = format!("{there}/32 via 10.99.0.250");
    assert_eq!(pings(n2, &there, 3), 3);
    let fault = n2.add_route(&route);
    let said = n2.run(&["ip", "route", "get", &there]);
    assert!(said.contains("via 10.99.0.250"), "{said}");
    assert_eq!(pings(n2, &there, 3), 0);
    assert_eq!(pings(n1, &there, 3), 3);
    fault.heal();
    assert_eq!(pings(n2, &there, 3), 3);
}

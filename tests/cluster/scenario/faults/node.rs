//! Faults of what runs on a node.

use std::fs;

use super::{Sleeper, connects, ready, web};
use crate::cluster::Cluster;
use crate::node::Node;
use crate::plan::{DNS_IP, KUBERNETES_IP};
use crate::scenario::{Scenario, any};
use crate::wait::{holds, secs, until};

pub(in crate::scenario) const ALL: &[Scenario] = &[
    any("fault_cni_configuration_hidden", |stage| cni_configuration_hidden(&stage.cluster)),
    any("fault_cni_configuration_added", |stage| cni_configuration_added(&stage.cluster)),
    any("fault_cni_binary_removed", |stage| cni_binary_removed(&stage.cluster)),
    any("fault_kubelet_with_another_dns", |stage| kubelet_with_another_dns(&stage.cluster)),
    any("fault_conntrack_full", |stage| conntrack_full(&stage.cluster)),
    any("fault_kube_proxy_stopped_and_flushed", |stage| {
        kube_proxy_stopped_and_flushed(&stage.cluster)
    }),
];

/// The CNI configuration is hidden: the node says that it has no network.
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

/// kube-proxy stands, then its rules are gone.
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

/// A CNI plugin is gone from one node: its new pods get no sandbox, and others do.
fn cni_binary_removed(cluster: &Cluster) {
    let fault = cluster.node("n2").remove_cni_binary("bridge");
    let (here, there) =
        (Sleeper::on(cluster, "n2", "without-plugin"), Sleeper::on(cluster, "n3", "with-plugin"));
    here.says("failed to find plugin \"bridge\" in path [/usr/lib/cni]");
    there.runs();
    assert!(fs::exists("/usr/lib/cni/bridge").unwrap(), "the machine's is untouched");
    fault.heal();
    here.runs();
}

/// A second CNI configuration comes first: a new pod has an address of the other network.
fn cni_configuration_added(cluster: &Cluster) {
    let n2 = cluster.node("n2");
    let fault = n2.second_cni_config("10.250.0.0/24");
    let stray = until("new pods are in the other network", secs(60), || {
        let pod = Sleeper::on(cluster, "n2", "stray");
        let ip = pod.runs();
        holds(ip.starts_with("10.250.0."), || ip.clone()).map(|()| pod)
    });
    drop(stray);
    fault.heal();
    let cidr = cluster.pod_cidr("n2").unwrap();
    let range = cidr.rsplit_once('.').unwrap().0;
    until("new pods are in the cluster's network", secs(60), || {
        let ip = Sleeper::on(cluster, "n2", "back").runs();
        holds(ip.starts_with(range), || ip.clone())
    });
    assert!(n2.try_run(&["ip", "link", "show", "second0"]).is_err(), "its bridge is left");
}

/// The kubelet is told another DNS server: new pods have it, and others do not.
fn kubelet_with_another_dns(cluster: &Cluster) {
    let nameserver = |node, name| {
        let pod = Sleeper::on(cluster, node, name);
        pod.runs();
        let said = cluster.kubectl(&["exec", name, "--", "cat", "/etc/resolv.conf"]);
        let line = said.lines().find_map(|line| line.strip_prefix("nameserver "));
        line.unwrap_or_default().trim().to_owned()
    };
    let fault = cluster.node("n2").restart_kubelet("10.96.0.99");
    assert_eq!(nameserver("n2", "asks-another"), "10.96.0.99");
    assert_eq!(nameserver("n3", "asks-as-ever"), DNS_IP);
    fault.heal();
    assert_eq!(nameserver("n2", "asks-again"), DNS_IP);
    until("n2 is Ready again", secs(60), || cluster.all_ready());
}

/// A node's table of connections is full: what would begin one is dropped, there only.
fn conntrack_full(cluster: &Cluster) {
    let (n1, n2) = (cluster.node("n1"), cluster.node("n2"));
    let (on_n2, _) = web(cluster, "n2");
    let (on_n1, _) = web(cluster, "n1");
    let count = || -> usize {
        let said = n2.run(&["cat", "/proc/sys/net/netfilter/nf_conntrack_count"]);
        said.trim().parse().unwrap()
    };
    let begun = |node: &Node, uid: &str| {
        (0..3).filter(|_| connects(node, uid, KUBERNETES_IP, "443")).count()
    };
    // What the kernel of the node has dropped, or thrown out, because the table was full.
    let dropped = || -> u64 {
        let said = n2.run(&["conntrack", "-S"]);
        let counts = said.split_whitespace().filter_map(|word| word.split_once('='));
        let full = counts.filter(|(name, _)| ["drop", "early_drop"].contains(name));
        full.filter_map(|(_, count)| count.parse::<u64>().ok()).sum()
    };
    let limit = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    assert!(count() < limit / 2, "{} before the fault", count());
    let fault = n2.fill_conntrack();
    assert!(count() >= limit - limit / 100, "{} of {limit}", count());
    // Where agents probe, one of their connections ends now and then, and others find its place, until it is taken.
    let before = dropped();
    until("something is dropped for want of room", secs(30), || {
        let found = begun(n2, &on_n2);
        holds(dropped() > before, || format!("{found} of 3 found room"))
    });
    assert_eq!(begun(n1, &on_n1), 3);
    fault.heal();
    assert!(count() < limit / 2, "{} after the fault", count());
    assert_eq!(begun(n2, &on_n2), 3);
    let after = dropped();
    assert_eq!(begun(n2, &on_n2), 3);
    assert_eq!(dropped(), after, "there is room again");
}

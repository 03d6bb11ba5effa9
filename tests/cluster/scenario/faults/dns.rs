//! Faults of the cluster's DNS.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::cluster::Cluster;
use crate::fault::dig;
use crate::node::Node;
use crate::plan::{DNS_IP, KUBERNETES_IP};
use crate::scenario::{Scenario, any};
use crate::wait::{holds, secs, until};

pub(in crate::scenario) const ALL: &[Scenario] = &[
    any("fault_dns_of_a_node_dropped", |stage| dns_of_a_node_dropped(&stage.cluster)),
    any("fault_dns_packets_dropped", |stage| dns_packets_dropped(&stage.cluster)),
    any("fault_dns_replica_cut_off_from_the_api", |stage| {
        dns_replica_cut_off_from_the_api(&stage.cluster)
    }),
    any("fault_dns_cpu_limited", |stage| dns_cpu_limited(&stage.cluster)),
    any("fault_dns_cpu_limited_beside_sidecar", |stage| {
        dns_cpu_limited_beside_sidecar(&stage.cluster)
    }),
    any("fault_dns_hides_empty_services", |stage| dns_hides_empty_services(&stage.cluster)),
    any("fault_dns_scaled_to_zero", |stage| dns_scaled_to_zero(&stage.cluster)),
    any("fault_dns_with_another_corefile", |stage| dns_with_another_corefile(&stage.cluster)),
    any("fault_dns_says_servfail", |stage| dns_says_servfail(&stage.cluster)),
];

/// What a node asks is dropped, what others ask of it is not.
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

/// Packets to one replica are dropped, then to all.
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

/// A replica goes on with what it knew.
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
    // A question that came too early is answered from the cache for half a minute.
    until("the other replica knows the Service", secs(60), || {
        holds(dig(n3, &replicas[0].ip, name)? == ip, || "it does not".into())
    });
    assert_eq!(dig(n3, &replicas[1].ip, name).unwrap(), "");
    fault.heal();
    until("the replica catches up", secs(90), || {
        holds(dig(n3, &replicas[1].ip, name)? == ip, || "it does not".into())
    });
    cluster.api().delete(&format!("{services}/late"), true);
}

/// Replicas have less CPU.
fn dns_cpu_limited(cluster: &Cluster) {
    let dns = cluster.coredns();
    let quota = || {
        let replica = &dns.replicas()[0];
        let group =
            cluster.node(&replica.node).pod_group("cpu", &replica.uid).expect("the pod runs");
        fs::read_to_string(group.join("cpu.cfs_quota_us")).expect("the pod runs").trim().to_owned()
    };
    let fault = dns.limit_cpu("20m");
    assert_eq!(quota(), "2000");
    dns.answers();
    fault.heal();
    assert_eq!(quota(), "-1");
    dns.answers();
}

/// No replica is left: the Service has no endpoint, and nobody answers.
fn dns_scaled_to_zero(cluster: &Cluster) {
    let (dns, n3) = (cluster.coredns(), cluster.node("n3"));
    let name = "kubernetes.default.svc.cluster.local";
    let endpoints = || -> Result<usize, String> {
        let slices = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices\
                      ?labelSelector=kubernetes.io%2Fservice-name%3Dkube-dns";
        let slices = cluster.api().list(slices)?;
        Ok(slices.iter().filter_map(|slice| slice["endpoints"].as_array()).map(Vec::len).sum())
    };
    let fault = dns.scale(0);
    until("the Service has no endpoint", secs(30), || {
        let count = endpoints()?;
        holds(count == 0, || format!("{count}"))
    });
    assert!(dig(n3, DNS_IP, name).is_err());
    fault.heal();
    assert_eq!(dns.replicas().len(), 2);
    until("the Service answers", secs(30), || {
        holds(dig(n3, DNS_IP, name)? == KUBERNETES_IP, || "it does not".into())
    });
}

/// Another Corefile: a name is known that was not, and then no more.
fn dns_with_another_corefile(cluster: &Cluster) {
    let (dns, n3) = (cluster.coredns(), cluster.node("n3"));
    let says = |what: &str| {
        for replica in dns.replicas() {
            assert_eq!(dig(n3, &replica.ip, "lab.example").unwrap(), what, "{replica:?}");
        }
    };
    dns.answers();
    says("");
    let fault = dns.corefile(
        ".:53 {\n    ready\n    health\n    hosts {\n        192.0.2.7 lab.example\n    }\n}\n",
    );
    says("192.0.2.7");
    fault.heal();
    dns.answers();
    says("");
}

/// Each replica says SERVFAIL to some.
fn dns_says_servfail(cluster: &Cluster) {
    let (dns, n3) = (cluster.coredns(), cluster.node("n3"));
    let failed = |server: &str| -> usize {
        let script = format!(
            "for i in $(seq 50); do dig +tries=1 +timeout=2 @{server} kubernetes.default.svc.cluster.local; done \
             | grep -c 'status: SERVFAIL'"
        );
        let said = n3.try_run(&["bash", "-c", &script]).unwrap_or_else(|_| "0".into());
        said.trim().parse().unwrap_or(0)
    };
    let fault = dns.servfail(30);
    for replica in dns.replicas() {
        let count = failed(&replica.ip);
        assert!((5..=27).contains(&count), "{count} of 50 at {replica:?}");
    }
    fault.heal();
    dns.answers();
    for replica in dns.replicas() {
        assert_eq!(failed(&replica.ip), 0, "{replica:?}");
    }
}

/// Beside a container without a limit the pod's group has no quota; that of CoreDNS has.
fn dns_cpu_limited_beside_sidecar(cluster: &Cluster) {
    let dns = cluster.coredns();
    let fault = dns.limit_cpu_beside_sidecar("20m");
    for replica in dns.replicas() {
        let group = cluster.node(&replica.node).pod_group("cpu", &replica.uid);
        let group = group.expect("the pod runs");
        let quota = |group: &Path| {
            let text = fs::read_to_string(group.join("cpu.cfs_quota_us")).expect("the pod runs");
            text.trim().to_owned()
        };
        let entries = fs::read_dir(&group).expect("the pod runs").flatten().map(|it| it.path());
        let containers: Vec<String> =
            entries.filter(|path| path.is_dir()).map(|path| quota(&path)).collect();
        assert_eq!(quota(&group), "-1", "{replica:?}");
        assert!(containers.contains(&"2000".to_owned()), "{replica:?}: {containers:?}");
    }
    dns.answers();
    fault.heal();
    dns.answers();
}

/// A Service that selects no pod has no address in DNS while it hides such, and has it again.
fn dns_hides_empty_services(cluster: &Cluster) {
    let (dns, n3) = (cluster.coredns(), cluster.node("n3"));
    let services = "/api/v1/namespaces/default/services";
    let spec = json!({"selector": {"app": "nobody"}, "ports": [{"port": 80}]});
    let made =
        cluster.api().create(services, &json!({"metadata": {"name": "empty"}, "spec": spec}));
    let ip = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let says = |what: &str| {
        until("every replica says it", secs(60), || {
            dns.replicas().iter().try_for_each(|replica| {
                let said = dig(n3, &replica.ip, "empty.default.svc.cluster.local")?;
                holds(said == what, || format!("{}: {said:?}", replica.pod))
            })
        });
    };
    says(&ip);
    let fault = dns.ignore_empty_services();
    dns.answers();
    says("");
    fault.heal();
    says(&ip);
    cluster.api().delete(&format!("{services}/empty"), true);
}

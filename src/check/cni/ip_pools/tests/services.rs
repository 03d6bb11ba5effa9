//! Services: their addresses and ports, and the ranges that nodes get.

use super::*;
use crate::model::{ControlPlane, ServiceCidrCondition, ServiceCidrSpec, ServiceCidrStatus};

/// So many Services, beginning with a number of 10.96.0.0.
fn services(facts: Cluster, first: u32, many: u32) -> Cluster {
    (first..first + many).fold(facts, |facts, number| {
        let [.., third, fourth] = number.to_be_bytes();
        let addresses = vec![IpAddr::from([10, 96, third, fourth])];
        let fact = Service { addresses, ..Service::default() };
        facts.with(Event::Put(Key::new("shop", format!("s{number}")), fact))
    })
}

fn cidr(facts: Cluster, name: &str, ranges: &[&str], ready: &str) -> Cluster {
    let cidrs = Some(ranges.iter().map(|range| range.parse().unwrap()).collect());
    let ready = ServiceCidrCondition { r#type: Some("Ready".into()), status: Some(ready.into()) };
    let fact = ServiceCidr {
        spec: Some(ServiceCidrSpec { cidrs }),
        status: Some(ServiceCidrStatus { conditions: Some(vec![ready]) }),
    };
    facts.with(Event::Put(Key::new("", name), fact)).with(Event::Done::<ServiceCidr>)
}

/// A cluster that has ServiceCIDRs.
fn modern(ranges: &[&str]) -> Cluster {
    cidr(cluster().with(Event::Begin::<ServiceCidr>), "kubernetes", ranges, "True")
}

fn flags(facts: Cluster, component: &str, told: ControlPlane) -> Cluster {
    facts.pod_with(&format!("kube-system/{component}-1"), |pod| {
        pod.host_network = true;
        pod.control_plane = Some(Box::new(told));
    })
}

fn api_server(range: &str) -> ControlPlane {
    let services = vec![range.parse().unwrap()];
    ControlPlane { services, node_ports: Some(30000..=32767), ..ControlPlane::default() }
}

/// What is told of pools of an IPAM: their labels, and the value of one family.
fn told(facts: &Cluster, family: &str, ipam: &str) -> Vec<String> {
    let head = format!("netvitals_ip_pool_{family}{{{ipam},");
    let samples = answer(&CHECK, facts).samples.into_iter();
    samples.filter_map(|it| it.strip_prefix(&head).map(ToOwned::to_owned)).collect()
}

#[test]
fn ranges_of_services_are_told_before_they_are_full_and_once_they_are() {
    let legacy = |range: &str| flags(cluster(), "kube-apiserver", api_server(range));
    for (of, facts, many, found) in [
        ("32 addresses, as they were once given", modern(&["10.96.0.0/27"]), 25, &[][..]),
        (
            "the same, nearly full",
            modern(&["10.96.0.0/27"]),
            26,
            &["ip_pools.services_filling ServiceCIDR kubernetes: 26 of 30 addresses of \
               10.96.0.0/27 are used, of which the lowest 16 are handed out last: look at which are \
               no longer needed"],
        ),
        (
            "the same, full",
            modern(&["10.96.0.0/27"]),
            30,
            &[
                "ip_pools.full ServiceCIDR kubernetes: 30 of 30 addresses of 10.96.0.0/27 are used: \
               look at which Services are no longer needed",
            ],
        ),
        (
            "an older cluster of which the flags are seen, after an operator made many",
            legacy("10.96.0.0/24"),
            254,
            &["ip_pools.full Pod kube-system/kube-apiserver-1: 254 of 254 addresses of \
               10.96.0.0/24 are used: look at which Services are no longer needed"],
        ),
        ("a managed one that shows neither", cluster(), 250, &[]),
    ] {
        assert_eq!(answer(&CHECK, &services(facts, 1, many)).findings, found, "{of}");
    }
    let managed = services(cluster(), 1, 250);
    assert_eq!(told(&managed, "used", "services"), ["all,shared,,IPv4} 250"]);
    assert_eq!(told(&managed, "addresses", "services"), [""; 0]);
}

#[test]
fn ranges_that_stand_in_for_each_other_are_judged_together() {
    let both = cidr(modern(&["10.96.0.0/27"]), "second", &["10.97.0.0/24"], "True");
    let full = services(both, 1, 30);
    assert_eq!(answer(&CHECK, &full).findings, [""; 0]);
    assert_eq!(
        told(&full, "utilisation_ratio", "services"),
        [
            "10.96.0.0/27,shared,,IPv4} 1".to_owned(),
            "10.97.0.0/24,shared,,IPv4} 0".to_owned(),
            format!("all,cluster,,IPv4}} {}", 30.0 / 284.0),
        ]
    );
    // One that is being taken away gives nothing any more, and one within another nothing more.
    let leaving = cidr(modern(&["10.96.0.0/27"]), "second", &["10.97.0.0/24"], "False");
    assert_eq!(answer(&CHECK, &services(leaving, 1, 30)).findings.len(), 1);
    let within = cidr(modern(&["10.96.0.0/27"]), "second", &["10.96.0.0/28"], "True");
    assert_eq!(told(&within, "addresses", "services"), ["10.96.0.0/27,cluster,,IPv4} 30"]);
}

#[test]
fn families_are_never_summed() {
    let facts = services(modern(&["10.96.0.0/27", "fd00:96::/112"]), 1, 3);
    let six = vec!["10.96.0.3".parse().unwrap(), "fd00:96::3".parse().unwrap()];
    let fact = Service { addresses: six, ..Service::default() };
    // Two with one address, as a bug of an allocator made them, have one.
    let facts = facts.with(Event::Put(Key::new("shop", "both"), fact));
    assert_eq!(
        told(&facts, "used", "services"),
        ["10.96.0.0/27,cluster,,IPv4} 3", "fd00:96::/112,cluster,,IPv6} 1"]
    );
    assert_eq!(
        told(&facts, "addresses", "services"),
        ["10.96.0.0/27,cluster,,IPv4} 30", "fd00:96::/112,cluster,,IPv6} 65535"]
    );
}

#[test]
fn ranges_that_cannot_be_seen_are_unknown_and_not_what_flags_say() {
    let facts = flags(cluster(), "kube-apiserver", api_server("10.96.0.0/27"));
    let facts = services(small(pod(facts, 5, |_| {}), "n1", 1), 1, 30);
    let forbidden = Event::<ServiceCidr>::Unavailable(Unknown::Forbidden("ServiceCIDR"));
    let barred = facts.with(Event::<ServiceCidr>::Begin).with(forbidden);
    let answer = answer(&CHECK, &barred);
    let why = Unanswered::from(Unknown::Forbidden("ServiceCIDR"));
    assert_eq!(answer.gaps, [("servicecidrs", why), ("services", why)]);
    assert_eq!(answer.findings, [""; 0]);
}

#[test]
fn ports_of_nodes_are_counted_against_their_range_where_an_api_server_tells_it() {
    let with_ports = |facts: Cluster, many: u16| {
        let node_ports = (30000..30000 + many).chain([30000]).collect();
        let fact = Service { node_ports, ..Service::default() };
        facts.with(Event::Put(Key::new("shop", "many"), fact))
    };
    let seen = || flags(cluster(), "kube-apiserver", api_server("10.96.0.0/12"));
    let some = with_ports(seen(), 7);
    assert_eq!(told(&some, "used", "node-ports"), ["30000-32767,cluster,,} 7"]);
    assert_eq!(told(&some, "addresses", "node-ports"), ["30000-32767,cluster,,} 2768"]);
    let full = answer(&CHECK, &with_ports(seen(), 2768)).findings;
    assert_eq!(
        full,
        [
            "ip_pools.full Pod kube-system/kube-apiserver-1: 2,768 of 2,768 ports of 30000-32767 are \
          used: look at which Services are no longer needed"
        ]
    );
    let hidden = with_ports(cluster(), 2768);
    assert_eq!(answer(&CHECK, &hidden).findings, [""; 0]);
    assert_eq!(told(&hidden, "used", "node-ports"), ["all,shared,,} 2768"]);
    assert_eq!(told(&hidden, "addresses", "node-ports"), [""; 0]);
}

#[test]
fn where_of_pods_nothing_is_known_that_is_what_is_said_and_nobody_is_told_to_wait() {
    let facts = pod(services(modern(&["10.96.0.0/16"]), 1, 12), 99, waits);
    let mut out = Output::default();
    assert_eq!(CHECK.ask(&facts, &mut out), Ok(()));
    assert_eq!(
        out.statement,
        "of pods no pool is known; 12 of 65,534 addresses used on 10.96.0.0/16"
    );
    assert!(out.findings.is_empty());
}

/// A controller manager that gives nodes ranges.
fn manager(facts: Cluster, pods: &str, services: &str) -> Cluster {
    let [pods, services] = [pods, services].map(|it| vec![it.parse().unwrap()]);
    let told = ControlPlane { pods, services, node_ports: None };
    flags(facts, "kube-controller-manager", told)
}

#[test]
fn how_many_more_nodes_get_a_range_is_told_where_pods_have_addresses_of_it() {
    let nodes = |many: u8| {
        let range = |facts: Cluster, number: u8| {
            facts.node_with(&format!("n{number}"), |node| {
                node.pod_cidrs = vec![format!("10.244.{number}.0/24").parse().unwrap()];
            })
        };
        (1..=many).fold(pod(cluster(), 5, |_| {}), range)
    };
    let used = manager(nodes(3), "10.244.0.0/16", "10.96.0.0/12");
    assert_eq!(told(&used, "used", "host-local")[0], "10.244.0.0/16,shared,,IPv4} 3");
    assert_eq!(told(&used, "addresses", "host-local")[0], "10.244.0.0/16,shared,,IPv4} 256");
    // One range for one node, as a cluster was planned that never got a second.
    let one = manager(nodes(1), "10.244.1.0/24", "10.96.0.0/12");
    assert_eq!(
        answer(&CHECK, &one).findings,
        ["ip_pools.no_more_nodes Pod kube-system/kube-controller-manager-1: 1 of 1 ranges for \
          nodes of 10.244.1.0/24 are given away, and the next node gets none: look at \
          --cluster-cidr and --node-cidr-mask-size"]
    );
    // Of what is Services' nodes get nothing.
    let shared = manager(nodes(3), "10.244.0.0/16", "10.244.128.0/17");
    assert_eq!(told(&shared, "reserved", "host-local")[0], "10.244.0.0/16,shared,,IPv4} 128");
    // With Calico or Cilium the controller manager runs out and nobody misses it.
    let ignored = with_cni(nodes(1), ("k8s-app", "calico-node"));
    let ignored = manager(ignored, "10.244.1.0/24", "10.96.0.0/12");
    assert_eq!(answer(&CHECK, &ignored).findings, [""; 0]);
    // Ranges of several sizes: what is left cannot be told.
    let sizes = nodes(3).node_with("n3", |node| {
        node.pod_cidrs = vec!["10.244.3.0/25".parse().unwrap()];
    });
    let sizes = manager(sizes, "10.244.0.0/16", "10.96.0.0/12");
    assert!(told(&sizes, "used", "host-local").iter().all(|it| !it.contains("/16,")));
}

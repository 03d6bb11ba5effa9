//! Cilium's own IPAM.

use super::*;
use crate::model::{CiliumConfig, CiliumNode, ConfigMap, Handed};

type Texts = &'static [(&'static str, &'static str)];

/// A cluster in which Cilium runs on n1, and is told this.
fn told_so(facts: Cluster, texts: Texts) -> Cluster {
    let texts = texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
    let config: CiliumConfig = ConfigMap::new(texts);
    with_cni(facts, ("k8s-app", "cilium"))
        .with(Event::Put(Key::new("kube-system", "cilium-config"), config))
        .with(Event::Begin::<CiliumNode>)
        .with(Event::Done::<CiliumNode>)
}

fn has(facts: Cluster, node: &str, change: impl FnOnce(&mut CiliumNode)) -> Cluster {
    let mut of = CiliumNode::default();
    change(&mut of);
    facts.with(Event::Put(Key::new("", node), of))
}

fn ranges(facts: Cluster, node: &str, ranges: &[&str]) -> Cluster {
    let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
    has(facts, node, |of| of.ranges = ranges)
}

fn node(facts: Cluster, name: &str) -> Cluster {
    facts.node_with(name, |node| node.max_pods = Some(10))
}

/// So many pods on n1 with addresses of 10.1.0.0, from .2 on.
fn pods(facts: Cluster, many: u8) -> Cluster {
    (2..many + 2).fold(facts, |facts, number| {
        pod(facts, number, |pod| {
            pod.addresses = [IpAddr::from([10, 1, 0, number])].into_iter().collect();
        })
    })
}

fn told(facts: &Cluster, family: &str, ipam: &str) -> Vec<String> {
    let head = format!("netvitals_ip_pool_{family}{{{ipam},");
    let samples = answer(&CHECK, facts).samples.into_iter();
    samples.filter_map(|it| it.strip_prefix(&head).map(ToOwned::to_owned)).collect()
}

const CLUSTER_POOL: Texts = &[
    ("ipam", "cluster-pool"),
    ("cluster-pool-ipv4-cidr", "10.1.0.0/24"),
    ("cluster-pool-ipv4-mask-size", "28"),
];

/// Node n1 with a range of 12 addresses for pods, of which so many have one.
fn pooled(many: u8) -> Cluster {
    let facts = told_so(node(cluster(), "n1"), CLUSTER_POOL);
    pods(ranges(facts, "n1", &["10.1.0.0/28"]), many)
}

#[test]
fn the_pods_of_a_node_use_what_its_cilium_node_has() {
    let facts = pooled(4);
    assert_eq!(told(&facts, "used", "cilium")[1..], ["10.1.0.0/28,node,n1,IPv4} 4"]);
    assert_eq!(told(&facts, "addresses", "cilium")[1..], ["10.1.0.0/28,node,n1,IPv4} 12"]);
    assert_eq!(told(&facts, "used", "cilium")[0], "10.1.0.0/24,shared,,IPv4} 1");
    assert_eq!(told(&facts, "addresses", "cilium")[0], "10.1.0.0/24,shared,,IPv4} 16");
    let mut out = Output::default();
    assert_eq!(CHECK.ask(&facts, &mut out), Ok(()));
    assert_eq!(out.statement, "4 of 12 addresses used on n1, the fullest node");
    // Families are never summed.
    let both = ranges(pooled(4), "n1", &["10.1.0.0/28", "fd00:1::/112"]);
    assert_eq!(
        told(&both, "addresses", "cilium")[1..],
        ["10.1.0.0/28,node,n1,IPv4} 12", "fd00:1::/112,node,n1,IPv6} 65532"]
    );
}

#[test]
fn ranges_of_nodes_are_not_judged_where_ciliums_own_ipam_gives_the_addresses() {
    // Both hand out 10.1.0.0/24, and a node got the same part of it by chance.
    let by_chance = small(pooled(4), "n1", 1).node_with("n1", |node| {
        node.pod_cidrs = vec!["10.1.0.0/28".parse().unwrap()];
    });
    assert_eq!(told(&by_chance, "used", "host-local"), [""; 0]);
    assert_eq!(told(&by_chance, "used", "cilium").len(), 2);
    // Where it is told to take them, it is as without any CiliumNode.
    let plain = || with_cni(used(4), ("k8s-app", "cilium"));
    let told_to = ranges(told_so(used(4), &[("ipam", "kubernetes")]), "n1", &["10.244.1.0/28"]);
    let refused = has(told_to, "n1", |it| it.is_refused = true);
    assert_eq!(answer(&CHECK, &refused).samples, answer(&CHECK, &plain()).samples);
    assert_eq!(answer(&CHECK, &refused).findings, [""; 0]);
}

#[test]
fn shapes_of_clusters_with_ciliums_own_ipam_as_they_are_found() {
    let third = |change: fn(&mut CiliumNode)| {
        let facts = told_so(
            ["n1", "n2", "n3"].into_iter().fold(cluster(), node),
            &[("cluster-pool-ipv4-cidr", "10.1.0.0/27"), ("cluster-pool-ipv4-mask-size", "28")],
        );
        let facts = ranges(ranges(facts, "n1", &["10.1.0.0/28"]), "n2", &["10.1.0.16/28"]);
        has(pods(facts, 2), "n3", change)
    };
    let waiting_on = |facts: Cluster, node: &'static str| {
        pod(facts, 99, |pod| {
            waits(pod);
            pod.node = Some(node.into());
        })
    };
    let eni = |all, used| {
        let facts = told_so(node(cluster(), "n1"), &[("ipam", "eni")]);
        let facts = facts.node_with("n1", |node| node.max_pods = Some(58));
        has(facts, "n1", |it| it.v4 = Handed { all, used })
    };
    let pools = |of: &'static [(&'static str, &'static str)]| {
        let facts = told_so(node(cluster(), "n1"), &[("ipam", "multi-pool")]);
        has(facts, "n1", |it| {
            it.pools = of
                .iter()
                .map(|(name, it)| ((*name).into(), [it.parse().unwrap()].into()))
                .collect();
        })
    };
    for (of, facts, found) in [
        ("a full node, and nobody waits", pooled(12), &[] as &[&str]),
        (
            "the same, and a pod waits",
            waiting_on(pooled(12), "n1"),
            &["ip_pools.exhausted Node n1"],
        ),
        (
            "one that waits while addresses are left",
            waiting_on(pooled(9), "n1"),
            &["ip_pools.waiting Pod shop/cart-99"],
        ),
        (
            "two ranges for three nodes: the operator says that its allocator is full",
            third(|it| it.is_refused = true),
            &[
                "ip_pools.cilium_full ConfigMap kube-system/cilium-config",
                "ip_pools.no_range Node n3",
            ],
        ),
        (
            "two ranges for two nodes, as it was planned",
            third(|_| {}),
            &["ip_pools.cilium_full ConfigMap kube-system/cilium-config"],
        ),
        (
            "a node that waits for its range while the operator is away",
            waiting_on(third(|_| {}), "n3"),
            &[
                "ip_pools.cilium_full ConfigMap kube-system/cilium-config",
                "ip_pools.exhausted Node n3",
            ],
        ),
        (
            "a new node, before the operator has seen it",
            waiting_on(third(|it| it.is_refused = true), "n3")
                .node_with("n3", |node| node.created = Some(std::time::Duration::ZERO)),
            &["ip_pools.cilium_full ConfigMap kube-system/cilium-config"],
        ),
        ("EKS with addresses to spare, fewer than the node takes pods", eni(16, 9), &[]),
        ("a full one, before the operator attaches more", eni(16, 16), &[]),
        ("the same for good", waiting_on(eni(16, 16), "n1"), &["ip_pools.exhausted Node n1"]),
        (
            "a subnet without any address",
            has(eni(0, 0), "n1", |it| it.is_refused = true),
            &["ip_pools.no_range Node n1"],
        ),
        (
            "several pools, of which one is full on purpose",
            waiting_on(
                pods(pools(&[("default", "10.1.0.0/28"), ("mars", "10.1.0.99/32")]), 3),
                "n1",
            ),
            &["ip_pools.waiting Pod shop/cart-99"],
        ),
        (
            "the only pool is empty",
            waiting_on(pods(pools(&[("default", "10.1.0.0/28")]), 12), "n1"),
            &["ip_pools.exhausted Node n1"],
        ),
        (
            "EKS, behind the VPC CNI: nobody has an address of its ranges",
            pod(ranges(told_so(node(cluster(), "n1"), &[]), "n1", &["10.0.0.0/24"]), 9, |_| {}),
            &[],
        ),
    ] {
        let mut codes = codes(&facts);
        codes.sort();
        assert_eq!(codes, found, "{of}");
    }
}

#[test]
fn pools_of_a_node_are_told_together_and_by_family() {
    let facts = told_so(node(cluster(), "n1"), &[("ipam", "multi-pool")]);
    let of = |name: &str, ranges: &[&str]| {
        (name.into(), ranges.iter().map(|it| it.parse().unwrap()).collect())
    };
    let facts = has(facts, "n1", |it| {
        it.pools =
            [of("mars", &["10.1.0.0/28", "10.1.0.48/32"]), of("six", &["fd00:1::/124"])].into();
    });
    let facts = pods(facts, 1);
    assert_eq!(
        told(&facts, "addresses", "cilium"),
        ["mars,node,n1,IPv4} 15", "six,node,n1,IPv6} 14"]
    );
}

#[test]
fn what_is_given_to_nodes_that_are_gone_is_given_and_ranges_of_another_size_are_not_counted() {
    let gone = ranges(pooled(1), "n9", &["10.1.0.16/28"]);
    assert_eq!(told(&gone, "used", "cilium")[0], "10.1.0.0/24,shared,,IPv4} 2");
    assert_eq!(told(&gone, "used", "cilium").len(), 2);
    let other = ranges(pooled(1), "n9", &["10.1.0.32/27"]);
    assert_eq!(told(&other, "used", "cilium"), ["10.1.0.0/28,node,n1,IPv4} 1"]);
}

#[test]
fn what_cannot_be_read_of_it_is_unknown() {
    let partly = answer(&CHECK, &pooled(4).undecoded::<CiliumNode>("/n2"));
    assert_eq!(partly.result, Err(Unknown::Undecoded("CiliumNode").into()));
    let forbidden = Event::<CiliumNode>::Unavailable(Unknown::Forbidden("CiliumNode"));
    let barred = answer(&CHECK, &pooled(4).with(forbidden));
    assert_eq!(barred.result, Err(Unknown::Forbidden("CiliumNode").into()));
}

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::*;
use crate::cluster::Event;
use crate::fixtures::{answer, cluster};
use crate::model::{Addresses, IpFamily, IpPool, Object, PodWarning, SandboxFailure, Unknown};

mod balancers;
mod calico;
mod cilium;
mod services;

/// A node with 13 addresses.
fn small(facts: Cluster, node: &str, third: u8) -> Cluster {
    facts.node_with(node, |node| {
        node.pod_cidrs = vec![format!("10.244.{third}.0/28").parse().unwrap()];
        node.max_pods = Some(10);
    })
}

fn pod(facts: Cluster, number: u8, change: impl FnOnce(&mut Pod)) -> Cluster {
    facts.pod_with(&format!("shop/cart-{number}"), |pod| {
        pod.node = Some("n1".into());
        pod.addresses = [IpAddr::from([10, 244, 1, number])].into_iter().collect();
        change(pod);
    })
}

/// Node n1 with so many of its 13 addresses used.
fn used(count: u8) -> Cluster {
    (2..count + 2).fold(small(cluster(), "n1", 1), |facts, number| pod(facts, number, |_| {}))
}

fn waits(pod: &mut Pod) {
    pod.addresses = Addresses::default();
    pod.ready = false;
}

#[test]
fn the_live_pods_of_a_node_use_its_range() {
    let answer = answer(&CHECK, &small(used(4), "n2", 2));
    assert_eq!(answer.findings, [""; 0]);
    let pool =
        |node: &str, third: u8| format!("{{host-local,10.244.{third}.0/28,node,{node},IPv4}}");
    let (one, two) = (pool("n1", 1), pool("n2", 2));
    assert_eq!(
        answer.samples,
        [
            format!("netvitals_ip_pool_addresses{one} 13"),
            format!("netvitals_ip_pool_addresses{two} 13"),
            format!("netvitals_ip_pool_reserved{one} 0"),
            format!("netvitals_ip_pool_reserved{two} 0"),
            format!("netvitals_ip_pool_used{one} 4"),
            format!("netvitals_ip_pool_used{two} 0"),
            format!("netvitals_ip_pool_utilisation_ratio{one} {}", 4.0 / 13.0),
            format!("netvitals_ip_pool_utilisation_ratio{two} 0"),
            format!("netvitals_ip_pool_waiting_pods{one} 0"),
            format!("netvitals_ip_pool_waiting_pods{two} 0"),
        ]
    );
}

#[test]
fn which_pods_have_an_address_and_which_wait_for_one() {
    type Change = fn(&mut Pod);
    let cases: [(&str, Change, u8, u8); 8] = [
        ("running", |_| {}, 1, 0),
        ("finished: its address is free though the API still shows it", |it| it.ended = true, 0, 0),
        ("being deleted", |it| it.terminating = true, 1, 0),
        ("on the node's own network", |it| it.host_network = true, 0, 0),
        (
            "not scheduled",
            |it| {
                it.node = None;
                waits(it)
            },
            0,
            0,
        ),
        ("without an address yet", waits, 0, 1),
        (
            "without an address and deleted",
            |it| {
                it.terminating = true;
                waits(it)
            },
            0,
            0,
        ),
        ("on a node that is not known", |it| it.node = Some("n9".into()), 0, 0),
    ];
    for (what, change, used, waiting) in cases {
        let facts = with_cni(small(cluster(), "n1", 1), ("k8s-app", "flannel"));
        let answer = answer(&CHECK, &pod(facts, 5, change));
        let told = |family: &str| {
            let mut samples = answer.samples.iter().filter(|it| it.starts_with(family));
            samples.next().and_then(|it| it.rsplit_once(' ')).map(|(_, value)| value.to_owned())
        };
        assert_eq!(told("netvitals_ip_pool_used"), Some(used.to_string()), "{what}");
        assert_eq!(told("netvitals_ip_pool_waiting"), Some(waiting.to_string()), "{what}");
    }
}

#[test]
fn a_full_range_is_a_problem_once_a_pod_waits() {
    assert_eq!(answer(&CHECK, &used(13)).findings, [""; 0]);
    assert_eq!(
        answer(&CHECK, &pod(used(12), 99, waits)).findings,
        ["ip_pools.waiting Pod shop/cart-99: on n1, where addresses look free, it has none yet: \
             look at its events for FailedCreatePodSandBox"]
    );
    assert_eq!(
        answer(&CHECK, &pod(used(13), 99, waits)).findings,
        [
            "ip_pools.exhausted Node n1: 13 of 13 addresses of 10.244.1.0/28 are used and pods wait: \
          1: look at the events of the pods that are Pending"
        ]
    );
}

#[test]
fn a_node_that_accepts_more_pods_than_it_has_addresses_is_worth_knowing() {
    let facts = cluster().node_with("n1", |node| {
        node.pod_cidrs = vec!["10.244.1.0/25".parse().unwrap()];
        node.max_pods = Some(250);
    });
    // Without any pod that has an address of a range, nobody knows that pods get such.
    assert_eq!(answer(&CHECK, &facts).result, Err(Skipped::NotApplicable.into()));
    let facts = with_cni(facts, ("app", "kindnet"));
    assert_eq!(
        answer(&CHECK, &facts).findings,
        [
            "ip_pools.too_small Node n1: 10.244.1.0/25 has 125 addresses for up to 250 pods: look at \
          maxPods of the kubelet and at the size of node ranges"
        ]
    );
}

#[test]
fn both_families_of_a_node_are_pools() {
    let facts = cluster().node_with("n1", |node| {
        node.pod_cidrs = ["10.244.1.0/24", "fd00:1::/64"].map(|it| it.parse().unwrap()).into();
    });
    let facts = pod(facts, 7, |pod| {
        let both: [IpAddr; 2] = [[10, 244, 1, 7].into(), "fd00:1::7".parse().unwrap()];
        pod.addresses = both.into_iter().collect();
    });
    let samples = answer(&CHECK, &facts).samples;
    for line in [
        "netvitals_ip_pool_used{host-local,10.244.1.0/24,node,n1,IPv4} 1",
        "netvitals_ip_pool_used{host-local,fd00:1::/64,node,n1,IPv6} 1",
    ] {
        assert!(samples.iter().any(|sample| sample == line), "{line} is not in {samples:#?}");
    }
}

#[test]
fn ranges_that_another_ipam_ignores_are_no_pools() {
    let elsewhere = |pod: &mut Pod| {
        pod.addresses = [IpAddr::from([192, 168, 3, 4])].into_iter().collect();
    };
    let facts = pod(small(cluster(), "n1", 1), 5, elsewhere);
    assert_eq!(answer(&CHECK, &facts).result, Err(Skipped::NotApplicable.into()));
    // One pod with a special network says nothing of the others.
    assert_eq!(answer(&CHECK, &pod(used(2), 99, elsewhere)).result, Ok(()));
}

#[test]
fn without_ranges_there_is_nothing_to_ask() {
    let facts = cluster().node_with("n1", |node| node.pod_cidrs.clear());
    assert_eq!(answer(&CHECK, &facts).result, Err(Skipped::NotApplicable.into()));
}

#[test]
fn what_cannot_be_seen_is_unknown_rather_than_free() {
    let facts = [
        (used(13).unlisted::<Node>(), Unknown::NotListed("Node")),
        (used(13).unlisted::<Pod>(), Unknown::NotListed("Pod")),
    ];
    for (facts, why) in facts {
        assert_eq!(answer(&CHECK, &facts).result, Err(why.into()));
    }
}

#[test]
fn what_cannot_be_decoded_makes_counts_too_low_and_is_said() {
    let facts = pod(used(13), 99, waits).undecoded::<Pod>("shop/pay-1");
    let answer = answer(&CHECK, &facts.undecoded::<Node>("/n9"));
    let why = [("nodes", Unknown::Undecoded("Node")), ("pods", Unknown::Undecoded("Pod"))];
    assert_eq!(answer.gaps, why.map(|(part, why)| (part, why.into())));
    assert_eq!(answer.findings.len(), 1);
}

fn shared(used: Option<u64>) -> Pool {
    let subject = Object { kind: IpPool::KIND, key: Key::new("", "pool") };
    Pool {
        of: Of::Pods,
        name: "10.0.0.0/16".into(),
        scope: Scope::Cluster(subject),
        family: Some(IpFamily::V4),
        addresses: Some(220),
        used,
        reserved: 20,
        uncertain: 0,
    }
}

#[test]
fn a_pool_of_the_whole_cluster_is_told_before_it_is_full() {
    for (used, expected) in [
        (Some(169), &[] as &[&str]),
        (Some(170), &["85 % of the addresses of 10.0.0.0/16 are used: look at its size"]),
        (None, &[]),
    ] {
        let faults = shared(used).faults(0);
        let messages: Vec<&str> = faults.iter().map(|(_, message)| &**message).collect();
        assert_eq!(messages, expected);
    }
}

#[test]
fn an_ipam_that_cannot_be_read_hides_no_other() {
    static BARRED: Adapter = Adapter {
        ipam: "barred",
        wants: &[],
        pools: |_, _, _| Err(Unknown::Forbidden("Range").into()),
    };
    static SHARED: Adapter = Adapter {
        ipam: "shared",
        wants: &[],
        pools: |_, _, pools| {
            pools.push(shared(None));
            Ok(())
        },
    };
    let mut out = Output::default();
    assert_eq!(judge(&[&BARRED, &SHARED], &cluster(), &mut out), Ok(()));
    assert_eq!(out.gaps, BTreeSet::from([("barred", Unknown::Forbidden("Range").into())]));
    // What is not known has no sample.
    let families: Vec<&str> = out.rows.iter().map(|(desc, _)| desc.name).collect();
    assert_eq!(
        families,
        [
            "netvitals_ip_pool_addresses",
            "netvitals_ip_pool_reserved",
            "netvitals_ip_pool_waiting_pods"
        ]
    );
    let alone = judge(&[&BARRED], &cluster(), &mut Output::default());
    assert_eq!(alone, Err(Unknown::Forbidden("Range").into()));
}

#[test]
fn what_adapters_read_is_what_the_check_declares() {
    let declared: Vec<&Kind> = CHECK.needs.iter().chain(CHECK.wants).copied().collect();
    for kind in ADAPTERS.iter().flat_map(|adapter| adapter.wants) {
        assert!(declared.contains(kind), "{}", kind.name);
    }
}

/// Node n1 with its CNI's pod.
fn with_cni(facts: Cluster, label: (&str, &str)) -> Cluster {
    facts.pod_with("kube-system/cni-1", |pod| {
        pod.node = Some("n1".into());
        pod.host_network = true;
        pod.labels = [label].into();
    })
}

fn codes(facts: &Cluster) -> Vec<String> {
    let findings = answer(&CHECK, facts).findings.into_iter();
    findings.map(|it| it.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn how_many_addresses_there_are_is_decided_by_the_cni_that_runs_there() {
    let waiting = |facts: Cluster, count: u8| {
        (0..count).fold(facts, |facts, number| pod(facts, 90 + number, waits))
    };
    let exhausted = ["ip_pools.exhausted Node n1"];
    let looks_free = ["ip_pools.waiting Pod shop/cart-90"];
    // Cilium keeps an address more than the plugin of the 13 that are left.
    let cilium = |count| with_cni(used(count), ("k8s-app", "cilium"));
    assert_eq!(codes(&waiting(cilium(12), 1)), exhausted);
    assert_eq!(codes(&waiting(cilium(11), 1)), looks_free);
    let flannel = |count| with_cni(used(count), ("app", "flannel"));
    assert_eq!(codes(&waiting(flannel(13), 1)), exhausted);
    assert_eq!(codes(&waiting(flannel(12), 1)), looks_free);
    // One that is not known may keep some, and more wait than there would be.
    assert_eq!(codes(&waiting(used(12), 1)), looks_free);
    assert_eq!(codes(&waiting(used(12), 2)), exhausted);
    assert_eq!(codes(&waiting(used(9), 5)).len(), 5);
}

#[test]
fn whether_a_range_is_used_is_decided_for_each_node() {
    let elsewhere = |pod: &mut Pod| {
        pod.node = Some("n2".into());
        pod.addresses = [IpAddr::from([192, 168, 3, 4])].into_iter().collect();
    };
    // Many pods of another IPAM on n2 say nothing of n1.
    let facts = (20..29).fold(small(used(4), "n2", 2), |facts, it| pod(facts, it, elsewhere));
    let pools = |facts: &Cluster| {
        let samples = answer(&CHECK, facts).samples.into_iter();
        samples.filter(|it| it.starts_with("netvitals_ip_pool_used")).collect::<Vec<_>>()
    };
    let own = "netvitals_ip_pool_used{host-local,10.244.1.0/28,node,n1,IPv4} 4";
    assert_eq!(pools(&facts), [own]);
    let facts = with_cni(facts, ("k8s-app", "calico-node"));
    assert_eq!(answer(&CHECK, &facts).result, Err(Skipped::NotApplicable.into()));
}

#[test]
fn a_node_without_a_range_beside_others_is_exhausted_once_pods_wait() {
    let bare = |facts: Cluster| facts.node_with("n3", |node| node.pod_cidrs.clear());
    let waits_there = |pod: &mut Pod| {
        waits(pod);
        pod.node = Some("n3".into());
    };
    assert_eq!(codes(&bare(used(4))), [""; 0]);
    assert_eq!(codes(&pod(bare(used(4)), 99, waits_there)), ["ip_pools.exhausted Node n3"]);
    // With an address from elsewhere there is another IPAM, and a virtual node has none.
    let elsewhere = |pod: &mut Pod| {
        pod.node = Some("n3".into());
        pod.addresses = [IpAddr::from([192, 168, 3, 4])].into_iter().collect();
    };
    let mixed = pod(pod(bare(used(4)), 99, waits_there), 98, elsewhere);
    assert_eq!(codes(&mixed), ["ip_pools.waiting Pod shop/cart-99"]);
}

#[test]
fn a_pod_that_waits_on_a_node_that_is_young_or_leaves_is_no_fault() {
    let young = |node: &mut Node| node.created = Some(std::time::Duration::ZERO);
    let facts = pod(used(4), 99, waits);
    assert_eq!(codes(&facts).len(), 1);
    assert_eq!(codes(&facts.node_with("n1", young)), [""; 0]);
}

#[test]
fn a_pod_whose_events_say_that_it_waits_for_something_else_waits_for_no_address() {
    let waiting = || pod(used(4).after(0), 99, waits);
    let told = ["ip_pools.waiting Pod shop/cart-99"];
    let sandbox = PodWarning::Sandbox;
    for (says, found) in [
        (PodWarning::Volume, &[][..]),
        (sandbox(SandboxFailure::CniBinaryMissing), &[]),
        (sandbox(SandboxFailure::NotNetwork), &[]),
        // Addresses look free, and the plugin has none: they leaked.
        (sandbox(SandboxFailure::IpExhausted), &told),
        (sandbox(SandboxFailure::Other), &told),
        (PodWarning::Other, &told),
    ] {
        assert_eq!(codes(&waiting().warned("shop/cart-99", says)), found, "{says:?}");
    }
    // Where events cannot be read, that is said, and it is told all the same.
    let forbidden = Event::<PodEvent>::Unavailable(Unknown::Forbidden("Event"));
    let answer = answer(&CHECK, &waiting().folded(forbidden));
    assert_eq!(answer.gaps, [("events", Unknown::Forbidden("Event").into())]);
    assert_eq!(answer.findings.len(), 1);
    // A pool that is full on purpose is no fault for one that waits for its Secret.
    let full = || pod(used(13).after(0), 99, waits);
    assert_eq!(codes(&full()), ["ip_pools.exhausted Node n1"]);
    assert_eq!(codes(&full().warned("shop/cart-99", PodWarning::Volume)), [""; 0]);
    // A node without a range fails in other words.
    let bare = full().node_with("n1", |node| node.pod_cidrs.clear());
    let bare = small(bare, "n2", 2).warned("shop/cart-99", sandbox(SandboxFailure::CniNotReady));
    let mut bare = pod(bare, 77, |pod| {
        pod.node = Some("n2".into());
        pod.addresses = [IpAddr::from([10, 244, 2, 5])].into_iter().collect();
    });
    for number in 2..15 {
        bare = pod(bare, number, |pod| pod.ended = true);
    }
    assert_eq!(codes(&bare), ["ip_pools.exhausted Node n1"]);
}

//! Calico's own IPAM.

use super::*;
use crate::model::IpPoolSpec;

/// The range of a pool, and what it has otherwise than others.
type Shape = (&'static str, fn(&mut IpPoolSpec));

/// A cluster in which Calico runs, with these pools and blocks.
fn calico(pools: &[Shape], blocks: &[(&str, u64)]) -> Cluster {
    let mut facts = with_cni(cluster(), ("k8s-app", "calico-node"))
        .node_with("n1", |_| {})
        .with(Event::Begin::<IpPool>)
        .with(Event::Begin::<IpamBlock>);
    for (range, change) in pools {
        let cidr = Some(range.parse().unwrap());
        let mut spec = IpPoolSpec { cidr, ..IpPoolSpec::default() };
        spec.node_selector = Some("all()".into());
        change(&mut spec);
        let name = range.split('/').next().unwrap();
        facts = facts.with(Event::Put(Key::new("", name), IpPool { spec: Some(spec) }));
    }
    for (range, used) in blocks {
        let block = IpamBlock { range: Some(range.parse().unwrap()), used: *used };
        facts = facts.with(Event::Put(Key::new("", *range), block));
    }
    facts.with(Event::Done::<IpPool>).with(Event::Done::<IpamBlock>)
}

fn told(facts: &Cluster, family: &str) -> Vec<String> {
    let head = format!("netvitals_ip_pool_{family}{{calico,");
    let samples = answer(&CHECK, facts).samples.into_iter();
    samples.filter_map(|it| it.strip_prefix(&head).map(ToOwned::to_owned)).collect()
}

const PLAIN: fn(&mut IpPoolSpec) = |_| {};

#[test]
fn of_a_pool_is_used_what_its_blocks_have_handed_out() {
    let facts = calico(
        &[("10.1.0.0/24", PLAIN), ("fd00:1::/112", PLAIN)],
        &[("10.1.0.0/26", 60), ("10.1.0.64/26", 7), ("10.9.0.0/26", 9), ("fd00:1::/122", 5)],
    );
    assert_eq!(told(&facts, "used"), ["10.1.0.0,cluster,,IPv4} 67", "fd00:1::,cluster,,IPv6} 5"]);
    assert_eq!(
        told(&facts, "addresses"),
        ["10.1.0.0,cluster,,IPv4} 256", "fd00:1::,cluster,,IPv6} 65536"]
    );
}

#[test]
fn shapes_of_pools_as_they_are_found() {
    let full: &[(&str, u64)] = &[("10.1.0.0/27", 32)];
    for (of, pools, blocks, waits_there, found) in [
        (
            "one pool, all of it handed out, and a pod that waits",
            &[("10.1.0.0/27", PLAIN)] as &[Shape],
            full,
            true,
            &["ip_pools.exhausted IPPool 10.1.0.0", "ip_pools.filling IPPool 10.1.0.0"]
                as &[&str],
        ),
        (
            "the same, and nobody waits",
            &[("10.1.0.0/27", PLAIN)],
            full,
            false,
            &["ip_pools.filling IPPool 10.1.0.0"],
        ),
        (
            "a second pool was added, as is advised",
            &[("10.1.0.0/27", PLAIN), ("10.2.0.0/24", PLAIN)],
            full,
            false,
            &[],
        ),
        (
            "blocks are left over, and pods wait: a limit of blocks, or a leak",
            &[("10.1.0.0/24", PLAIN)],
            full,
            true,
            &["ip_pools.waiting Pod shop/cart-99"],
        ),
        (
            "a full pool of one rack",
            &[("10.1.0.0/27", |it| it.node_selector = Some("rack == '1'".into()))],
            full,
            false,
            &[],
        ),
        (
            "a pool that pods ask for by name",
            &[("10.1.0.0/27", |it| it.assignment_mode = Some("Manual".into()))],
            full,
            false,
            &[],
        ),
        (
            "a pool that is being moved away from",
            &[("10.1.0.0/27", |it| it.disabled = Some(true)), ("10.2.0.0/24", PLAIN)],
            full,
            false,
            &[],
        ),
        (
            "a pool for load balancers, full on purpose",
            &[("10.1.0.0/27", |it| it.allowed_uses = Some(vec!["LoadBalancer".into()]))],
            full,
            false,
            &[],
        ),
        ("Calico for policies alone", &[("10.1.0.0/27", PLAIN)], &[], false, &[]),
    ] {
        let mut facts = calico(pools, blocks);
        if waits_there {
            facts = pod(facts, 99, waits);
        }
        assert_eq!(codes(&facts), found, "{of}");
    }
}

#[test]
fn what_calico_left_behind_is_no_pool_and_what_cannot_be_read_is_unknown() {
    let facts = calico(&[("10.1.0.0/27", PLAIN)], &[("10.1.0.0/27", 32)]);
    let gone = facts.pod_with("kube-system/cni-1", |pod| pod.ended = true);
    assert_eq!(told(&gone, "used"), [""; 0]);
    let facts = calico(&[("10.1.0.0/27", PLAIN)], &[("10.1.0.0/27", 32)]);
    let partly = facts.undecoded::<IpamBlock>("/b2");
    let answer = answer(&CHECK, &partly);
    assert_eq!(answer.result, Err(Unknown::Undecoded("IPAMBlock").into()));
}

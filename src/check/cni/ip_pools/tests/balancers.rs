//! Load balancers within the cluster.

use super::*;
use crate::model::{CiliumBalancerPool, IpAddressPool, LoadBalancer};

fn span(text: &str) -> String {
    format!(r#"{{ "spec": {{ "addresses": ["{text}"] }} }}"#)
}

/// A cluster with these pools of MetalLB's, as the API sends them.
fn metallb(pools: &[(&str, &str)]) -> Cluster {
    let facts = cluster().with(Event::Begin::<IpAddressPool>);
    let put = |facts: Cluster, (name, json): &(&str, &str)| {
        let pool: IpAddressPool = serde_json::from_str(json).unwrap();
        facts.with(Event::Put(Key::new("metallb-system", *name), pool))
    };
    pools.iter().fold(facts, put).with(Event::Done::<IpAddressPool>)
}

/// A Service that has these addresses; one without any waits.
fn balanced(facts: Cluster, name: &str, addresses: &[&str]) -> Cluster {
    balanced_with(facts, name, addresses, |_| {})
}

fn balanced_with(
    facts: Cluster,
    name: &str,
    addresses: &[&str],
    change: impl FnOnce(&mut Service),
) -> Cluster {
    let addresses: Box<[Name]> = addresses.iter().map(|it| (*it).into()).collect();
    let balancer =
        LoadBalancer { has_address: !addresses.is_empty(), addresses, ..LoadBalancer::default() };
    let mut service = Service { load_balancer: Some(Box::new(balancer)), ..Service::default() };
    change(&mut service);
    facts.with(Event::Put(Key::new("shop", name), service))
}

fn told(facts: &Cluster, family: &str, ipam: &str) -> Vec<String> {
    let head = format!("netvitals_ip_pool_{family}{{{ipam},");
    let samples = answer(&CHECK, facts).samples.into_iter();
    samples.filter_map(|it| it.strip_prefix(&head).map(ToOwned::to_owned)).collect()
}

#[test]
fn a_pool_has_what_services_have_of_it_counted_once_where_they_share_it() {
    let facts = metallb(&[("home", &span("192.168.1.240-192.168.1.250"))]);
    let facts = balanced(facts, "a", &["192.168.1.240"]);
    let facts = balanced(facts, "b", &["192.168.1.240"]);
    let facts = balanced(facts, "c", &["192.168.1.250", "203.0.113.7"]);
    assert_eq!(told(&facts, "used", "metallb"), ["metallb-system/home,shared,,IPv4} 2"]);
    assert_eq!(told(&facts, "addresses", "metallb"), ["metallb-system/home,shared,,IPv4} 11"]);
    let buggy =
        r#"{ "spec": { "addresses": ["10.0.0.0/23", "fd00::/120"], "avoidBuggyIPs": true } }"#;
    let facts = balanced(metallb(&[("wide", buggy)]), "a", &["10.0.0.1"]);
    assert_eq!(
        told(&facts, "reserved", "metallb"),
        ["metallb-system/wide,shared,,IPv4} 4", "metallb-system/wide,shared,,IPv6} 0"]
    );
}

#[test]
fn a_full_pool_is_a_fault_once_a_service_waits_and_nothing_stands_in() {
    let two = span("192.0.2.10-192.0.2.11");
    let full = |pools: &[(&str, &str)]| {
        let facts = balanced(metallb(pools), "a", &["192.0.2.10"]);
        balanced(facts, "b", &["192.0.2.11"])
    };
    let some =
        |more: &str| format!(r#"{{ "spec": {{ "addresses": ["192.0.2.10/31"], {more} }} }}"#);
    let one_of = |class: &'static str| {
        move |facts| {
            balanced_with(facts, "c", &[], |service| {
                service.load_balancer.as_mut().unwrap().class = Some(class.into());
            })
        }
    };
    let told = &["ip_pools.balancers_full IPAddressPool metallb-system/two"][..];
    for (of, facts, found) in [
        ("one address for the only ingress", full(&[("two", &two)]), &[][..]),
        ("a third Service", balanced(full(&[("two", &two)]), "c", &[]), told),
        (
            "one that is another controller's",
            one_of("service.k8s.aws/nlb")(full(&[("two", &two)])),
            &[],
        ),
        (
            "one that wants IPv6 first",
            balanced_with(full(&[("two", &two)]), "c", &[], |it| {
                it.families = vec![IpFamily::V6, IpFamily::V4];
            }),
            &[],
        ),
        (
            "a second pool, as is advised",
            balanced(full(&[("two", &two), ("more", &span("192.0.2.32/28"))]), "c", &[]),
            &[],
        ),
        (
            "a pool that Services ask for by name",
            balanced(full(&[("two", &some(r#""autoAssign": false"#))]), "c", &[]),
            &[],
        ),
        (
            "a pool for one namespace",
            balanced(
                full(&[("two", &some(r#""serviceAllocation": { "namespaces": ["edge"] }"#))]),
                "c",
                &[],
            ),
            &[],
        ),
        ("pools that MetalLB left behind", balanced(metallb(&[("two", &two)]), "c", &[]), &[]),
    ] {
        assert_eq!(codes(&facts), found, "{of}");
    }
    assert_eq!(
        answer(&CHECK, &balanced(full(&[("two", &two)]), "c", &[])).findings,
        ["ip_pools.balancers_full IPAddressPool metallb-system/two: 2 of 2 addresses of \
             metallb-system/two are used and Services wait: 1: look at which are no longer needed, \
             or add a range"]
    );
}

#[test]
fn a_pool_of_some_size_is_worth_a_note_before_it_is_full() {
    let many = |many: u8| {
        let facts = metallb(&[("home", &span("192.0.2.0/28"))]);
        (0..many).fold(facts, |facts, number| {
            balanced(facts, &format!("s{number}"), &[&format!("192.0.2.{number}")])
        })
    };
    assert_eq!(codes(&many(13)), [""; 0]);
    let note = ["ip_pools.balancers_filling IPAddressPool metallb-system/home"];
    assert_eq!(codes(&many(14)), note);
    assert_eq!(codes(&many(16)), note);
}

#[test]
fn ciliums_pools_for_load_balancers_are_counted_by_what_services_have() {
    let with = |pools: &[(&str, &str)]| {
        let facts = cluster().with(Event::Begin::<CiliumBalancerPool>);
        let put = |facts: Cluster, (name, json): &(&str, &str)| {
            let pool: CiliumBalancerPool = serde_json::from_str(json).unwrap();
            facts.with(Event::Put(Key::new("", *name), pool))
        };
        let facts = pools.iter().fold(facts, put).with(Event::Done::<CiliumBalancerPool>);
        balanced(balanced(facts, "a", &["10.0.10.1"]), "b", &["10.0.10.2"])
    };
    for (of, json, addresses, waits) in [
        ("all of it, as is the default", r#""blocks": [{ "cidr": "10.0.10.0/30" }]"#, "4", false),
        (
            "without the first and the last",
            r#""blocks": [{ "cidr": "10.0.10.0/30" }], "allowFirstLastIPs": "No""#,
            "2",
            true,
        ),
        (
            "single addresses, and a range as it was written at first",
            r#""blocks": [{ "start": "10.0.10.1" }, { "start": "10.0.10.2", "stop": "10.0.10.3" }],
                "cidrs": [{ "cidr": "10.0.10.4/31" }], "allowFirstLastIPs": "No""#,
            "5",
            false,
        ),
        (
            "one that gives nothing new",
            r#""blocks": [{ "cidr": "10.0.10.1/32" }, { "cidr": "10.0.10.2/32" }], "disabled": true"#,
            "2",
            false,
        ),
    ] {
        let facts = with(&[("blue", &format!(r#"{{ "spec": {{ {json} }} }}"#))]);
        let pool = "blue,shared,,IPv4}";
        assert_eq!(told(&facts, "addresses", "cilium-lb"), [format!("{pool} {addresses}")], "{of}");
        let found = codes(&balanced(facts, "c", &[]));
        assert_eq!(!found.is_empty(), waits, "{of}: {found:?}");
    }
}

#[test]
fn pools_that_cannot_be_read_are_a_gap_and_no_number() {
    assert!(serde_json::from_str::<IpAddressPool>(&span("192.0.2.9-192.0.2.1")).is_err());
    assert!(serde_json::from_str::<IpAddressPool>(&span("lots")).is_err());
    let facts = metallb(&[("two", &span("192.0.2.0/24"))]);
    let facts = balanced(facts, "a", &["192.0.2.1"]).undecoded::<IpAddressPool>("metallb-system/b");
    assert_eq!(told(&facts, "used", "metallb"), [""; 0]);
}

use super::{Facts, ask};
use crate::fixtures::cluster;
use crate::model::{EndpointSlice, Node, Pod, Ports, Service, Unknown};

#[test]
fn services_that_have_nothing_to_send_to_are_counted_by_reason() {
    type Case = (fn(&mut Facts), [u8; 3], &'static str);
    let cases: &[Case] = &[
        (|_| {}, [0, 0, 0], ""),
        (|it| (it.pods, it.slices) = (vec![], vec![]), [1, 0, 0], ""),
        (|it| (it.pods[0].ended, it.slices) = (true, vec![]), [1, 0, 0], ""),
        (
            |it| (it.pods[0].ready, it.slices) = (false, vec![]),
            [0, 1, 0],
            "endpoint_mismatch.none_ready Service shop/cart: none of 1 of the pods that it \
             selects is ready: look at their readiness probes",
        ),
        (
            |it| {
                it.pods[0].ports = Ports::default();
                it.slices[0].ports.clear();
            },
            [0, 0, 1],
            "endpoint_mismatch.no_port Service shop/cart: port 80 points at a name that no \
             container port of its ready pods has: look at its targetPort",
        ),
    ];
    for (change, [no_pods, none_ready, no_port], finding) in cases {
        let mut facts = Facts::new();
        change(&mut facts);
        let answer = ask(&facts.cluster());
        let start = "netvitals_services_without_endpoints";
        let counts: Vec<_> = answer.samples.iter().filter(|it| it.starts_with(start)).collect();
        assert_eq!(
            counts,
            [
                &format!("{start}{{no_pods}} {no_pods}"),
                &format!("{start}{{no_port}} {no_port}"),
                &format!("{start}{{none_ready}} {none_ready}"),
            ]
        );
        let found: Vec<_> = Some(*finding).filter(|it| !it.is_empty()).into_iter().collect();
        assert_eq!(answer.findings, found);
    }
}

#[test]
fn an_undecodable_pod_is_a_gap_in_its_namespace_and_no_finding() {
    let facts = cluster().service("shop/cart").slice("shop/cart", &["cart-1"]);
    let facts = facts.service("bank/pay").pod("bank/pay-1");
    let answer = ask(&facts.undecoded::<Pod>("shop/cart-1"));
    assert_eq!(answer.gaps, [("namespaces", Unknown::Undecoded("Pod").into())]);
    assert_eq!(answer.findings.len(), 1);
    assert!(answer.findings[0].starts_with("endpoint_mismatch.missing Service bank/pay"));
}

#[test]
fn unlisted_kinds_are_unknown_rather_than_none() {
    let facts = || cluster().service("shop/cart");
    for (facts, kind) in [
        (facts().unlisted::<Pod>(), "Pod"),
        (facts().unlisted::<Service>(), "Service"),
        (facts().unlisted::<EndpointSlice>(), "EndpointSlice"),
        (facts().unlisted::<Node>(), "Node"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
}

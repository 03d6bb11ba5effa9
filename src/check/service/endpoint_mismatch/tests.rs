mod answers;

use super::{CHECK, Mismatch};
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{
    Endpoint, EndpointPort, EndpointSlice, IpFamily, Key, Node, Pod, PodRef, Ports, Protocol,
    Service, ServicePort, TargetPort, Unknown,
};

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// Returns the classes that are not 0, each with its count.
fn classes(facts: &Cluster) -> Vec<(String, usize)> {
    let answer = ask(facts);
    assert_eq!(answer.result, Ok(()));
    let total = |class: Mismatch| {
        let start = format!("netvitals_endpoint_mismatches{{{}}} ", class.as_str());
        let value = answer.samples.iter().find_map(|sample| sample.strip_prefix(&start));
        (class.as_str().to_owned(), value.expect("every class is told").parse().unwrap())
    };
    let found: Vec<_> =
        Mismatch::ALL.into_iter().map(total).filter(|(_, count)| *count > 0).collect();
    for (class, count) in &found {
        let code = format!("endpoint_mismatch.{class} Service shop/cart: ");
        assert!(answer.findings.iter().any(|it| it.starts_with(&code)), "{:?}", answer.findings);
        let series = format!("netvitals_service_endpoint_mismatches{{shop,cart,{class}}} {count}");
        assert!(answer.samples.contains(&series), "{:?}", answer.samples);
    }
    assert_eq!(answer.samples.iter().filter(|it| it.contains("_service_end")).count(), found.len());
    found
}

fn only(class: &str) -> Vec<(String, usize)> {
    vec![(class.into(), 1)]
}

const V4: [u8; 4] = [10, 244, 1, 7];

/// A Service as the API server completes it: port 80 to container port `web`, which is 8080.
fn service() -> Service {
    Service {
        selector: [("app", "cart")].into(),
        routed: true,
        families: vec![IpFamily::V4],
        ports: vec![ServicePort {
            name: "http".into(),
            port: 80,
            protocol: Protocol::Tcp,
            target: TargetPort::Name("web".into()),
        }],
        ..Service::default()
    }
}

fn pod() -> Pod {
    Pod {
        uid: "u1".into(),
        labels: [("app", "cart"), ("pod-template-hash", "x")].into(),
        node: Some("a".into()),
        addresses: [V4.into()].into_iter().collect(),
        ports: Ports::new(vec![("web".into(), 8080, Protocol::Tcp)]),
        ready: true,
        ..Pod::default()
    }
}

fn endpoint() -> Endpoint {
    Endpoint {
        address: Some(V4.into()),
        pod: Some(PodRef { name: "cart-1".into(), uid: "u1".into() }),
        node: Some("a".into()),
        ready: true,
        serving: true,
        terminating: false,
    }
}

fn slice() -> EndpointSlice {
    EndpointSlice {
        service: Some("cart".into()),
        managed: true,
        mirrored: false,
        family: Some(IpFamily::V4),
        ports: vec![EndpointPort {
            name: "http".into(),
            port: Some(8080),
            protocol: Protocol::Tcp,
        }],
        endpoints: vec![endpoint()],
    }
}

/// What a case is made of; each begins as it should be.
struct Facts {
    service: Service,
    pods: Vec<Pod>,
    slices: Vec<EndpointSlice>,
}

impl Facts {
    fn new() -> Self {
        Self { service: service(), pods: vec![pod()], slices: vec![slice()] }
    }

    fn cluster(self) -> Cluster {
        let key = |name: String| Key::new("shop", name);
        let mut facts = cluster()
            .with(Event::Put(Key::new("", "a"), Node::default()))
            .with(Event::Put(key("cart".into()), self.service));
        for (at, pod) in self.pods.into_iter().enumerate() {
            facts = facts.with(Event::Put(key(format!("cart-{}", at + 1)), pod));
        }
        for (at, slice) in self.slices.into_iter().enumerate() {
            facts = facts.with(Event::Put(key(format!("cart-slice-{at}")), slice));
        }
        facts
    }
}

/// Returns the classes after one change to what is right.
fn after(change: impl FnOnce(&mut Facts)) -> Vec<(String, usize)> {
    let mut facts = Facts::new();
    change(&mut facts);
    classes(&facts.cluster())
}

#[test]
fn slices_as_the_controller_writes_them_are_right() {
    let changes: &[fn(&mut Facts)] = &[
        |_| {},
        // An endpoint is in two slices while the controller moves it.
        |it| it.slices.push(slice()),
        // A pod that is not ready may be absent, or there as what it is.
        |it| it.pods.push(Pod { ready: false, addresses: other(), ..pod() }),
        |it| {
            it.pods[0].ready = false;
            (it.slices[0].endpoints[0].ready, it.slices[0].endpoints[0].serving) = (false, false);
        },
        // A terminating pod stays, and serves as long as it is ready.
        |it| {
            it.pods[0].terminating = true;
            (it.slices[0].endpoints[0].ready, it.slices[0].endpoints[0].terminating) =
                (false, true);
        },
        // Addresses that are published before their pod is ready.
        |it| {
            it.service.publishes_not_ready = true;
            (it.pods[0].ready, it.slices[0].endpoints[0].serving) = (false, false);
        },
        // Pods that have ended, have no address yet, or are not selected.
        |it| it.pods.push(Pod { ended: true, ..pod() }),
        |it| it.pods.push(Pod { addresses: std::iter::empty().collect(), ..pod() }),
        |it| it.pods.push(Pod { labels: [("app", "pay")].into(), ..pod() }),
        // A pod of a Node that is gone may stay or go.
        |it| it.pods[0].node = Some("gone".into()),
        |it| it.pods.push(Pod { node: Some("gone".into()), ..pod() }),
        // A port that cannot be found is left out, and so are all of a headless Service.
        |it| {
            it.pods[0].ports = Ports::default();
            it.slices[0].ports.clear();
        },
        |it| {
            it.service.ports.clear();
            it.slices[0].ports.clear();
        },
        // A pod without an address of a second family is absent from its slices.
        |it| it.service.families.push(IpFamily::V6),
        // Slices of another controller, and Services whose endpoints are another's.
        |it| it.slices.push(EndpointSlice { managed: false, endpoints: vec![], ..slice() }),
        |it| (it.slices[0].managed, it.service.selector) = (false, [].into()),
        |it| (it.service.external_name, it.slices[0].endpoints) = (true, vec![]),
    ];
    for (at, change) in changes.iter().enumerate() {
        assert_eq!(after(change), [], "case {at}");
    }
}

fn other() -> crate::model::Addresses {
    [[10, 244, 1, 8].into()].into_iter().collect()
}

#[test]
fn a_ready_pod_in_no_slice_is_missing() {
    let changes: &[fn(&mut Facts)] = &[
        |it| it.slices.clear(),
        |it| it.slices[0].managed = false,
        |it| it.slices[0].service = Some("pay".into()),
        |it| it.pods.push(Pod { addresses: other(), ..pod() }),
        |it| {
            it.slices.clear();
            (it.service.publishes_not_ready, it.pods[0].ready) = (true, false);
        },
        // Its node does not matter then.
        |it| {
            it.slices.clear();
            it.service.publishes_not_ready = true;
            it.pods[0].node = Some("gone".into());
        },
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut facts = Facts::new();
        change(&mut facts);
        let orphans = facts.slices.iter().any(|it| it.service != Some("cart".into()));
        let found = if orphans {
            let answer = ask(&facts.cluster());
            assert!(answer.findings.iter().any(|it| it.contains("orphan Service shop/pay: ")));
            answer.findings.iter().filter(|it| it.contains(".missing ")).count()
        } else {
            let found = classes(&facts.cluster());
            assert_eq!(found, only("missing"), "case {at}");
            1
        };
        assert_eq!(found, 1, "case {at}");
    }
}

#[test]
fn an_endpoint_without_its_pod_is_stale() {
    let changes: &[fn(&mut Facts)] = &[
        |it| it.pods.clear(),
        |it| it.pods[0].ended = true,
        |it| it.pods[0].labels = [("app", "pay")].into(),
        // An address that no pod has, and no name.
        |it| {
            let address = Some([10, 244, 9, 9].into());
            let stranger = Endpoint { pod: None, address, ..endpoint() };
            it.slices[0].endpoints.push(stranger);
        },
        |it| {
            it.pods[0].ready = false;
            it.pods[0].uid = "u2".into();
        },
    ];
    for (at, change) in changes.iter().enumerate() {
        assert_eq!(after(change), only("stale"), "case {at}");
    }
}

#[test]
fn a_pod_that_a_slice_names_is_dead_whoever_wrote_the_slice() {
    let changes: &[fn(&mut Facts)] = &[
        // The selector went, and what the controller wrote stays.
        |it| it.service.selector = [].into(),
        |it| (it.service.selector, it.slices[0].managed) = ([].into(), false),
        |it| {
            it.service.selector = [].into();
            (it.slices[0].managed, it.slices[0].mirrored) = (false, true);
        },
    ];
    for (at, change) in changes.iter().enumerate() {
        assert_eq!(after(change), [], "case {at}");
        let gone = |it: &mut Facts| {
            change(it);
            it.pods.clear();
        };
        assert_eq!(after(gone), only("stale"), "case {at}");
        let other = |it: &mut Facts| {
            change(it);
            it.pods[0].uid = "u2".into();
        };
        assert_eq!(after(other), only("stale"), "case {at}");
    }
}

#[test]
fn what_was_mirrored_for_a_service_that_has_a_selector_now_is_stale() {
    let mirrored = |address: [u8; 4]| {
        move |it: &mut Facts| {
            let endpoint = Endpoint { pod: None, address: Some(address.into()), ..endpoint() };
            let endpoints = vec![endpoint];
            it.slices.push(EndpointSlice { managed: false, mirrored: true, endpoints, ..slice() });
        }
    };
    assert_eq!(after(mirrored([10, 244, 9, 9])), only("stale"));
    assert_eq!(after(mirrored([10, 244, 1, 7])), []);
}

#[test]
fn a_service_of_another_proxy_is_compared_too() {
    let changed = |it: &mut Facts| {
        it.service.routed = false;
        it.slices[0].endpoints.clear();
    };
    assert_eq!(after(changed), only("missing"));
}

#[test]
fn a_pod_that_took_the_name_or_lost_the_address_is_missing_and_its_endpoint_stale() {
    let changes: &[fn(&mut Facts)] =
        &[|it| it.pods[0].uid = "u2".into(), |it| it.pods[0].addresses = other()];
    for change in changes {
        assert_eq!(after(change), [("missing".into(), 1), ("stale".into(), 1)]);
    }
}

#[test]
fn an_address_that_names_no_pod_counts_for_the_pod_that_has_it() {
    assert_eq!(after(|it| it.slices[0].endpoints[0].pod = None), []);
}

#[test]
fn conditions_that_differ_are_a_readiness_mismatch() {
    let changes: &[fn(&mut Facts)] = &[
        |it| it.pods[0].ready = false,
        |it| it.pods[0].terminating = true,
        |it| it.slices[0].endpoints[0].ready = false,
        |it| it.slices[0].endpoints[0].serving = false,
        |it| it.slices[0].endpoints[0].terminating = true,
    ];
    for (at, change) in changes.iter().enumerate() {
        assert_eq!(after(change), only("readiness"), "case {at}");
    }
}

#[test]
fn ports_that_differ_are_a_port_mismatch() {
    let changes: &[fn(&mut Facts)] = &[
        |it| it.slices[0].ports.clear(),
        |it| it.slices[0].ports[0].port = Some(9090),
        |it| it.slices[0].ports[0].name = "grpc".into(),
        |it| it.slices[0].ports[0].protocol = Protocol::Udp,
        |it| it.pods[0].ports = Ports::new(vec![("web".into(), 9090, Protocol::Tcp)]),
        |it| it.service.ports[0].target = TargetPort::Number(9090),
        |it| it.service.ports.clear(),
    ];
    for (at, change) in changes.iter().enumerate() {
        assert_eq!(after(change), only("port"), "case {at}");
    }
}

#[test]
fn a_node_that_differs_is_a_node_mismatch() {
    assert_eq!(after(|it| it.slices[0].endpoints[0].node = None), only("node"));
    assert_eq!(after(|it| it.slices[0].endpoints[0].node = Some("b".into())), only("node"));
}

#[test]
fn a_family_that_is_left_out_or_is_one_too_many_is_a_family_mismatch() {
    let both = |it: &mut Facts| {
        it.pods[0].addresses = [V4.into(), V6.into()].into_iter().collect();
    };
    const V6: std::net::Ipv6Addr = std::net::Ipv6Addr::LOCALHOST;
    let other = || EndpointSlice {
        family: Some(IpFamily::V6),
        endpoints: vec![Endpoint { address: Some(V6.into()), ..endpoint() }],
        ..slice()
    };
    let left_out = after(|it| {
        both(it);
        it.service.families.push(IpFamily::V6);
    });
    assert_eq!(left_out, only("family"));
    let too_many = after(|it| {
        both(it);
        it.slices.push(other());
    });
    assert_eq!(too_many, only("family"));
    let right = after(|it| {
        both(it);
        it.service.families.push(IpFamily::V6);
        it.slices.push(other());
    });
    assert_eq!(right, []);
}

#[test]
fn a_slice_that_outlived_its_service_is_an_orphan() {
    let facts = cluster().slice("shop/cart", &["cart-1"]);
    assert_eq!(classes(&facts), only("orphan"));
    // Another controller's slice, and one of a Service that cannot be read.
    let other = EndpointSlice { managed: false, ..slice() };
    assert_eq!(classes(&cluster().with(Event::Put(Key::new("shop", "cart"), other))), []);
    let answer = ask(&facts.undecoded::<Service>("shop/cart"));
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(answer.gaps, [("namespaces", Unknown::Undecoded("Service").into())]);
}

#[test]
fn messages_count_and_name_the_first() {
    let facts = cluster().service("shop/cart").pod("shop/cart-2").pod("shop/cart-3");
    assert_eq!(
        ask(&facts.slice("shop/cart", &["cart-1"])).findings,
        [
            "endpoint_mismatch.missing Service shop/cart: ready pods in no slice: 2, first \
             cart-2: look at the log of kube-controller-manager",
            "endpoint_mismatch.stale Service shop/cart: endpoints without their pod: 1, first \
             cart-1: look at the log of kube-controller-manager",
        ]
    );
}

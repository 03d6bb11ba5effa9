mod told;

use std::time::Duration;

use super::CHECK;
use crate::check::Output;
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    EndpointSlice, Fact, Key, LoadBalancer, Name, Node, Pod, Service, Skipped, Unknown,
};
use crate::report::remedy;

const CLOUD: &str = "service.kubernetes.io/load-balancer-cleanup";
const AWS: &str = "service.k8s.aws/resources";

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn name(text: &str) -> Option<Name> {
    Some(text.into())
}

/// A Service as old as `minutes` at the moment of [`now`], with a ready endpoint and an address,
/// until `change` says otherwise.
fn with(
    facts: Cluster,
    service: &str,
    minutes: u64,
    change: impl FnOnce(&mut LoadBalancer),
) -> Cluster {
    let (namespace, app) = service.split_once('/').unwrap();
    let mut balancer = LoadBalancer { has_address: true, ..LoadBalancer::default() };
    change(&mut balancer);
    let fact = Service {
        created: Some(ago(minutes)),
        selector: [("app", app)].into(),
        routed: true,
        load_balancer: Some(Box::new(balancer)),
        ..Service::default()
    };
    let key = Key::new(namespace, app);
    facts.with(Event::Put(key, fact)).slice(service, &["web-1"])
}

fn ago(minutes: u64) -> Duration {
    at(0).unix - Duration::from_secs(60 * minutes)
}

/// Nothing but what is asked about, at a moment that is no zero.
fn now() -> Cluster {
    cluster().after(0)
}

/// One load balancer, an hour old.
fn one(change: impl FnOnce(&mut LoadBalancer)) -> Cluster {
    with(now(), "shop/web", 60, change)
}

fn codes(facts: &Cluster) -> Vec<String> {
    let code = |text: &String| text.split_once(' ').expect("a code and an object").0.to_owned();
    ask(facts).findings.iter().map(code).collect()
}

/// The states that are not 0.
fn states(facts: &Cluster) -> Vec<String> {
    let start = "netvitals_load_balancers{";
    let samples = ask(facts).samples;
    assert_eq!(samples.len(), 5);
    let state = |text: &String| text.strip_prefix(start).unwrap().replace('}', "");
    samples.iter().map(state).filter(|text| !text.ends_with(" 0")).collect()
}

/// A load balancer as it is found in the wild.
struct Shape {
    of: &'static str,
    change: fn(&mut LoadBalancer),
    state: &'static str,
    found: &'static [&'static str],
}

#[test]
fn what_is_found_in_the_wild_is_told_as_its_owner_would_want_it() {
    let shapes = [
        Shape {
            of: "GKE, well",
            change: |it| it.finalizer = name(CLOUD),
            state: "ready",
            found: &[],
        },
        Shape {
            of: "a tunnel with a class of its own, well",
            change: |it| it.class = name("tailscale"),
            state: "ready",
            found: &[],
        },
        Shape {
            of: "AWS: no subnet has the tag, and the event that said so is long gone",
            change: |it| {
                (it.has_address, it.finalizer) = (false, name(AWS));
                it.class = name("service.k8s.aws/nlb");
            },
            state: "pending",
            found: &["load_balancer.pending"],
        },
        Shape {
            of: "AWS: the class is named, and its controller was never installed",
            change: |it| (it.has_address, it.class) = (false, name("service.k8s.aws/nlb")),
            state: "pending",
            found: &["load_balancer.pending"],
        },
        Shape {
            of: "a cloud at its quota, or k3s with the port taken on every node",
            change: |it| (it.has_address, it.finalizer) = (false, name(CLOUD)),
            state: "pending",
            found: &["load_balancer.pending"],
        },
        Shape {
            of: "Cilium without a pool",
            change: |it| {
                (it.has_address, it.has_conditions, it.refusal) = (false, true, name("no_pool"));
            },
            state: "pending",
            found: &["load_balancer.no_addresses"],
        },
        Shape {
            of: "kind, or a chart on bare metal",
            change: |it| it.has_address = false,
            state: "pending",
            found: &["load_balancer.never_worked"],
        },
        Shape {
            of: "TCP and UDP at one load balancer, which the cloud does not make",
            change: |it| {
                (it.has_address, it.finalizer) = (false, name(CLOUD));
                it.port_error = name("LoadBalancerMixedProtocolNotSupported");
            },
            state: "port_error",
            found: &["load_balancer.port_error"],
        },
        Shape {
            of: "a controller that was taken away before what it made",
            change: |it| (it.finalizer, it.deleted) = (name(AWS), Some(ago(11))),
            state: "deleting",
            found: &["load_balancer.stuck_deleting"],
        },
        Shape {
            of: "a load balancer that goes as usual",
            change: |it| (it.finalizer, it.deleted) = (name(AWS), Some(ago(9))),
            state: "deleting",
            found: &[],
        },
        Shape {
            of: "something else that holds on to the Service",
            change: |it| it.deleted = Some(ago(60)),
            state: "deleting",
            found: &[],
        },
    ];
    for Shape { of, change, state, found } in shapes {
        let facts = one(change);
        assert_eq!(codes(&facts), *found, "{of}");
        assert_eq!(states(&facts), [format!("{state} 1")], "{of}");
        assert_eq!((ask(&facts).result, ask(&facts).gaps), (Ok(()), vec![]), "{of}");
    }
}

#[test]
fn an_address_of_another_without_a_class_shows_that_something_gives_them() {
    // MetalLB whose only pool is used up leaves no trace at the Service.
    let facts = |class: Option<&str>| {
        let facts = one(|it| it.has_address = false);
        with(facts, "shop/api", 60, |it| it.class = class.map(Name::from))
    };
    assert_eq!(codes(&facts(None)), ["load_balancer.pending"]);
    assert_eq!(codes(&facts(Some("tailscale"))), ["load_balancer.never_worked"]);
    let answer = ask(&facts(None));
    assert_eq!(
        answer.findings,
        [
            "load_balancer.pending Service shop/web: no address 60 min after it was made: look at its \
          events"
        ]
    );
}

#[test]
fn one_that_is_young_is_waited_for() {
    for (minutes, found) in [(9, 0), (10, 1)] {
        let facts = with(now(), "shop/web", minutes, |it| {
            (it.has_address, it.finalizer) = (false, name(CLOUD));
        });
        assert_eq!(ask(&facts).findings.len(), found, "{minutes}");
        assert_eq!(states(&facts), ["pending 1"], "{minutes}");
    }
}

#[test]
fn messages_name_the_class_the_reason_and_how_long_it_lasts() {
    let class = |it: &mut LoadBalancer| it.class = name("service.k8s.aws/nlb");
    type Change = fn(&mut LoadBalancer);
    let cases: &[(Change, &str)] = &[
        (
            |it| (it.has_address, it.refusal) = (false, name("no_pool")),
            "no_addresses Service shop/web: no address 60 min after it was made, of class \
             service.k8s.aws/nlb, because no pool has an address for it: they are full, or not its, \
             no_pool: look at the pools of addresses",
        ),
        (
            |it| it.port_error = name("53/udp: Refused"),
            "port_error Service shop/web: 53/udp: Refused, of class service.k8s.aws/nlb: look at \
             its ports",
        ),
        (
            |it| (it.deleted, it.finalizer) = (Some(ago(180)), name(AWS)),
            "stuck_deleting Service shop/web: deleted 3 h ago, and held by \
             service.k8s.aws/resources, of class service.k8s.aws/nlb: look at the log of what makes \
             its load balancer",
        ),
    ];
    for (change, message) in cases {
        let facts = one(|it| {
            class(it);
            change(it);
        });
        assert_eq!(ask(&facts).findings, [format!("load_balancer.{message}")]);
    }
    assert_eq!(
        ask(&one(|it| it.has_address = false)).findings,
        [
            "load_balancer.never_worked Service shop/web: no address 60 min after it was made, as no \
          Service without a class has: look at whether anything in the cluster makes load balancers"
        ]
    );
}

/// Puts a slice in the place of the one that there is.
fn slice(facts: Cluster, change: impl FnOnce(&mut EndpointSlice)) -> Cluster {
    let key = Key::new("shop", "web");
    let mut slice = facts.last_known::<EndpointSlice>().unwrap().get(&key).unwrap().clone();
    change(&mut slice);
    facts.with(Event::Put(key, slice))
}

#[test]
fn one_without_a_ready_endpoint_leads_nowhere() {
    let nowhere =
        ["load_balancer.no_targets Service shop/web: no endpoint behind it is ready: look \
                    at its pods"];
    let unready = |it: &mut EndpointSlice| {
        (it.endpoints[0].ready, it.endpoints[0].serving) = (false, false);
    };
    assert_eq!(ask(&slice(one(|_| {}), unready)).findings, nowhere);
    assert_eq!(ask(&slice(one(|_| {}), |it| it.endpoints.clear())).findings, nowhere);
    assert_eq!(states(&slice(one(|_| {}), unready)), ["no_targets 1"]);
    // What ends and still serves is what is left in a rollout.
    let ends = |it: &mut EndpointSlice| {
        (it.endpoints[0].ready, it.endpoints[0].terminating) = (false, true);
    };
    assert_eq!(ask(&slice(one(|_| {}), ends)).findings, [""; 0]);
    // Both are to be repaired.
    let pending = one(|it| (it.has_address, it.finalizer) = (false, name(CLOUD)));
    let both = ["load_balancer.pending", "load_balancer.no_targets"];
    assert_eq!(codes(&slice(pending, unready)), both);
    // What is to be taken away has no targets to lose.
    let deleted = one(|it| it.deleted = Some(ago(60)));
    assert_eq!(codes(&slice(deleted, unready)), [""; 0]);
}

#[test]
fn traffic_that_stays_on_its_node_needs_an_endpoint_that_is_on_one() {
    let local = || one(|it| it.is_local = true);
    assert_eq!(
        ask(&local()).findings,
        [
            "load_balancer.no_targets Service shop/web: its externalTrafficPolicy is Local, and of 1 \
          ready endpoint none is on a node: look at its EndpointSlices"
        ]
    );
    assert_eq!(states(&local()), ["no_targets 1"]);
    let on_a_node = slice(local(), |it| it.endpoints[0].node = name("a"));
    assert_eq!(ask(&on_a_node).findings, [""; 0]);
    // Cilium's ingress and gateways have an endpoint that stands for every node.
    let key = Key::new("shop", "web");
    let mut service = local().last_known::<Service>().unwrap().get(&key).unwrap().clone();
    service.selector = [].into();
    assert_eq!(ask(&local().with(Event::Put(key, service))).findings, [""; 0]);
}

#[test]
fn other_services_are_none_of_it_and_without_one_there_is_nothing_to_ask() {
    let others = cluster().service("shop/cart").slice("shop/cart", &[]);
    assert_eq!(ask(&others).result, Err(Skipped::NotApplicable.into()));
    let undecoded = others.undecoded::<Service>("shop/web");
    assert_eq!(ask(&undecoded).result, Err(Unknown::Undecoded("Service").into()));
}

#[test]
fn what_cannot_be_read_is_unknown_and_a_namespace_is_a_part() {
    for (facts, kind) in [
        (one(|_| {}).unlisted::<Service>(), "Service"),
        (one(|_| {}).unlisted::<EndpointSlice>(), "EndpointSlice"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
    let facts = with(one(|it| it.has_address = false), "bank/pay", 60, |_| {});
    for (facts, kind) in [
        (facts.undecoded::<EndpointSlice>("shop/other"), EndpointSlice::KIND.name),
        (one(|_| {}).undecoded::<Service>("shop/other"), Service::KIND.name),
    ] {
        let answer = ask(&facts);
        assert_eq!(answer.gaps, [("namespaces", Unknown::Undecoded(kind).into())]);
        assert_eq!(answer.findings, [""; 0]);
        assert_eq!(states(&facts), ["ready 1"]);
    }
    let blind = one(|_| {}).unlisted::<Pod>().unlisted::<Node>();
    assert_eq!(ask(&blind).result, Ok(()), "it asks for no pods and no nodes");
}

#[test]
fn what_is_stuck_is_let_go_by_a_command_that_names_it() {
    let facts = one(|it| (it.deleted, it.finalizer) = (Some(ago(60)), name(AWS)));
    let mut out = Output::default();
    CHECK.ask(&facts, &mut out).expect("an answer");
    let commands: Vec<String> = remedy::commands(&out.findings[0]).map(|(_, it)| it).collect();
    let fix = "kubectl -n shop patch service web --type=merge -p \
               '{\"metadata\":{\"finalizers\":null}}'";
    assert!(commands.iter().any(|it| it == fix), "{commands:?}");
}

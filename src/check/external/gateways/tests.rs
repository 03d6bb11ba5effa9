use std::time::Duration;

use super::CHECK;
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    Fact, Fault, Gateway, GatewayClass, GrpcRoute, HttpRoute, Key, Parent, Route, Says, Skipped,
    Status, Unknown,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn ago(seconds: u64) -> Option<Duration> {
    Some(at(0).unix - Duration::from_secs(seconds))
}

fn says(status: Status, reason: &str) -> Option<Says> {
    Some(Says { status, reason: reason.into(), since: ago(HOUR) })
}

/// What the API server itself fills in.
fn pending() -> Option<Says> {
    Some(Says {
        status: Status::Unknown,
        reason: "Pending".into(),
        since: Some(Duration::default()),
    })
}

/// The API without an object, at a moment that is no zero.
fn installed() -> Cluster {
    fn none<T: Fact>(facts: Cluster) -> Cluster {
        facts.with(Event::<T>::Begin).with(Event::<T>::Done)
    }
    let facts = none::<GatewayClass>(none::<Gateway>(cluster().after(0)));
    none::<HttpRoute>(none::<GrpcRoute>(facts))
}

fn put<T: Fact>(facts: Cluster, name: &str, fact: T) -> Cluster {
    let (namespace, name) = name.split_once('/').unwrap();
    facts.with(Event::Put(Key::new(namespace, name), fact))
}

fn class(facts: Cluster, name: &str, accepted: Option<Says>) -> Cluster {
    let controller = "example.com/controller".into();
    put(facts, &format!("/{name}"), GatewayClass { created: ago(HOUR), controller, accepted })
}

/// A class and a Gateway of it that works, an hour old, until `change` says otherwise.
fn one(change: impl FnOnce(&mut Gateway)) -> Cluster {
    let mut gateway = Gateway {
        created: ago(HOUR),
        class: "eg".into(),
        accepted: says(Status::True, "Accepted"),
        programmed: says(Status::True, "Programmed"),
        listeners: 2,
        ..Gateway::default()
    };
    change(&mut gateway);
    put(class(installed(), "eg", says(Status::True, "Accepted")), "infra/web", gateway)
}

fn parent(change: impl FnOnce(&mut Parent)) -> Parent {
    let gateway = Some(Key::new("infra", "web"));
    let mut parent = Parent { gateway, answered: true, ..Parent::default() };
    change(&mut parent);
    parent
}

fn route(facts: Cluster, name: &str, parents: &[Parent]) -> Cluster {
    let route = Route { created: ago(HOUR), parents: parents.into(), ..Route::default() };
    put(facts, name, HttpRoute(route))
}

/// The states that are not 0, of Gateways and of routes.
fn states(facts: &Cluster) -> Vec<String> {
    let samples = ask(facts).samples;
    assert_eq!(samples.len(), 12);
    let all = samples.iter().filter(|text| !text.ends_with(" 0"));
    all.map(|text| text.replace("netvitals_", "").replace(['{', '}'], " ")).collect()
}

fn fault(listener: &str, condition: &'static str, reason: &str) -> Fault {
    Fault { listener: listener.into(), condition, reason: reason.into() }
}

#[test]
fn what_is_found_in_the_wild_is_told_as_its_owner_would_want_it() {
    let silent = || parent(|it| it.answered = false);
    let shapes: Vec<(&str, Cluster, &[&str])> = vec![
        ("a Gateway and a route, well", route(one(|_| {}), "shop/a", &[parent(|_| {})]), &[]),
        (
            "RKE2, where Cilium came before the kinds: nobody has looked at class or Gateway",
            class(one(|it| (it.accepted, it.programmed) = (pending(), pending())), "eg", pending()),
            &[
                "gateways.not_accepted Gateway infra/web: not accepted for 60 min, Pending: look at \
                 whether a controller of its class runs",
                "gateways.class_not_accepted GatewayClass eg: not accepted for 60 min, Pending; 1 \
                 Gateway names it: look at whether example.com/controller runs",
            ],
        ),
        (
            "AKS with an add-on: the class is served, this Gateway is not",
            one(|it| (it.accepted, it.programmed) = (pending(), pending())),
            &[
                "gateways.not_accepted Gateway infra/web: not accepted for 60 min, Pending: look at \
               whether a controller of its class runs",
            ],
        ),
        (
            "bare metal: no load balancer gives an address",
            one(|it| it.programmed = says(Status::False, "AddressNotAssigned")),
            &[
                "gateways.not_programmed Gateway infra/web: accepted, and not programmed for 60 min, \
               AddressNotAssigned: look at its addresses and listeners",
            ],
        ),
        (
            "a certificate that is not there, on one listener of two",
            one(|it| it.faults = [fault("https", "ResolvedRefs", "InvalidCertificateRef")].into()),
            &[
                "gateways.listener Gateway infra/web: of 2 listeners one is at fault; listener https: \
               ResolvedRefs, InvalidCertificateRef: look at its conditions",
            ],
        ),
        (
            "a Gateway that is refused for all its listeners",
            one(|it| {
                it.accepted = says(Status::False, "ListenersNotValid");
                it.faults = [fault("http", "Accepted", "PortUnavailable")].into();
            }),
            &[
                "gateways.not_accepted Gateway infra/web: not accepted for 60 min, ListenersNotValid; \
               listener http: Accepted, PortUnavailable: look at its conditions",
            ],
        ),
        (
            "a class that was uninstalled",
            one(|it| it.class = "old".into()),
            &[
                "gateways.class_missing Gateway infra/web: its class old is not there: look at how its \
               name is written",
            ],
        ),
        (
            "a class that comes with a chart, and that nobody uses",
            class(one(|_| {}), "istio-remote", pending()),
            &[
                "gateways.class_unused GatewayClass istio-remote: not accepted for 60 min, Pending; no \
               Gateway names it: look at whether example.com/controller runs",
            ],
        ),
        (
            "a controller that is older than the condition Programmed",
            one(|it| it.programmed = None),
            &[],
        ),
        (
            "a namespace that the listeners do not allow",
            route(
                one(|_| {}),
                "shop/a",
                &[parent(|it| it.refused = Some("NotAllowedByListeners".into()))],
            ),
            &["gateways.route_not_accepted HTTPRoute shop/a: not accepted by Gateway infra/web, \
               NotAllowedByListeners: look at its conditions"],
        ),
        (
            "a Service that was renamed",
            route(
                one(|_| {}),
                "shop/a",
                &[parent(|it| it.unresolved = Some("BackendNotFound".into()))],
            ),
            &["gateways.route_unresolved HTTPRoute shop/a: what it names is not found by Gateway \
               infra/web, BackendNotFound: look at its backends"],
        ),
        (
            "a Gateway in another namespace, whose name is left out",
            route(one(|_| {}), "shop/a", &[parent(|it| it.gateway = Some(Key::new("", "web")))]),
            &[
                "gateways.route_unattached HTTPRoute shop/a: its Gateway shop/web is not there: look \
               at how its name and namespace are written",
            ],
        ),
        (
            "a controller that never says what became of routes, as some for tunnels",
            route(route(one(|_| {}), "shop/a", &[silent()]), "shop/b", &[silent()]),
            &["gateways.never_answered GatewayClass eg: of 2 routes none was answered: look at \
               whether its controller ever answers routes"],
        ),
        (
            "one route of many that its controller has missed",
            route(route(one(|_| {}), "shop/a", &[silent()]), "shop/b", &[parent(|_| {})]),
            &[
                "gateways.route_silent HTTPRoute shop/a: not answered by Gateway infra/web, and other \
               routes are: look at the log of its controller",
            ],
        ),
        (
            "a route of a mesh, which nobody has to answer",
            route(one(|_| {}), "shop/a", &[parent(|it| (it.gateway, it.answered) = (None, false))]),
            &[],
        ),
    ];
    for (of, facts, found) in shapes {
        let Answer { result, findings, gaps, .. } = ask(&facts);
        assert_eq!(findings, *found, "{of}");
        assert_eq!((result, gaps), (Ok(()), vec![]), "{of}");
    }
}

#[test]
fn each_state_is_counted_for_gateways_and_for_routes() {
    let bad = parent(|it| it.unresolved = Some("RefNotPermitted".into()));
    let gone = parent(|it| it.gateway = Some(Key::new("infra", "gone")));
    let facts = route(one(|_| {}), "shop/a", &[parent(|_| {}), bad.clone(), gone]);
    let facts = route(facts, "shop/b", &[bad, parent(|_| {})]);
    let grpc = Route { parents: [parent(|_| {})].into(), ..Route::default() };
    let facts = put(facts, "shop/a", GrpcRoute(grpc));
    assert_eq!(
        states(&facts),
        [
            "gateway_routes accepted  1",
            "gateway_routes unattached  1",
            "gateway_routes unresolved  1",
            "gateways ready  1"
        ]
    );
    for (change, state) in [
        ((|it| it.accepted = says(Status::False, "Invalid")) as fn(&mut Gateway), "not_accepted"),
        (|it| it.programmed = says(Status::False, "NoResources"), "not_programmed"),
        (|it| it.class = "other".into(), "no_class"),
        (|it| it.faults = [fault("a", "Conflicted", "HostnameConflict")].into(), "listener"),
    ] {
        assert_eq!(states(&one(change)), [format!("gateways {state}  1")]);
    }
}

#[test]
fn what_is_young_is_waited_for() {
    for (minutes, found) in [(9, 0), (10, 1)] {
        let since = ago(minutes * MINUTE);
        let not_yet =
            |reason: &str| Some(Says { status: Status::False, reason: reason.into(), since });
        for change in [
            Box::new(|it: &mut Gateway| (it.created, it.accepted) = (since, pending()))
                as Box<dyn Fn(&mut Gateway)>,
            Box::new(|it| it.programmed = not_yet("AddressNotAssigned")),
            Box::new(|it| (it.created, it.class) = (since, "later".into())),
        ] {
            assert_eq!(ask(&one(|it| change(it))).findings.len(), found, "{minutes}");
        }
        for change in [
            (|it| it.answered = false) as fn(&mut Parent),
            |it| it.refused = Some("NoMatchingParent".into()),
            |it| it.unresolved = Some("BackendNotFound".into()),
            |it| it.gateway = Some(Key::new("shop", "later")),
        ] {
            let parents = [parent(change)].into();
            let route = Route { created: since, parents, ..Route::default() };
            assert_eq!(ask(&put(one(|_| {}), "shop/a", HttpRoute(route))).findings.len(), found);
        }
    }
}

#[test]
fn what_is_said_of_an_older_state_is_not_believed() {
    let gateway = one(|it| (it.unseen, it.accepted) = (true, says(Status::False, "Invalid")));
    assert_eq!(
        ask(&gateway).findings,
        [
            "gateways.unseen Gateway infra/web: its last change has not been looked at: look at the log \
          of its controller"
        ]
    );
    assert_eq!(states(&gateway), ["gateways waiting  1"]);
    let old = parent(|it| (it.unseen, it.refused) = (true, Some("NoMatchingParent".into())));
    let facts = route(one(|_| {}), "shop/a", &[old]);
    assert_eq!(
        ask(&facts).findings,
        ["gateways.unseen HTTPRoute shop/a: its last change has not been looked at by Gateway \
          infra/web: look at the log of its controller"]
    );
    assert_eq!(states(&facts), ["gateway_routes waiting  1", "gateways ready  1"]);
}

#[test]
fn a_route_says_each_thing_once_whatever_its_parents() {
    let bad = parent(|it| it.unresolved = Some("BackendNotFound".into()));
    assert_eq!(ask(&route(one(|_| {}), "shop/a", &[bad.clone(), bad])).findings.len(), 1);
}

#[test]
fn without_the_kinds_or_any_use_of_them_there_is_nothing_to_ask() {
    assert_eq!(ask(&cluster()).result, Err(Skipped::NotInstalled.into()));
    // As clouds bring them.
    let unused = class(installed(), "gke-l7", says(Status::True, "Accepted"));
    assert_eq!(ask(&unused).result, Err(Skipped::NotApplicable.into()));
    let going = ask(&one(|it| (it.terminating, it.accepted) = (true, pending())));
    assert_eq!((going.result, going.findings), (Ok(()), vec![]));
    let delegated = ask(&route(one(|_| {}), "shop/a", &[]));
    assert_eq!((delegated.result, delegated.findings), (Ok(()), vec![]));
}

#[test]
fn what_cannot_be_read_is_unknown_or_a_gap() {
    for (facts, kind) in [
        (one(|_| {}).unlisted::<Gateway>(), "Gateway"),
        (one(|_| {}).unlisted::<GatewayClass>(), "GatewayClass"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
    let other = |it: &mut Parent| it.gateway = Some(Key::new("infra", "other"));
    let facts = route(one(|it| it.class = "other".into()), "shop/a", &[parent(other)]);
    let facts = facts.undecoded::<Gateway>("infra/other").undecoded::<GatewayClass>("/other");
    let answer = ask(&facts);
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(
        answer.gaps,
        [
            ("gatewayclasses", Unknown::Undecoded("GatewayClass").into()),
            ("gateways", Unknown::Undecoded("Gateway").into()),
        ]
    );
    let blind = ask(&one(|_| {}).unlisted::<HttpRoute>());
    assert_eq!(blind.gaps, [("httproutes", Unknown::NotListed("HTTPRoute").into())]);
    let broken = ask(&one(|_| {}).undecoded::<GrpcRoute>("shop/a"));
    assert_eq!(broken.gaps, [("grpcroutes", Unknown::Undecoded("GRPCRoute").into())]);
}

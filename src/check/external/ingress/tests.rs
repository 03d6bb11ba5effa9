use std::time::Duration;

use super::CHECK;
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    Backend, ClassName, EndpointSlice, Ingress, IngressClass, IngressPath, Key, Matches, Name,
    Protocol, Service, ServicePort, Skipped, TargetPort, Unknown,
};

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn key(text: &str) -> Key {
    let (namespace, name) = text.split_once('/').unwrap();
    Key::new(namespace, name)
}

fn ago(minutes: u64) -> Duration {
    at(0).unix - Duration::from_secs(60 * minutes)
}

fn number(service: &str, port: u16) -> Backend {
    Backend::Service { name: service.into(), port: TargetPort::Number(port) }
}

fn path(place: &str, matches: Matches, backend: Backend) -> IngressPath {
    let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    IngressPath { host: host.into(), path: path.into(), matches, backend }
}

fn address(it: &mut Ingress, text: &str) {
    it.addresses = text.split_whitespace().map(Name::from).collect();
}

impl Cluster {
    /// Adds a class that is not the default.
    fn class(self, name: &str, controller: &str) -> Self {
        let class = IngressClass { controller: controller.into(), is_default: false };
        self.with(Event::Put(Key::new("", name), class))
    }

    /// Adds a Service whose port 80, `http`, leads to 8080 of its ready pod.
    fn web(self, service: &str) -> Self {
        let port = ServicePort {
            name: "http".into(),
            port: 80,
            protocol: Protocol::Tcp,
            target: TargetPort::Number(8080),
        };
        let fact = Service { ports: vec![port], routed: true, ..Service::default() };
        self.with(Event::Put(key(service), fact)).slice(service, &["web-1"])
    }

    /// Adds an Ingress of an hour that leads to `web:80`, and is well until `change` says
    /// otherwise.
    fn ingress(self, ingress: &str, change: impl FnOnce(&mut Ingress)) -> Self {
        let mut fact = Ingress {
            created: Some(ago(60)),
            class: Some(ClassName::Spec("traefik".into())),
            addresses: [Name::from("192.0.2.7")].into(),
            paths: [path("shop.example.com/", Matches::Prefix, number("web", 80))].into(),
            ..Ingress::default()
        };
        change(&mut fact);
        self.with(Event::Put(key(ingress), fact))
    }
}

/// A class and a Service, at a moment that is no zero.
fn empty() -> Cluster {
    cluster().after(0).class("traefik", "traefik.io/ingress-controller").web("shop/web")
}

fn one(change: impl FnOnce(&mut Ingress)) -> Cluster {
    empty().ingress("shop/web", change)
}

fn codes(facts: &Cluster) -> Vec<String> {
    let code = |text: &String| text.split_once(": ").expect("a code and an object").0.to_owned();
    ask(facts).findings.iter().map(code).collect()
}

/// The states that are not 0.
fn states(facts: &Cluster) -> Vec<String> {
    let samples = ask(facts).samples;
    assert_eq!(samples.len(), 7);
    let state = |text: &String| text["netvitals_ingresses{".len()..].replace('}', "");
    samples.iter().map(state).filter(|text| !text.ends_with(" 0")).collect()
}

#[test]
fn an_ingress_that_leads_to_a_ready_pod_is_well() {
    let answer = ask(&one(|_| {}));
    assert_eq!((answer.result, answer.gaps, answer.findings), (Ok(()), vec![], vec![]));
    assert_eq!(states(&one(|_| {})), ["ready 1"]);
}

/// An Ingress as it is found in the wild.
struct Shape {
    of: &'static str,
    facts: fn() -> Cluster,
    state: &'static str,
    found: &'static [&'static str],
}

/// Without an address, and of no class.
fn bare(it: &mut Ingress) {
    (it.class, it.addresses) = (None, Box::default());
}

#[test]
fn what_is_found_in_the_wild_is_told_as_its_owner_would_want_it() {
    let shapes = [
        Shape {
            of: "GKE, whose controller goes by an annotation or by none, without an IngressClass",
            facts: || cluster().after(0).web("shop/web").ingress("shop/web", |it| it.class = None),
            state: "ready 1",
            found: &[],
        },
        Shape {
            of: "GKE beside another controller: one without a class is served all the same",
            facts: || one(|it| it.class = None),
            state: "ready 1",
            found: &[],
        },
        Shape {
            of: "Contour, which knows its class without an object of it",
            facts: || one(|it| it.class = Some(ClassName::Spec("contour".into()))),
            state: "ready 1",
            found: &[],
        },
        Shape {
            of: "k3s without Traefik, or kind: no controller at all",
            facts: || cluster().after(0).web("shop/web").ingress("shop/web", bare),
            state: "no_address 1",
            found: &["ingress.never_worked Ingress shop/web"],
        },
        Shape {
            of: "Traefik or HAProxy, which were not told which address to write",
            facts: || one(|it| address(it, "")).ingress("shop/api", |it| address(it, "")),
            state: "no_address 2",
            found: &["ingress.never_worked IngressClass traefik"],
        },
        Shape {
            of: "an annotation in place of a class, whose controller is gone",
            facts: || {
                one(|it| {
                    address(it, "");
                    it.class = Some(ClassName::Annotation("nginx".into()));
                })
            },
            state: "no_address 1",
            found: &["ingress.never_worked Ingress shop/web"],
        },
        Shape {
            of: "a chart that leaves the class to be chosen, where no class is the default",
            facts: || one(|_| {}).ingress("shop/bare", bare),
            state: "no_class 1 ready 1",
            found: &["ingress.no_class Ingress shop/bare"],
        },
        Shape {
            of: "Traefik, which takes those without a class, and was not told which address to write",
            facts: || one(bare),
            state: "no_address 1",
            found: &["ingress.never_worked Ingress shop/web"],
        },
        Shape {
            of: "the same beside a controller that does write one",
            facts: || {
                let facts = one(bare).ingress("shop/api", |it| address(it, ""));
                let facts = facts.class("other", "example.com/other");
                let other = Some(ClassName::Spec("other".into()));
                facts.ingress("shop/other", |it| it.class = other)
            },
            state: "no_address 2 ready 1",
            found: &[
                "ingress.never_worked Ingress shop/web",
                "ingress.never_worked IngressClass traefik",
            ],
        },
        Shape {
            of: "none without a class beside one whose class is written wrong",
            facts: || {
                one(|_| {}).ingress("shop/bare", bare).ingress("shop/wrong", |it| {
                    address(it, "");
                    it.class = Some(ClassName::Spec("treafik".into()));
                })
            },
            state: "no_class 2 ready 1",
            found: &[
                "ingress.no_class Ingress shop/bare",
                "ingress.class_missing Ingress shop/wrong",
            ],
        },
        Shape {
            of: "a class that is written wrong",
            facts: || {
                one(|it| {
                    address(it, "");
                    it.class = Some(ClassName::Spec("treafik".into()));
                })
            },
            state: "no_class 1",
            found: &["ingress.class_missing Ingress shop/web"],
        },
        Shape {
            of: "AWS: one of several load balancers is not made",
            facts: || one(|_| {}).ingress("shop/other", |it| address(it, "")),
            state: "no_address 1 ready 1",
            found: &["ingress.no_address Ingress shop/other"],
        },
        Shape {
            of: "a Service that was renamed",
            facts: || one(|it| it.paths[0].backend = number("wbe", 80)),
            state: "backend_missing 1",
            found: &["ingress.backend_missing Ingress shop/web"],
        },
        Shape {
            of: "the port of the pods in place of the Service's",
            facts: || one(|it| it.paths[0].backend = number("web", 8080)),
            state: "backend_missing 1",
            found: &["ingress.port_missing Ingress shop/web"],
        },
        Shape {
            of: "the same at ingress-nginx, which takes it, and is retired",
            facts: || {
                let facts = empty().class("nginx", "k8s.io/ingress-nginx");
                facts.ingress("shop/web", |it| {
                    it.class = Some(ClassName::Spec("nginx".into()));
                    it.paths[0].backend = number("web", 8080);
                })
            },
            state: "ready 1",
            found: &["ingress.retired IngressClass nginx"],
        },
        Shape {
            of: "a second ingress-nginx, with a name of its own",
            facts: || {
                let facts = empty().class("inner", "k8s.io/internal-ingress-nginx");
                facts.ingress("shop/web", |it| it.class = Some(ClassName::Spec("inner".into())))
            },
            state: "ready 1",
            found: &["ingress.retired IngressClass inner"],
        },
        Shape {
            of: "another NGINX, and an ingress-nginx that nothing uses",
            facts: || {
                let facts = empty().class("other", "k8s.io/ingress-nginx");
                let facts = facts.class("nginx", "nginx.org/ingress-controller");
                facts.ingress("shop/web", |it| it.class = Some(ClassName::Spec("nginx".into())))
            },
            state: "ready 1",
            found: &[],
        },
        Shape {
            of: "a workload that is scaled to none behind its Ingress",
            facts: || one(|_| {}).slice("shop/web", &[]),
            state: "no_endpoints 1",
            found: &["ingress.no_endpoints Ingress shop/web"],
        },
        Shape {
            of: "AWS: a redirect by annotation, and a bucket as backend",
            facts: || one(|it| it.paths[0].backend = Backend::Other),
            state: "ready 1",
            found: &[],
        },
        Shape {
            of: "a redirect at ingress-nginx, whose backend is made up",
            facts: || {
                one(|it| (it.is_redirect, it.paths[0].backend) = (true, number("nobody", 80)))
            },
            state: "ready 1",
            found: &[],
        },
        Shape {
            of: "a name of DNS as backend",
            facts: || {
                let service = Service { external_name: true, ..Service::default() };
                let facts = empty().with(Event::Put(key("shop/far"), service));
                facts.ingress("shop/web", |it| it.paths[0].backend = number("far", 443))
            },
            state: "ready 1",
            found: &[],
        },
        Shape {
            of: "one that is being deleted",
            facts: || {
                one(|it| {
                    bare(it);
                    (it.terminating, it.paths[0].backend) = (true, number("gone", 80));
                })
            },
            state: "deleting 1",
            found: &[],
        },
    ];
    for Shape { of, facts, state, found } in shapes {
        let facts = facts();
        assert_eq!(codes(&facts), *found, "{of}");
        assert_eq!(states(&facts).join(" "), state, "{of}");
        assert_eq!((ask(&facts).result, ask(&facts).gaps), (Ok(()), vec![]), "{of}");
    }
}

#[test]
fn an_address_is_waited_for_and_a_class_that_is_not_there_is_not() {
    for (minutes, found) in [(9, &[""; 0][..]), (10, &["ingress.no_address Ingress shop/new"][..])]
    {
        let facts = one(|_| {}).ingress("shop/new", |it| {
            address(it, "");
            it.created = Some(ago(minutes));
        });
        assert_eq!(codes(&facts), *found, "{minutes}");
        assert_eq!(states(&facts), ["no_address 1", "ready 1"], "{minutes}");
    }
    let young = |change: fn(&mut Ingress)| {
        codes(&one(|it| {
            it.created = Some(ago(1));
            change(it);
        }))
    };
    assert_eq!(young(bare), [""; 0]);
    let misspelt = |it: &mut Ingress| {
        address(it, "");
        it.class = Some(ClassName::Spec("treafik".into()));
    };
    assert_eq!(young(misspelt), ["ingress.class_missing Ingress shop/web"]);
}

#[test]
fn messages_name_what_is_wrong_and_what_there_is() {
    let two = |it: &mut Ingress| {
        let paths = ["shop.example.com/a", "shop.example.com/b"];
        it.paths = paths.map(|it| path(it, Matches::Prefix, number(&it[17..], 80))).into();
        it.default = Some(number("web", 443));
    };
    assert_eq!(
        ask(&one(two)).findings,
        [
            "ingress.backend_missing Ingress shop/web: shop.example.com/a leads to Service a, which \
             is not there, and 1 more: look at how its name is written",
            "ingress.port_missing Ingress shop/web: its default backend leads to port 443 of Service \
             web, which has no such port: look at the ports of the Service",
        ]
    );
    let anywhere =
        |it: &mut Ingress| it.paths = [path("", Matches::Exact, number("web", 80))].into();
    assert_eq!(
        ask(&one(anywhere).slice("shop/web", &[])).findings,
        [
            "ingress.no_endpoints Ingress shop/web: */ leads to Service web, of which no endpoint is \
          ready: look at its pods"
        ]
    );
    assert_eq!(
        ask(&one(|_| {}).ingress("shop/other", |it| address(it, ""))).findings,
        [
            "ingress.no_address Ingress shop/other: no address 60 min after it was made, and others of \
          class traefik have one: look at the log of their controller"
        ]
    );
    let misspelt = |it: &mut Ingress| {
        address(it, "");
        it.class = Some(ClassName::Spec("treafik".into()));
    };
    let more = ["a", "b", "c"].iter().fold(one(misspelt), |facts, name| facts.class(name, "x"));
    assert_eq!(
        ask(&more).findings,
        [
            "ingress.class_missing Ingress shop/web: its class treafik is not there; there is a, b, c \
          and 1 more: look at how its name is written"
        ]
    );
    let none = cluster().after(0).web("shop/web").ingress("shop/web", misspelt);
    assert_eq!(
        ask(&none).findings,
        [
            "ingress.class_missing Ingress shop/web: its class treafik is not there, nor is any other: \
          look at how its name is written"
        ]
    );
}

#[test]
fn one_without_a_class_is_told_of_the_default_that_came_later() {
    let lone = || one(|_| {}).ingress("shop/bare", bare);
    assert_eq!(
        ask(&lone()).findings,
        [
            "ingress.no_class Ingress shop/bare: it names no class, and no class is the default; there \
          is traefik: look at which it is to have"
        ]
    );
    let class = IngressClass { controller: "x".into(), is_default: true };
    let facts = lone().with(Event::Put(Key::new("", "traefik"), class));
    assert_eq!(
        ask(&facts).findings,
        [
            "ingress.no_class Ingress shop/bare: it names no class, and it was made before class traefik \
          became the default: look at which it is to have"
        ]
    );
    // Where another without a class has an address, such are served.
    let facts = one(bare).ingress("shop/other", |it| it.class = None);
    assert_eq!(codes(&facts), ["ingress.no_address Ingress shop/web"]);
}

/// An Ingress of an hour, and a younger one that leads elsewhere after `change`.
fn two(change: impl FnOnce(&mut Ingress)) -> Cluster {
    one(|_| {}).web("shop/api").ingress("shop/younger", |it| {
        (it.created, it.paths[0].backend) = (Some(ago(30)), number("api", 80));
        change(it);
    })
}

#[test]
fn of_two_with_the_same_path_the_younger_is_told() {
    assert_eq!(
        ask(&two(|_| {})).findings,
        [
            "ingress.conflict Ingress shop/younger: shop.example.com/ leads to api:80 here, and to web:80 \
          in Ingress shop/web, which is older: look at both"
        ]
    );
    assert_eq!(states(&two(|_| {})), ["conflict 1", "ready 1"]);
}

#[test]
fn paths_that_mean_the_same_are_the_same() {
    let older = |of: &'static str, matches| {
        let facts = empty().web("shop/api");
        facts.ingress("shop/web", |it| it.paths = [path(of, matches, number("web", 80))].into())
    };
    let both = |(one, matches): (&'static str, Matches), (two, others): (&'static str, Matches)| {
        let facts = older(one, matches).ingress("shop/younger", |it| {
            it.created = Some(ago(30));
            it.paths = [path(two, others, number("api", 80))].into();
        });
        codes(&facts).len()
    };
    use Matches::{Exact, Otherwise, Prefix};
    for (one, two, found) in [
        (("a.example.com/x", Prefix), ("a.example.com/x/", Prefix), 1),
        (("a.example.com/x", Prefix), ("A.example.com./x", Prefix), 1),
        (("a.example.com", Otherwise), ("a.example.com/", Otherwise), 1),
        (("/", Prefix), ("", Prefix), 1),
        // The exact one comes first wherever both are served.
        (("a.example.com/x", Exact), ("a.example.com/x", Prefix), 0),
        (("a.example.com/x", Exact), ("a.example.com/x/", Exact), 0),
        (("a.example.com/x", Prefix), ("a.example.com/xy", Prefix), 0),
        (("a.example.com/x", Prefix), ("b.example.com/x", Prefix), 0),
        (("a.example.com/x", Prefix), ("/x", Prefix), 0),
    ] {
        assert_eq!(both(one, two), found, "{one:?} {two:?}");
    }
}

#[test]
fn what_is_shared_by_intent_is_no_conflict() {
    type Change = fn(&mut Ingress);
    let cases: &[(&str, Change)] = &[
        ("the same backend", |it| it.paths[0].backend = number("web", 80)),
        ("a canary, a group, a port of its own", |it| it.is_shared = true),
        ("a redirect", |it| it.is_redirect = true),
        ("AWS or GKE: each has a load balancer of its own", |it| address(it, "192.0.2.8")),
        ("another class", |it| it.class = Some(ClassName::Annotation("other".into()))),
        ("what no Service is", |it| it.paths[0].backend = Backend::Other),
        ("one that goes", |it| it.terminating = true),
    ];
    for (of, change) in cases {
        assert_eq!(codes(&two(change)), [""; 0], "{of}");
    }
    // One that is about to get an address takes nothing yet; where none ever has one, each is asked.
    let new = |it: &mut Ingress| {
        address(it, "");
        it.created = Some(ago(1));
    };
    assert_eq!(codes(&two(new)), [""; 0]);
    let silent = two(new).ingress("shop/web", |it| address(it, ""));
    let both =
        ["ingress.conflict Ingress shop/younger", "ingress.never_worked IngressClass traefik"];
    assert_eq!(codes(&silent), both);
    // A Service of that name in another namespace is another.
    let facts = one(|_| {}).web("bank/web");
    let facts = facts.ingress("bank/younger", |it| it.created = Some(ago(30)));
    assert_eq!(codes(&facts), ["ingress.conflict Ingress bank/younger"]);
}

#[test]
fn without_an_ingress_there_is_nothing_to_ask() {
    assert_eq!(ask(&empty()).result, Err(Skipped::NotApplicable.into()));
    let undecoded = empty().undecoded::<Ingress>("shop/web");
    assert_eq!(ask(&undecoded).result, Err(Unknown::Undecoded("Ingress").into()));
}

#[test]
fn what_cannot_be_read_is_unknown_and_in_part_a_gap() {
    for (facts, kind) in [
        (one(|_| {}).unlisted::<Ingress>(), "Ingress"),
        (one(|_| {}).unlisted::<IngressClass>(), "IngressClass"),
        (one(|_| {}).unlisted::<Service>(), "Service"),
        (one(|_| {}).unlisted::<EndpointSlice>(), "EndpointSlice"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
    let broken = || one(|it| it.paths[0].backend = number("gone", 80));
    let misspelt = || {
        one(|it| {
            address(it, "");
            it.class = Some(ClassName::Spec("treafik".into()));
        })
    };
    let unready = || one(|_| {}).slice("shop/web", &[]);
    for (facts, part, kind) in [
        (one(|_| {}).undecoded::<Ingress>("shop/other"), "namespaces", "Ingress"),
        (broken().undecoded::<Service>("shop/gone"), "namespaces", "Service"),
        (unready().undecoded::<EndpointSlice>("shop/web-2"), "namespaces", "EndpointSlice"),
    ] {
        let answer = ask(&facts);
        assert_eq!(answer.gaps, [(part, Unknown::Undecoded(kind).into())]);
        assert_eq!(answer.findings, [""; 0], "{kind}");
    }
    // The class may be the one that cannot be read.
    let facts = misspelt().with(Event::<IngressClass>::Undecoded(Key::new("", "treafik")));
    assert_eq!(ask(&facts).gaps, [("classes", Unknown::Undecoded("IngressClass").into())]);
    assert_eq!(codes(&facts), ["ingress.never_worked Ingress shop/web"]);
}

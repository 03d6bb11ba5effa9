use std::fmt::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::cluster::Event;
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{
    ClassName, Endpoint, EndpointPort, ForeignPolicy, IngressPath, LoadBalancer, Matches, PodRef,
    Ports, Protocol,
};
use crate::report::remedy;
use crate::watch;

const NGINX: &str = "k8s.io/ingress-nginx";

const ADDRESS: &str = "192.0.2.7";

fn key(text: &str) -> Key {
    let (namespace, name) = text.split_once('/').expect("namespace/name");
    Key::new(namespace, name)
}

impl Cluster {
    fn labelled(self, pod: &str, labels: &[(&str, &str)]) -> Self {
        let labels: BTreeMap<Name, Name> =
            labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        self.pod_with(pod, |pod| {
            pod.labels = labels.into();
            pod.ports = Ports::new(vec![("http".into(), 8080, Protocol::Tcp)]);
        })
    }

    /// Adds a Service with port 80 that leads to 8080 of these pods.
    fn backed(self, service: &str, pods: &[&str], change: impl FnOnce(&mut Service)) -> Self {
        let port = ServicePort {
            name: "http".into(),
            port: 80,
            protocol: Protocol::Tcp,
            target: TargetPort::Name("http".into()),
        };
        let app = key(service).name;
        let selector = [("app", &*app)].into();
        let mut fact = Service { ports: vec![port], routed: true, selector, ..Service::default() };
        change(&mut fact);
        let endpoint = |name: &&str| Endpoint {
            address: None,
            pod: Some(PodRef { name: (*name).into(), uid: format!("uid-{name}").as_str().into() }),
            node: None,
            ready: true,
            serving: true,
            terminating: false,
        };
        let port = EndpointPort { name: "http".into(), port: Some(8080), protocol: Protocol::Tcp };
        let slice = EndpointSlice {
            service: Some(app),
            managed: true,
            ports: [port].into(),
            endpoints: pods.iter().map(endpoint).collect(),
            ..EndpointSlice::default()
        };
        self.with(Event::Put(key(service), fact)).with(Event::Put(key(service), slice))
    }

    fn classed(self, controller: &str) -> Self {
        let class = IngressClass { controller: controller.into(), is_default: false };
        self.with(Event::Put(Key::new("", "main"), class))
    }

    /// Adds an Ingress that leads to `web:80` of its namespace.
    fn leads(self, ingress: &str, change: impl FnOnce(&mut Ingress)) -> Self {
        let backend = Backend::Service { name: "web".into(), port: TargetPort::Number(80) };
        let (host, path) = ("shop.example.com".into(), "/".into());
        let mut fact = Ingress {
            class: Some(ClassName::Spec("main".into())),
            paths: [IngressPath { host, path, matches: Matches::Prefix, backend }].into(),
            ..Ingress::default()
        };
        change(&mut fact);
        self.with(Event::Put(key(ingress), fact))
    }

    fn policy(self, name: &str, spec: &str) -> Self {
        let key = key(name);
        let spec: Value = serde_saphyr::from_str(spec).expect(spec);
        let (namespace, name) = (&*key.namespace, &*key.name);
        let policy = json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec});
        self.with(watch::event::<NetworkPolicy>(&policy.to_string()))
    }

    fn namespace(self, name: &str, labels: &[(&str, &str)]) -> Self {
        let labels: BTreeMap<Name, Name> =
            labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        self.with(Event::Put(
            Key::new("", name),
            Namespace { labels: labels.into(), ..<_>::default() },
        ))
    }
}

/// A shop of two pods, and nothing that serves its Ingress.
fn shop() -> Cluster {
    let own = [("app", "web"), ("pod-template-hash", "a")];
    cluster().labelled("shop/web-1", &own).labelled("shop/web-2", &own).backed(
        "shop/web",
        &["web-1", "web-2"],
        |_| {},
    )
}

const OF_NGINX: [(&str, &str); 4] = [
    ("app.kubernetes.io/component", "controller"),
    ("app.kubernetes.io/instance", "ingress-nginx"),
    ("app.kubernetes.io/name", "ingress-nginx"),
    ("pod-template-hash", "b"),
];

/// One that ingress-nginx serves, whose chart labels its pods, and an engine.
fn bare() -> Cluster {
    shop()
        .classed(NGINX)
        .labelled("ingress-nginx/controller-1", &OF_NGINX)
        .leads("shop/web", |_| {})
}

fn facts() -> Cluster {
    bare().enforced_by("calico-node")
}

/// A policy of the shop for all of its pods, with these rules of ingress.
fn closed(facts: Cluster, rules: &str) -> Cluster {
    let spec = format!("{{podSelector: {{}}, policyTypes: [Ingress], ingress: {rules}}}");
    facts.policy("shop/deny", &spec)
}

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// The verdicts of which there are any.
fn verdicts(facts: &Cluster) -> String {
    let mut text = String::new();
    for sample in ask(facts).samples {
        let (_, rest) = sample.split_once('{').expect(&sample);
        if !rest.ends_with(" 0") {
            let _ = write!(text, "{} ", rest.replace('}', ""));
        }
    }
    text.trim_end().to_owned()
}

fn parts(facts: &Cluster) -> Vec<&'static str> {
    ask(facts).gaps.into_iter().map(|(part, _)| part).collect()
}

#[test]
fn what_no_policy_isolates_is_open() {
    for facts in
        [facts(), bare(), facts().policy("shop/p", "{podSelector: {matchLabels: {app: x}}}")]
    {
        let answer = ask(&facts);
        assert_eq!((answer.result, answer.findings, answer.gaps), (Ok(()), vec![], vec![]));
        assert_eq!(verdicts(&facts), "open 1");
    }
}

/// As users wrote them, and found 502 or 504 at the outside, or were well.
#[test]
fn policies_of_public_reports_are_told_for_what_they_do() {
    let labelled = || {
        facts()
            .namespace(
                "ingress-nginx",
                &[
                    ("kubernetes.io/metadata.name", "ingress-nginx"),
                    ("component", "ingress-controllers"),
                ],
            )
            .namespace("shop", &[("kubernetes.io/metadata.name", "shop")])
    };
    for (report, rules, expected) in [
        ("a default of deny, and nothing beside it", "[]", "blocked 1"),
        ("the own namespace alone", "[{from: [{podSelector: {}}]}]", "blocked 1"),
        (
            "pods of the controller, looked for in the own namespace",
            "[{from: [{podSelector: {matchLabels: {app.kubernetes.io/name: ingress-nginx}}}]}]",
            "blocked 1",
        ),
        (
            "the namespace of the gateway that is to come, while the old controller serves",
            "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: gateway-system}}}]}]",
            "blocked 1",
        ),
        (
            "the label of the namespace as other tools give it",
            "[{from: [{namespaceSelector: {matchLabels: {name: ingress-nginx}}}]}]",
            "blocked 1",
        ),
        (
            "the port of the Service in the place of the pods'",
            "[{from: [{namespaceSelector: {}}], ports: [{port: 80}]}]",
            "blocked 1",
        ),
        (
            "the own namespace, and that of the controller by its name",
            "[{from: [{podSelector: {}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]}]",
            "open 1",
        ),
        (
            "ingress controllers by a label of their namespace",
            "[{from: [{namespaceSelector: {matchLabels: {component: ingress-controllers}}}]}]",
            "open 1",
        ),
        (
            "the controller and the port by its name",
            "[{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app.kubernetes.io/component: controller}}}], ports: [{port: http}]}]",
            "open 1",
        ),
        ("all pods by their range", "[{from: [{ipBlock: {cidr: 10.244.0.0/16}}]}]", "open 1"),
        (
            "the nodes alone by their range",
            "[{from: [{ipBlock: {cidr: 10.99.0.0/24}}]}]",
            "blocked 1",
        ),
        ("everybody", "[{}]", "open 1"),
    ] {
        let facts = closed(labelled(), rules);
        assert_eq!(verdicts(&facts), expected, "{report}");
        assert_eq!(parts(&facts), [""; 0], "{report}");
    }
}

/// Who serves is found as each distribution has it.
#[test]
fn a_controller_is_known_by_the_address_of_its_service_or_by_the_label_of_its_chart() {
    let by_label = |controller: &str, labels: &[(&str, &str)]| {
        let facts = shop().enforced_by("calico-node").classed(controller);
        closed(facts.labelled("edge/proxy-1", labels).leads("shop/web", |_| {}), "[]")
    };
    let name = |name: &'static str| [("app.kubernetes.io/name", name)];
    for (of, controller, labels, expected) in [
        ("k3s", "traefik.io/ingress-controller", &name("traefik")[..], "blocked 1"),
        ("RKE2 with Traefik", "traefik.io/ingress-controller", &name("rke2-traefik"), "blocked 1"),
        ("F5", "nginx.org/ingress-controller", &name("nginx-ingress"), "blocked 1"),
        (
            "HAProxy",
            "haproxy.org/ingress-controller/edge",
            &name("kubernetes-ingress"),
            "blocked 1",
        ),
        ("Kong", "ingress-controllers.konghq.com/kong", &name("kong"), "blocked 1"),
        ("ingress-nginx' default backend", NGINX, &name("ingress-nginx"), "unjudged 1"),
        (
            "RKE2",
            NGINX,
            &[
                ("app.kubernetes.io/component", "controller"),
                ("app.kubernetes.io/name", "rke2-ingress-nginx"),
            ],
            "blocked 1",
        ),
        (
            "AWS: a load balancer is no pod",
            "ingress.k8s.aws/alb",
            &name("aws-load-balancer-controller"),
            "unjudged 1",
        ),
        ("Azure", "azure/application-gateway", &name("ingress-azure"), "unjudged 1"),
        (
            "Cilium, whose proxy is on each node",
            "cilium.io/ingress-controller",
            &name("cilium"),
            "unjudged 1",
        ),
        (
            "Contour, of which others send",
            "projectcontour.io/ingress-controller",
            &name("contour"),
            "unjudged 1",
        ),
    ] {
        let facts = by_label(controller, labels);
        assert_eq!(verdicts(&facts), expected, "{of}");
        assert_eq!(parts(&facts), [""; 0], "{of}");
    }
    let balanced = |facts: Cluster, service: &str, port: u16, pods: &[&str]| {
        facts.backed(service, pods, |it| {
            let addresses = [Name::from(ADDRESS)].into();
            let balancer = LoadBalancer { has_address: true, addresses, ..LoadBalancer::default() };
            it.load_balancer = Some(Box::new(balancer));
            it.ports[0].port = port;
        })
    };
    let by_address = |class: &str, change: fn(Cluster) -> Cluster| {
        let facts = change(shop().enforced_by("calico-node").classed(class));
        let facts = facts.labelled("edge/envoy-1", &[("app", "envoy")]);
        let facts = balanced(facts, "edge/envoy", 443, &["envoy-1"]);
        closed(facts.leads("shop/web", |it| it.addresses = [Name::from(ADDRESS)].into()), "[]")
    };
    let contour = "projectcontour.io/ingress-controller";
    assert_eq!(verdicts(&by_address(contour, |it| it)), "blocked 1");
    // MetalLB may share an address: mail beside it is not meant, and of two that might be nobody knows.
    let beside = balanced(by_address(contour, |it| it), "edge/mail", 25, &[]);
    assert_eq!(verdicts(&beside), "blocked 1");
    let beside = balanced(by_address(contour, |it| it), "edge/other", 80, &[]);
    assert_eq!(verdicts(&beside), "unjudged 1");
    // A proxy before the controller has the address: shut out is only who is let in by neither.
    let chain = by_address(NGINX, |it| it.labelled("ingress-nginx/controller-1", &OF_NGINX));
    assert_eq!(verdicts(&chain), "blocked 1");
    let from = "[{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]}]";
    assert_eq!(verdicts(&closed(chain, from)), "open 1");
}

#[test]
fn what_has_its_nodes_network_or_serves_nothing_is_not_judged() {
    let closed = || closed(facts(), "[]");
    let on = |facts: Cluster, pod: &str, change: fn(&mut Pod)| {
        facts.pod_with(pod, |pod| {
            let all = OF_NGINX.map(|(key, value)| (Name::from(key), Name::from(value)));
            pod.labels = BTreeMap::from(all).into();
            change(pod);
        })
    };
    let controller = "ingress-nginx/controller-1";
    assert_eq!(verdicts(&on(closed(), controller, |it| it.host_network = true)), "unjudged 1");
    assert_eq!(verdicts(&on(closed(), controller, |it| it.ready = false)), "unjudged 1");
    assert_eq!(verdicts(&closed().leads("shop/web", |it| it.is_redirect = true)), "");
    assert_eq!(verdicts(&closed().leads("shop/web", |it| it.terminating = true)), "");
    // What is wrong with a backend is told by `ingress`.
    assert_eq!(verdicts(&closed().backed("shop/web", &[], |_| {})), "open 1");
    assert_eq!(verdicts(&closed().backed("shop/web", &["web-1"], |it| it.ports.clear())), "open 1");
    assert_eq!(ask(&shop()).result, Err(Skipped::NotApplicable.into()));
}

#[test]
fn what_is_found_says_whose_policy_keeps_which_controller_from_what() {
    let own = closed(facts(), "[{from: [{podSelector: {}}]}]").leads("shop/api", |_| {});
    let answer = ask(&own);
    assert_eq!(
        answer.findings,
        [
            "policy_ingress_backend.blocked Service shop/web: NetworkPolicy shop/deny keeps the ingress controller, pod \
             ingress-nginx/controller-1, from every pod behind it on port 8080, where Ingress api and 1 more lead: look at the \
             peers and ports of its ingress"
        ]
    );
    assert_eq!(
        answer.statement,
        "1 of 1 Service behind Ingresses shut to ingress controllers by policies"
    );
    let canary = [("app", "web"), ("track", "canary")];
    let spec = "{podSelector: {matchLabels: {track: canary}}, policyTypes: [Ingress]}";
    let partly = facts().labelled("ingress-nginx/controller-2", &OF_NGINX);
    let partly = partly.labelled("shop/web-2", &canary).policy("shop/canary", spec);
    assert_eq!(
        ask(&partly).findings,
        [
            "policy_ingress_backend.partly_blocked Service shop/web: NetworkPolicy shop/canary keeps the ingress controller, 2 \
             pods of which ingress-nginx/controller-1 is one, from 1 of 2 pods behind it on port 8080, where Ingress web leads: \
             look at the peers and ports of its ingress"
        ]
    );
    assert_eq!(verdicts(&partly), "partly_blocked 1");
    // The controller's own policy lets it send elsewhere alone.
    let spec = "{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 443}]}]}";
    assert_eq!(
        ask(&facts().policy("ingress-nginx/own", spec)).findings,
        [
            "policy_ingress_backend.blocked Service shop/web: NetworkPolicy ingress-nginx/own keeps the ingress controller, pod \
             ingress-nginx/controller-1, from every pod behind it on port 8080, where Ingress web leads: look at the peers and \
             ports of its egress"
        ]
    );
}

#[test]
fn one_of_several_that_is_let_in_is_enough() {
    let second = [OF_NGINX[0], OF_NGINX[2], ("app.kubernetes.io/instance", "inner")];
    let facts = facts().labelled("inner/controller-1", &second);
    let from = |namespace: &str| {
        format!(
            "[{{from: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}}}]}}]"
        )
    };
    assert_eq!(verdicts(&closed(facts, &from("inner"))), "open 1");
    // Which of them has the address that is let in only that address tells.
    let facts = |first: &str| {
        let addressed = |pod: &mut Pod, address: &str| {
            let all = OF_NGINX.map(|(key, value)| (Name::from(key), Name::from(value)));
            pod.labels = BTreeMap::from(all).into();
            pod.addresses = [address.parse().expect(address)].into_iter().collect();
        };
        let facts = bare().pod_with("ingress-nginx/controller-1", |it| addressed(it, first));
        facts.pod_with("ingress-nginx/controller-2", |it| addressed(it, "10.244.3.3"))
    };
    let range = "[{from: [{ipBlock: {cidr: 10.244.2.0/24}}]}]";
    let ask = |first, engine| verdicts(&closed(facts(first).enforced_by(engine), range));
    assert_eq!(ask("10.244.2.2", "calico-node"), "open 1");
    assert_eq!(ask("10.244.1.1", "calico-node"), "blocked 1");
    // Cilium does not hold ranges against pods.
    assert_eq!(ask("10.244.2.2", "cilium"), "unknown 1");
}

#[test]
fn the_policies_that_it_tells_to_make_open_the_way_and_close_nothing() {
    let make = |facts: &Cluster| -> Option<(Name, Value)> {
        let mut out = Output::default();
        CHECK.ask(facts, &mut out).expect("an answer");
        let mut commands = remedy::commands(&out.findings[0]).map(|(_, command)| command);
        let made = commands.find(|command| command.contains(" create "))?;
        let rest = made.strip_prefix("kubectl -n ").expect(&made);
        let (namespace, rest) = rest.split_once(" create -f - <<< '").expect(&made);
        let policy = rest.strip_suffix('\'').expect(&made);
        Some((namespace.into(), serde_json::from_str(policy).expect(&made)))
    };
    let own = "{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 443}]}]}";
    for (facts, namespace, name) in [
        (closed(facts(), "[]"), "shop", "web-from-controller"),
        (facts().policy("ingress-nginx/own", own), "ingress-nginx", "shop-web-backend"),
    ] {
        let (made_in, mut made) = make(&facts).expect("a command");
        assert_eq!((&*made_in, &made["metadata"]["name"]), (namespace, &json!(name)));
        assert!(!made.to_string().contains("pod-template-hash"), "{made}");
        made["metadata"]["namespace"] = namespace.into();
        let facts = facts.with(watch::event::<NetworkPolicy>(&made.to_string()));
        assert_eq!(verdicts(&facts), "open 1", "{made}");
    }
    // One more pod of the Service is open today: a policy that selects it would close it.
    let one = "{podSelector: {matchLabels: {pod-template-hash: a}}, policyTypes: [Ingress]}";
    let more = facts().labelled("shop/web-3", &[("app", "web")]).policy("shop/p", one);
    assert_eq!(verdicts(&more), "blocked 1");
    assert_eq!(make(&more), None);
}

#[test]
fn what_is_not_known_is_a_gap_and_no_finding() {
    for (of, facts, part) in [
        ("nothing that is known enforces", closed(bare(), "[]"), "engine"),
        (
            "a policy of another API, which may open what this one closes",
            closed(facts(), "[]").with(watch::event::<ForeignPolicy<9>>(
                r#"{ "metadata": { "namespace": "shop", "name": "q" },
                    "spec": { "endpointSelector": {} } }"#,
            )),
            "networkpolicies",
        ),
        (
            "a policy that cannot be read",
            facts().undecoded::<NetworkPolicy>("shop/p"),
            "networkpolicies",
        ),
        (
            "labels of a namespace that is not seen",
            closed(facts(), "[{from: [{namespaceSelector: {matchLabels: {team: edge}}}]}]"),
            "namespaces",
        ),
        (
            "a slice that cannot be read",
            closed(facts(), "[]").undecoded::<EndpointSlice>("shop/s"),
            "endpointslices",
        ),
    ] {
        assert_eq!((&*verdicts(&facts), parts(&facts)), ("unknown 1", vec![part]), "{of}");
        assert_eq!(ask(&facts).findings, [""; 0], "{of}");
    }
    // What nothing enforces shuts nothing.
    let idle = closed(bare().enforced_by("kube-flannel-ds"), "[]");
    assert_eq!((&*verdicts(&idle), parts(&idle)), ("open 1", vec![]));
    let end = "of 1 Service behind Ingresses shut to ingress controllers by policies: nothing enforces policies here";
    assert!(ask(&idle).statement.ends_with(end), "{}", ask(&idle).statement);
    for (facts, kind) in [
        (facts().unlisted::<Ingress>(), "Ingress"),
        (facts().unlisted::<IngressClass>(), "IngressClass"),
        (facts().unlisted::<NetworkPolicy>(), "NetworkPolicy"),
        (facts().unlisted::<Pod>(), "Pod"),
        (facts().unlisted::<Service>(), "Service"),
        (facts().unlisted::<EndpointSlice>(), "EndpointSlice"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
}

#[test]
fn where_addresses_decide_no_more_than_256_pods_are_looked_at() {
    let range = "[{from: [{ipBlock: {cidr: 10.99.0.0/24}}]}]";
    let with = |pods: usize| {
        let one = |facts: Cluster, at| {
            facts.labelled(&format!("ingress-nginx/controller-{at}"), &OF_NGINX)
        };
        closed((1..=pods).fold(facts(), one), range)
    };
    assert_eq!(verdicts(&with(256)), "blocked 1");
    assert_eq!((&*verdicts(&with(257)), parts(&with(257))), ("unknown 1", vec!["ranges"]));
}

#[test]
fn many_ingresses_and_policies_are_judged_together() {
    let mut facts = facts();
    for at in 0..100 {
        let namespace = format!("shop-{at}");
        facts = closed(facts, "[]")
            .labelled(&format!("{namespace}/web-1"), &[("app", "web")])
            .backed(&format!("{namespace}/web"), &["web-1"], |_| {})
            .leads(&format!("{namespace}/web"), |_| {})
            .policy(&format!("{namespace}/deny"), "{podSelector: {}, policyTypes: [Ingress]}");
    }
    assert_eq!(verdicts(&facts), "blocked 101");
    assert_eq!(ask(&facts).findings.len(), 101);
}

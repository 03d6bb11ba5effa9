use serde_json::{Value, json};

use super::*;
use crate::cluster::Event;
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{Endpoint, EndpointPort, ForeignPolicy, PodRef};
use crate::report::remedy;
use crate::watch;

/// A Service `web` of two pods with the ports `http`, 8080, and `metrics`, 9090, and something that enforces policies.
fn bare() -> Cluster {
    let pod = |pod: &mut Pod| {
        pod.ports = Ports::new(vec![
            ("http".into(), 8080, Protocol::Tcp),
            ("metrics".into(), 9090, Protocol::Tcp),
        ]);
    };
    let facts =
        cluster().service("shop/web").pod_with("shop/web-1", pod).pod_with("shop/web-2", pod);
    slice(facts, "web", &["web-1", "web-2"], &[("http", 8080), ("metrics", 9090)])
}

fn facts() -> Cluster {
    bare().enforced_by("calico-node")
}

fn slice(facts: Cluster, service: &str, pods: &[&str], ports: &[(&str, u16)]) -> Cluster {
    let endpoint = |name: &&str| Endpoint {
        address: None,
        pod: Some(PodRef { name: (*name).into(), uid: format!("uid-{name}").as_str().into() }),
        node: None,
        ready: true,
        serving: true,
        terminating: false,
    };
    let port = |(name, port): &(&str, u16)| EndpointPort {
        name: (*name).into(),
        port: Some(*port),
        protocol: Protocol::Tcp,
    };
    let slice = EndpointSlice {
        service: Some(service.into()),
        managed: true,
        ports: ports.iter().map(port).collect(),
        endpoints: pods.iter().map(endpoint).collect(),
        ..EndpointSlice::default()
    };
    facts.with(Event::Put(Key::new("shop", service), slice))
}

fn with(facts: Cluster, name: &str, spec: &str) -> Cluster {
    let spec: Value = serde_saphyr::from_str(spec).expect(spec);
    let policy = json!({ "metadata": { "namespace": "shop", "name": name }, "spec": spec });
    facts.with(watch::event::<NetworkPolicy>(&policy.to_string()))
}

/// A policy of the shop with these rules of ingress.
fn ingress(facts: Cluster, rules: &str) -> Cluster {
    with(facts, "p", &format!("{{policyTypes: [Ingress], ingress: {rules}}}"))
}

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// Returns the verdicts that are given.
fn verdicts(facts: &Cluster) -> Vec<String> {
    let all = ask(facts).samples.into_iter();
    let all = all.map(|it| it.replace("netvitals_services_blocked_by_policy", ""));
    all.filter(|it| !it.ends_with(" 0")).collect()
}

fn parts(facts: &Cluster) -> Vec<&'static str> {
    ask(facts).gaps.into_iter().map(|(part, _)| part).collect()
}

#[test]
fn a_service_whose_pods_no_policy_isolates_is_open() {
    for facts in [
        facts(),
        bare(),
        with(facts(), "p", "{policyTypes: [Egress]}"),
        with(facts(), "p", "{podSelector: {matchLabels: {app: cart}}}"),
    ] {
        let answer = ask(&facts);
        assert_eq!((answer.result, answer.findings, answer.gaps), (Ok(()), vec![], vec![]));
        assert_eq!(verdicts(&facts), [] as [&str; 0]);
    }
}

/// As users wrote them, and found that a Service answered nobody.
#[test]
fn policies_of_public_reports_are_told_for_what_they_do() {
    let from = "from: [{namespaceSelector: {matchLabels: {team: edge}}}]";
    for (report, rules, verdicts_are) in [
        ("a default of deny, and nothing beside it", "[]".to_owned(), "{blocked} 1"),
        (
            "the port of the Service in the place of the pods'",
            format!("[{{{from}, ports: [{{port: 80}}]}}]"),
            "{blocked} 1",
        ),
        (
            "UDP, which is what was copied from DNS",
            "[{ports: [{port: 8080, protocol: UDP}]}]".to_owned(),
            "{blocked} 1",
        ),
        (
            "the port of http alone, beside metrics",
            format!("[{{{from}, ports: [{{port: 8080}}]}}]"),
            "{port_blocked} 1",
        ),
        ("http by its name", "[{ports: [{port: http}]}]".to_owned(), "{port_blocked} 1"),
        (
            "both, one in a range",
            "[{ports: [{port: 8000, endPort: 8999}, {port: metrics}]}]".to_owned(),
            "",
        ),
        ("the own namespace alone: somebody may", "[{from: [{podSelector: {}}]}]".to_owned(), ""),
        ("a range of addresses", "[{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]".to_owned(), ""),
        ("everybody", "[{}]".to_owned(), ""),
    ] {
        let facts = ingress(facts(), &rules);
        assert_eq!(verdicts(&facts).concat(), verdicts_are, "{report}");
        assert_eq!(parts(&facts), [] as [&str; 0], "{report}");
    }
}

#[test]
fn what_is_found_says_whose_policy_keeps_whom_from_what() {
    let found = |facts: &Cluster| ask(facts).findings;
    assert_eq!(
        found(&with(ingress(facts(), "[]"), "q", "{podSelector: {matchLabels: {app: web}}}")),
        [
            "policy_service_ingress.blocked Service shop/web: NetworkPolicy p, together with 1 more, lets nobody in to its pods \
          on their port 8080, 9090: look at the ports and peers of their ingress"
        ]
    );
    assert_eq!(
        found(&ingress(facts(), "[{ports: [{port: 8080}]}]")),
        [
            "policy_service_ingress.port_blocked Service shop/web: NetworkPolicy p lets nobody in to its pods on their port \
          9090: look at the ports and peers of their ingress"
        ]
    );
    let partly = facts()
        .pod_with("shop/web-2", |pod| pod.labels = [("app", "web"), ("track", "canary")].into());
    let partly =
        with(partly, "p", "{podSelector: {matchLabels: {track: canary}}, policyTypes: [Ingress]}");
    assert_eq!(
        found(&partly),
        [
            "policy_service_ingress.partly_blocked Service shop/web: NetworkPolicy p lets nobody in to 1 of 2 pods behind it, \
          on port 8080, 9090: look at the labels that the policies select"
        ]
    );
    assert_eq!(verdicts(&partly), ["{partly_blocked} 1"]);
}

#[test]
fn what_gets_no_traffic_is_not_looked_at() {
    let closed = || ingress(facts(), "[]");
    let unready = slice(closed(), "web", &[], &[("http", 8080)]);
    let gone = slice(closed(), "web", &["web-9"], &[("http", 8080)]);
    let on_host = closed()
        .pod_with("shop/web-1", |pod| pod.host_network = true)
        .pod_with("shop/web-2", |pod| pod.host_network = true);
    for facts in [unready, gone, on_host] {
        assert_eq!(verdicts(&facts), [] as [&str; 0]);
    }
}

#[test]
fn the_policy_that_it_tells_to_make_opens_the_service_and_closes_nothing() {
    let make = |facts: &Cluster| {
        let mut out = Output::default();
        CHECK.ask(facts, &mut out).expect("an answer");
        let commands = remedy::commands(&out.findings[0]).map(|(_, command)| command);
        let makes: Vec<String> = commands.filter(|command| command.contains(" create ")).collect();
        makes.into_iter().next()
    };
    for rules in ["[]", "[{ports: [{port: 8080}]}]"] {
        let facts = ingress(facts(), rules);
        let make = make(&facts).expect("a command");
        let made = make.strip_prefix("kubectl -n shop create -f - <<< '").expect(&make);
        let made = made.strip_suffix('\'').expect(&make);
        let mut made: Value = serde_json::from_str(made).expect(&make);
        assert_eq!(made["metadata"]["name"], "web-ingress");
        made["metadata"]["namespace"] = "shop".into();
        let facts = facts.with(watch::event::<NetworkPolicy>(&made.to_string()));
        assert_eq!(verdicts(&facts), [] as [&str; 0], "{rules}");
    }
    // One more pod of the Service is open today: a policy that selects it would close it.
    let isolated = facts()
        .pod_with("shop/web-1", |pod| pod.labels = [("app", "web"), ("of", "shop")].into())
        .pod_with("shop/web-2", |pod| pod.labels = [("app", "web"), ("of", "shop")].into())
        .pod("shop/web-3");
    let isolated =
        with(isolated, "p", "{podSelector: {matchLabels: {of: shop}}, policyTypes: [Ingress]}");
    assert_eq!(verdicts(&isolated), ["{blocked} 1"]);
    assert_eq!(make(&isolated), None);
}

#[test]
fn what_is_not_known_is_a_gap_and_no_verdict() {
    let nameless = |facts: Cluster| {
        facts
            .pod_with("shop/web-1", |pod| pod.ports = Ports::default())
            .pod_with("shop/web-2", |pod| pod.ports = Ports::default())
    };
    for (of, facts, part) in [
        ("nothing enforces", ingress(bare(), "[]"), "engine"),
        (
            "an engine that nobody knows",
            ingress(bare().enforced_by("terway-eniip"), "[]"),
            "engine",
        ),
        (
            "a port without its name",
            nameless(ingress(facts(), "[{ports: [{port: http}]}]")),
            "ports",
        ),
        ("a peer of tomorrow", ingress(facts(), "[{from: [{}]}]"), "networkpolicies"),
        (
            "a policy of another API, which may open what this one closes",
            ingress(facts(), "[]").with(watch::event::<ForeignPolicy<9>>(
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
            "a slice that cannot be read",
            ingress(facts(), "[]").undecoded::<EndpointSlice>("shop/s"),
            "endpointslices",
        ),
    ] {
        let unknown = vec!["{unknown} 1".to_owned()];
        assert_eq!((verdicts(&facts), parts(&facts)), (unknown, vec![part]), "{of}");
    }
    // What nothing enforces shuts nothing.
    let idle = ingress(bare().enforced_by("kube-flannel-ds"), "[]");
    assert_eq!((verdicts(&idle), parts(&idle)), (vec![], vec![]));
    // What is open is open whatever enforces it.
    assert_eq!(parts(&ingress(bare(), "[{}]")), [] as [&str; 0]);
    for (facts, kind) in [
        (facts().unlisted::<NetworkPolicy>(), "NetworkPolicy"),
        (facts().unlisted::<Pod>(), "Pod"),
        (facts().unlisted::<Service>(), "Service"),
        (facts().unlisted::<EndpointSlice>(), "EndpointSlice"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
}

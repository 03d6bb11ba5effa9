use super::CHECK;
use crate::cluster::{Cluster, Settings};
use crate::fixtures::says::{asks, replica_row, row, window};
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{
    Captured, DnsPath, DnsQuery, DnsRow, Failure, Group, Observation, Protocol, Skipped, Unknown,
    Window,
};

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// Three nodes that say the same.
fn all_say(observation: &Observation) -> Cluster {
    ["a", "b", "c"].iter().fold(cluster(), |facts, node| facts.hears(node, observation.clone()))
}

#[test]
fn failing_queries_are_found_with_their_reason() {
    let answer = ask(&cluster().agent("a", 30, 6).agent("b", 30, 15));
    assert_eq!(
        answer.findings,
        ["dns_success.low Service kube-system/kube-dns: 21 of 60 queries failed, mostly with \
          timeout: look at the DNS pods and their CPU"]
    );
    assert_eq!(
        answer.samples,
        [
            "netvitals_dns_success_ratio{resolver,cluster,udp} 0.65",
            "netvitals_node_dns_success_ratio{a} 0.8",
            "netvitals_node_dns_success_ratio{b} 0.5"
        ]
    );
}

#[test]
fn one_failure_in_ten_is_borne() {
    assert_eq!(ask(&cluster().agent("a", 30, 3)).findings, [""; 0]);
}

#[test]
fn a_node_that_fails_alone_is_named_and_the_cluster_is_not() {
    let facts = cluster().agent("a", 30, 0).agent("b", 30, 30).agent("c", 30, 0);
    assert_eq!(
        ask(&facts).findings,
        ["dns_success.node_low Node b: 30 of 30 queries failed, mostly with timeout: look at the \
          node's path to the DNS pods, which other nodes do not share"]
    );
}

#[test]
fn the_message_names_the_next_thing_to_look_at() {
    let because = |reason: Failure| {
        let mut failing = row(DnsPath::Resolver, 30, 30);
        failing.queries.mostly = Some(reason);
        failing
    };
    let direct = [row(DnsPath::Service, 30, 30), replica_row("a/dns-1", 30, 0)];
    for (rows, next) in [
        (vec![because(Failure::Refused)], "EndpointSlices"),
        (vec![because(Failure::Servfail)], "API"),
        (vec![because(Failure::Nxdomain)], "cluster domain"),
        (vec![because(Failure::RcodeRefused)], "acl"),
        (vec![because(Failure::Blocked)], "egress policies"),
        (vec![because(Failure::Timeout)], "CPU"),
        (std::iter::once(because(Failure::Timeout)).chain(direct).collect(), "kube-proxy"),
    ] {
        let found = &ask(&cluster().hears("a", asks(rows))).findings[0];
        assert!(found.split_once("failed").is_some_and(|(_, end)| end.contains(next)), "{found}");
    }
}

#[test]
fn late_answers_are_found_and_late_failures_are_none() {
    let slow = |slow, failures| {
        let queries = Window { slow, very_slow: 1, ..window(100, failures) };
        ask(&cluster().hears("a", asks([DnsRow { queries, ..row(DnsPath::Resolver, 0, 0) }])))
    };
    assert_eq!(slow(5, 0).findings, [""; 0]);
    assert_eq!(
        slow(6, 10).findings,
        ["dns_success.slow Service kube-system/kube-dns: 6 of 90 answers took longer than 250 \
          ms, 1 of them longer than 1 s: look at the CPU of the DNS pods"]
    );
}

#[test]
fn a_replica_that_drops_most_queries_is_named_and_the_other_is_not() {
    let rows = |headline, bad, good| {
        asks([
            row(DnsPath::Resolver, 30, headline),
            replica_row("a/dns-1", 30, bad),
            replica_row("b/dns-2", 30, good),
        ])
    };
    let facts =
        cluster().hears("a", rows(9, 18, 0)).hears("b", rows(8, 16, 3)).hears("c", rows(10, 17, 0));
    let answer = ask(&facts);
    assert_eq!(
        answer.findings,
        [
            "dns_success.replica_failing Pod kube-system/dns-1: fails for 3 of the 3 agents that \
             ask it directly, 51 of 90 queries, mostly with timeout: look at its log and at its \
             CPU",
            "dns_success.low Service kube-system/kube-dns: 27 of 90 queries failed, mostly with \
             timeout: look at the DNS pods and their CPU"
        ]
    );
    assert_eq!(
        answer.samples[..4],
        [
            "netvitals_dns_replica_failing_observers{kube-system,a,dns-1} 3",
            "netvitals_dns_replica_failing_observers{kube-system,b,dns-2} 0",
            "netvitals_dns_replica_observers{kube-system,a,dns-1} 3",
            "netvitals_dns_replica_observers{kube-system,b,dns-2} 3"
        ]
    );
}

#[test]
fn replicas_are_not_to_blame_when_all_of_them_fail_from_a_node() {
    let rows = |failures| {
        asks([
            row(DnsPath::Resolver, 30, failures),
            replica_row("a/dns-1", 30, failures),
            replica_row("b/dns-2", 30, failures),
        ])
    };
    // From one of two nodes, and from all.
    let one = ask(&cluster().hears("a", rows(30)).hears("b", rows(0)));
    assert_eq!(one.findings.len(), 1);
    assert!(one.findings[0].starts_with("dns_success.node_low Node a"), "{:?}", one.findings);
    assert_eq!(one.samples[2], "netvitals_dns_replica_observers{kube-system,a,dns-1} 1");
    let all = ask(&all_say(&rows(9)));
    assert_eq!(all.findings.len(), 1);
    assert!(all.findings[0].starts_with("dns_success.low"), "{:?}", all.findings);
    assert_eq!(all.samples[2], "netvitals_dns_replica_observers{kube-system,a,dns-1} 0");
}

#[test]
fn an_agent_that_asks_one_replica_of_many_blames_it_unless_nothing_else_works_either() {
    let asking = |pod: &str, failures, headline| {
        asks([row(DnsPath::Resolver, 30, headline), replica_row(pod, 30, failures)])
    };
    let others = |facts: Cluster| {
        facts.hears("c", asking("b/dns-2", 0, 0)).hears("d", asking("b/dns-2", 0, 0))
    };
    let dead =
        others(cluster().hears("a", asking("a/dns-1", 30, 9)).hears("b", asking("a/dns-1", 30, 9)));
    assert!(ask(&dead).findings[0].starts_with("dns_success.replica_failing Pod"));
    let cut = others(cluster().hears("a", asking("a/dns-1", 30, 30)));
    assert!(ask(&cut).findings[0].starts_with("dns_success.node_low Node a"));
}

#[test]
fn the_only_replica_is_named_when_it_fails_for_most() {
    let rows = |failures| {
        asks([row(DnsPath::Resolver, 30, failures), replica_row("a/dns-1", 30, failures)])
    };
    let most = cluster().hears("a", rows(30)).hears("b", rows(30)).hears("c", rows(0));
    assert!(ask(&most).findings[0].starts_with("dns_success.replica_failing Pod"));
    let one = cluster().hears("a", rows(30)).hears("b", rows(0)).hears("c", rows(0));
    assert!(ask(&one).findings[0].starts_with("dns_success.node_low Node a"));
}

#[test]
fn a_replica_is_not_judged_by_few_queries() {
    let answer = ask(&all_say(&asks([
        row(DnsPath::Resolver, 30, 0),
        replica_row("a/dns-1", 9, 9),
        replica_row("b/dns-2", 9, 0),
    ])));
    assert_eq!(answer.findings, [""; 0]);
    assert!(!answer.samples.iter().any(|sample| sample.contains("observers")));
}

#[test]
fn every_way_to_ask_has_its_share_and_unknown_ones_have_none() {
    let with = |path, query, protocol| DnsRow { query, protocol, ..row(path, 20, 5) };
    let answer = ask(&all_say(&asks([
        row(DnsPath::Resolver, 20, 0),
        with(DnsPath::Resolver, DnsQuery::External, Protocol::Udp),
        with(DnsPath::Service, DnsQuery::Cluster, Protocol::Tcp),
        with(DnsPath::Other, DnsQuery::Cluster, Protocol::Udp),
        with(DnsPath::Resolver, DnsQuery::Other, Protocol::Udp),
    ])));
    let ratios = answer.samples.iter().filter(|sample| sample.contains("dns_success_ratio{re"));
    assert_eq!(
        ratios.collect::<Vec<_>>(),
        [
            "netvitals_dns_success_ratio{resolver,cluster,udp} 1",
            "netvitals_dns_success_ratio{resolver,external,udp} 0.75"
        ]
    );
    assert!(
        answer.samples.contains(&"netvitals_dns_success_ratio{service,cluster,tcp} 0.75".into())
    );
    assert!(!answer.samples.iter().any(|sample| sample.contains("other")), "{:?}", answer.samples);
    assert_eq!(answer.findings, [""; 0]);
}

#[test]
fn silent_agents_few_queries_and_no_queries_are_told_apart() {
    let result = |facts| ask(&facts).result;
    assert_eq!(result(cluster()), Err(Unknown::Stale("agents").into()));
    assert_eq!(result(cluster().old_agent("a")), Err(Unknown::AgentTooOld.into()));
    assert_eq!(result(cluster().agent("a", 19, 19)), Err(Unknown::TooFewSamples.into()));
    assert_eq!(result(cluster().agent("a", 0, 0)), Err(Unknown::TooFewSamples.into()));
    let none = Settings { agents: None, ..Settings::default() };
    assert_eq!(result(Cluster::new(none)), Err(Skipped::NotConfigured.into()));
    let host = cluster().hears_host("a", asks([row(DnsPath::Resolver, 30, 0)]));
    assert_eq!(result(host), Err(Unknown::Stale("agents").into()));
}

#[test]
fn an_agent_that_cannot_ask_says_why_and_is_a_gap_among_others() {
    let unsent = Window { unsent: 30, ..Window::default() };
    let no_socket = DnsRow { queries: unsent, ..row(DnsPath::Resolver, 0, 0) };
    let disabled = Observation { dns: Some(Group::Disabled), ..Observation::default() };
    for (said, part, why) in [
        // Only a nameserver that it cannot ask, whatever else it asks.
        (asks([row(DnsPath::Service, 30, 0)]), "resolvers", Unknown::NoResolver.into()),
        (asks([row(DnsPath::Other, 30, 0)]), "resolvers", Unknown::NoResolver.into()),
        (asks([no_socket]), "resolvers", Unknown::NoSocket.into()),
        (disabled, "agents", Skipped::Disabled.into()),
    ] {
        let facts = || cluster().service(DNS).hears("a", said.clone());
        assert_eq!(ask(&facts()).result, Err(why), "{why}");
        let among = ask(&facts().agent("b", 30, 0).agent("c", 30, 0));
        assert_eq!((among.result, among.gaps), (Ok(()), vec![(part, why)]), "{why}");
    }
    // One that has just begun is no gap.
    let young = cluster().service(DNS).agent("a", 0, 0).agent("b", 30, 0);
    assert_eq!(ask(&young).gaps, []);
}

const DNS: &str = "kube-system/kube-dns";

#[test]
fn without_the_service_of_dns_the_replicas_are_a_gap() {
    let why = Unknown::NotFound("the Service that dns_service names").into();
    let gaps = |facts: Cluster| ask(&facts.agent("a", 30, 0)).gaps;
    assert_eq!(gaps(cluster()), [("replicas", why)]);
    assert_eq!(gaps(cluster().service(DNS)), []);
}

#[test]
fn an_old_agent_among_new_ones_is_a_gap() {
    let answer = ask(&cluster().service(DNS).agent("a", 30, 0).old_agent("b"));
    assert_eq!(answer.result, Ok(()));
    assert_eq!(answer.gaps, [("agents", Unknown::AgentTooOld.into())]);
}

#[test]
fn a_captured_agent_is_left_out() {
    let captured = Observation {
        captured: Some(Captured { dns: true, tcp: false }),
        ..asks([row(DnsPath::Resolver, 30, 30)])
    };
    let answer = ask(&cluster().service(DNS).agent("a", 30, 0).hears("b", captured.clone()));
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(answer.gaps, [("agents", Unknown::Captured.into())]);
    assert_eq!(ask(&cluster().hears("b", captured)).result, Err(Unknown::Captured.into()));
}

use super::CHECK;
use crate::cluster::{Cluster, Settings};
use crate::fixtures::says::window;
use crate::fixtures::{Answer, answer, attempts, cluster, reaching};
use crate::model::{
    Captured, Failure, Group, Key, Observation, ProbeKind, Reached, Skipped, Target, Unknown,
    Unreadable,
};

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn row(target: Target, service: &str, failures: u64) -> Reached {
    let service = Some(Key::new("shop", service));
    let (probe, port) = (ProbeKind::Tcp, Some(80));
    Reached { target, probe, service, port, attempts: window(12, failures), ..Reached::default() }
}

/// What an agent sees of a Service, and of as many endpoints as there are numbers; each number
/// is how many of 12 attempts fail.
fn sees(service: &str, failures: u64, endpoints: &[u64]) -> Vec<Reached> {
    let endpoints = endpoints.iter().map(|failures| row(Target::Endpoint, service, *failures));
    std::iter::once(row(Target::Service, service, failures)).chain(endpoints).collect()
}

/// Nodes `a`, `b` and so on, each with what its agent sees.
fn facts(agents: impl IntoIterator<Item = Vec<Reached>>) -> Cluster {
    ["a", "b", "c", "d"]
        .into_iter()
        .zip(agents)
        .fold(cluster(), |facts, (node, rows)| facts.hears(node, reaching(rows)))
}

/// Two Services with two endpoints each, of which either may fail.
fn pair(cart: bool, pay: bool) -> Vec<Reached> {
    let failures = |fails| if fails { 12 } else { 0 };
    let rows = [sees("cart", failures(cart), &[0, 0]), sees("pay", failures(pay), &[0, 0])];
    rows.concat()
}

fn fine() -> Vec<Reached> {
    pair(false, false)
}

fn subjects(facts: &Cluster) -> Vec<String> {
    let words = |it: String| it.split_once(": ").expect("a message").0.to_owned();
    ask(facts).findings.into_iter().map(words).collect()
}

const CART: &str = "service_reachability.unreachable Service shop/cart";
const PAY: &str = "service_reachability.unreachable Service shop/pay";

#[test]
fn where_everything_answers_nothing_is_found_and_zero_is_said() {
    let answer = ask(&facts([fine(), fine(), fine()]));
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(
        answer.samples,
        [
            "netvitals_service_failing_observers{shop,cart,80} 0",
            "netvitals_service_failing_observers{shop,pay,80} 0",
            "netvitals_service_observers{shop,cart,80} 3",
            "netvitals_service_observers{shop,pay,80} 3"
        ]
    );
}

#[test]
fn a_node_from_which_services_fail_while_their_endpoints_answer_is_broken() {
    let answer = ask(&facts([fine(), pair(true, true), fine()]));
    assert_eq!(
        answer.findings,
        ["service_reachability.node_broken Node b: 2 of 2 ports of Services fail from it while \
          their endpoints answer, first shop/cart:80, mostly with timeout: look at whether \
          kube-proxy runs on it, and at its rules"]
    );
    assert_eq!(answer.samples[0], "netvitals_service_failing_observers{shop,cart,80} 0");
    assert_eq!(answer.samples[2], "netvitals_service_observers{shop,cart,80} 2");
}

#[test]
fn a_node_that_refuses_has_outdated_endpoints() {
    let mut refused = pair(true, true);
    refused.iter_mut().for_each(|row| row.attempts.mostly = Some(Failure::Refused));
    let answer = ask(&facts([fine(), refused]));
    assert!(answer.findings[0].contains("outdated endpoints"), "{:?}", answer.findings);
}

#[test]
fn nodes_and_services_are_told_apart() {
    let node = |name: &str| format!("service_reachability.node_broken Node {name}");
    let only = |failures| sees("cart", failures, &[0]);
    for (agents, found) in [
        // One Service of two fails everywhere, or nearly: it is the Service.
        (vec![pair(true, false), pair(true, false), pair(true, false)], vec![CART.to_owned()]),
        (vec![pair(true, false), pair(true, false), fine()], vec![CART.to_owned()]),
        // From one node of three: neither.
        (vec![pair(true, false), fine(), fine()], vec![]),
        // All fail from two nodes of three: it is the nodes.
        (vec![pair(true, true), pair(true, true), fine()], vec![node("a"), node("b")]),
        // All fail everywhere: no agent is left to compare with.
        (vec![pair(true, true), pair(true, true)], vec![CART.to_owned(), PAY.to_owned()]),
        // A broken node among others, and a Service that fails from all of them.
        (
            vec![pair(true, true), pair(true, false), pair(true, false), pair(true, false)],
            vec![node("a"), CART.to_owned()],
        ),
        // With one Service, the number of those that see it decides.
        (vec![only(12), only(0), only(0)], vec![node("a")]),
        (vec![only(12), only(12), only(0)], vec![CART.to_owned()]),
        (vec![only(12)], vec![CART.to_owned()]),
    ] {
        assert_eq!(subjects(&facts(agents.clone())), found, "{agents:?}");
    }
}

#[test]
fn a_service_that_fails_is_named_with_its_port() {
    let failing = || sees("cart", 12, &[0, 0, 12]);
    assert_eq!(
        ask(&facts([failing(), failing(), failing()])).findings,
        ["service_reachability.unreachable Service shop/cart: port 80 fails while its endpoints \
          answer, for 3 of 3 agents, mostly with timeout: look at kube-proxy's log and at the \
          Service"]
    );
}

#[test]
fn a_service_whose_endpoints_fail_too_is_not_the_dataplanes_fault() {
    for rows in [
        sees("cart", 12, &[12, 12]),
        // Half of it is dead.
        sees("cart", 6, &[0, 12]),
        // No agent knows of endpoints.
        sees("cart", 12, &[]),
        // It mostly answers.
        sees("cart", 5, &[0, 0]),
    ] {
        let answer = ask(&facts([rows.clone(), rows.clone(), rows.clone()]));
        assert_eq!((answer.result, answer.findings), (Ok(()), vec![]), "{rows:?}");
    }
}

#[test]
fn a_service_that_answers_while_its_endpoints_do_not_is_an_info() {
    let odd = || sees("cart", 0, &[12, 12]);
    assert_eq!(
        ask(&facts([odd(), odd(), odd()])).findings,
        ["service_reachability.only_by_service Service shop/cart: port 80 answers while none of \
          its endpoints does directly, for 3 of 3 agents: look at the policies that select its \
          pods"]
    );
    for rows in [sees("cart", 0, &[12, 0]), sees("cart", 1, &[12, 12])] {
        assert_eq!(ask(&facts([rows])).findings, [""; 0]);
    }
}

#[test]
fn an_agent_that_reaches_no_other_node_says_nothing() {
    let cut_off = |failures| {
        let mut rows = pair(true, true);
        rows.extend([Target::Node, Target::PeerPod].map(|to| attempts(to, "b", failures)));
        rows
    };
    let answer = ask(&facts([cut_off(12), fine(), fine()]));
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(answer.samples[2], "netvitals_service_observers{shop,cart,80} 2");
    assert_eq!(
        subjects(&facts([cut_off(11), fine(), fine()])),
        ["service_reachability.node_broken Node a"]
    );
}

#[test]
fn where_every_agent_is_cut_off_that_is_the_reason_and_not_a_lack_of_attempts() {
    let cut_off = || {
        let mut rows = pair(true, true);
        rows.push(attempts(Target::PeerPod, "b", 12));
        rows
    };
    let result = |agents| ask(&facts(agents)).result;
    assert_eq!(result(vec![cut_off(), cut_off()]), Err(Unknown::CutOff.into()));
    let mut few = fine();
    few.iter_mut().for_each(|row| row.attempts.attempts = 2);
    assert_eq!(result(vec![cut_off(), few]), Err(Unknown::TooFewSamples.into()));
    let text = Unknown::CutOff.to_string();
    assert!(text.contains("policy") && !text.contains("samples"), "{text}");
}

#[test]
fn silent_old_captured_and_idle_agents_are_told_apart() {
    let result = |facts| ask(&facts).result;
    assert_eq!(result(cluster()), Err(Unknown::Stale("agents").into()));
    assert_eq!(result(cluster().agent("a", 30, 0)), Err(Unknown::AgentTooOld.into()));
    assert_eq!(result(facts([vec![]])), Err(Unknown::TooFewSamples.into()));
    let mut few = row(Target::Service, "cart", 0);
    few.attempts.attempts = 2;
    assert_eq!(result(facts([vec![few]])), Err(Unknown::TooFewSamples.into()));
    let captured = Some(Captured { tcp: true, dns: false });
    let captured = || Observation { captured, ..reaching(pair(true, true)) };
    assert_eq!(result(cluster().hears("a", captured())), Err(Unknown::Captured.into()));
    let denied = Reached { denied: true, ..row(Target::Service, "cart", 0) };
    let mut unsent = row(Target::Service, "cart", 0);
    (unsent.attempts.attempts, unsent.attempts.unsent) = (0, 12);
    let no_plan = Observation {
        plan_age: Some(Group::Unreadable(Unreadable::NoPlan)),
        ..reaching(vec![row(Target::Api, "cart", 0)])
    };
    for (said, why) in [
        (reaching(vec![denied]), Unknown::Denied),
        (reaching(vec![unsent]), Unknown::NoSocket),
        (no_plan, Unknown::NoPlan),
    ] {
        assert_eq!(result(cluster().hears("a", said.clone())), Err(why.into()));
        let among = ask(&facts([fine()]).hears("b", said));
        assert_eq!((among.findings, among.gaps), (vec![], vec![("agents", why.into())]));
    }
    let among = ask(&facts([fine()]).hears("b", captured()));
    assert_eq!((among.findings, among.gaps), (vec![], vec![("agents", Unknown::Captured.into())]));
    let none = Settings { agents: None, ..Settings::default() };
    assert_eq!(result(Cluster::new(none)), Err(Skipped::NotConfigured.into()));
}

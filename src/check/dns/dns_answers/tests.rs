//! What replicas and resolvers say, against what the API does.

use super::*;
use crate::fixtures::says::{asks, replica, row};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{Answers, Captured, Group, Observation, Unreadable};

/// Each is a replica, a Service, and whether the newest answer was wrong.
fn hears(answers: &[(&str, &str, bool)]) -> Observation {
    let answers = answers.iter().map(|(pod, service, wrong_now)| Answers {
        replica: replica(pod),
        service: Key::new("shop", *service),
        answered: 10,
        wrong: 10 * u64::from(*wrong_now),
        wrong_now: *wrong_now,
        absent_now: false,
        known: true,
    });
    says(answers.collect())
}

fn says(answers: Vec<Answers>) -> Observation {
    let mut observation = asks([row(DnsPath::Resolver, 30, 0)]);
    if let Some(Group::Read(dns)) = &mut observation.dns {
        dns.answers = answers;
    }
    observation
}

/// Each is a replica, whether it says that there is no such name, and whether it ever knew it.
fn all_wrong(answers: &[(&str, bool, bool)]) -> Observation {
    let answers = answers.iter().map(|(pod, absent_now, known)| Answers {
        replica: replica(pod),
        service: Key::new("shop", "cart"),
        answered: 10,
        wrong: 10,
        wrong_now: true,
        absent_now: *absent_now,
        known: *known,
    });
    says(answers.collect())
}

fn ask(observations: &[Observation]) -> Answer {
    let named = ["a", "b", "c"].iter().zip(observations);
    let facts = cluster().service("kube-system/kube-dns");
    let facts = named.fold(facts, |facts, (node, it)| facts.hears(node, it.clone()));
    answer(&CHECK, &facts)
}

#[test]
fn a_stale_replica_is_named_with_the_service_that_it_does_not_know() {
    let all = hears(&[
        ("a/dns-1", "new", true),
        ("a/dns-1", "old", false),
        ("b/dns-2", "new", false),
        ("b/dns-2", "old", false),
    ]);
    let answer = ask(&[all.clone(), all.clone(), all]);
    assert_eq!(
        answer.findings,
        ["dns_answers.wrong Pod kube-system/dns-1: answers wrongly for 1 of the Services \
          that it is asked for, first shop/new: look at whether it reaches the API"]
    );
    assert_eq!(
        answer.samples,
        [
            "netvitals_dns_wrong_answers{a,replica} 1",
            "netvitals_dns_wrong_answers{a,resolver} 0",
            "netvitals_dns_wrong_answers{b,replica} 0",
            "netvitals_dns_wrong_answers{b,resolver} 0",
            "netvitals_dns_wrong_answers{c,resolver} 0"
        ]
    );
}

#[test]
fn a_service_that_every_replica_has_wrong_is_the_subject() {
    let all = hears(&[("a/dns-1", "new", true), ("b/dns-2", "new", true)]);
    assert_eq!(
        ask(&[all]).findings,
        ["dns_answers.wrong Service shop/new: all 2 replicas answer with addresses that it \
          had before: look at whether they reach the API"]
    );
}

#[test]
fn the_only_replica_is_named_itself() {
    let found = ask(&[hears(&[("a/dns-1", "new", true)])]).findings;
    assert!(found[0].starts_with("dns_answers.wrong Pod kube-system/dns-1"), "{found:?}");
}

#[test]
fn a_name_that_servers_hide_by_design_proves_nothing() {
    let hidden = |answers: &[(&str, bool, bool)]| {
        let answer = ask(&[all_wrong(answers), all_wrong(answers)]);
        assert!(answer.result.is_ok());
        assert!(answer.samples.iter().all(|it| it.ends_with(" 0")), "{:?}", answer.samples);
        answer.findings
    };
    // `namespaces` and `labels`: no replica ever knew it. `ignore empty_service`: all did,
    // until the Service was scaled to zero. A `template` or `hosts`: other addresses, always.
    for (absent, known) in [(true, false), (true, true), (false, false)] {
        let answers = [("a/dns-1", absent, known), ("b/dns-2", absent, known)];
        assert_eq!(hidden(&answers), [""; 0], "absent: {absent}, known: {known}");
        assert_eq!(hidden(&answers[..1]), [""; 0], "absent: {absent}, known: {known}");
    }
}

#[test]
fn a_replica_that_goes_on_with_what_it_knew_is_named_beside_one_that_hides_the_name() {
    let said = all_wrong(&[("a/dns-1", false, true), ("b/dns-2", true, false)]);
    let found = ask(&[said]).findings;
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("dns_answers.wrong Pod kube-system/dns-1"), "{found:?}");
}

#[test]
fn a_name_that_the_corefile_hides_is_not_missed() {
    let said = all_wrong(&[("a/dns-1", true, true), ("b/dns-2", false, true)]);
    let mut said = said;
    if let Some(Group::Read(dns)) = &mut said.dns {
        // The second replica has not taken the Corefile up, and knows the name still.
        dns.answers[1].wrong_now = false;
    }
    let ask = |corefile: &str, pods: &[&str]| {
        let facts = cluster().coredns().corefile(corefile).service("shop/cart");
        let facts = facts.slice("shop/cart", pods).hears("a", said.clone());
        answer(&CHECK, &facts).findings.len()
    };
    let told = |line: &str| format!(".:53 {{\n kubernetes cluster.local {{\n  {line}\n }}\n}}\n");
    for (line, pods, found) in [
        ("", &["p"][..], 1),
        ("ignore empty_service", &["p"], 1),
        ("ignore empty_service", &[], 0),
        ("namespaces default shop", &[], 1),
        ("namespaces default", &["p"], 0),
        ("namespaces {$ONLY}", &["p"], 1),
        // What others answer says which Services it means.
        ("labels app=web", &["p"], 1),
    ] {
        assert_eq!(ask(&told(line), pods), found, "{line} {pods:?}");
    }
    // One that cannot be read, is refused, or is of another hides nothing.
    assert_eq!(ask(". {\n kubernetes {\n  ignore empty_service", &[]), 1);
    assert_eq!(ask("import /elsewhere/Corefile", &[]), 1);
    let twice = told("namespaces default") + &told("").replace(":53", ":54");
    assert_eq!(ask(&twice, &["p"]), 1);
}

#[test]
fn while_the_api_is_silent_its_services_are_not_compared() {
    let facts = |seconds| {
        let mut facts = cluster().service("kube-system/kube-dns");
        facts.tick(at(seconds));
        let said = hears(&[("a/dns-1", "new", true), ("b/dns-2", "new", false)]);
        answer(&CHECK, &facts.hears("a", said))
    };
    assert_eq!(facts(44).findings.len(), 1);
    let silent = facts(46);
    assert_eq!(silent.findings, [""; 0]);
    assert_eq!(silent.gaps, [("services", Unknown::Stale("Service").into())]);
}

#[test]
fn one_observer_of_three_is_not_believed() {
    let [wrong, right] = [true, false].map(|wrong| hears(&[("a/dns-1", "new", wrong)]));
    assert_eq!(ask(&[wrong, right.clone(), right]).findings, [""; 0]);
}

#[test]
fn a_resolver_that_does_not_know_the_cluster_is_found_on_its_node() {
    let answers = |failures, mostly| {
        let mut row = row(DnsPath::Resolver, 30, failures);
        row.queries.mostly = mostly;
        asks([row])
    };
    let fine = answers(0, None);
    for reason in [Failure::Nxdomain, Failure::WrongAnswer, Failure::Nodata] {
        let wrong = answers(30, Some(reason));
        let one = ask(&[fine.clone(), wrong.clone(), fine.clone()]);
        assert!(one.findings[0].starts_with("dns_answers.wrong Node b: 30 of 30"));
        assert_eq!(one.samples[1], "netvitals_dns_wrong_answers{b,resolver} 1");
        let most = ask(&[wrong.clone(), wrong, fine.clone()]);
        assert_eq!(most.findings.len(), 1);
        let service = "dns_answers.wrong Service kube-system/kube-dns: on 2 of 3 nodes";
        assert!(most.findings[0].starts_with(service), "{:?}", most.findings);
    }
    assert_eq!(ask(&[answers(30, Some(Failure::Timeout))]).findings, [""; 0]);
}

#[test]
fn answers_by_an_old_plan_are_a_gap() {
    let old = |age| Observation {
        plan_age: Some(Duration::from_secs(age).into()),
        ..hears(&[("a/dns-1", "gone", true)])
    };
    let beside = hears(&[("b/dns-2", "gone", false)]);
    assert_eq!(ask(&[old(45), beside.clone()]).findings.len(), 1);
    let answer = ask(&[old(46), beside]);
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(answer.gaps, [("plans", Unknown::Stale("plan").into())]);
}

#[test]
fn captured_silent_and_unasked_are_told_apart() {
    let captured = Observation {
        captured: Some(Captured { dns: true, tcp: false }),
        ..hears(&[("a/dns-1", "new", true)])
    };
    assert_eq!(ask(&[captured]).result, Err(Unknown::Captured.into()));
    assert_eq!(ask(&[]).result, Err(Unknown::Stale("agents").into()));
    assert_eq!(ask(&[asks([])]).result, Err(Unknown::NoResolver.into()));
    let without = Observation { plan_age: Some(Group::Unreadable(Unreadable::NoPlan)), ..asks([]) };
    assert_eq!(ask(std::slice::from_ref(&without)).result, Err(Unknown::NoPlan.into()));
    let one = ask(&[without, hears(&[("a/dns-1", "old", false)])]);
    assert_eq!(one.result, Ok(()));
    let reasons = [("plans", Unknown::NoPlan), ("resolvers", Unknown::NoResolver)];
    assert_eq!(one.gaps, reasons.map(|(part, why)| (part, why.into())));
}

//! What events and conditions say of why there is no address.

use super::*;
use crate::model::{Refused, ServiceEvent};

const SYNC: &str = "SyncLoadBalancerFailed";
const QUOTA: &str = "Error syncing load balancer: quotaExceeded: Quota 'ADDRESSES' exceeded.";

/// Has an event say something of shop/web, so many seconds before now.
fn said(facts: Cluster, seconds: u64, reason: &str, note: &str) -> Cluster {
    let event = ServiceEvent {
        service: Key::new("shop", "web"),
        uid: "u1".into(),
        says: Refused::of(reason, note),
        last: Some(facts.now().unix - Duration::from_secs(seconds)),
    };
    facts.folded(Event::Put(Key::new("shop", format!("web.{seconds}")), event))
}

/// One that waits, without a class or anything else that says who serves it.
fn waits(minutes: u64) -> Cluster {
    with(now(), "shop/web", minutes, |it| (it.uid, it.has_address) = ("u1".into(), false))
}

#[test]
fn what_is_refused_is_told_under_a_code_of_its_own() {
    for (reason, note, code) in [
        (SYNC, QUOTA, "quota"),
        (
            "FailedBuildModel",
            "couldn't auto-discover subnets: unable to resolve at least one subnet",
            "subnets",
        ),
        ("FailedDeployModel", "AccessDenied: may not CreateLoadBalancer", "permissions"),
        (SYNC, "IP_IN_USE_BY_ANOTHER_RESOURCE", "conflict"),
        ("UnAvailableLoadBalancer", "There are no available nodes for LoadBalancer", "no_nodes"),
        (
            "AllocationFailed",
            "Failed to allocate IP for \"shop/web\": no available IPs",
            "no_addresses",
        ),
        (SYNC, "Error syncing load balancer: not today", "pending"),
    ] {
        let facts = said(waits(60), 180, reason, note);
        assert_eq!(codes(&facts), [format!("load_balancer.{code}")], "{note}");
        assert_eq!(states(&facts), ["pending 1"], "{note}");
    }
    // What is not about the load balancer says nothing of who makes it.
    let facts = said(waits(60), 180, "ClusterIPOutOfRange", "quota exceeded");
    assert_eq!(codes(&facts), ["load_balancer.never_worked"]);
}

#[test]
fn messages_have_the_words_that_were_said_and_when() {
    for (facts, message) in [
        (
            said(waits(22), 180, SYNC, QUOTA),
            "quota Service shop/web: no address 22 min after it was made, because a quota is used \
             up, said 3 min ago: \"SyncLoadBalancerFailed: Error syncing load balancer: \
             quotaExceeded: Quota 'ADDRESSES' exceeded\": raise the quota, or give up a load \
             balancer that nobody needs",
        ),
        (
            said(waits(22), 10, SYNC, "not\ntoday \"\u{1b}[31m\""),
            "pending Service shop/web: no address 22 min after it was made, said just now: \
             \"SyncLoadBalancerFailed: not today ' [31m'\": look at what it asks for",
        ),
    ] {
        assert_eq!(ask(&facts).findings, [format!("load_balancer.{message}")]);
    }
}

#[test]
fn one_that_is_refused_is_not_waited_for_and_one_that_may_yet_come_is() {
    for (minutes, note, found) in
        [(0, QUOTA, 0), (1, QUOTA, 1), (9, "not today", 0), (10, "not today", 1)]
    {
        let facts = said(waits(minutes), 1, SYNC, note);
        assert_eq!(ask(&facts).findings.len(), found, "{minutes} {note}");
    }
}

#[test]
fn what_lies_before_the_address_was_said_of_another_or_long_ago_means_nothing() {
    let class = |it: &mut LoadBalancer| {
        (it.uid, it.class, it.has_address) = ("u1".into(), name("tailscale"), false);
    };
    let lost = said(
        with(now(), "shop/web", 60, |it| {
            class(it);
            it.has_address = true;
        }),
        180,
        SYNC,
        QUOTA,
    );
    assert_eq!(codes(&lost), [""; 0], "it has an address");
    assert_eq!(codes(&with(lost, "shop/web", 60, class)), ["load_balancer.pending"]);
    let another = said(with(now(), "shop/web", 60, class), 180, SYNC, QUOTA);
    assert_eq!(codes(&another), ["load_balancer.quota"]);
    let another = with(another, "shop/web", 60, |it| {
        class(it);
        it.uid = "u2".into();
    });
    assert_eq!(codes(&another), ["load_balancer.pending"]);
    let old = said(with(now(), "shop/web", 9000, class), 86_400, SYNC, QUOTA);
    assert_eq!(codes(&old), ["load_balancer.pending"]);
}

#[test]
fn a_condition_says_it_before_an_event_does() {
    for (reason, event, code) in [
        ("no_pool", None, "no_addresses"),
        ("out_of_ips", Some(QUOTA), "no_addresses"),
        ("already_allocated", None, "conflict"),
        ("a_new_one", None, "pending"),
        ("a_new_one", Some(QUOTA), "quota"),
    ] {
        let mut facts = with(now(), "shop/web", 60, |it| {
            (it.uid, it.has_address, it.has_conditions) = ("u1".into(), false, true);
            it.refusal = name(reason);
        });
        if let Some(note) = event {
            facts = said(facts, 1, SYNC, note);
        }
        assert_eq!(codes(&facts), [format!("load_balancer.{code}")], "{reason}");
        assert!(ask(&facts).findings[0].contains(reason), "{reason}");
    }
}

#[test]
fn what_holds_up_one_that_is_deleted_is_told_too() {
    let facts = one(|it| {
        (it.uid, it.deleted, it.finalizer) = ("u1".into(), Some(ago(60)), name(CLOUD));
        it.has_address = false;
    });
    let facts = said(facts, 120, "DeleteLoadBalancerFailed", "AccessDenied");
    assert_eq!(
        ask(&facts).findings,
        ["load_balancer.stuck_deleting Service shop/web: deleted 60 min ago, and held by \
             service.kubernetes.io/load-balancer-cleanup, said 2 min ago: \
             \"DeleteLoadBalancerFailed: AccessDenied\": look at the log of what makes its load \
             balancer"]
    );
}

#[test]
fn events_that_cannot_be_read_are_a_part_and_the_rest_is_told() {
    let facts =
        || with(now(), "shop/web", 60, |it| (it.has_address, it.class) = (false, name("a")));
    let forbidden = Event::<ServiceEvent>::Unavailable(Unknown::Forbidden("Event/Service"));
    let answer = ask(&facts().folded(forbidden));
    assert_eq!(answer.gaps, [("events", Unknown::Forbidden("Event/Service").into())]);
    assert_eq!(answer.result, Ok(()));
    assert_eq!(answer.findings.len(), 1);
    assert!(answer.findings[0].starts_with("load_balancer.pending "));
    let key = Key::new("shop", "broken");
    let answer = ask(&facts().folded(Event::<ServiceEvent>::Undecoded(key)));
    assert_eq!(answer.gaps, [("events", Unknown::Undecoded("Event/Service").into())]);
}

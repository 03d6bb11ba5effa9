use std::time::Duration;

use super::CHECK;
use crate::check::Output;
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    Addresses, Fact, Key, Node, Pod, PodEvent, PodWarning, SandboxFailure, Skipped, Status,
    Unknown, Unscheduled,
};
use crate::report::remedy;

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// Two nodes, at a moment that is no zero.
fn begins() -> Cluster {
    cluster().after(100).node("n1").node("n2")
}

/// A pod that has been sent to n1 and has no address yet.
fn waits(facts: Cluster, pod: &str) -> Cluster {
    facts.pod_with(pod, |pod| {
        (pod.node, pod.addresses, pod.ready) = (Some("n1".into()), Addresses::default(), false);
    })
}

/// A pod that runs on n1.
fn runs(facts: Cluster, pod: &str) -> Cluster {
    facts.pod_with(pod, |pod| pod.node = Some("n1".into()))
}

/// Pods that wait on n1, and what is said of each.
fn all_wait(pods: &[(&str, Option<PodWarning>)]) -> Cluster {
    pods.iter().fold(begins(), |facts, (pod, says)| {
        let facts = waits(facts, pod);
        match says {
            Some(says) => facts.warned(pod, *says),
            None => facts,
        }
    })
}

const fn failed(class: SandboxFailure) -> Option<PodWarning> {
    Some(PodWarning::Sandbox(class))
}

const MISSING: Option<PodWarning> = failed(SandboxFailure::CniBinaryMissing);
const FULL: Option<PodWarning> = failed(SandboxFailure::IpExhausted);
const FAILED: Option<PodWarning> = failed(SandboxFailure::CniFailed);
const VOLUME: Option<PodWarning> = Some(PodWarning::Volume);

fn codes(facts: &Cluster) -> Vec<String> {
    let code = |text: &String| {
        let text = text.split(':').next().expect("a code and an object");
        text.strip_prefix("sandbox_failures.").expect("its own").to_owned()
    };
    ask(facts).findings.iter().map(code).collect()
}

/// The values of a family that are not 0.
fn told(facts: &Cluster, family: &str) -> Vec<String> {
    let start = format!("netvitals_{family}{{");
    let samples = ask(facts).samples.into_iter();
    let told = samples.filter_map(|it| Some(it.strip_prefix(&start)?.replace('}', "")));
    told.filter(|it| !it.ends_with(" 0")).collect()
}

fn owned(facts: Cluster, pod: &str, deployment: &str) -> Cluster {
    let key = Key::new(pod.split_once('/').unwrap().0, pod.split_once('/').unwrap().1);
    let mut fact = facts.last_known::<Pod>().unwrap().get(&key).unwrap().clone();
    fact.deployment = Some(deployment.into());
    facts.with(Event::Put(key, fact))
}

#[test]
fn where_every_pod_has_its_sandbox_that_is_said() {
    let facts = runs(runs(begins(), "shop/web-1"), "shop/web-2");
    let answer = ask(&facts);
    assert_eq!((answer.result, answer.findings, answer.gaps), (Ok(()), vec![], vec![]));
    let zeros: Vec<String> = super::CAUSES
        .iter()
        .map(|(cause, _)| format!("netvitals_waiting_pods{{{cause}}} 0"))
        .collect();
    let mut samples = answer.samples;
    samples.sort();
    let mut expected = zeros;
    expected.sort();
    assert_eq!(samples, expected);
    let mut out = Output::default();
    CHECK.ask(&facts, &mut out).unwrap();
    assert_eq!(out.statement, "2 of 2 pods with their sandbox");
}

#[test]
fn what_a_pod_waits_for_is_told_by_its_events_alone() {
    for (of, says, cause, found) in [
        ("a subnet of EKS that is full", FULL, "network", Some("network")),
        (
            "flannel that has not begun, on k3s",
            failed(SandboxFailure::CniNotReady),
            "network",
            Some("network"),
        ),
        (
            "a token that has run out, on RKE2",
            failed(SandboxFailure::CniAuth),
            "network",
            Some("network"),
        ),
        ("a plugin that hangs", failed(SandboxFailure::Timeout), "network", Some("network")),
        (
            "a pause image that cannot be pulled",
            failed(SandboxFailure::NotNetwork),
            "runtime",
            Some("not_network"),
        ),
        ("a Secret that is not there", VOLUME, "volume", Some("not_network")),
        ("words that nobody knows", failed(SandboxFailure::Other), "unknown", Some("waiting")),
        ("a probe that fails", Some(PodWarning::Other), "unknown", Some("waiting")),
        ("an image of many gigabytes", None, "unknown", Some("waiting")),
    ] {
        let facts = all_wait(&[("shop/web-1", says)]);
        assert_eq!(told(&facts, "waiting_pods"), [format!("{cause} 1")], "{of}");
        assert_eq!(told(&facts, "pods_waiting_for_sandbox"), [format!("n1,{cause} 1")], "{of}");
        let found: Vec<String> =
            found.iter().map(|code| format!("{code} Pod shop/web-1")).collect();
        assert_eq!(codes(&facts), found, "{of}");
    }
}

#[test]
fn a_pod_that_waited_for_a_secret_and_now_for_the_network_does_so_and_the_other_way_round() {
    let facts =
        all_wait(&[("shop/web-1", VOLUME)]).after(130).warned("shop/web-1", MISSING.unwrap());
    assert_eq!(told(&facts, "waiting_pods"), ["network 1"]);
    let facts = facts.after(160).warned("shop/web-1", PodWarning::Volume);
    assert_eq!(told(&facts, "waiting_pods"), ["volume 1"]);
    // What was said ten minutes ago says nothing any more.
    assert_eq!(told(&facts.after(760), "waiting_pods"), ["unknown 1"]);
}

#[test]
fn a_node_fails_where_what_came_last_gets_no_sandbox() {
    let two = [("shop/web-1", MISSING), ("shop/web-2", MISSING)];
    assert_eq!(
        ask(&all_wait(&two)).findings,
        ["sandbox_failures.node_failing Node n1: it is Ready, and none of the 2 pods that came \
             last gets its network: a CNI plugin is missing (cni_binary_missing): look at \
             /opt/cni/bin there"]
    );
    // One pod alone may be at fault itself.
    assert_eq!(codes(&all_wait(&two[..1])), ["network Pod shop/web-1"]);
    // Others wait for something else.
    let with_volume = [two[0], ("shop/web-2", VOLUME)];
    let found = ["network Pod shop/web-1", "not_network Pod shop/web-2"];
    assert_eq!(codes(&all_wait(&with_volume)), found);
}

#[test]
fn a_pod_that_got_its_sandbox_since_acquits_the_node() {
    let facts = all_wait(&[("shop/web-1", MISSING), ("shop/web-2", MISSING)]).after(110);
    let facts = waits(facts, "shop/db-1").after(112);
    let facts = runs(facts, "shop/db-1").after(115);
    let each = ["network Pod shop/web-1", "network Pod shop/web-2"];
    assert_eq!(codes(&facts), each);
    // One more is one, and with another the node has failed after all.
    let facts = waits(facts, "shop/db-2").warned("shop/db-2", MISSING.unwrap());
    assert_eq!(codes(&facts).len(), 3);
    let facts = waits(facts, "shop/db-3").warned("shop/db-3", MISSING.unwrap());
    assert_eq!(codes(&facts), ["node_failing Node n1"]);
}

#[test]
fn what_one_workload_asks_of_its_network_is_no_fault_of_the_node() {
    // A second network that is not there, as Multus says in words of its own.
    let facts = all_wait(&[("shop/web-1", FAILED), ("shop/web-2", FAILED)]);
    let facts = owned(owned(facts, "shop/web-1", "web"), "shop/web-2", "web");
    assert_eq!(codes(&facts), ["network Pod shop/web-1", "network Pod shop/web-2"]);
    let facts = owned(facts, "shop/web-2", "db");
    assert_eq!(codes(&facts), ["node_failing Node n1"]);
}

#[test]
fn a_node_that_says_itself_that_it_is_not_ready_is_told_elsewhere() {
    let facts = all_wait(&[("shop/web-1", MISSING), ("shop/web-2", MISSING)]);
    let facts = facts.node_with("n1", |node| {
        node.ready.as_mut().unwrap().status = Status::False;
    });
    assert_eq!(codes(&facts), ["network Pod shop/web-1", "network Pod shop/web-2"]);
}

#[test]
fn young_and_virtual_nodes_and_pods_that_leave_are_no_fault() {
    let two = || all_wait(&[("shop/web-1", MISSING), ("shop/web-2", MISSING)]);
    let young = two().node_with("n1", |node| {
        node.created = Some(at(100).unix - Duration::from_secs(60));
    });
    assert_eq!(codes(&young), [""; 0]);
    assert_eq!(told(&young, "waiting_pods"), ["network 2"]);
    let fargate = two().node_with("n1", |node| {
        node.labels = [("eks.amazonaws.com/compute-type", "fargate")].into();
    });
    assert_eq!((codes(&fargate), told(&fargate, "waiting_pods")), (vec![], vec![]));
    let leaves = begins().pod_with("shop/web-1", |pod| {
        (pod.node, pod.addresses) = (Some("n1".into()), Addresses::default());
        pod.terminating = true;
    });
    assert_eq!((codes(&leaves), told(&leaves, "waiting_pods")), (vec![], vec![]));
    let host = begins().pod_with("shop/web-1", |pod| {
        (pod.node, pod.addresses) = (Some("n1".into()), Addresses::default());
        pod.host_network = true;
    });
    assert_eq!(told(&host, "waiting_pods"), [""; 0]);
}

fn unscheduled(facts: Cluster, pod: &str, why: Unscheduled) -> Cluster {
    facts.pod_with(pod, |pod| {
        (pod.node, pod.addresses, pod.unscheduled) = (None, Addresses::default(), Some(why));
    })
}

#[test]
fn pods_that_could_only_go_to_nodes_without_a_network_are_told_by_namespace() {
    let why = Unscheduled::NoNodeWithNetwork;
    let facts = unscheduled(unscheduled(begins(), "shop/web-1", why), "shop/web-2", why);
    // The scheduler has not tried again since the node is well.
    assert_eq!(codes(&facts), [""; 0]);
    let taint = |facts: Cluster, change: fn(&mut Node)| {
        facts.node_with("n1", |node| {
            node.taints = vec!["node.kubernetes.io/not-ready".into()];
            change(node);
        })
    };
    let facts = taint(facts, |_| {});
    assert_eq!(
        ask(&facts).findings,
        ["sandbox_failures.no_node Namespace shop: 2 pods (web-1 first) could go only to nodes \
             that are not ready or have no network, such as n1: look at node_network_ready"]
    );
    assert_eq!(told(&facts, "waiting_pods"), ["no_node_with_network 2"]);
    let young = taint(facts, |node| node.created = Some(at(100).unix));
    assert_eq!(codes(&young), [""; 0], "a cluster that is being made");
}

#[test]
fn nodes_that_are_full_of_pods_are_worth_knowing() {
    let why = Unscheduled::TooManyPods;
    let facts = unscheduled(unscheduled(begins(), "shop/web-1", why), "bank/pay-1", why);
    assert_eq!(codes(&facts), ["too_many_pods Namespace bank", "too_many_pods Namespace shop"]);
    assert_eq!(told(&facts, "waiting_pods"), ["too_many_pods 2"]);
}

#[test]
fn failures_are_counted_by_node_and_class_and_nodes_that_are_gone_are_left_out() {
    let facts = all_wait(&[("shop/web-1", MISSING), ("shop/web-2", FULL), ("shop/web-3", VOLUME)]);
    let expected = ["n1,cni_binary_missing 1", "n1,ip_exhausted 1"];
    let mut counted = told(&facts, "sandbox_failure_events_total");
    counted.sort();
    assert_eq!(counted, expected);
    let gone = facts.with(Event::<Node>::Gone(Key::new("", "n1")));
    assert_eq!(told(&gone, "sandbox_failure_events_total"), [""; 0]);
}

#[test]
fn what_cannot_be_seen_is_unknown_and_never_no_failure() {
    let facts = || all_wait(&[("shop/web-1", MISSING)]);
    for (facts, kind) in [(facts().unlisted::<Node>(), "Node"), (facts().unlisted::<Pod>(), "Pod")]
    {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
    let forbidden = Event::<PodEvent>::Unavailable(Unknown::Forbidden("Event"));
    let forbidden = facts().folded(forbidden);
    assert_eq!(ask(&forbidden).result, Err(Unknown::Forbidden("Event").into()));
    let event = Event::<PodEvent>::Undecoded(Key::new("shop", "event"));
    let undecoded = facts().undecoded::<Pod>("shop/a").undecoded::<Node>("/n9").folded(event);
    let gaps = ["events", "nodes", "pods"].into_iter().zip([
        PodEvent::KIND.name,
        Node::KIND.name,
        Pod::KIND.name,
    ]);
    let gaps: Vec<_> = gaps.map(|(part, kind)| (part, Unknown::Undecoded(kind).into())).collect();
    assert_eq!(ask(&undecoded).gaps, gaps);
    assert_eq!(ask(&cluster()).result, Err(Skipped::NotApplicable.into()));
}

#[test]
fn the_class_picks_what_is_to_be_looked_at() {
    let commands = |class| -> Vec<String> {
        let facts = all_wait(&[("shop/web-1", failed(class))]);
        let facts = facts.pod_with("kube-system/flannel-1", |pod| {
            (pod.node, pod.host_network) = (Some("n1".into()), true);
            pod.labels = [("app", "flannel")].into();
        });
        let mut out = Output::default();
        CHECK.ask(&facts, &mut out).unwrap();
        remedy::commands(&out.findings[0]).map(|(_, command)| command).collect()
    };
    let has = |class, piece: &str| commands(class).iter().any(|it| it.contains(piece));
    use SandboxFailure::{BridgeConflict, CniBinaryMissing, CniConfigInvalid, IpExhausted};
    for (class, piece, cni) in [
        (CniBinaryMissing, "node/n1 -it --profile=sysadmin --image=busybox -- sh -c", true),
        (CniConfigInvalid, "ls -l /host/etc/cni/net.d", true),
        (BridgeConflict, "ip address", false),
        (IpExhausted, "ls -l /host/var/lib/cni", false),
    ] {
        assert!(has(class, piece), "{class:?}: {:#?}", commands(class));
        assert_eq!(has(class, "delete pod flannel-1"), cni, "{class:?}");
        assert_eq!(commands(class).iter().filter(|it| it.contains(" debug ")).count(), 1);
    }
}

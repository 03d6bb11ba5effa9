use super::{list, node_reachability, pod_reachability};
use crate::check::Check;
use crate::fixtures::{answer, at, attempts, cluster, reaching};
use crate::model::{
    Captured, Cluster, Node, Observation, ProbeKind, Skipped, Target, Unanswered, Unknown, Vantage,
};

const PODS: (Vantage, Target) = (Vantage::Pod, Target::PeerPod);
const HOSTS: (Vantage, Target) = (Vantage::Host, Target::Node);
const NODES: [&str; 3] = ["n1", "n2", "n3"];
const BOTH: [&Check; 2] = [&pod_reachability::CHECK, &node_reachability::CHECK];

/// Three nodes that nobody has seen yet.
fn three() -> Cluster {
    NODES.iter().fold(cluster(), |facts, node| facts.node(node))
}

fn well(_: &str, _: &str) -> bool {
    false
}

/// Node n2 neither reaches others nor is reached.
fn isolated(from: &str, to: &str) -> bool {
    from == "n2" || to == "n2"
}

#[test]
fn nobody_fails_where_all_is_well() {
    let facts = three().mesh(PODS, &NODES, well).mesh(HOSTS, &NODES, well);
    let answer = answer(&pod_reachability::CHECK, &facts);
    assert_eq!((answer.result, answer.findings), (Ok(()), vec![]));
    assert_eq!(
        answer.samples,
        [
            "netvitals_pod_network_failing_observers{n1} 0",
            "netvitals_pod_network_failing_observers{n2} 0",
            "netvitals_pod_network_failing_observers{n3} 0",
            "netvitals_pod_network_observers{n1} 2",
            "netvitals_pod_network_observers{n2} 2",
            "netvitals_pod_network_observers{n3} 2",
        ]
    );
    assert_eq!(crate::fixtures::answer(&node_reachability::CHECK, &facts).findings, [""; 0]);
}

#[test]
fn a_broken_pod_path_is_the_overlay_where_nodes_reach_each_other() {
    let facts = three().mesh(PODS, &NODES, isolated).mesh(HOSTS, &NODES, well);
    assert_eq!(
        answer(&pod_reachability::CHECK, &facts).findings,
        [
            "pod_reachability.unreachable Node n2: 2 of 2 observers do not reach it: the node itself \
          answers, so it is the overlay: look at the CNI's pod on the node"
        ]
    );
    let answer = answer(&node_reachability::CHECK, &facts);
    assert_eq!(answer.findings, [""; 0]);
    assert!(answer.samples.contains(&"netvitals_node_observers{n2} 2".to_owned()));
}

#[test]
fn an_isolated_node_is_named_by_both_checks() {
    let facts = three().mesh(PODS, &NODES, isolated).mesh(HOSTS, &NODES, isolated);
    let answers = BOTH.map(|check| answer(check, &facts));
    assert_eq!(
        answers[0].findings,
        ["pod_reachability.unreachable Node n2: 2 of 2 observers do not reach it: nor the node \
          itself: look at node_reachability"]
    );
    assert_eq!(
        answers[1].findings,
        ["node_reachability.unreachable Node n2: 2 of 2 observers do not reach it: look at \
          whether the node runs, then at its firewall and routes"]
    );
    assert!(answers[1].samples.contains(&"netvitals_node_failing_observers{n2} 2".to_owned()));
}

#[test]
fn without_host_agents_those_on_the_pod_network_look_at_nodes() {
    let facts = three().mesh((Vantage::Pod, Target::Node), &NODES, isolated);
    assert_eq!(answer(&node_reachability::CHECK, &facts).findings.len(), 1);
}

#[test]
fn echo_requests_are_a_hint_only_once_they_are_answered() {
    let overlay = "so it is the overlay";
    for (failures, hint) in [(12, overlay), (0, "look at the policies for TCP")] {
        let mut echo = attempts(Target::PeerPod, "n2", failures);
        echo.probe = ProbeKind::Icmp;
        let said = reaching(vec![attempts(Target::PeerPod, "n2", 12), echo]);
        let others = ["n1", "n3"];
        let facts = others.iter().fold(three().mesh(HOSTS, &NODES, well), |facts, from| {
            facts.says(from, Vantage::Pod, said.clone())
        });
        let findings = answer(&pod_reachability::CHECK, &facts).findings;
        assert!(findings.len() == 1 && findings[0].contains(hint), "{failures}: {findings:?}");
    }
}

#[test]
fn a_node_that_reaches_nobody_and_is_reached_is_a_warning() {
    let facts = three().mesh(PODS, &NODES, |from, _| from == "n3");
    assert_eq!(
        answer(&pod_reachability::CHECK, &facts).findings,
        [
            "pod_reachability.one_way Node n3: it reaches hardly any other, and others reach it: look \
          at the policies, then at the CNI's pods on these nodes"
        ]
    );
}

#[test]
fn two_nodes_that_do_not_reach_each_other_are_one_finding() {
    let pair = ["n1", "n2"];
    let facts = cluster().node("n1").node("n2").mesh(HOSTS, &pair, |_, _| true);
    let answer = answer(&node_reachability::CHECK, &facts);
    assert_eq!(
        answer.findings,
        ["node_reachability.nobody_left Namespace netvitals: these do not reach each other: n1, \
          n2: look at the firewall and the routes of these nodes"]
    );
    // What is not judged is still told.
    assert!(answer.samples.contains(&"netvitals_node_failing_observers{n1} 1".to_owned()));
}

#[test]
fn nodes_that_are_gone_or_leaving_or_young_are_nobodys_failure() {
    let broken = || cluster().node("n1").node("n3").mesh(PODS, &NODES, isolated);
    let leaving = |node: &mut Node| node.taints = vec!["karpenter.sh/disrupted".into()];
    let young = |node: &mut Node| node.created = Some(at(0).unix);
    let unknown = |node: &mut Node| node.ready = None;
    for (facts, findings) in [
        (broken(), 0),
        (broken().node_with("n2", leaving), 0),
        (broken().node_with("n2", young), 0),
        (broken().node_with("n2", unknown), 1),
    ] {
        assert_eq!(answer(&pod_reachability::CHECK, &facts.after(1)).findings.len(), findings);
    }
}

#[test]
fn an_api_outage_leaves_a_gap_and_does_not_blind() {
    let facts = three().unlisted::<Node>().mesh(PODS, &NODES, isolated);
    let answer = answer(&pod_reachability::CHECK, &facts);
    assert_eq!(answer.findings.len(), 1);
    assert_eq!(answer.gaps, [("nodes", Unknown::NotListed("Node").into())]);
}

#[test]
fn what_an_agent_said_long_ago_does_not_count() {
    // All agents are heard; 76 s later all but n2's are heard again.
    let facts = three().mesh(PODS, &NODES, well).after(76);
    let others = ["n1", "n3"];
    let facts = others.iter().fold(facts, |facts, from| {
        let fine = others.iter().filter(|to| *to != from);
        let mut reach: Vec<_> = fine.map(|to| attempts(Target::PeerPod, to, 0)).collect();
        reach.push(attempts(Target::PeerPod, "n2", 12));
        facts.says(from, Vantage::Pod, reaching(reach))
    });
    let answer = answer(&pod_reachability::CHECK, &facts);
    assert_eq!(answer.findings.len(), 1, "{:?}", answer.findings);
    assert!(answer.findings[0].starts_with("pod_reachability.unreachable Node n2"));
}

fn results(facts: &Cluster) -> [Result<(), Unanswered>; 2] {
    BOTH.map(|check| answer(check, facts).result)
}

fn said(node: &str, said: &Observation) -> Cluster {
    three().says(node, Vantage::Pod, said.clone())
}

#[test]
fn whoever_hears_its_own_node_alone_cannot_judge() {
    let facts = NODES.iter().fold(three(), |facts, node| {
        facts.own_pod(&format!("netvitals/netvitals-agent-{node}"), node, |_| {})
    });
    let alone =
        || reaching(vec![attempts(Target::PeerPod, "n2", 12), attempts(Target::Node, "n2", 12)]);
    let stale = Err(Unknown::Stale("agents").into());
    assert_eq!(results(&facts.says("n1", Vantage::Pod, alone())), [stale, stale]);
    // Where the others are known not to run, its word is all there is.
    let facts = three().says("n1", Vantage::Pod, alone());
    assert_eq!(results(&facts), [Ok(()), Ok(())]);
}

#[test]
fn no_answer_says_why() {
    let unknown = |why: Unknown| [Err(Unanswered::from(why)); 2];
    assert_eq!(results(&three()), unknown(Unknown::Stale("agents")));
    assert_eq!(results(&said("n1", &Observation::default())), unknown(Unknown::AgentTooOld));
    let mut captured = reaching(vec![attempts(Target::PeerPod, "n2", 0)]);
    captured.captured = Some(Captured { tcp: true, dns: false });
    assert_eq!(results(&said("n1", &captured)), unknown(Unknown::Captured));
    assert_eq!(results(&said("n1", &reaching(vec![]))), unknown(Unknown::TooFewSamples));
    let single = cluster().node("n1").says("n1", Vantage::Pod, reaching(vec![]));
    assert_eq!(results(&single), [Err(Skipped::NotApplicable.into()); 2]);
}

#[test]
fn an_agent_whose_results_lie_is_a_gap_and_no_observer() {
    let mut lies = reaching(vec![attempts(Target::PeerPod, "n2", 0)]);
    lies.captured = Some(Captured { tcp: true, dns: false });
    let facts = three().mesh(PODS, &NODES, isolated).says("n1", Vantage::Pod, lies);
    let answer = answer(&pod_reachability::CHECK, &facts);
    assert_eq!(answer.gaps, [("agents", Unknown::Captured.into())]);
    assert!(answer.findings[0].contains("1 of 1 observers"), "{:?}", answer.findings);
}

#[test]
fn checks_that_nobody_asks_for_are_skipped() {
    use crate::model::Settings;
    let settings = Settings { agents: None, host_agents: None, ..Settings::default() };
    assert_eq!(results(&Cluster::new(settings)), [Err(Skipped::NotConfigured.into()); 2]);
}

#[test]
fn a_message_names_only_the_first_few() {
    let names = |count: u32| (0..count).map(|it| format!("n{it}").into()).collect();
    assert_eq!(list(&names(2)), "n0, n1");
    assert_eq!(list(&names(7)), "n0, n1, n2, n3, n4 and 2 more");
}

use std::time::Duration;

use super::{list, node_reachability, pod_reachability};
use crate::check::cni::node_network_ready;
use crate::check::{Check, agents};
use crate::cluster::Cluster;
use crate::fixtures::{answer, at, attempts, cluster, reaching};
use crate::model::{
    Captured, Group, Node, Observation, ProbeKind, Reached, Skipped, Target, Unanswered, Unknown,
    Unreadable, Vantage, Window,
};
use crate::report::{Past, Report};

const PODS: (Vantage, Target) = (Vantage::Pod, Target::PeerPod);
const HOSTS: (Vantage, Target) = (Vantage::Host, Target::Node);
const NODES: [&str; 3] = ["n1", "n2", "n3"];
const BOTH: [&Check; 2] = [&pod_reachability::CHECK, &node_reachability::CHECK];

/// Three nodes that no agent has seen yet.
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

/// Each of three says of each other one whether it ever answered; all attempts at n2 fail.
fn remembering(worked: impl Fn(&str, &str) -> Option<bool>) -> Cluster {
    NODES.iter().fold(three(), |facts, from| {
        let others = NODES.iter().filter(|to| *to != from);
        let rows = others.map(|to| {
            let row = attempts(Target::Node, to, if *to == "n2" { 12 } else { 0 });
            Reached { worked: worked(from, to), ..row }
        });
        facts.says(from, Vantage::Host, reaching(rows.collect()))
    })
}

#[test]
fn a_node_alarms_once_it_has_worked_for_anybody() {
    let unreachable = "node_reachability.unreachable Node n2: 2 of 2 observers do not reach it: \
                       look at whether the node runs, then at its firewall and routes";
    let never = "node_reachability.never_worked Namespace netvitals: no agent has ever reached \
                 n2: look at whether the firewall shall let them";
    type Worked = fn(&str, &str) -> Option<bool>;
    let cases: [(Worked, &str); 4] = [
        (|_, to| Some(to != "n2"), never),
        (|from, to| Some(to != "n2" || from == "n3"), unreachable),
        (|_, _| Some(true), unreachable),
        (|_, _| None, unreachable),
    ];
    for (worked, expected) in cases {
        let answer = answer(&node_reachability::CHECK, &remembering(worked));
        assert_eq!((answer.result, answer.findings), (Ok(()), vec![expected.to_owned()]));
    }
    let nobody = answer(&node_reachability::CHECK, &remembering(|_, _| Some(false)));
    assert_eq!(
        (nobody.result, nobody.findings),
        (Ok(()), vec![never.replace("reached n2:", "reached n1, n2, n3:")])
    );
    assert_eq!(nobody.samples, [""; 0]);
}

#[test]
fn host_agents_that_fell_silent_leave_it_to_the_others() {
    let facts = three().mesh(HOSTS, &NODES, well).after(76);
    let facts = facts.mesh((Vantage::Pod, Target::Node), &NODES, isolated);
    assert_eq!(answer(&node_reachability::CHECK, &facts).findings.len(), 1);
}

#[test]
fn a_cut_off_node_is_the_root_of_all_that_is_found() {
    // Every pod of n2 is as ready as when it was last heard of.
    let agents = |facts: Cluster, node: &&str| {
        let facts = facts.own_pod(&format!("netvitals/netvitals-agent-{node}"), node, |_| {});
        facts.own_pod(&format!("netvitals/netvitals-host-agent-{node}"), node, |_| {})
    };
    let facts = || NODES.iter().fold(three(), agents).mesh(PODS, &NODES, well);
    let others = ["n1", "n3"];
    let speak = |facts: Cluster| {
        others.iter().fold(facts, |facts, from| {
            let rows = |target| {
                let others = NODES.iter().filter(move |to| *to != from);
                others.map(move |to| attempts(target, to, if *to == "n2" { 12 } else { 0 }))
            };
            let facts = facts.says(from, Vantage::Pod, reaching(rows(Target::PeerPod).collect()));
            facts.says(from, Vantage::Host, reaching(rows(Target::Node).collect()))
        })
    };
    let unreporting = |node: &mut Node| node.ready = None;
    let late = |seconds| speak(facts().after(seconds)).node_with("n2", unreporting);
    let table = [&agents::CHECK, &node_network_ready::CHECK, BOTH[1], BOTH[0]];
    let (_, past) = Report::evaluate(&table, &late(100), &Past::default());
    let (report, _) = Report::evaluate(&table, &late(131), &past);
    let open = report.answers.iter().flat_map(|answer| &answer.open).map(|it| {
        let node = it.finding.node.as_deref().unwrap_or_default();
        format!("{} {node}", it.finding.code.id)
    });
    assert_eq!(
        open.collect::<Vec<_>>(),
        [
            "agents.stale n2",
            "node_network_ready.unreporting n2",
            "node_reachability.unreachable n2",
            "pod_reachability.unreachable n2",
        ]
    );
    let roots: Vec<&str> = report.roots.iter().map(|(_, root)| root.code.id).collect();
    assert_eq!(roots, ["node_reachability.unreachable"]);
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
    let says_of = |facts: Cluster, from: &str| {
        let reach = [Target::PeerPod, Target::Node].map(|target| attempts(target, "n2", 12));
        facts.says(from, Vantage::Pod, reaching(reach.into()))
    };
    let says = |facts: Cluster| says_of(facts, "n1");
    let agent = |facts: Cluster, node: &&str| {
        let facts = facts.node(node);
        facts.own_pod(&format!("netvitals/netvitals-agent-{node}"), node, |_| {})
    };
    let stale = Err(Unknown::Stale("agents").into());
    for nodes in [&NODES[..2], &NODES] {
        assert_eq!(results(&says(nodes.iter().fold(cluster(), agent))), [stale, stale]);
    }
    let five = ["n1", "n2", "n3", "n4", "n5"].iter().fold(cluster(), agent);
    assert_eq!(results(&says(says_of(five, "n3"))), [stale, stale]);
    // Where the others are known not to run, its word is all there is.
    assert_eq!(results(&says(three())), [Ok(()), Ok(())]);
}

#[test]
fn no_answer_says_why() {
    let unknown = |why: Unknown| [Err(Unanswered::from(why)); 2];
    assert_eq!(results(&three()), unknown(Unknown::Stale("agents")));
    assert_eq!(results(&said("n1", &Observation::default())), unknown(Unknown::AgentTooOld));
    let mut captured = reaching(vec![attempts(Target::PeerPod, "n2", 0)]);
    captured.captured = Some(Captured { tcp: true, dns: false });
    assert_eq!(results(&said("n1", &captured)), unknown(Unknown::Captured));
    let nothing =
        NODES.iter().fold(three(), |facts, node| facts.says(node, Vantage::Pod, reaching(vec![])));
    assert_eq!(results(&nothing), unknown(Unknown::TooFewSamples));
}

fn attempts_of(node: &str) -> Reached {
    attempts(Target::PeerPod, node, 0)
}

#[test]
fn an_agent_that_cannot_ask_says_why_and_is_a_gap_among_others() {
    let rows = |denied, attempts| {
        let row = |node| Reached { denied, attempts, ..attempts_of(node) };
        reaching(NODES.map(row).into())
    };
    let denied = rows(true, Window::default());
    let unsent = rows(false, Window { unsent: 12, ..Window::default() });
    let no_plan =
        Observation { plan_age: Some(Group::Unreadable(Unreadable::NoPlan)), ..reaching(vec![]) };
    let disabled = Observation { reach: Some(Group::Disabled), ..Observation::default() };
    for (said, why) in [
        (no_plan, Unknown::NoPlan.into()),
        (denied, Unknown::Denied.into()),
        (unsent, Unknown::NoSocket.into()),
        (disabled, Skipped::Disabled.into()),
    ] {
        let all =
            NODES.iter().fold(three(), |facts, node| facts.says(node, Vantage::Pod, said.clone()));
        assert_eq!(answer(&pod_reachability::CHECK, &all).result, Err(why), "{why}");
        let one = three().mesh(PODS, &NODES, well).says("n3", Vantage::Pod, said);
        let among = answer(&pod_reachability::CHECK, &one);
        assert_eq!((among.result, among.gaps), (Ok(()), vec![("agents", why)]), "{why}");
    }
}

#[test]
fn who_is_alone_has_nobody_to_reach() {
    let says = |facts: Cluster| facts.says("n1", Vantage::Pod, reaching(vec![]));
    let none = Err(Skipped::NotApplicable.into());
    assert_eq!(results(&says(cluster().node("n1"))), [none, none]);
    let windows = |node: &mut Node| node.labels = [("kubernetes.io/os", "windows")].into();
    assert_eq!(results(&says(cluster().node("n1").node_with("n2", windows))), [none, none]);
    // Other nodes without an agent can be looked at, but no pod there.
    assert_eq!(results(&says(three())), [none, Err(Unknown::TooFewSamples.into())]);
}

#[test]
fn in_a_cluster_of_young_nodes_there_is_nobody_to_judge_yet() {
    let young = |node: &mut Node| node.created = Some(Duration::ZERO);
    let facts = NODES.iter().fold(cluster(), |facts, name| facts.node_with(name, young));
    let none = Err(Skipped::NotApplicable.into());
    assert_eq!(results(&facts.mesh(PODS, &NODES, well).mesh(HOSTS, &NODES, well)), [none, none]);
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
    use crate::cluster::Settings;
    let settings = Settings { agents: None, host_agents: None, ..Settings::default() };
    assert_eq!(results(&Cluster::new(settings)), [Err(Skipped::NotConfigured.into()); 2]);
}

#[test]
fn a_message_names_only_the_first_few() {
    let names = |count: u32| (0..count).map(|it| format!("n{it}").into()).collect();
    assert_eq!(list(&names(2)), "n0, n1");
    assert_eq!(list(&names(7)), "n0, n1, n2, n3, n4 and 2 more");
}

use super::CHECK;
use crate::cluster::{Cluster, Event, Settings};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    Key, Namespace, NetworkPolicy, Node, Observation, Pod, Skipped, Unknown, Vantage,
};

/// Nodes with a ready agent of each vantage, of which none has spoken yet.
fn nodes(names: &[&str]) -> Cluster {
    names.iter().fold(cluster(), |facts, node| agents(facts.node(node), node, |_| {}))
}

fn agents(facts: Cluster, node: &str, change: fn(&mut Pod)) -> Cluster {
    let pod = |daemon_set: &str| format!("netvitals/{daemon_set}-{node}");
    let facts = facts.own_pod(&pod("netvitals-agent"), node, change);
    facts.own_pod(&pod("netvitals-host-agent"), node, change)
}

fn speak(facts: Cluster, nodes: &[&str]) -> Cluster {
    nodes.iter().fold(facts, |facts, node| {
        Vantage::ALL
            .into_iter()
            .fold(facts, |facts, vantage| facts.says(node, vantage, Observation::default()))
    })
}

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

#[test]
fn agents_that_run_and_speak_are_well() {
    let answer = ask(&speak(nodes(&["n1"]), &["n1"]));
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(answer.gaps, []);
    assert_eq!(
        answer.samples,
        [
            "netvitals_agent_last_observation_timestamp_seconds{n1,host} 0",
            "netvitals_agent_last_observation_timestamp_seconds{n1,pod} 0",
            "netvitals_agent_reporting{n1,host} 1",
            "netvitals_agent_reporting{n1,pod} 1",
            "netvitals_agents_expected{host} 1",
            "netvitals_agents_expected{pod} 1",
        ]
    );
}

#[test]
fn a_node_without_a_running_agent_is_named_with_the_reason() {
    let facts = speak(nodes(&["n1"]), &["n1"]);
    let facts = facts.node("n2").own_pod("netvitals/netvitals-agent-n2", "n2", |pod| {
        pod.ready = false;
    });
    let answer = ask(&facts);
    assert_eq!(
        answer.findings,
        ["agents.missing Node n2: without an agent of vantage pod \
          (netvitals-agent-n2 is not ready), host (no pod): look at the DaemonSet's pods and their events"]
    );
    assert!(answer.samples.contains(&"netvitals_agent_reporting{n2,pod} 0".to_owned()));
    assert!(!answer.samples.iter().any(|it| it.contains("timestamp_seconds{n2")));
}

#[test]
fn of_two_pods_of_a_rolling_daemonset_the_ready_one_counts() {
    for names in [["a", "b"], ["b", "a"]] {
        let settings = Settings { host_agents: None, ..Settings::default() };
        let nodes = Cluster::new(settings).with(Event::<Node>::Begin).with(Event::<Node>::Done);
        let facts = nodes.with(Event::<Pod>::Begin).with(Event::<Pod>::Done).node("n1");
        let [ready, going] = names.map(|name| format!("netvitals/netvitals-agent-{name}"));
        let facts = facts.own_pod(&ready, "n1", |_| {});
        let facts = facts.own_pod(&going, "n1", |pod| pod.terminating = true);
        assert_eq!(ask(&facts).findings, [""; 0]);
    }
}

#[test]
fn nodes_that_need_no_agent_lack_none() {
    let changes: [fn(&mut Node); 4] = [
        |node| node.labels = [("kubernetes.io/os", "windows")].into(),
        |node| node.labels = [("type", "virtual-kubelet")].into(),
        |node| node.terminating = true,
        |node| node.created = Some(at(0).unix),
    ];
    for change in changes {
        let facts = speak(nodes(&["n1"]), &["n1"]).node_with("n2", change);
        let answer = ask(&facts.after(1));
        assert_eq!(answer.findings, [""; 0]);
        assert!(answer.samples.contains(&"netvitals_agents_expected{pod} 1".to_owned()));
    }
}

#[test]
fn a_ready_agent_that_stays_silent_is_stale() {
    let facts = speak(nodes(&["n1", "n2", "n3"]), &["n2"]).after(75);
    let facts = speak(facts, &["n1", "n3"]);
    assert_eq!(ask(&facts).findings, [""; 0], "75 s are borne");
    let answer = ask(&facts.after(76));
    assert_eq!(
        answer.findings,
        [
            "agents.stale Node n2: its agent of vantage pod, host is silent: look at whether the node \
          is reached, then at the agent's log"
        ]
    );
    assert!(answer.samples.contains(&"netvitals_agent_reporting{n2,pod} 0".to_owned()));
}

#[test]
fn the_silence_of_a_node_that_is_taken_away_is_no_failure() {
    let facts = speak(nodes(&["n1", "n2", "n3"]), &["n2"]).after(76);
    let facts = speak(facts, &["n1", "n3"]).node_with("n2", |node| node.terminating = true);
    assert_eq!(ask(&facts).findings, [""; 0]);
}

#[test]
fn an_agent_whose_pod_is_not_ready_need_not_speak() {
    let facts = speak(nodes(&["n1", "n2"]), &["n1", "n2"]).after(80);
    let facts = agents(speak(facts, &["n1"]), "n2", |pod| pod.ready = false);
    let findings = ask(&facts).findings;
    assert!(
        findings.len() == 1 && findings[0].starts_with("agents.missing Node n2"),
        "{findings:?}"
    );
}

#[test]
fn most_agents_silent_at_once_are_one_finding_about_the_listener() {
    let expected = ["agents.collector_isolated Namespace netvitals: 4 of 6 agents are silent at \
                     once: look at the network of the node that this replica runs on"];
    let heard_before = speak(nodes(&["n1", "n2", "n3"]), &["n1", "n2", "n3"]).after(100);
    assert_eq!(ask(&speak(heard_before, &["n1"])).findings, expected);
    // Also when what they said last is forgotten, and the API is out of reach too.
    let alone = speak(nodes(&["n1", "n2", "n3"]), &["n1"]).in_silence(500);
    let answer = ask(&speak(alone, &["n1"]));
    assert_eq!(answer.findings, expected);
    assert_eq!(answer.gaps.len(), CHECK.wants.len(), "{:?}", answer.gaps);
}

#[test]
fn after_a_start_agents_have_time_to_be_heard() {
    assert_eq!(ask(&nodes(&["n1", "n2"]).after(75)).findings, [""; 0]);
    assert_eq!(ask(&nodes(&["n1", "n2"]).after(76)).findings.len(), 1);
}

#[test]
fn without_the_api_the_known_agents_are_told() {
    let facts = speak(nodes(&["n1"]), &["n1"]).unlisted::<Node>().unlisted::<NetworkPolicy>();
    let answer = ask(&facts);
    assert_eq!(answer.result, Ok(()));
    let not_listed = |kind| Unknown::NotListed(kind).into();
    assert_eq!(
        answer.gaps,
        [("networkpolicies", not_listed("NetworkPolicy")), ("nodes", not_listed("Node"))]
    );
    assert!(answer.samples.contains(&"netvitals_agent_reporting{n1,pod} 1".to_owned()));
    assert!(!answer.samples.iter().any(|it| it.contains("expected")));
    let nothing = ask(&Cluster::default());
    assert_eq!(nothing.result, Err(not_listed("Node")));
}

#[test]
fn unlisted_pods_are_a_gap_and_no_node_lacks_an_agent() {
    let answer = ask(&cluster().node("n1").unlisted::<Pod>());
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(answer.gaps, [("pods", Unknown::NotListed("Pod").into())]);
}

fn namespace(facts: Cluster, level: &str) -> Cluster {
    let labels = [("pod-security.kubernetes.io/enforce", level)].into();
    let namespace = Namespace { labels, ..Namespace::default() };
    facts.with(Event::Put(Key::new("", "netvitals"), namespace))
}

#[test]
fn host_agents_that_pod_security_refuses_are_one_finding() {
    let only_pods = || {
        let facts = cluster().node("n1").own_pod("netvitals/netvitals-agent-n1", "n1", |_| {});
        facts.says("n1", Vantage::Pod, Observation::default())
    };
    assert_eq!(
        ask(&namespace(only_pods(), "baseline")).findings,
        ["agents.refused Namespace netvitals: Pod Security level baseline refuses every host \
          agent: run kubectl label ns netvitals pod-security.kubernetes.io/enforce=privileged \
          --overwrite, or switch host agents off"]
    );
    let findings = ask(&namespace(only_pods(), "privileged")).findings;
    assert!(findings[0].starts_with("agents.missing Node n1: without an agent of vantage host"));
    let running = speak(nodes(&["n1"]), &["n1"]);
    assert_eq!(ask(&namespace(running, "restricted")).findings, [""; 0]);
    let unlisted = ask(&only_pods().unlisted::<Namespace>());
    assert_eq!(unlisted.gaps, [("namespaces", Unknown::NotListed("Namespace").into())]);
}

#[test]
fn agents_that_are_named_by_their_url_are_counted() {
    let settings =
        Settings { agents: None, host_agents: None, named_agents: 2, ..Settings::default() };
    let facts = Cluster::new(settings).with(Event::<Node>::Begin).with(Event::<Node>::Done);
    let facts = facts.after(76).says("n1", Vantage::Pod, Observation::default());
    let findings = ask(&facts).findings;
    let expected = "agents.missing Namespace netvitals: 1 of 2 agents that are named by their URL \
                    do not answer: look at the log";
    assert_eq!(findings, [expected]);
    let facts = facts.says("n2", Vantage::Pod, Observation::default());
    assert_eq!(ask(&facts).findings, [""; 0]);
}

#[test]
fn without_agents_there_is_nothing_to_ask() {
    let settings = Settings { agents: None, host_agents: None, ..Settings::default() };
    assert_eq!(ask(&Cluster::new(settings)).result, Err(Skipped::NotConfigured.into()));
}

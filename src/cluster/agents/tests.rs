use super::*;
use crate::fixtures::{at, cluster};
use crate::model::Node;

fn nodes(facts: &Cluster) -> Result<Vec<String>, Unanswered> {
    let agents = Agents::of(facts);
    let group = |said: &Observation| said.dns().map(|_| ());
    let believed = agents.believed(Vantage::Pod, group, |by| by.dns, &mut |_| {})?;
    Ok(believed.words.iter().map(|(node, ())| node.to_string()).collect())
}

/// Three agents as pods, of which some said something at the start.
fn speaking(nodes: &[&str]) -> Cluster {
    let facts = ["a", "b", "c"].into_iter().fold(cluster(), |facts, node| {
        facts.own_pod(&format!("netvitals/netvitals-agent-{node}"), node, |_| {})
    });
    nodes.iter().fold(facts, |facts, node| facts.agent(node, 30, 0))
}

#[test]
fn most_have_to_speak_and_a_role_that_hears_fewer_is_cut_off() {
    assert_eq!(nodes(&speaking(&["a", "b"])).unwrap(), ["a", "b"]);
    assert_eq!(nodes(&speaking(&["a"])), Err(Unknown::Stale("agents").into()));
}

#[test]
fn young_nodes_are_left_out_without_a_gap() {
    let young = |node: &mut Node| node.created = Some(Duration::ZERO);
    let facts = |count: usize| {
        let all = speaking(&["a", "b", "c"]);
        ["a", "b", "c"].iter().take(count).fold(all, |facts, node| facts.node_with(node, young))
    };
    assert_eq!(nodes(&facts(1)).unwrap(), ["b", "c"]);
    assert_eq!(nodes(&facts(3)), Err(Skipped::NotApplicable.into()));
}

#[test]
fn an_agent_that_fell_silent_says_nothing_any_more() {
    let mut facts = speaking(&["a", "b", "c"]);
    facts.tick(at(70));
    facts = facts.agent("b", 30, 0).agent("c", 30, 0);
    facts.tick(at(76));
    assert_eq!(nodes(&facts).unwrap(), ["b", "c"]);
}

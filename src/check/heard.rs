//! Which agents can be believed, and what they say.

use super::Output;
use super::agents::roster::Roster;
use crate::cluster::Cluster;
use crate::model::{Captured, Name, Observation, Skipped, Unanswered, Unknown, Vantage};

/// Returns one group of what each agent on the pod network says, with its node; those that
/// cannot be believed leave a gap, those on nodes that are young or leaving none.
///
/// # Errors
///
/// Says why nobody can be: no agents asked for, most of them silent, all too old, all captured.
pub(super) fn heard<'a, T>(
    cluster: &'a Cluster,
    out: &mut Output,
    group: impl Fn(&'a Observation) -> Option<T>,
    is_captured: impl Fn(Captured) -> bool,
) -> Result<Vec<(&'a Name, T)>, Unanswered> {
    let settings = cluster.settings();
    if settings.agents.is_none() && settings.named_agents == 0 {
        return Err(Skipped::NotConfigured.into());
    }
    let roster = Roster::of(cluster);
    let (mut believed, mut speaking, mut why) = (Vec::new(), 0, Unknown::Stale("agents"));
    let mut unsettled = 0;
    for (agent, observation) in cluster.observations()? {
        if agent.vantage != Vantage::Pod || !roster.speaks(agent) {
            continue;
        }
        // What is still being set up on a young node fails there, and nothing is wrong.
        if !roster.is_settled(agent) {
            unsettled += 1;
            continue;
        }
        speaking += 1;
        why = match group(observation) {
            None => Unknown::AgentTooOld,
            Some(_) if observation.captured.is_some_and(&is_captured) => Unknown::Captured,
            Some(said) => {
                believed.push((&agent.node, said));
                continue;
            }
        };
        out.gap("agents", why);
    }
    if speaking == 0 && unsettled > 0 {
        return Err(Skipped::NotApplicable.into());
    }
    // Whoever hears less than half of all is itself cut off, and so is what it hears.
    if 2 * speaking < roster.speakers(&[Vantage::Pod]).len() {
        return Err(Unknown::Stale("agents").into());
    }
    if believed.is_empty() { Err(why.into()) } else { Ok(believed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, cluster};
    use crate::model::{Dns, Node};

    fn nodes(facts: &Cluster) -> Result<Vec<String>, Unanswered> {
        let mut out = Output::default();
        let heard = heard(facts, &mut out, |said| said.dns.as_ref(), |by| by.dns)?;
        Ok(heard.into_iter().map(|(node, _): (_, &Dns)| node.to_string()).collect())
    }

    /// Three agents as pods, of which some said something at the start.
    fn speaking(nodes: &[&str]) -> Cluster {
        let facts = ["a", "b", "c"].into_iter().fold(cluster(), |facts, node| {
            facts.own_pod(&format!("netvitals/netvitals-agent-{node}"), node, |_| {})
        });
        nodes.iter().fold(facts, |facts, node| facts.agent(node, 30, 0))
    }

    #[test]
    fn most_have_to_speak_and_whoever_hears_fewer_is_cut_off() {
        assert_eq!(nodes(&speaking(&["a", "b"])).unwrap(), ["a", "b"]);
        assert_eq!(nodes(&speaking(&["a"])), Err(Unknown::Stale("agents").into()));
    }

    #[test]
    fn young_nodes_are_left_out_without_a_gap() {
        let young = |node: &mut Node| node.created = Some(at(0).unix);
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
}

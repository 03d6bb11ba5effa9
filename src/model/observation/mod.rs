//! What an agent says when it is asked.
//!
//! Agents of several versions run side by side for hours, so this only ever grows: a group
//! that an older agent lacks is `None`, and nothing else is; what a newer one adds is ignored. What
//! an agent knows of and could not measure is a group that says so. There are windows
//! with their length and no counters, durations and no dates: a restart changes nothing, and no
//! two clocks are compared.

mod cpu;
mod dns;
mod group;
mod reach;
mod window;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Name, Unanswered, Unknown};

pub use cpu::Cpu;
pub use dns::{Answers, Dns, DnsPath, DnsQuery, DnsRow, Replica};
pub use group::{Group, Unreadable};
pub use reach::{ProbeKind, Reached, Target};
pub use window::Window;

/// The agent that observed: the puller knows it from the pod that it asked, not from the reply.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Agent {
    /// `spec.nodeName` of the agent's pod.
    pub node: Name,
    /// Which network it observed from.
    pub vantage: Vantage,
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.vantage.as_str())
    }
}

/// Which network an agent observes from.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Vantage {
    /// A pod's, as workloads have it.
    #[default]
    Pod,
    /// The node's own.
    Host,
}

impl Vantage {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Pod, Self::Host];

    /// The label value, which is also the name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Host => "host",
        }
    }
}

/// One reply of an agent.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Observation {
    /// The agent that says it; believed only of an agent that was named by its URL.
    pub agent: Option<Agent>,
    /// The agent's version.
    pub version: Option<String>,
    /// Since the agent last got a plan.
    pub plan_age: Option<Group<Duration>>,
    /// The queries.
    pub dns: Option<Group<Dns>>,
    /// Attempts to reach other nodes, pods and Services.
    pub reach: Option<Group<Vec<Reached>>>,
    /// The CPU time of the DNS pods on this node; the agents on the pod network cannot know it, and
    /// have it switched off.
    pub cpu: Option<Group<Vec<Cpu>>>,
    /// What answers in the place of others.
    pub captured: Option<Captured>,
}

impl Observation {
    /// Returns the time since the agent last got a plan.
    ///
    /// # Errors
    ///
    /// Returns why there is none.
    pub fn plan_age(&self) -> Result<Duration, Unanswered> {
        group::read(&self.plan_age, "the plan").copied()
    }

    /// Returns that the agent has a plan, or that it is too old to say.
    ///
    /// # Errors
    ///
    /// Returns that it never got one: what it does not try is no sign of health.
    pub fn has_plan(&self) -> Result<(), Unanswered> {
        match self.plan_age() {
            Err(why) if why == Unknown::NoPlan.into() => Err(why),
            _ => Ok(()),
        }
    }

    /// Returns what came of the queries.
    ///
    /// # Errors
    ///
    /// Returns why nothing did.
    pub fn dns(&self) -> Result<&Dns, Unanswered> {
        group::read(&self.dns, "DNS")
    }

    /// Returns what came of the attempts to reach something.
    ///
    /// # Errors
    ///
    /// Returns why nothing did.
    pub fn reach(&self) -> Result<&[Reached], Unanswered> {
        group::read(&self.reach, "what the agent reaches").map(Vec::as_slice)
    }

    /// Returns why the agent attempts none of `rows`, as far as it says; nothing where there are
    /// none, but for an agent without a plan.
    pub fn unasked<'a>(&self, rows: impl Iterator<Item = &'a Reached> + Clone) -> Option<Unknown> {
        let all = |is: fn(&Reached) -> bool| rows.clone().next().is_some() && rows.clone().all(is);
        if self.has_plan().is_err() {
            Some(Unknown::NoPlan)
        } else if all(|row| row.denied) {
            Some(Unknown::Denied)
        } else if all(|row| row.denied || row.attempts.is_unsent()) {
            Some(Unknown::NoSocket)
        } else {
            None
        }
    }

    /// Returns the CPU time of the DNS pods on the agent's node.
    ///
    /// # Errors
    ///
    /// Returns why it is not known.
    pub fn cpu(&self) -> Result<&[Cpu], Unanswered> {
        group::read(&self.cpu, "the CPU time of the DNS pods").map(Vec::as_slice)
    }
}

/// Whether something answers for targets that surely do not: then no other result is worth
/// anything.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Captured {
    /// A port that is surely closed accepted a connection.
    pub tcp: bool,
    /// An address that surely serves no DNS answered a query.
    pub dns: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, Protocol};

    #[test]
    fn an_older_agent_lacks_groups() {
        let observation: Observation = serde_json::from_str("{}").unwrap();
        assert_eq!(observation, Observation::default());
    }

    #[test]
    fn a_newer_agent_adds_groups_fields_targets_and_reasons() {
        let observation: Observation = serde_json::from_str(
            r#"{"mtu": {}, "reach": {"read": [{"target": "moon", "probe": "quic", "attempts": {
                "length": {"secs": 300, "nanos": 0}, "attempts": 30, "failures": 1,
                "mostly": "bored", "slowest": 3
            }}]}}"#,
        )
        .unwrap();
        let reach = &observation.reach().unwrap()[0];
        assert_eq!((reach.target, reach.probe), (Target::Other, ProbeKind::Other));
        assert_eq!((reach.attempts.attempts, reach.attempts.mostly), (30, Some(Failure::Other)));
    }

    #[test]
    fn an_agent_says_why_it_attempts_nothing() {
        let denied = Reached { denied: true, ..Reached::default() };
        let window = |attempts, unsent| Window { attempts, unsent, ..Window::default() };
        let row =
            |attempts, unsent| Reached { attempts: window(attempts, unsent), ..Reached::default() };
        let why = |plan_age, rows: &[Reached]| {
            Observation { plan_age, ..Observation::default() }.unasked(rows.iter())
        };
        let old = || Some(Duration::from_secs(9).into());
        assert_eq!(why(Some(Group::Unreadable(Unreadable::NoPlan)), &[]), Some(Unknown::NoPlan));
        assert_eq!(why(None, &[]), None, "too old to say");
        for (rows, reason) in [
            (vec![], None),
            (vec![denied.clone()], Some(Unknown::Denied)),
            (vec![row(0, 3)], Some(Unknown::NoSocket)),
            (vec![row(0, 3), denied.clone()], Some(Unknown::NoSocket)),
            (vec![row(1, 3), denied.clone()], None),
            (vec![row(0, 0), denied], None),
        ] {
            assert_eq!(why(old(), &rows), reason, "{rows:?}");
        }
    }

    #[test]
    fn label_values_are_the_names_in_json() {
        for (json, label) in [
            (serde_json::to_value(Vantage::Host), Vantage::Host.as_str()),
            (serde_json::to_value(DnsPath::Nodelocal), DnsPath::Nodelocal.as_str()),
            (serde_json::to_value(DnsQuery::Negative), DnsQuery::Negative.as_str()),
            (serde_json::to_value(Target::PeerPod), Target::PeerPod.as_str()),
            (serde_json::to_value(ProbeKind::Icmp), ProbeKind::Icmp.as_str()),
            (serde_json::to_value(Protocol::Udp), Protocol::Udp.as_str()),
        ] {
            assert_eq!(json.unwrap(), label);
        }
    }
}

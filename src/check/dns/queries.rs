//! The DNS queries of the agents on the pod network, read in one way by every check.

use std::time::Duration;

use crate::check::Output;
use crate::cluster::Cluster;
use crate::cluster::agents::Agents;
use crate::model::{
    Dns, DnsPath, DnsQuery, DnsRow, Failure, Key, Name, Observation, Protocol, Service, Unanswered,
    Unknown, Vantage, Window,
};

/// Fewer attempts than this say nothing.
pub(super) const ENOUGH: u64 = 20;

/// The queries of one agent.
pub(super) struct Queries<'a> {
    /// The agent's node.
    pub(super) node: &'a Name,
    /// What came of them.
    pub(super) dns: &'a Dns,
    /// How old the plan is by which it asks.
    pub(super) plan_age: Result<Duration, Unanswered>,
}

/// Returns the queries of every agent that can be believed; the others leave a gap.
///
/// # Errors
///
/// As [`Agents::believed`].
pub(super) fn queries<'a>(
    cluster: &'a Cluster,
    out: &mut Output,
) -> Result<Vec<Queries<'a>>, Unanswered> {
    let group = |said: &'a Observation| Ok((said.dns()?, said.plan_age()));
    let gap = &mut |why| out.gap("agents", why);
    let agents = Agents::of(cluster);
    let believed = agents.believed(Vantage::Pod, group, |by| by.dns, gap)?.words.into_iter();
    Ok(believed.map(|(node, (dns, plan_age))| Queries { node, dns, plan_age }).collect())
}

/// Adds up what workloads feel, as far as agents can be believed.
pub(super) fn answered(cluster: &Cluster) -> Window {
    let mut sum = Window::default();
    // What agents leave out is no gap here: `dns_success` says so.
    for said in queries(cluster, &mut Output::default()).unwrap_or_default() {
        sum.add(&said.headline());
    }
    sum
}

impl Queries<'_> {
    /// Adds up the rows that are `wanted`.
    pub(super) fn sum(&self, wanted: impl Fn(&DnsRow) -> bool) -> Window {
        let mut sum = Window::default();
        self.dns.rows.iter().filter(|row| wanted(row)).for_each(|row| sum.add(&row.queries));
        sum
    }

    /// Returns what a workload would feel.
    pub(super) fn headline(&self) -> Window {
        self.sum(is_headline)
    }

    /// Returns why its resolver is not asked.
    pub(super) fn unasked(&self) -> Option<Unknown> {
        let headline = self.headline();
        if !self.dns.rows.iter().any(is_headline) {
            Some(Unknown::NoResolver)
        } else if headline.attempts > 0 {
            None
        } else if headline.is_unsent() {
            Some(Unknown::NoSocket)
        } else {
            Some(Unknown::TooFewSamples)
        }
    }
}

fn is_headline(row: &DnsRow) -> bool {
    (row.path, row.query, row.protocol) == (DnsPath::Resolver, DnsQuery::Cluster, Protocol::Udp)
}

/// Returns the DNS Service: as the agents were told, else as this role was.
pub(super) fn service(cluster: &Cluster, all: &[Queries<'_>]) -> Key {
    let told = all.iter().find_map(|it| it.dns.service.as_ref());
    told.unwrap_or_else(|| &cluster.settings().dns_service).clone()
}

/// The DNS Service has another name than this role was told.
pub(super) const NO_SERVICE: Unknown = Unknown::NotFound("the Service that dns_service names");

/// Looks whether the DNS Service that this role was told of exists; no agent asks the replicas of
/// another.
pub(super) fn is_there(cluster: &Cluster) -> Result<(), Unknown> {
    let key = &cluster.settings().dns_service;
    match cluster.read::<Service>() {
        Ok(services) if services.get(key).is_none() => Err(NO_SERVICE),
        _ => Ok(()),
    }
}

/// Whether more than a tenth of enough attempts failed.
pub(super) fn fails(window: &Window) -> bool {
    window.attempts >= ENOUGH && window.fails()
}

/// Whether more than a twentieth of enough answers took longer than 250 ms.
pub(super) fn is_slow(window: &Window) -> bool {
    let answers = window.answers();
    answers >= ENOUGH && window.slow * 20 > answers
}

/// Names the most frequent reason.
pub(super) fn mostly(window: &Window) -> &'static str {
    window.mostly.map_or("an unnamed reason", Failure::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(attempts: u64, failures: u64, slow: u64) -> Window {
        Window { attempts, failures, slow, ..Window::default() }
    }

    #[test]
    fn a_tenth_and_a_twentieth_are_borne_and_few_attempts_say_nothing() {
        for (attempts, failures, failing) in
            [(20, 2, false), (20, 3, true), (19, 19, false), (0, 0, false), (1000, 101, true)]
        {
            assert_eq!(fails(&window(attempts, failures, 0)), failing, "{failures}/{attempts}");
        }
        for (answers, slow, is) in [(20, 1, false), (20, 2, true), (19, 19, false)] {
            assert_eq!(is_slow(&window(answers + 7, 7, slow)), is, "{slow}/{answers}");
        }
    }
}

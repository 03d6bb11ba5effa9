//! Asking the agents: the cluster role pulls, so that no other program can push a report in.
//!
//! Every agent has its own moment in the interval, so that a thousand of them do not answer at
//! once. Asking goes on with the last known agents while the API is away.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cluster::Change;
use crate::family::{Desc, Family, Rows};
use crate::http::get::{Failed, get};
use crate::http::{lookup, wire};
use crate::model::{Agent, Observation};

/// The families of pulling.
pub static FAMILIES: &[Desc] = &[PULLS.desc(), FAILURES.desc()];

static PULLS: Family<0> =
    Family::counter("netvitals_agent_pulls_total", "Questions to agents that ended.", []);

static FAILURES: Family<1> = Family::counter(
    "netvitals_agent_pull_failures_total",
    "Questions to agents that brought no observation.",
    ["reason"],
);

/// Between two looks at which agents are due.
const LOOK: Duration = Duration::from_millis(200);

/// So many are asked at once.
const IN_FLIGHT: usize = 64;

/// For a name, and again for the answer: an agent answers from memory.
const DEADLINE: Duration = Duration::from_secs(2);

/// The largest observation.
const MOST: usize = 256 * 1024;

/// At most this many questions a second.
const RATE: u32 = 500;

/// Where each agent that is a pod is asked.
pub type Roster = BTreeMap<Agent, SocketAddr>;

/// Counts of questions, each reason from 0 on; clones share them.
#[derive(Clone, Debug)]
pub struct Counters {
    pulls: Counter,
    failures: BTreeMap<&'static str, Counter>,
}

/// An observation that is none.
const UNREADABLE: &str = "unreadable";

impl Default for Counters {
    fn default() -> Self {
        let reasons = Failed::REASONS.into_iter().chain([UNREADABLE]);
        let failures = reasons.map(|reason| (reason, Counter::default())).collect();
        Self { pulls: Counter::default(), failures }
    }
}

impl Counters {
    /// Returns the counts as they are now.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        for (reason, count) in &self.failures {
            rows.push(&FAILURES, [reason], count.get() as f64);
        }
        rows.push(&PULLS, [], self.pulls.get() as f64);
        rows
    }

    fn count(&self, failed: Option<&'static str>) {
        self.pulls.inc();
        failed.and_then(|reason| self.failures.get(reason)).inspect(|count| _ = count.inc());
    }
}

/// What pulling works with.
#[derive(Clone, Debug)]
pub struct Puller {
    /// The agents that are pods, as the owner last knew them.
    pub roster: Arc<ArcSwap<Roster>>,
    /// The agents that were named, as `host:port`; they say themselves which they are.
    pub named: Vec<String>,
    /// Between two questions to one agent.
    pub interval: Duration,
    /// Where observations go.
    pub changes: Sender<Change>,
    /// Which agents they are.
    pub claims: Claims,
    /// What is counted.
    pub counts: Counters,
}

/// An agent that is asked.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Pulled {
    Pod(Agent),
    Named(String),
}

impl Puller {
    /// Asks until the owner of the facts is gone.
    ///
    /// # Errors
    ///
    /// Fails when the owner of the facts is gone.
    pub async fn run(self, mut alive: impl FnMut()) -> io::Result<()> {
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut due: BTreeMap<Pulled, Instant> = BTreeMap::new();
        let mut asking = JoinSet::new();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            alive();
            while asking.try_join_next().is_some() {}
            let roster = self.roster.load_full();
            let now = Instant::now();
            for gone in departed(&mut due, &roster, &self.named, now) {
                let sent = self.changes.send(Change::Departed(gone)).await;
                sent.map_err(|_| io::Error::other("the owner is gone"))?;
            }
            let interval = self.interval.max(Duration::from_secs(1) * due.len() as u32 / RATE);
            for (pulled, at) in in_turn(&mut due, now) {
                // No queue: an agent that cannot be asked now is asked at the next look.
                let Ok(permit) = in_flight.clone().try_acquire_owned() else { break };
                *at = now + interval.mul_f64(0.9 + 0.2 * fastrand::f64());
                let (puller, pulled) = (self.clone(), pulled.clone());
                let address = match &pulled {
                    Pulled::Pod(agent) => roster.get(agent).copied(),
                    Pulled::Named(_) => None,
                };
                asking.spawn(async move {
                    let _permit = permit;
                    puller.ask(pulled, address).await;
                });
            }
        }
    }

    async fn ask(&self, pulled: Pulled, address: Option<SocketAddr>) {
        let answer = match (&pulled, address) {
            (Pulled::Named(name), _) => self.named(name).await,
            (Pulled::Pod(agent), Some(address)) => {
                observation(address).await.map(|it| (agent.clone(), it))
            }
            (Pulled::Pod(_), None) => return,
        };
        let answer = match (&pulled, answer) {
            (Pulled::Named(name), Ok((agent, observation))) => {
                self.claim(name, agent).await.map(|agent| (agent, observation))
            }
            (_, answer) => answer,
        };
        match answer {
            Ok((agent, observation)) => {
                self.counts.count(None);
                // Should the owner be gone, the process ends anyway.
                _ = self.changes.send(Change::Observed(agent, Box::new(observation))).await;
            }
            Err((reason, error)) => {
                self.counts.count(Some(reason));
                tracing::debug!(agent = ?pulled, error, "an agent brought no observation");
            }
        }
    }

    async fn named(&self, name: &str) -> Result<(Agent, Observation), (&'static str, String)> {
        let address = lookup::first(name, DEADLINE).await.map_err(|error| {
            let late = error.kind() == io::ErrorKind::TimedOut;
            told(if late { Failed::Timeout } else { Failed::Connect(error) })
        })?;
        let observation = observation(address).await?;
        let agent = observation.agent.clone();
        let agent =
            agent.ok_or_else(|| (UNREADABLE, "it does not say which agent it is".into()))?;
        Ok((agent, observation))
    }

    /// Takes the word of a named agent on which one it is: one at a time, and none that another
    /// address speaks for.
    async fn claim(&self, name: &str, agent: Agent) -> Result<Agent, (&'static str, String)> {
        let agent = Agent { node: label(&agent.node).as_str().into(), ..agent };
        let taken = || (UNREADABLE, format!("it says to be {agent}, which is another's name"));
        if self.roster.load().contains_key(&agent) {
            return Err(taken());
        }
        let before = {
            let mut claims = self.claims.lock();
            if claims.iter().any(|(other, claimed)| other != name && *claimed == agent) {
                return Err(taken());
            }
            claims.insert(name.to_owned(), agent.clone())
        };
        if let Some(before) = before.filter(|before| *before != agent) {
            _ = self.changes.send(Change::Departed(before)).await;
        }
        Ok(agent)
    }
}

/// Which agent each named address last said to be; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Claims(Arc<Mutex<BTreeMap<String, Agent>>>);

impl Claims {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Agent>> {
        // Nothing that may panic happens under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest value of a label.
const LABEL: usize = 128;

/// Returns what an agent says of itself as a label may be: printable, and not too long.
fn label(text: &str) -> String {
    let plain = |char: char| if char.is_ascii_graphic() { char } else { '_' };
    text.chars().take(LABEL).map(plain).collect()
}

async fn observation(address: SocketAddr) -> Result<Observation, (&'static str, String)> {
    let body = get(address, "/v1/observations", DEADLINE, MOST).await;
    wire::read(&body.map_err(told)?).map_err(|error| (UNREADABLE, error))
}

/// Returns the reason, and the error for the log.
fn told(failed: Failed) -> (&'static str, String) {
    (failed.as_str(), failed.to_string())
}

/// Returns the agents that are due, the longest waiting first: in the order of names, those that
/// answer nothing and hold what others wait for would come first at every look.
fn in_turn(due: &mut BTreeMap<Pulled, Instant>, now: Instant) -> Vec<(&Pulled, &mut Instant)> {
    let mut turns: Vec<_> = due.iter_mut().filter(|(_, at)| **at <= now).collect();
    turns.sort_by_key(|(_, at)| **at);
    turns
}

/// Brings `due` up to date, and returns the agents that are no longer there.
fn departed(
    due: &mut BTreeMap<Pulled, Instant>,
    roster: &Roster,
    named: &[String],
    now: Instant,
) -> Vec<Agent> {
    let mut gone = Vec::new();
    due.retain(|pulled, _| match pulled {
        Pulled::Named(_) => true,
        Pulled::Pod(agent) if roster.contains_key(agent) => true,
        Pulled::Pod(agent) => {
            gone.push(agent.clone());
            false
        }
    });
    let pods = roster.keys().cloned().map(Pulled::Pod);
    for pulled in pods.chain(named.iter().cloned().map(Pulled::Named)) {
        due.entry(pulled).or_insert(now);
    }
    gone
}

#[cfg(test)]
mod tests;

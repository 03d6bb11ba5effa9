//! Asking the agents: the cluster role pulls, so that nobody can push a report in.
//!
//! Every agent has its own moment in the interval, so that a thousand of them do not answer at
//! once. Asking goes on with the last known agents while the API is away.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
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
use crate::http::lookup::Lookup;
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

/// How often it is looked who is to be asked.
const LOOK: Duration = Duration::from_millis(200);

/// So many are asked at once.
const IN_FLIGHT: usize = 64;

/// For a name, and again for the answer: an agent answers from memory.
const DEADLINE: Duration = Duration::from_secs(2);

/// The largest observation.
const MOST: usize = 256 * 1024;

/// At most this many questions a second.
const RATE: u32 = 500;

/// Where to ask, by who is to be asked.
pub type Roster = BTreeMap<Agent, SocketAddr>;

/// Counts of questions, each reason from 0 on; clones share them.
#[derive(Clone, Debug)]
pub struct Counts {
    pulls: Counter,
    failures: BTreeMap<&'static str, Counter>,
}

/// An observation that is none.
const UNREADABLE: &str = "unreadable";

impl Default for Counts {
    fn default() -> Self {
        let reasons = Failed::REASONS.into_iter().chain([UNREADABLE]);
        let failures = reasons.map(|reason| (reason, Counter::default())).collect();
        Self { pulls: Counter::default(), failures }
    }
}

impl Counts {
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
    /// The agents that were named, as `host:port`; they say themselves who they are.
    pub named: Vec<String>,
    /// Between two questions to one agent.
    pub interval: Duration,
    /// Where observations go.
    pub changes: Sender<Change>,
    /// What is counted.
    pub counts: Counts,
    /// Where names are looked up.
    pub lookup: Lookup,
}

/// One to be asked.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Whom {
    Pod(Agent),
    Named(String),
}

impl Puller {
    /// Asks until nobody is there to hear.
    ///
    /// # Errors
    ///
    /// Fails when the owner of the facts is gone.
    pub async fn run(self, mut alive: impl FnMut()) -> io::Result<()> {
        let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut due: BTreeMap<Whom, Instant> = BTreeMap::new();
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
            for (whom, at) in in_turn(&mut due, now) {
                // No queue: who cannot be asked now is asked at the next look.
                let Ok(permit) = in_flight.clone().try_acquire_owned() else { break };
                *at = now + interval.mul_f64(0.9 + 0.2 * fastrand::f64());
                let (puller, whom) = (self.clone(), whom.clone());
                let address = match &whom {
                    Whom::Pod(agent) => roster.get(agent).copied(),
                    Whom::Named(_) => None,
                };
                asking.spawn(async move {
                    let _permit = permit;
                    puller.ask(whom, address).await;
                });
            }
        }
    }

    async fn ask(&self, whom: Whom, address: Option<SocketAddr>) {
        let answer = match (&whom, address) {
            (Whom::Named(name), _) => self.named(name).await,
            (Whom::Pod(agent), Some(address)) => {
                observation(address).await.map(|it| (agent.clone(), it))
            }
            (Whom::Pod(_), None) => return,
        };
        match answer {
            Ok((agent, observation)) => {
                self.counts.count(None);
                // Should the owner be gone, the process ends anyway.
                _ = self.changes.send(Change::Observed(agent, Box::new(observation))).await;
            }
            Err((reason, error)) => {
                self.counts.count(Some(reason));
                tracing::debug!(agent = ?whom, error, "an agent brought no observation");
            }
        }
    }

    async fn named(&self, name: &str) -> Result<(Agent, Observation), (&'static str, String)> {
        let address = self.lookup.first(name, DEADLINE).await.map_err(|error| {
            let late = error.kind() == io::ErrorKind::TimedOut;
            told(if late { Failed::Timeout } else { Failed::Connect(error) })
        })?;
        let observation = observation(address).await?;
        let agent = observation.agent.clone();
        let agent = agent.ok_or_else(|| (UNREADABLE, "it does not say who it is".into()))?;
        Ok((agent, observation))
    }
}

async fn observation(address: SocketAddr) -> Result<Observation, (&'static str, String)> {
    let body = get(address, "/v1/observations", DEADLINE, MOST).await;
    serde_json::from_slice(&body.map_err(told)?).map_err(|error| (UNREADABLE, error.to_string()))
}

/// Returns the reason, and the error for the log.
fn told(failed: Failed) -> (&'static str, String) {
    (failed.as_str(), failed.to_string())
}

/// Returns those who are due, who waits longest first: in the order of names, those that answer
/// nothing and hold what others wait for would come first at every look.
fn in_turn(due: &mut BTreeMap<Whom, Instant>, now: Instant) -> Vec<(&Whom, &mut Instant)> {
    let mut turns: Vec<_> = due.iter_mut().filter(|(_, at)| **at <= now).collect();
    turns.sort_by_key(|(_, at)| **at);
    turns
}

/// Brings `due` up to date, and returns the agents that are no longer there.
fn departed(
    due: &mut BTreeMap<Whom, Instant>,
    roster: &Roster,
    named: &[String],
    now: Instant,
) -> Vec<Agent> {
    let mut gone = Vec::new();
    due.retain(|whom, _| match whom {
        Whom::Named(_) => true,
        Whom::Pod(agent) if roster.contains_key(agent) => true,
        Whom::Pod(agent) => {
            gone.push(agent.clone());
            false
        }
    });
    let pods = roster.keys().cloned().map(Whom::Pod);
    for whom in pods.chain(named.iter().cloned().map(Whom::Named)) {
        due.entry(whom).or_insert(now);
    }
    gone
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get as route;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::{Receiver, channel};
    use tokio::time::timeout;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;
    use crate::model::Vantage;

    const SOON: Duration = Duration::from_secs(5);

    fn agent(node: &str) -> Agent {
        Agent { node: node.into(), vantage: Vantage::Pod }
    }

    async fn serve(answer: &'static str) -> (SocketAddr, AbortOnDropHandle<()>) {
        let routes = Router::new().route("/v1/observations", route(move || async move { answer }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (target, AbortOnDropHandle::new(server))
    }

    fn puller(named: Vec<String>) -> (Puller, Receiver<Change>) {
        let (changes, inbox) = channel(16);
        let roster = Arc::new(ArcSwap::from_pointee(Roster::new()));
        let interval = Duration::from_millis(300);
        let counts = Counts::default();
        let lookup = Lookup::default();
        (Puller { roster, named, interval, changes, counts, lookup }, inbox)
    }

    async fn next(inbox: &mut Receiver<Change>) -> String {
        match timeout(SOON, inbox.recv()).await.expect("a change").unwrap() {
            Change::Observed(agent, it) => format!("{agent} {}", it.version.unwrap_or_default()),
            Change::Departed(agent) => format!("{agent} departed"),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_pods_node_is_the_apis_word_and_a_named_agents_its_own() {
        let answer = r#"{"version": "1", "agent": {"node": "liar", "vantage": "host"}}"#;
        let (address, _server) = serve(answer).await;
        let (puller, mut inbox) = puller(vec![address.to_string()]);
        puller.roster.store(Arc::new([(agent("n1"), address)].into()));
        let roster = puller.roster.clone();
        let _running = AbortOnDropHandle::new(tokio::spawn(puller.run(|| {})));
        let mut seen = [next(&mut inbox).await, next(&mut inbox).await];
        seen.sort();
        assert_eq!(seen, ["liar/host 1", "n1/pod 1"]);
        roster.store(Arc::default());
        while next(&mut inbox).await != "n1/pod departed" {}
    }

    #[test]
    fn all_are_asked_about_equally_often_whatever_their_names() {
        let names = ["a", "b", "c", "d", "z"];
        let mut now = Instant::now();
        let mut due: BTreeMap<Whom, Instant> =
            names.map(|name| (Whom::Pod(agent(name)), now)).into();
        let mut asked: BTreeMap<Whom, usize> = BTreeMap::new();
        // There is room for two at each look, and all are due again at the next.
        for _ in 0..10 {
            for (whom, at) in in_turn(&mut due, now).into_iter().take(2) {
                *at = now + LOOK;
                *asked.entry(whom.clone()).or_default() += 1;
            }
            now += LOOK;
        }
        // Names decide only between those that wait equally long.
        assert_eq!(asked.len(), names.len());
        assert!(asked.values().all(|times| (3..=5).contains(times)), "{asked:?}");
        let later = now + LOOK;
        due.insert(Whom::Named("early".into()), later);
        assert!(in_turn(&mut due, now).iter().all(|(_, at)| **at <= now));
    }

    #[tokio::test]
    async fn what_is_no_observation_is_counted_by_its_reason() {
        let (address, _server) = serve("[]").await;
        let (puller, inbox) = puller(vec![address.to_string()]);
        puller.ask(Whom::Named(address.to_string()), None).await;
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        puller.ask(Whom::Pod(agent("n1")), Some(closed)).await;
        let failures = |reason| puller.counts.failures[reason].get();
        assert_eq!(
            (failures(UNREADABLE), failures("connect"), puller.counts.pulls.get()),
            (1, 1, 2)
        );
        assert!(inbox.is_empty());
    }
}

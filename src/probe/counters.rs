//! The counts of an agent's attempts, over its whole life.
//!
//! A combination of labels begins at 0 when a plan first schedules it, and stays: what a plan
//! no longer has is not counted any further, but a counter that went away would be a reset.

mod starting;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use self::starting::Starting;
use super::attempt::Probe;
use super::{dns, icmp};
use crate::family::{Desc, Family, Rows};
use crate::model::{Agent, DnsPath, DnsQuery, Failure, ProbeKind, Protocol, Target};

/// The families of every probe.
pub static FAMILIES: &[Desc] = &[
    QUERIES.desc(),
    QUERY_FAILURES.desc(),
    QUERY_DURATION.desc(),
    ATTEMPTS.desc(),
    FAILURES.desc(),
    DURATION.desc(),
    SKIPPED.desc(),
    SUPPORTED.desc(),
    DELAY.desc(),
];

static QUERIES: Family<5> = Family::counter(
    "netvitals_dns_queries_total",
    "DNS queries that ended, without the headline's that failed before an agent's first answer.",
    ["node", "vantage", "path", "query", "protocol"],
);

static QUERY_FAILURES: Family<6> = Family::counter(
    "netvitals_dns_query_failures_total",
    "DNS queries that failed.",
    ["node", "vantage", "path", "query", "protocol", "reason"],
);

static QUERY_DURATION: Family<4> = Family::histogram(
    "netvitals_dns_query_duration_seconds",
    "Time from each query until its answer arrived; over UDP by the clock of the kernel.",
    ["node", "vantage", "path", "query"],
    &[0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.0, 5.0],
);

static ATTEMPTS: Family<4> = Family::counter(
    "netvitals_probe_attempts_total",
    "Attempts that ended.",
    ["node", "vantage", "probe", "target"],
);

static FAILURES: Family<5> = Family::counter(
    "netvitals_probe_failures_total",
    "Attempts that failed.",
    ["node", "vantage", "probe", "target", "reason"],
);

static DURATION: Family<4> = Family::histogram(
    "netvitals_probe_duration_seconds",
    "Time that successful attempts took.",
    ["node", "vantage", "probe", "target"],
    // A lost first packet of a handshake is sent again after 1 s.
    &[0.001, 0.005, 0.025, 0.1, 1.0],
);

static SKIPPED: Family<3> = Family::counter(
    "netvitals_probe_skipped_total",
    "Attempts that were not made; denied and capped count targets, once for each new plan.",
    ["node", "vantage", "reason"],
);

static SUPPORTED: Family<3> = Family::gauge(
    "netvitals_probe_supported",
    "Whether the agent may send this kind of probe.",
    ["node", "vantage", "probe"],
);

static DELAY: Family<2> = Family::histogram(
    "netvitals_probe_schedule_delay_seconds",
    "Time by which attempts, those skipped as busy or full included, came later than they were due.",
    ["node", "vantage"],
    &[0.005, 0.02, 0.1, 1.0],
);

/// Why an attempt was not made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Skip {
    /// The last attempt at the same target was still under way.
    Busy,
    /// There were more targets than an agent takes.
    Capped,
    /// The target's address is none that an agent may be sent to.
    Denied,
    /// Too many attempts were under way.
    Full,
    /// It never left this machine, for want of descriptors, ports or buffers.
    Local,
}

impl Skip {
    const ALL: [Self; 5] = [Self::Busy, Self::Capped, Self::Denied, Self::Full, Self::Local];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Capped => "capped",
            Self::Denied => "denied",
            Self::Full => "full",
            Self::Local => "local",
        }
    }
}

/// Attempts of one kind, as they are counted.
#[derive(Clone, Copy, Debug)]
pub enum AttemptKind {
    /// Queries.
    Dns(DnsPath, DnsQuery, Protocol),
    /// Attempts to reach something.
    Probe(&'static Probe, Target),
}

/// Tells whether the times of such queries are worth their series: those of the node's cache are
/// the headline's, and those of outside names are others' networks.
const fn timed(path: DnsPath, query: DnsQuery) -> bool {
    !matches!((path, query), (DnsPath::Nodelocal, _) | (_, DnsQuery::External))
}

/// All of an agent's counters.
#[derive(Debug)]
pub struct Counters {
    agent: Agent,
    dns: RwLock<BTreeMap<(DnsPath, DnsQuery, Protocol), Arc<KindCounters>>>,
    probes: RwLock<BTreeMap<(ProbeKind, Target), Arc<KindCounters>>>,
    /// One for each of `Skip::ALL`.
    skipped: [Counter; Skip::ALL.len()],
    delay: Times,
    echoes: AtomicBool,
}

/// The counters of one kind of attempts.
#[derive(Debug)]
pub struct KindCounters {
    attempts: Counter,
    failures: Vec<(Failure, Counter)>,
    /// Shared by both protocols of DNS; absent where times say nothing.
    times: Option<Arc<Times>>,
    /// Of the headline: what fails while the node is being set up.
    starting: Option<Starting>,
}

#[derive(Debug)]
struct Times {
    bounds: &'static [f64],
    /// One for each bound, and one for everything above.
    buckets: Vec<Counter>,
    seconds: Counter<f64, AtomicU64>,
}

impl Times {
    fn new(desc: &Desc) -> Self {
        let crate::family::Type::Histogram(bounds) = desc.ty else {
            panic!("{} is no histogram", desc.name)
        };
        let buckets = std::iter::repeat_with(Counter::default).take(bounds.len() + 1).collect();
        Self { bounds, buckets, seconds: Counter::default() }
    }

    fn count(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.buckets[self.bounds.partition_point(|bound| *bound < seconds)].inc();
        self.seconds.inc_by(seconds);
    }

    fn read(&self) -> (Vec<u64>, f64) {
        (self.buckets.iter().map(Counter::get).collect(), self.seconds.get())
    }
}

impl KindCounters {
    fn new(failures: impl Iterator<Item = Failure>, times: Option<Arc<Times>>) -> Arc<Self> {
        Self::starting(failures, times, None)
    }

    fn starting(
        failures: impl Iterator<Item = Failure>,
        times: Option<Arc<Times>>,
        starting: Option<Starting>,
    ) -> Arc<Self> {
        let failures = failures.map(|failure| (failure, Counter::default())).collect();
        Arc::new(Self { attempts: Counter::default(), failures, times, starting })
    }

    /// Counts one attempt.
    pub fn count(&self, outcome: Result<Duration, Failure>) {
        if self.starting.as_ref().is_some_and(|it| it.takes(&outcome)) {
            return;
        }
        // First here and last in `rows`, so that no scrape sees a failure without its attempt.
        self.attempts.inc();
        match (outcome, &self.times) {
            (Ok(took), Some(times)) => times.count(took),
            (Ok(_), None) => {}
            (Err(failure), _) => {
                let named = |reason| self.failures.iter().find(|(known, _)| *known == reason);
                named(failure).or_else(|| named(Failure::Other)).inspect(|(_, it)| _ = it.inc());
            }
        }
    }
}

impl Counters {
    /// Begins with nothing planned.
    pub fn new(agent: Agent) -> Self {
        Self {
            agent,
            dns: RwLock::default(),
            probes: RwLock::default(),
            skipped: Default::default(),
            delay: Times::new(&DELAY.desc()),
            echoes: AtomicBool::new(false),
        }
    }

    /// Returns the counts of one kind, which exist from now on.
    pub fn planned(&self, kind: AttemptKind) -> Arc<KindCounters> {
        // A panic in one of these lines would leave the maps as whole as they were.
        match kind {
            AttemptKind::Probe(probe, target) => {
                let mut probes = self.probes.write().unwrap_or_else(PoisonError::into_inner);
                let counts = probes.entry((probe.kind, target)).or_insert_with(|| {
                    let times = probe.timed.then(|| Arc::new(Times::new(&DURATION.desc())));
                    KindCounters::new(probe.failures.iter().copied(), times)
                });
                counts.clone()
            }
            AttemptKind::Dns(path, query, protocol) => {
                let mut dns = self.dns.write().unwrap_or_else(PoisonError::into_inner);
                if let Some(counts) = dns.get(&(path, query, protocol)) {
                    return counts.clone();
                }
                let other = dns.iter().find(|((p, q, _), _)| (*p, *q) == (path, query));
                let times = match other {
                    Some((_, counts)) => counts.times.clone(),
                    None => {
                        timed(path, query).then(|| Arc::new(Times::new(&QUERY_DURATION.desc())))
                    }
                };
                let failures = dns::failures(query, protocol);
                let is_headline = (path, query, protocol)
                    == (DnsPath::Resolver, DnsQuery::Cluster, Protocol::Udp);
                let starting = is_headline.then(Starting::new);
                let counts = KindCounters::starting(failures, times, starting);
                dns.insert((path, query, protocol), counts.clone());
                counts
            }
        }
    }

    /// Counts an attempt that was not made.
    pub fn skip(&self, why: Skip) {
        self.skipped[why as usize].inc();
    }

    /// Counts by how much later than due an attempt began.
    pub fn delayed(&self, by: Duration) {
        self.delay.count(by);
    }

    /// Says whether echo requests may be sent.
    pub fn echoes(&self, supported: bool) {
        self.echoes.store(supported, Ordering::Relaxed);
    }

    /// Returns the counts as they are now.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        let (node, vantage) = (&*self.agent.node, self.agent.vantage.as_str());
        for skip in Skip::ALL {
            let count = self.skipped[skip as usize].get();
            rows.push(&SKIPPED, [node, vantage, skip.as_str()], count as f64);
        }
        let echoes = f64::from(u8::from(self.echoes.load(Ordering::Relaxed)));
        rows.push(&SUPPORTED, [node, vantage, icmp::PROBE.kind.as_str()], echoes);
        let (buckets, sum) = self.delay.read();
        rows.push_histogram(&DELAY, [node, vantage], buckets, sum);

        for ((path, query, protocol), counts) in
            &*self.dns.read().unwrap_or_else(PoisonError::into_inner)
        {
            let (path, query, protocol) = (path.as_str(), query.as_str(), protocol.as_str());
            for (failure, count) in &counts.failures {
                let labels = [node, vantage, path, query, protocol, failure.as_str()];
                rows.push(&QUERY_FAILURES, labels, count.get() as f64);
            }
            if let Some(times) = &counts.times {
                let (buckets, sum) = times.read();
                rows.push_histogram(&QUERY_DURATION, [node, vantage, path, query], buckets, sum);
            }
            let labels = [node, vantage, path, query, protocol];
            rows.push(&QUERIES, labels, counts.attempts.get() as f64);
        }
        for ((probe, target), counts) in
            &*self.probes.read().unwrap_or_else(PoisonError::into_inner)
        {
            let (probe, target) = (probe.as_str(), target.as_str());
            for (failure, count) in &counts.failures {
                let labels = [node, vantage, probe, target, failure.as_str()];
                rows.push(&FAILURES, labels, count.get() as f64);
            }
            if let Some(times) = &counts.times {
                let (buckets, sum) = times.read();
                rows.push_histogram(&DURATION, [node, vantage, probe, target], buckets, sum);
            }
            let labels = [node, vantage, probe, target];
            rows.push(&ATTEMPTS, labels, counts.attempts.get() as f64);
        }
        rows
    }
}

#[cfg(test)]
mod tests;

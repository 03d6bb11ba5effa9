//! When what is probed: everything again and again, at moments of its own, and nothing queues.
//!
//! All that is due leaves in one tick, because a wake-up for each probe costs more than the
//! probe. Due times are random, and so are the ticks: neither an agent's targets nor a cluster's
//! agents are ever in step.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::counters::{Counters, KindCounters, Skip};
use super::echo::Echo;
use super::icmp;
use super::job::{DEADLINE_DNS, Job, Row};
use super::matrix::{Scope, matrix};
use super::windows::Windows;
use crate::agent::resolv_conf::ResolvConf;
use crate::agent::{Context, Running};
use crate::model::{Dns, DnsPath, DnsQuery, Failure, Name, Observation, Plan, Protocol};
use crate::task::{Task, Uptime};

/// A tick's least and greatest length.
const TICK: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(20)];

/// An idle schedule gives a sign of life this often.
const IDLE: Duration = Duration::from_secs(5);

/// Attempts under way: 64 in all, and no outage of one kind takes the place of another.
const HEADLINE: usize = 8;
const QUERIES: usize = 20;
const OTHERS: usize = 36;

/// What the schedule works with.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What the agent was told.
    pub scope: Scope,
    /// The resolver's configuration, once it is read.
    pub conf: Receiver<Arc<ResolvConf>>,
    /// The plan, once there is one.
    pub plan: Receiver<Option<Arc<Plan>>>,
    /// Where windows are kept.
    pub windows: Arc<Windows>,
    /// Where all is counted.
    pub counters: Arc<Counters>,
    /// The sockets for echoes.
    pub echo: Arc<Echo>,
    /// The time.
    pub uptime: Uptime,
    /// Itself, as it is counted.
    pub task: Task,
    /// How many targets of the last plan were denied and how many capped: a lasting state is
    /// logged once.
    pub refused: (usize, usize),
}

/// A job and when it is next due.
#[derive(Debug)]
struct Entry {
    job: Arc<Job>,
    counts: Option<Arc<KindCounters>>,
    due: Instant,
    /// Each attempt that is under way holds one more.
    flights: Arc<()>,
}

/// Room for attempts that are under way.
#[derive(Debug)]
struct Room {
    headline: Arc<Semaphore>,
    queries: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

pub(super) fn start(context: &Context) -> Running {
    let options = &context.options;
    let windows = Arc::new(Windows::new(options.dns_window, options.reach_window));
    let counters = Arc::new(Counters::new(context.agent().clone()));
    let echoes = !context.is_off(icmp::PROBE.switch.name);
    let echo = Arc::new(if echoes { Echo::open() } else { Echo::default() });
    let scope = Scope {
        vantage: options.agent.vantage,
        dns_port: options.dns_port,
        dns_interval: options.dns_interval,
        reach_interval: options.reach_interval,
        api: options.api,
        external: options.external.clone(),
        allowed: options.allowed,
        disabled: options.disabled.clone(),
    };
    let running = {
        let (context, echo) = (context.clone(), echo.clone());
        let (windows, counters) = (windows.clone(), counters.clone());
        Running::default().task("probes", move |task| {
            let schedule = Schedule {
                scope: scope.clone(),
                conf: context.conf.subscribe(),
                plan: context.plan.subscribe(),
                windows: windows.clone(),
                counters: counters.clone(),
                echo: echo.clone(),
                uptime: context.uptime,
                task,
                refused: (0, 0),
            };
            async move {
                let Ok(()) = schedule.run().await;
            }
        })
    };
    let running = if echoes {
        running.task("icmp", move |task| {
            let echo = echo.clone();
            async move { echo.watch(move || task.beat()).await }
        })
    } else {
        running
    };
    let (plan, conf) = (context.plan.clone(), context.conf.subscribe());
    let uptime = context.uptime;
    let observe = move |observation: &mut Observation| {
        let reading = windows.read(uptime.now().uptime);
        let plan = plan.borrow();
        let dns = plan.as_ref().and_then(|plan| plan.dns.as_ref());
        let service = dns.map(|dns| dns.service.clone());
        let domain = conf.borrow().domain.as_deref().map(Name::from);
        let dns = Dns { service, domain, rows: reading.rows, answers: reading.answers };
        observation.dns = Some(dns.into());
        observation.reach = Some(reading.reach.into());
        observation.captured = Some(reading.captured);
    };
    running.observes(observe).exports(move || counters.rows())
}

impl Schedule {
    /// Probes for as long as it is awaited.
    ///
    /// # Errors
    ///
    /// Never; a panic of one attempt is counted, and the others go on.
    pub async fn run(mut self) -> Result<(), Infallible> {
        let room = |size| Arc::new(Semaphore::new(size));
        let room = Room { headline: room(HEADLINE), queries: room(QUERIES), others: room(OTHERS) };
        let mut running = JoinSet::new();
        let mut entries = self.plan(Vec::new());
        loop {
            self.task.beat();
            self.reap(&mut running);
            let now = Instant::now();
            let due = entries.iter().map(|entry| entry.due).min().unwrap_or(now + IDLE);
            let tick = now + between(TICK[0], TICK[1]);
            tokio::select! {
                () = sleep_until(due.max(tick).min(now + IDLE)) => {}
                Ok(()) = self.conf.changed() => entries = self.plan(entries),
                Ok(()) = self.plan.changed() => entries = self.plan(entries),
                () = self.echo.opened() => entries = self.plan(entries),
            }
            let now = Instant::now();
            for entry in entries.iter_mut().filter(|entry| entry.due <= now) {
                self.launch(entry, &room, &mut running, now);
            }
        }
    }

    /// Makes the matrix anew; what stays goes on as if nothing had happened.
    fn plan(&mut self, old: Vec<Entry>) -> Vec<Entry> {
        let conf = self.conf.borrow_and_update().clone();
        let plan = self.plan.borrow_and_update().clone();
        let made = matrix(&self.scope, &conf, plan.as_deref(), &self.echo);
        self.counters.echoes(self.echo.is_open());
        for (skip, count) in [(Skip::Denied, made.denied), (Skip::Capped, made.capped)] {
            (0..count).for_each(|_| self.counters.skip(skip));
        }
        let refused = (made.denied, made.capped);
        if refused != self.refused && refused != (0, 0) {
            let (denied, capped) = refused;
            tracing::warn!(denied, capped, "the plan has targets that are not probed");
        }
        self.refused = refused;
        tracing::debug!(jobs = made.jobs.len(), "what is probed has changed");
        self.windows.plan(&made.jobs, made.refused, self.uptime.now().uptime);
        let key = |job: &Job| (job.row.clone(), job.address);
        let mut old: BTreeMap<(Row, SocketAddr), Entry> =
            old.into_iter().map(|entry| (key(&entry.job), entry)).collect();
        let (now, first) = (Instant::now(), self.scope.dns_interval);
        let entry = |job: Job| {
            let counts = job.counted().map(|kind| self.counters.planned(kind));
            match old.remove(&key(&job)) {
                Some(old) => {
                    let due = old.due.min(now + job.every);
                    Entry { job: Arc::new(job), counts, due, flights: old.flights }
                }
                None => {
                    // However rare the others are, the first one is not far.
                    let due = now + between(Duration::ZERO, job.every.min(first));
                    Entry { job: Arc::new(job), counts, due, flights: Arc::default() }
                }
            }
        };
        made.jobs.into_iter().map(entry).collect()
    }

    fn launch(&self, entry: &mut Entry, room: &Room, running: &mut JoinSet<()>, now: Instant) {
        self.counters.delayed(now - entry.due);
        let every = entry.job.every;
        // Never later than due, so that "at least every 10 s" holds; and a process that was
        // stopped for a while does not make up for it.
        let next = entry.due + between(every.mul_f64(0.8), every);
        entry.due = if next > now { next } else { now + every };
        if Arc::strong_count(&entry.flights) > flights(&entry.job) {
            return self.counters.skip(Skip::Busy);
        }
        let Some(permit) = room.take(&entry.job) else { return self.counters.skip(Skip::Full) };
        let (job, counts, flight) =
            (entry.job.clone(), entry.counts.clone(), entry.flights.clone());
        let (windows, counters, echo) =
            (self.windows.clone(), self.counters.clone(), self.echo.clone());
        let uptime = self.uptime;
        running.spawn(async move {
            let outcome = job.ask.attempt(job.address, &echo).await;
            windows.count(&job, outcome, uptime.now().uptime);
            match (outcome, counts) {
                (Err(Failure::Local), _) => counters.skip(Skip::Local),
                (_, Some(counts)) => counts.count(outcome),
                (_, None) => {}
            }
            drop((flight, permit));
        });
    }

    /// Forgets attempts that ended; one that panicked is counted, and spoils no other.
    fn reap(&self, running: &mut JoinSet<()>) {
        while let Some(ended) = running.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                self.task.panicked();
                tracing::error!(%error, "an attempt panicked");
            }
        }
    }
}

impl Room {
    fn take(&self, job: &Job) -> Option<OwnedSemaphorePermit> {
        let room = match job {
            it if is_headline(it) => &self.headline,
            it if it.ask.is_query() => &self.queries,
            _ => &self.others,
        };
        room.clone().try_acquire_owned().ok()
    }
}

fn is_headline(job: &Job) -> bool {
    let (path, query, protocol) = (DnsPath::Resolver, DnsQuery::Cluster, Protocol::Udp);
    job.row == Row::Dns { path, query, protocol, replica: None }
}

/// How many attempts at one target may be under way.
///
/// One; but where queries are asked for more often than they can time out, a lost one does not
/// hold up the next, or every loss would be counted less than it weighs.
fn flights(job: &Job) -> usize {
    let lost = DEADLINE_DNS.as_secs_f64() / job.every.as_secs_f64();
    if job.ask.is_query() { (lost.ceil() as usize).clamp(1, HEADLINE) } else { 1 }
}

fn between(least: Duration, greatest: Duration) -> Duration {
    least + greatest.saturating_sub(least).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests;

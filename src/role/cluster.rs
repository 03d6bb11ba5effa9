//! `netvitals cluster`: watches the API, judges, serves the page.

use std::future::pending;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use kube::Client;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::check::{self, scraping};
use crate::cluster::agents::Agents;
use crate::cluster::{Change, Settings};
use crate::family::{Desc, Family, Rows};
use crate::http::health::{self, Health, Readiness};
use crate::http::latest::Latest;
use crate::http::metrics::{self, Metrics};
use crate::http::{Limits, Server, pages, plan, report};
use crate::owner::Owner;
use crate::plan::Plans;
use crate::pull::{self, Puller, Roster};
use crate::report::Report;
use crate::report::text::REFUSED;
use crate::task::{self, Task, Uptime, supervise};
use crate::watch as api;

/// How the cluster role runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What is known of the installation.
    pub settings: Settings,
    /// Agents outside Kubernetes, as `http://host:port`.
    pub agents: Vec<String>,
    /// Between two questions to one agent; more in a cluster of many.
    pub pull_interval: Duration,
}

/// Changes that wait for the owner; a sender waits too, because a lost one is wrong for ever.
const WAITING: usize = 1024;

/// The thread that has the facts beats with each change, and there is one every second.
const OWNER: Duration = Duration::from_secs(60);

/// A supervised task may pause for a minute.
const LEAF: Duration = Duration::from_secs(120);

/// What the owner of the facts lets others see, each swapped in whole.
#[derive(Clone, Debug, Default)]
struct Published {
    report: Arc<ArcSwapOption<Report>>,
    plans: Arc<ArcSwapOption<Plans>>,
    roster: Arc<ArcSwap<Roster>>,
    /// How long the last report took.
    spent: watch::Sender<Duration>,
}

/// Runs until `stop`, which [`stop_on_signal`](super::stop_on_signal) gives.
///
/// # Errors
///
/// Fails when the owner of the facts or the listener ends: nothing can go on in their place.
pub async fn run(
    options: Options,
    client: Client,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    publish(options, client, listener, stop, Arc::default()).await
}

/// Runs, and puts each report where the demo looks for it too.
///
/// # Errors
///
/// As [`run`].
pub async fn publish(
    options: Options,
    client: Client,
    listener: TcpListener,
    stop: CancellationToken,
    report: Arc<ArcSwapOption<Report>>,
) -> io::Result<()> {
    let uptime = Uptime::start();
    let published = Published { report, ..Published::default() };
    let (changes, inbox) = mpsc::channel(WAITING);
    let leaves = TaskTracker::new();
    let (mut tasks, counts) = api::run_all(&client, &changes, &leaves, &stop);
    let settings = Settings { named_agents: options.agents.len(), ..options.settings };
    let puller = Puller {
        roster: published.roster.clone(),
        named: options.agents.iter().map(|url| authority(url)).collect(),
        interval: options.pull_interval,
        changes: changes.clone(),
        claims: pull::Claims::default(),
        counts: pull::Counters::default(),
    };
    let pulls = puller.counts.clone();
    let pulling = Task::beating("pull", LEAF);
    let beating = pulling.clone();
    let make = move || {
        let beating = beating.clone();
        puller.clone().run(move || beating.beat())
    };
    leaves.spawn(supervise(pulling.clone(), stop.clone(), make));
    tasks.push(pulling);
    let ticking = Task::beating("tick", LEAF);
    let (spent, beating) = (published.spent.subscribe(), ticking.clone());
    let server = Server::new(Limits::CLUSTER);
    let make = {
        let server = server.clone();
        move || {
            let server = server.clone();
            let scrapes = move || server.scrapes();
            tick(changes.clone(), spent.clone(), scrapes, uptime, beating.clone())
        }
    };
    leaves.spawn(supervise(ticking.clone(), stop.clone(), make));
    tasks.push(ticking);

    let owning = Task::beating("owner", OWNER);
    let owner = own(settings, inbox, published.clone(), uptime, owning.clone());
    tasks.push(owning);
    let Published { report, plans, spent, .. } = published;
    let health = Health {
        tasks: tasks.clone(),
        ready: {
            let report = report.clone();
            Box::new(move || readiness(report.load().as_deref()))
        },
        uptime,
    };
    let live = Box::new(move || {
        vec![task::rows(&tasks), counts.rows(), pulls.rows(), evaluation(*spent.borrow())]
    });
    let latest = Arc::new(Latest { report, now: Box::new(move || uptime.now()) });
    let metrics = Metrics { latest: latest.clone(), live };
    let routes = metrics::routes(metrics, &server)
        .merge(pages::routes(latest.clone()))
        .merge(report::routes(latest))
        .merge(health::routes(health))
        .merge(plan::routes(plans));
    let ended = tokio::select! {
        served = server.serve(listener, routes, stop.clone()) => served,
        () = lost(owner, &stop) => {
            Err(io::Error::other("the owner of the facts ended: the log has its panic"))
        }
    };
    stop.cancel();
    leaves.close();
    leaves.wait().await;
    ended
}

/// A role that may see nothing must not pass for one that works.
fn readiness(report: Option<&Report>) -> Readiness {
    match report {
        None => Readiness::Early,
        Some(report) if report.is_refused() => Readiness::Blind(REFUSED),
        Some(_) => Readiness::Ready,
    }
}

/// Waits until the owner ends by itself: with the stop its senders end, and it may.
async fn lost(owner: JoinHandle<()>, stop: &CancellationToken) {
    let _ = owner.await;
    if stop.is_cancelled() {
        pending::<()>().await;
    }
}

/// Returns `host:port` of `http://host:port`, with or without what surrounds it.
fn authority(url: &str) -> String {
    url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/').to_owned()
}

/// Gives the facts to one thread, which ends when the last sender of changes does.
fn own(
    settings: Settings,
    mut inbox: Receiver<Change>,
    published: Published,
    uptime: Uptime,
    task: Task,
) -> JoinHandle<()> {
    spawn_blocking(move || {
        let mut owner = Owner::new(check::ALL, settings).timed(stopwatch);
        let mut unscraped = false;
        while let Some(change) = inbox.blocking_recv() {
            task.beat();
            let start = Instant::now();
            if matches!(change, Change::Watched(_)) {
                // What lags is measured in less than the second between two ticks.
                owner.step(Change::Now(uptime.now()));
            }
            let Some(new) = owner.step(change) else { continue };
            tell_unscraped(&new, &mut unscraped);
            let facts = owner.cluster();
            published.plans.store(Plans::once_known(facts).map(Arc::new));
            published.roster.store(Arc::new(Agents::of(facts).contacts()));
            published.report.store(Some(Arc::new(new)));
            published.spent.send_replace(start.elapsed());
        }
    })
}

/// Logs once that no Prometheus collects the metrics: a reader of the log may never see the page.
fn tell_unscraped(report: &Report, told: &mut bool) {
    let note = report.open(&scraping::NOBODY).next();
    if let Some(note) = note.filter(|_| !*told) {
        tracing::warn!(code = note.code.id, message = note.message, "nobody collects the metrics");
    }
    *told = note.is_some();
}

/// The families of the role itself.
pub static FAMILIES: &[Desc] = &[EVALUATION.desc()];

static EVALUATION: Family<0> = Family::gauge(
    "netvitals_evaluation_duration_seconds",
    "How long the last report took to make.",
    [],
);

fn evaluation(spent: Duration) -> Rows {
    let mut rows = Rows::default();
    rows.push(&EVALUATION, [], spent.as_secs_f64());
    rows
}

/// Tells the owner the time, every second, and how often the metrics were collected until then.
async fn tick(
    changes: Sender<Change>,
    spent: watch::Receiver<Duration>,
    scrapes: impl Fn() -> u64,
    uptime: Uptime,
    task: Task,
) -> io::Result<()> {
    let mut second = interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        let spent = *spent.borrow();
        let tick = Change::Tick { now: uptime.now(), spent };
        for change in [Change::Scrapes(scrapes()), tick] {
            changes.send(change).await.map_err(|_| io::Error::other("the owner is gone"))?;
        }
        task.beat();
    }
}

/// Returns the time since it was first asked.
fn stopwatch() -> Duration {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGIN.elapsed()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::check::Check;
    use crate::cluster::{Cluster, Event};
    use crate::model::{
        DaemonSet, EndpointSlice, Fact, Ingress, IngressClass, Namespace, NetworkPolicy, Node, Pod,
        Service, Unknown,
    };
    use crate::report::Past;
    use crate::report::text::sentence;

    static CHECKS: &[&Check] = &[&scraping::CHECK];

    fn forbidden<T: Fact>(facts: Cluster) -> Cluster {
        facts.with(Event::<T>::Unavailable(Unknown::Forbidden(T::KIND.label)))
    }

    fn listed<T: Fact>(facts: Cluster) -> Cluster {
        facts.with(Event::<T>::Begin).with(Event::<T>::Done)
    }

    #[test]
    fn a_role_that_the_api_refuses_everything_is_not_ready_and_names_the_one_cause() {
        let report = |facts: &Cluster| Report::evaluate(check::ALL, facts, &Past::default()).0;
        let all_but_one = [
            forbidden::<DaemonSet>,
            forbidden::<EndpointSlice>,
            forbidden::<Ingress>,
            forbidden::<IngressClass>,
            forbidden::<Namespace>,
            forbidden::<NetworkPolicy>,
            forbidden::<Node>,
            forbidden::<Pod>,
        ];
        let facts = || all_but_one.iter().fold(Cluster::default(), |facts, forbid| forbid(facts));
        let all = report(&forbidden::<Service>(facts()));
        assert_eq!(readiness(Some(&all)), Readiness::Blind(REFUSED));
        let sentence = sentence(&all);
        assert!(sentence.starts_with("Inconclusive: ") && sentence.contains(REFUSED), "{sentence}");
        // What may be seen in part, or is not known yet, is no such case.
        for facts in [Cluster::default(), listed::<Service>(facts())] {
            assert_eq!(readiness(Some(&report(&facts))), Readiness::Ready);
        }
        assert_eq!(readiness(None), Readiness::Early);
    }

    #[tokio::test(start_paused = true)]
    async fn five_minutes_without_a_scrape_are_told_once() {
        let (changes, mut inbox) = mpsc::channel(8);
        let (_spent, seen) = watch::channel(Duration::ZERO);
        let ticks = AtomicU64::new(0);
        let one_after_a_minute = move || u64::from(ticks.fetch_add(1, Ordering::Relaxed) >= 60);
        let task = Task::new("tick");
        let _ticking = tokio::spawn(tick(changes, seen, one_after_a_minute, Uptime::start(), task));
        let mut owner = Owner::new(CHECKS, Settings::default());
        let mut told = false;
        let seconds = loop {
            let change = inbox.recv().await.expect("a change");
            let Some(report) = owner.step(change) else { continue };
            tell_unscraped(&report, &mut told);
            if told {
                break report.at.uptime.as_secs();
            }
        };
        assert!((360..=370).contains(&seconds), "{seconds}");
        let (calm, _) = Report::evaluate(CHECKS, &Cluster::default(), &Past::default());
        tell_unscraped(&calm, &mut told);
        assert!(!told, "the next time is told again");
    }
}

//! The first sync of 100,000 pods, and then changes: from the API's JSON to the report.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netvitals::check;
use netvitals::cluster::{Change, Clock, Settings};
use netvitals::model::{Fact, Pod};
use netvitals::owner::Owner;
use netvitals::watch;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::child::{Child, do_not_stay};
use super::figure::Figure;
use super::machine::{cpu, status};
use super::pods::{self, EVENTS, EVENTS_TAKE, PODS};

/// As in the cluster role.
const WAITING: usize = 1024;

/// How long the first sync may take on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(200);

/// How long memory that is no longer used may take to go back, after the last event.
const REST: Duration = Duration::from_secs(15);

/// What the owner of the facts has, as others see it.
#[derive(Default)]
struct Progress {
    changes: AtomicUsize,
    /// 0 before the end of the list.
    pods: AtomicUsize,
}

pub(crate) fn measure(streams: bool) -> Vec<Figure> {
    do_not_stay();
    let mut server = Child::start(if streams { "pods" } else { "pods-paged" });
    let address = server.line();
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let cluster = format!("{{ name: a, cluster: {{ server: 'http://{address}' }} }}");
    let context = "{ name: a, context: { cluster: a } }";
    let text = format!("{{ clusters: [{cluster}], contexts: [{context}], current-context: a }}");
    fs::write(&kubeconfig, text).expect("a writable folder");
    // As in the role.
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    let figures = runtime.block_on(follow(streams, &kubeconfig));
    runtime.shutdown_timeout(Duration::from_secs(2));
    figures
}

async fn follow(streams: bool, kubeconfig: &Path) -> Vec<Figure> {
    let client = watch::connect(Some(kubeconfig)).await.expect("a client");
    let (changes, inbox) = mpsc::channel(WAITING);
    let progress = Arc::new(Progress::default());
    let (own, seen) = (inbox, progress.clone());
    let owner = thread::spawn(move || fold(own, &seen));
    let (leaves, stop) = (TaskTracker::new(), CancellationToken::new());

    let (baseline, before, start) = (status("VmRSS"), cpu(), Instant::now());
    let ticking = changes.clone();
    let clock = leaves.spawn(async move {
        let mut second = interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            let now = Clock { uptime: start.elapsed(), ..Clock::default() };
            if ticking.send(Change::Tick { now, spent: Duration::ZERO }).await.is_err() {
                return;
            }
        }
    });
    let (_, counts) = watch::run_all(&client, &changes, &leaves, &stop);
    drop(changes);
    let listed = async {
        while progress.pods.load(Ordering::Relaxed) == 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, listed).await.expect("the list ends in time");
    let (synced, took) = (cpu() - before, start.elapsed());
    let peak = status("VmHWM");

    let (before, changed) = (cpu(), progress.changes.load(Ordering::Relaxed));
    let all = async {
        // Some of them came before anybody saw that the list is complete.
        while progress.changes.load(Ordering::Relaxed) < PODS + EVENTS {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(10 * EVENTS_TAKE, all).await.expect("no change is lost");
    let events = cpu() - before;
    let changed = progress.changes.load(Ordering::Relaxed) - changed;
    let before = cpu();
    sleep(REST).await;
    let idle = cpu() - before;
    let steady = status("VmRSS");
    assert_eq!(progress.pods.load(Ordering::Relaxed), PODS, "no pod is lost");
    let page = netvitals::page::write(&[&counts.rows()], netvitals::page::Format::Text);
    assert!(page.contains("netvitals_watch_restarts_total{kind=\"Pod\"} 0") || !streams, "{page}");
    stop.cancel();
    clock.abort();
    leaves.close();
    leaves.wait().await;
    owner.join().expect("the owner does not panic");

    let micros = |cpu: Duration, count: usize| cpu.as_secs_f64() * 1e6 / count as f64;
    let how = if streams { "streamed" } else { "in pages" };
    let figure = |what: &str, value, unit: &str| {
        Figure::new(&format!("first sync of {PODS} pods, {how}: {what}"), value, unit)
    };
    vec![
        figure("a pod as JSON", pods::size() as f64, "bytes"),
        figure("time", took.as_secs_f64(), "s"),
        figure("CPU", micros(synced, PODS), "µs/pod").at_most(40.0),
        figure("memory", (steady - baseline) / PODS as f64, "bytes/pod").at_most(600.0),
        figure("resident, steady", steady / 1e6, "MB"),
        figure("peak / steady", peak.max(status("VmHWM")) / steady, "").at_most(1.5),
        figure("CPU, reports included", micros(events, changed), "µs/event"),
        figure("CPU at rest", idle.as_secs_f64() / REST.as_secs_f64() * 1e3, "ms/s"),
    ]
}

/// Owns the facts until nobody sends changes any more.
fn fold(mut inbox: Receiver<Change>, progress: &Progress) {
    let mut owner = Owner::new(check::ALL, Settings::default());
    while let Some(change) = inbox.blocking_recv() {
        let is_event = matches!(change, Change::Watched(_));
        owner.step(change);
        if is_event {
            progress.changes.fetch_add(1, Ordering::Relaxed);
        } else {
            let is_listed = owner.cluster().read::<Pod>().is_ok();
            let objects = owner.cluster().freshness(Pod::KIND).objects.unwrap_or_default();
            progress.pods.store(if is_listed { objects } else { 0 }, Ordering::Relaxed);
        }
    }
}

//! `netvitals agent`: probes from where workloads live, and says what came of it.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::cgroup::Cgroups;
use crate::host::readings::Readings;
use crate::host::resolv_conf;
use crate::http::health::{self, Health, Readiness};
use crate::http::latest::Latest;
use crate::http::metrics::{self, Metrics};
use crate::http::{Limits, Server, observations, pages};
use crate::model::{Agent, Dns, Observation, Vantage};
use crate::probe::allowed::Allowed;
use crate::probe::board::Board;
use crate::probe::icmp::Echo;
use crate::probe::matrix::Scope;
use crate::probe::plan::Fetch;
use crate::probe::schedule::Schedule;
use crate::probe::tally::Tally;
use crate::task::{self, Task, Uptime, process, supervise};

/// How an agent runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where it observes from.
    pub agent: Agent,
    /// Where the plan is, as `http://host:port`, in the order in which they are tried.
    pub cluster_urls: Vec<String>,
    /// The resolver's configuration, as workloads have it.
    pub resolv_conf: PathBuf,
    /// The port of the servers named there: 53, but in the simulated cluster, which needs no
    /// privilege. No flag sets it.
    pub dns_port: u16,
    /// The node's control groups; only read from the host's vantage.
    pub cgroup_root: PathBuf,
    /// Between two queries of the headline's row; at most 10 s.
    pub dns_interval: Duration,
    /// What an observation of DNS counts.
    pub dns_window: Duration,
    /// Between two attempts to reach one target.
    pub reach_interval: Duration,
    /// What an observation of reachability counts.
    pub reach_window: Duration,
    /// The API server's address, as Kubernetes gives it to every pod (`KUBERNETES_SERVICE_HOST`
    /// and `_PORT`); absent outside.
    pub api: Option<SocketAddr>,
    /// A name of the world outside, which the cluster's DNS is asked for; absent unless wanted.
    pub external: Option<String>,
    /// Which addresses may be probed.
    pub allowed: Allowed,
}

impl Options {
    /// Returns the defaults for one agent, which knows of no cluster role and no API server.
    pub fn new(agent: Agent) -> Self {
        Self {
            agent,
            cluster_urls: Vec::new(),
            resolv_conf: "/etc/resolv.conf".into(),
            dns_port: 53,
            cgroup_root: "/host/sys/fs/cgroup".into(),
            dns_interval: Duration::from_secs(10),
            dns_window: Duration::from_secs(300),
            reach_interval: Duration::from_secs(5),
            reach_window: Duration::from_secs(60),
            api: None,
            external: None,
            allowed: Allowed::cluster(),
        }
    }
}

/// A leaf that is silent for longer hangs; the longest pause before a restart is half of it.
const LEAF: Duration = Duration::from_secs(120);

/// Runs until `stop`.
///
/// # Errors
///
/// Fails when the listener does: nobody can ask any more.
pub async fn run(
    options: Options,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let uptime = Uptime::start();
    let Options { agent, allowed, api, .. } = options;
    let (conf, conf_seen) = watch::channel(Arc::default());
    let (plan, plan_seen) = watch::channel(None);
    let board = Arc::new(Board::new(options.dns_window, options.reach_window));
    let tally = Arc::new(Tally::new(agent.clone()));
    let readings = Arc::new(Readings::new(agent.clone()));
    let echo = Arc::new(Echo::open());
    let fetch = Fetch {
        urls: options.cluster_urls,
        agent: agent.clone(),
        plan,
        got: Arc::default(),
        readings: readings.clone(),
    };
    let probes = Task::beating("probes", LEAF);
    let schedule = Schedule {
        scope: Scope {
            vantage: agent.vantage,
            dns_port: options.dns_port,
            dns_interval: options.dns_interval,
            reach_interval: options.reach_interval,
            api,
            external: options.external,
            allowed,
        },
        conf: conf_seen.clone(),
        plan: plan_seen.clone(),
        board: board.clone(),
        tally: tally.clone(),
        echo: echo.clone(),
        uptime,
        task: probes.clone(),
        refused: (0, 0),
    };
    let about = format!("agent of node {}, {} network", agent.node, agent.vantage.as_str());
    let cgroups = Cgroups::new(agent.clone(), options.cgroup_root);

    let leaves = TaskTracker::new();
    let mut leaf = Leaves { leaves: &leaves, stop: &stop, tasks: Vec::new() };
    leaf.grow(probes, {
        move |_| {
            let schedule = schedule.clone();
            async move { schedule.run().await }
        }
    });
    leaf.grow(Task::beating("plan", LEAF), {
        let fetch = fetch.clone();
        move |task| fetch.clone().run(move || task.beat())
    });
    leaf.grow(Task::beating("resolv_conf", LEAF), {
        let (path, conf) = (Arc::new(options.resolv_conf), Arc::new(conf));
        let readings = readings.clone();
        move |task| {
            let (path, conf, readings) = (path.clone(), conf.clone(), readings.clone());
            async move { resolv_conf::follow(&path, &conf, &readings, move || task.beat()).await }
        }
    });
    leaf.grow(Task::beating("icmp", LEAF), {
        move |task| {
            let echo = echo.clone();
            async move { echo.watch(move || task.beat()).await }
        }
    });
    if agent.vantage == Vantage::Host {
        leaf.grow(Task::beating("cgroup", LEAF), {
            let (cgroups, plan, readings) = (cgroups.clone(), plan_seen.clone(), readings.clone());
            move |task| {
                let (plan, readings) = (plan.clone(), readings.clone());
                cgroups.clone().follow(plan, readings, move || task.beat())
            }
        });
    }
    let tasks = leaf.tasks;

    let health = Health {
        tasks: tasks.clone(),
        ready: Box::new(move || match conf_seen.borrow().nameservers.is_empty() {
            true => Readiness::Early,
            false => Readiness::Ready,
        }),
        uptime,
    };
    let observe = {
        let cgroups = cgroups.clone();
        move || {
            let reading = board.read(uptime.now().uptime);
            let plan = plan_seen.borrow().clone();
            let service = plan.as_ref().and_then(|plan| plan.dns.as_ref());
            let service = service.map(|dns| dns.service.clone());
            Observation {
                agent: Some(agent.clone()),
                version: Some(process::VERSION.to_owned()),
                plan_age: fetch.age(),
                dns: Some(Dns { service, rows: reading.rows, answers: reading.answers }),
                reach: Some(reading.reach),
                cpu: cgroups.observe(),
                captured: Some(reading.captured),
            }
        }
    };
    let live =
        Box::new(move || vec![tally.rows(), cgroups.rows(), readings.rows(), task::rows(&tasks)]);
    let server = Server::new(Limits::AGENT);
    let latest = Latest { report: Arc::default(), now: Box::new(move || uptime.now()) };
    let metrics = Metrics { latest: Arc::new(latest), live };
    let routes = metrics::routes(metrics, &server)
        .merge(health::routes(health))
        .merge(observations::routes(Arc::new(observe)))
        .merge(pages::agent(about));
    let ended = server.serve(listener, routes, stop.clone()).await;
    stop.cancel();
    leaves.close();
    leaves.wait().await;
    ended
}

/// The tasks that restart by themselves.
struct Leaves<'a> {
    leaves: &'a TaskTracker,
    stop: &'a CancellationToken,
    tasks: Vec<Task>,
}

impl Leaves<'_> {
    /// Runs what `make` returns under supervision.
    fn grow<F>(&mut self, task: Task, make: impl Fn(Task) -> F + Send + 'static)
    where
        F: Future + Send + 'static,
    {
        self.tasks.push(task.clone());
        let make = {
            let task = task.clone();
            move || {
                let run = make(task.clone());
                async move {
                    run.await;
                    Ok::<(), Infallible>(())
                }
            }
        };
        self.leaves.spawn(supervise(task, self.stop.clone(), make));
    }
}

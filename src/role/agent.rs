//! `netvitals agent`: probes from where workloads live, and says what came of it.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::{Context, Options, Part, Running, Switch, plan, resolver};
use crate::host::cgroup;
use crate::http::health::{self, Health, Readiness};
use crate::http::latest::Latest;
use crate::http::metrics::{self, Metrics};
use crate::http::{Limits, Server, observations, pages};
use crate::model::Observation;
use crate::probe;
use crate::task::{self, Task, process, supervise};

/// All parts of an agent, what others work with first.
pub static PARTS: &[&Part] = &[&plan::PART, &resolver::PART, &probe::PART, &cgroup::PART];

/// Returns what can be switched off.
pub fn switches() -> Vec<Switch> {
    PARTS.iter().flat_map(|part| (part.switches)()).collect()
}

/// Runs until `stop`.
///
/// # Errors
///
/// Fails when the listener does: the agent cannot be asked any more.
pub async fn run(
    options: Options,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let context = Context::new(options);
    let leaves = TaskTracker::new();
    let mut agent = Running::default();
    let (mut tasks, mut running, mut off) = (Vec::new(), Vec::new(), Vec::new());
    for part in PARTS {
        let has = context.has(part);
        let switches = (part.switches)().into_iter();
        off.extend(switches.filter(|switch| !has || context.is_off(switch.name)));
        if has {
            let mut part = (part.start)(&context);
            agent.tasks.append(&mut part.tasks);
            running.push(part);
        }
    }
    for (task, make) in agent.tasks {
        tasks.push(task.clone());
        leaves.spawn(supervise(task, stop.clone(), move || {
            let run = make();
            async move {
                run.await;
                Ok::<(), Infallible>(())
            }
        }));
    }
    let server = Server::new(Limits::AGENT);
    let routes = routes(&context, Arc::new(running), off, tasks, &server);
    let ended = server.serve(listener, routes, stop.clone()).await;
    stop.cancel();
    leaves.close();
    leaves.wait().await;
    ended
}

/// Returns what the parts say, as it is asked for.
fn routes(
    context: &Context,
    parts: Arc<Vec<Running>>,
    off: Vec<Switch>,
    tasks: Vec<Task>,
    server: &Server,
) -> axum::Router {
    let (agent, uptime, conf) = (context.agent().clone(), context.uptime, context.conf.clone());
    let about = format!("agent of node {}, {} network", agent.node, agent.vantage.as_str());
    let health = Health {
        tasks: tasks.clone(),
        ready: Box::new(move || match conf.borrow().nameservers.is_empty() {
            true => Readiness::Early,
            false => Readiness::Ready,
        }),
        uptime,
    };
    let observe = {
        let parts = parts.clone();
        move || {
            let mut observation = Observation {
                agent: Some(agent.clone()),
                version: Some(process::VERSION.to_owned()),
                ..Observation::default()
            };
            parts.iter().for_each(|part| part.observe(&mut observation));
            off.iter().for_each(|switch| (switch.off)(&mut observation));
            observation
        }
    };
    let readings = context.readings.clone();
    let live = Box::new(move || {
        let counted = parts.iter().map(Running::rows);
        counted.chain([readings.rows(), task::rows(&tasks)]).collect()
    });
    let latest = Latest { report: Arc::default(), now: Box::new(move || uptime.now()) };
    let metrics = Metrics { latest: Arc::new(latest), live };
    metrics::routes(metrics, server)
        .merge(health::routes(health))
        .merge(observations::routes(Arc::new(observe)))
        .merge(pages::agent(about))
}

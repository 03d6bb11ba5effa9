//! `netvitals demo`: a simulated cluster in this process, and the real roles against it.

mod verdict;

use std::env;
use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;

use self::verdict::Summary;
use super::{agent, cluster};
use crate::agent::Options as AgentOptions;
use crate::agent::allowed::Allowed;
use crate::cluster::Settings;
use crate::model::{Agent, Vantage};
use crate::report::text::{self, Style};
use crate::report::{Report, Verdict};
use crate::sim::cluster::{AgentPod, Cluster};
use crate::sim::scenario::{self, Scenario};
use crate::watch;

/// How the demo runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What is wrong with the cluster.
    pub scenario: &'static Scenario,
    /// Whether to end with the first verdict that holds.
    pub once: bool,
}

// Everything is short, so that a verdict is there in seconds and a change shows soon.

/// Between two questions to one agent.
const PULL: Duration = Duration::from_millis(500);

/// Between two queries of an agent.
const DNS: Duration = Duration::from_millis(300);

/// Between two attempts of an agent at one target.
const REACH: Duration = Duration::from_millis(500);

/// What agents tell of.
const WINDOW: Duration = Duration::from_secs(30);

/// How long a finding has to last.
const GRACE: Duration = Duration::from_secs(2);

/// An API that is not listed by then shows so in the verdict.
const LISTED: Duration = Duration::from_secs(5);

/// Between two looks at the report.
const LOOK: Duration = Duration::from_millis(100);

/// No verdict holds sooner: agents need some attempts at everything.
const EARLIEST: Duration = Duration::from_secs(5);

/// A verdict holds once it has not changed for so long.
const STEADY: Duration = Duration::from_secs(2);

/// A verdict that has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints the scenarios, for `--list`.
pub fn list() -> ExitCode {
    for Scenario { name, summary, root, .. } in scenario::ALL {
        say(&format!("{name:<18} {summary} (root cause: {})\n", root.unwrap_or("none")));
    }
    ExitCode::SUCCESS
}

/// Prints; a reader that has gone has read enough.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Runs until `stop`, or until the first verdict that holds where only that was asked for.
///
/// That one ends with 0 when the cluster is healthy, 1 with a problem, 3 when something cannot
/// be seen.
///
/// # Errors
///
/// Fails when the cluster cannot be simulated on this machine, or a role ends.
pub async fn run(
    options: Options,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<ExitCode> {
    let mut demo = Demo::start(options, listener, stop.clone()).await?;
    if !options.once {
        demo.greet();
    }
    let watched = demo.watch(&stop).await;
    stop.cancel();
    demo.end().await?;
    let verdict = watched?;
    Ok(if options.once { code(verdict).into() } else { ExitCode::SUCCESS })
}

/// Returns what the process ends with.
fn code(verdict: Option<Verdict>) -> u8 {
    match verdict {
        Some(Verdict::Healthy | Verdict::Warning) => 0,
        Some(Verdict::Problem) => 1,
        // 2 is for a wrong command line.
        Some(Verdict::Unknown) | None => 3,
    }
}

/// The cluster and the roles, running.
#[derive(Debug)]
pub struct Demo {
    scenario: &'static Scenario,
    once: bool,
    cluster: Cluster,
    roles: JoinSet<io::Result<()>>,
    report: Arc<ArcSwapOption<Report>>,
    url: String,
    agents: Vec<(Agent, SocketAddr)>,
}

impl Demo {
    /// Starts everything; `listener` is the cluster role's.
    ///
    /// # Errors
    ///
    /// Fails when the cluster cannot be simulated on this machine.
    pub async fn start(
        Options { scenario, once }: Options,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let mut cluster = Cluster::start(scenario, stop.clone()).await?;
        let target = reachable(listener.local_addr()?);
        cluster.place_cluster_role(target).await?;
        let url = format!("http://{target}");
        let client = watch::connect(Some(&cluster.kubeconfig())).await.map_err(io::Error::other)?;
        let report: Arc<ArcSwapOption<Report>> = Arc::default();
        let mut roles = JoinSet::new();
        // With one look, what was seen once counts.
        let longest_grace = if once { Duration::ZERO } else { GRACE };
        let options = cluster::Options {
            settings: Settings { longest_grace, ..Settings::default() },
            agents: Vec::new(),
            pull_interval: PULL,
        };
        roles.spawn(cluster::publish(options, client, listener, stop.clone(), Arc::clone(&report)));
        until_listed(&report).await;
        let mut agents = Vec::new();
        for pod in cluster.take_agents() {
            let options = agent_options(&cluster, &pod, &url);
            agents.push((options.agent.clone(), pod.listener.local_addr()?));
            roles.spawn(agent::run(options, pod.listener, stop.clone()));
        }
        Ok(Self { scenario, once, cluster, roles, report, url, agents })
    }

    /// Returns the last report.
    pub fn report(&self) -> Option<Arc<Report>> {
        self.report.load_full()
    }

    fn greet(&self) {
        let Self { scenario, url, .. } = self;
        let agents = self.agents.iter();
        let agents: String = agents
            .map(|(agent, address)| format!("agent        http://{address}/metrics on {agent}\n"))
            .collect();
        say(&format!(
            "scenario     {}: {}\n\
             status page  {url}/\n\
             metrics      {url}/metrics\n\
             report       {url}/v1/report\n\
             {agents}\
             Ctrl-C ends it.\n",
            scenario.name, scenario.summary,
        ));
    }

    /// Prints every verdict that holds, until `stop`; to look once is to return with the first.
    ///
    /// # Errors
    ///
    /// Fails when a role ends.
    pub async fn watch(&mut self, stop: &CancellationToken) -> io::Result<Option<Verdict>> {
        let begin = Instant::now();
        let mut look = interval(LOOK);
        let (mut seen, mut since, mut told) = (Summary::default(), begin, None);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(None),
                Some(ended) = self.roles.join_next() => {
                    // A role that ends badly stops the others: its reason comes first.
                    return Err(match ended {
                        Ok(Err(error)) => error,
                        Err(panic) => io::Error::other(panic),
                        Ok(Ok(())) if stop.is_cancelled() => return Ok(None),
                        Ok(Ok(())) => io::Error::other("a role ended by itself: read the log"),
                    });
                }
                _ = look.tick() => {}
            }
            let Some(report) = self.report() else { continue };
            let now = Summary::of(&report);
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            let late = begin.elapsed() >= PATIENCE;
            let measured = begin.elapsed() >= EARLIEST && since.elapsed() >= STEADY;
            let holds = measured && (seen.is_settled() || late);
            if (holds || (self.once && late)) && told.as_ref() != Some(&seen) {
                say(&format!("\n{}", text::write(&report, style())));
                if self.once {
                    return Ok(Some(report.verdict()));
                }
                told = Some(seen.clone());
            }
        }
    }

    /// Waits for all roles and the cluster's API to end, which they do with `stop`.
    ///
    /// # Errors
    ///
    /// Returns the first failure.
    pub async fn end(mut self) -> io::Result<()> {
        while let Some(ended) = self.roles.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        self.cluster.end().await
    }
}

/// Waits until the cluster role has listed the API: an agent that came first would get no plan,
/// and the verdict would wait for its second question.
async fn until_listed(report: &ArcSwapOption<Report>) {
    let begin = Instant::now();
    let listed = || {
        let report = report.load();
        report.as_ref().is_some_and(|report| {
            report.sources.iter().all(|source| source.kind.is_none() || source.freshness.up)
        })
    };
    while !listed() && begin.elapsed() < LISTED {
        sleep(LOOK).await;
    }
}

fn style() -> Style {
    Style::of(io::stdout().is_terminal(), |name| env::var(name).ok())
}

fn agent_options(cluster: &Cluster, pod: &AgentPod, url: &str) -> AgentOptions {
    let vantage = if pod.host { Vantage::Host } else { Vantage::Pod };
    AgentOptions {
        cluster_urls: vec![url.to_owned()],
        resolv_conf: cluster.resolv_conf(),
        dns_port: cluster.dns_port(),
        host_root: pod.host_root.clone(),
        dns_interval: DNS,
        dns_window: WINDOW,
        reach_interval: REACH,
        reach_window: WINDOW,
        allowed: Allowed::loopback(),
        ..AgentOptions::new(Agent { node: pod.node.as_str().into(), vantage })
    }
}

/// Returns where a listener on every address is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
        }
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_ends_with_0_healthy_1_problem_3_inconclusive() {
        let verdicts = [Verdict::Healthy, Verdict::Warning, Verdict::Problem, Verdict::Unknown];
        assert_eq!(verdicts.map(|verdict| code(Some(verdict))), [0, 0, 1, 3]);
        assert_eq!(code(None), 3);
    }

    #[test]
    fn a_listener_on_every_address_is_reached_on_one() {
        for (bound, reached) in [
            ("0.0.0.0:12350", "127.0.0.1:12350"),
            ("[::]:12350", "127.0.0.1:12350"),
            ("127.0.0.9:1", "127.0.0.9:1"),
        ] {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), reached);
        }
    }
}

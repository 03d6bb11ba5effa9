//! netvitals itself is ill-treated: its log cannot be written, its connections are taken.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::{Scenario, quick};
use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::netvitals::Part;
use crate::page::Page;
use crate::program::{Program, run};
use crate::stage::{SETTLED, Stage};
use crate::tools::netvitals;
use crate::wait::{holds, secs, until};
use crate::web;

pub(super) const ALL: &[Scenario] = &[quick("idle_connections_keep_nobody_out", idle)];

/// Where the standard error of a cluster role leads: to a pipe that nobody reads, to a disk that is full.
const LOGS: [(&str, &str, u16); 2] =
    [("no-reader", "2> >(exec true)", 12391), ("disk-full", "2>/dev/full", 12392)];

/// Cluster roles whose log leads nowhere. Dropped, they have ended.
pub(super) struct Unheard {
    running: [Program; LOGS.len()],
}

impl Unheard {
    /// Starts them beside those of the installation, and waits until they know the cluster.
    pub(super) fn start(cluster: &Cluster) -> Self {
        let binary = netvitals().expect("it is installed from there").display().to_string();
        let running = LOGS.map(|(name, log, port)| {
            let script = format!(
                "sleep 1 {log}; exec env {SETTLED} {binary} cluster --kubeconfig={} \
                 --web.listen-address=127.0.0.1:{port} --log.level=debug {log}",
                cluster.kubeconfig()
            );
            let argv = ["bash", "-c", &script].map(str::to_owned).to_vec();
            Program::start(&cluster.lab.logs(), &format!("netvitals-{name}"), argv)
        });
        let unheard = Self { running };
        until("roles without a log know the cluster", secs(60), || unheard.know());
        unheard
    }

    /// Whether each of them knows what the API server says.
    pub(super) fn know(&self) -> Result<(), String> {
        LOGS.iter().try_for_each(|(_, _, port)| knows(*port))
    }

    /// Whether each of them has seen that the API server is away.
    pub(super) fn are_blind(&self) -> Result<(), String> {
        let blind = LOGS.iter().all(|(_, _, port)| knows(*port).is_err());
        holds(blind, || "some know of nothing".into())?;
        // They are not blind because they are gone.
        self.running.iter().find_map(Program::ended).map_or(Ok(()), Err)
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        self.running.iter().for_each(Program::kill);
    }
}

fn knows(port: u16) -> Result<(), String> {
    let page = Page::read(&web::body(&format!("127.0.0.1:{port}"), "/metrics")?)?;
    let down = page.all("netvitals_source_up", &[]);
    let down: Vec<&str> =
        down.iter().filter(|it| it.value == 0.0).map(|it| it.label("source")).collect();
    holds(down.iter().all(|it| *it == "agents"), || format!("sources down: {down:?}"))?;
    let panics = page.sum("netvitals_task_panics_total", &[]);
    holds(panics == 0.0, || format!("{panics} panics"))?;
    page.value("netvitals_node_network_ready", &[("node", "n1")]).map(drop)
}

/// Who holds connections, each as many as one address may have.
const HOLDERS: [Ipv4Addr; 4] = [
    Ipv4Addr::new(203, 0, 113, 1),
    Ipv4Addr::new(203, 0, 113, 2),
    Ipv4Addr::new(203, 0, 113, 3),
    Ipv4Addr::new(203, 0, 113, 4),
];

const OF_ADDRESS: usize = 16;

/// Four addresses hold 64 connections to an agent and to a cluster role, after a request each: Prometheus still scrapes,
/// the kubelet still probes.
fn idle(stage: &Stage) {
    let cluster = &stage.cluster;
    let monitor = stage.monitor();
    let addresses = HOLDERS.map(|holder| {
        let address = format!("{holder}/32");
        run(&["ip", "addr", "add", &address, "dev", "lo"]);
        Fault::new(move || drop(run(&["ip", "addr", "del", &address, "dev", "lo"])))
    });
    let before = restarts(stage);
    let held_ones = [Part::Agent, Part::Cluster].map(|part| {
        let pod = cluster.netvitals(part).swap_remove(0);
        let target: SocketAddr = format!("{}:12350", pod.ip).parse().expect("an address");
        (pod, target, AtomicUsize::new(0))
    });
    let over = AtomicBool::new(false);
    let shown = thread::scope(|scope| {
        for (_, target, held) in &held_ones {
            for from in HOLDERS {
                let over = &over;
                scope.spawn(move || hold(from, *target, over, held));
            }
        }
        // A panic has to end the holders first.
        let shown = catch_unwind(AssertUnwindSafe(|| {
            for (pod, _, held) in &held_ones {
                until(&format!("the connections to {} are held", pod.name), secs(30), || {
                    let held = held.load(Ordering::Relaxed);
                    holds(held >= HOLDERS.len() * OF_ADDRESS / 2, || format!("{held}"))
                });
            }
            // Longer than the kubelet's patience, and several scrapes: each of them is answered.
            for _ in 0..9 {
                cluster.rest(secs(5));
                for (pod, target, _) in &held_ones {
                    let up = format!("min_over_time(up{{instance=\"{target}\"}}[15s])");
                    let said = monitor.query(&up).unwrap_or_else(|error| panic!("{error}"));
                    assert!(!said.is_empty(), "no target {up}");
                    assert!(said.iter().all(|(_, value)| *value == 1.0), "{}: {said:?}", pod.name);
                    pod.page().unwrap_or_else(|error| panic!("{error}"));
                }
            }
        }));
        over.store(true, Ordering::Relaxed);
        shown
    });
    if let Err(why) = shown {
        resume_unwind(why);
    }
    drop(addresses);
    assert_eq!(restarts(stage), before, "a pod of netvitals was restarted");
    stage.healthy(secs(120));
}

/// Holds as many connections as it gets, and makes anew those that the other side ends.
fn hold(from: Ipv4Addr, to: SocketAddr, over: &AtomicBool, held: &AtomicUsize) {
    let mut mine: Vec<TcpStream> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let before = mine.len();
        mine.retain_mut(is_open);
        held.fetch_sub(before - mine.len(), Ordering::Relaxed);
        while mine.len() < OF_ADDRESS {
            let Ok(connection) = connect(from, to) else { break };
            mine.push(connection);
            held.fetch_add(1, Ordering::Relaxed);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Connects from an address, and asks once.
fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&to.into(), secs(2))?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: idle\r\n\r\n")?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn is_open(stream: &mut TcpStream) -> bool {
    loop {
        match stream.read(&mut [0; 1024]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// How often each pod of netvitals was started anew.
fn restarts(stage: &Stage) -> Vec<(String, i64)> {
    let pods = Part::ALL.iter().flat_map(|part| stage.cluster.netvitals(*part));
    pods.map(|pod| (pod.name, pod.restarts)).collect()
}

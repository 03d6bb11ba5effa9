//! Runs that are killed at random moments: nothing of them is left, and the next one is good.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::confine::{self, exe};
use crate::lab::Lab;
use crate::wait::{holds, secs, timed};

/// What a run shows: short, and without netvitals.
const SHOWS: &str = "fault_node_isolated";

/// When a run is killed: from before its first namespace until its cluster is ready.
const MOMENTS: std::ops::Range<f64> = 0.5..12.0;

/// The namespaces that a run makes.
const NAMESPACES: [&str; 4] = ["mnt", "net", "pid", "uts"];

/// A process: its id may be used again, but not with the same start.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Process {
    pid: u32,
    parent: u32,
    started: u64,
}

/// What a run has on the machine.
#[derive(Debug)]
struct Traces {
    owner: u32,
    processes: BTreeSet<Process>,
    namespaces: BTreeSet<String>,
    /// The start of the newest process of the machine at the kill: the kernel gives the numbers of namespaces again,
    /// so a later process in one of that number is somebody else's.
    until: u64,
}

/// Kills so many runs, one after the other, and then lets one come to its end.
pub(crate) fn show(times: usize, seed: u64) -> ExitCode {
    let (started, mut random) = (Instant::now(), Rng::with_seed(seed));
    let width = MOMENTS.end - MOMENTS.start;
    let moments: Vec<Duration> =
        (0..times).map(|_| Duration::from_secs_f64(MOMENTS.start + width * random.f64())).collect();
    println!("killing {times} runs, seed {seed}");
    let mut owners: Vec<u32> = moments.into_iter().map(leaves_nothing).collect();
    let last = run().status().expect("this program can be started");
    owners.retain(|owner| Lab::of(*owner).logs().exists());
    println!("the next run: {last}; {:.0} s in all", started.elapsed().as_secs_f64());
    assert!(owners.is_empty(), "the next run did not remove the logs of {owners:?}");
    if last.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Kills a run and waits until nothing is left of it; returns its owner.
fn leaves_nothing(moment: Duration) -> u32 {
    let traces = killed(moment);
    let ((), took) = timed("nothing is left of the run", secs(60), || {
        let left = traces.left();
        holds(left.is_empty(), || format!("{left:?}"))
    });
    println!(
        "killed after {:.1} s with {} processes in {} namespaces, all gone {:.1} s later",
        moment.as_secs_f64(),
        traces.processes.len(),
        traces.namespaces.len(),
        took.as_secs_f64()
    );
    traces.owner
}

fn run() -> Command {
    let mut command = Command::new(exe());
    command.arg(SHOWS).env_remove("NETVITALS_BINARY").stdin(Stdio::null());
    command
}

/// Starts a run, kills it, and returns what it had at that moment.
fn killed(moment: Duration) -> Traces {
    let mut child = run().stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = child.as_mut().expect("this program can be started");
    thread::sleep(moment);
    let early = child.try_wait().expect("it is a child");
    assert!(early.is_none(), "the run came to its end before it was killed: {early:?}");
    let mut traces = Traces::of(child.id());
    child.kill().expect("it is a child");
    child.wait().expect("it is a child");
    traces.until = all_processes().iter().map(|process| process.started).max().unwrap_or(0);
    traces
}

impl Traces {
    fn of(owner: u32) -> Self {
        let all = all_processes();
        let mut processes: BTreeSet<Process> =
            all.iter().copied().filter(|process| process.pid == owner).collect();
        loop {
            let pids: BTreeSet<u32> = processes.iter().map(|process| process.pid).collect();
            let before = processes.len();
            processes.extend(all.iter().filter(|process| pids.contains(&process.parent)));
            if processes.len() == before {
                break;
            }
        }
        let own = namespaces(std::process::id());
        let theirs = processes.iter().flat_map(|process| namespaces(process.pid));
        let namespaces = theirs.filter(|namespace| !own.contains(namespace)).collect();
        Self { owner, processes, namespaces, until: u64::MAX }
    }

    /// What of it is still there.
    fn left(&self) -> Vec<String> {
        let lab = Lab::of(self.owner);
        let mut left: Vec<String> =
            lab.traces().iter().map(|path| path.display().to_string()).collect();
        for process in all_processes() {
            let known = self
                .processes
                .iter()
                .any(|other| (other.pid, other.started) == (process.pid, process.started));
            let inside = process.started <= self.until
                && namespaces(process.pid).iter().any(|it| self.namespaces.contains(it));
            if known || inside || belongs(process.pid, self.owner) {
                left.push(format!("process {}", process.pid));
            }
        }
        // What is mounted and plugged in the lab is in its own namespaces, and must not be in the machine's.
        let folder = lab.folder().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        left.extend(mounts.lines().filter(|mount| mount.contains(&folder)).map(str::to_owned));
        let links = fs::read_to_string("/proc/net/dev").unwrap_or_default();
        let of_lab = |link: &&str| link.starts_with("v-n") || link.starts_with("underlay");
        left.extend(links.lines().map(str::trim).filter(of_lab).map(str::to_owned));
        left
    }
}

/// Whether a process was started by a run, or cleans up behind it, wherever it is now.
fn belongs(pid: u32, owner: u32) -> bool {
    let command = |word: &str| confine::has(pid, "cmdline", word);
    confine::is_of(pid, owner) || (command(confine::word::JANITOR) && command(&owner.to_string()))
}

fn namespaces(pid: u32) -> Vec<String> {
    let link = |kind: &&str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    NAMESPACES.iter().filter_map(link).map(|link| link.display().to_string()).collect()
}

fn all_processes() -> Vec<Process> {
    confine::processes().filter_map(process).collect()
}

fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may have spaces and brackets of its own. Then: state, parent, …, the 22nd is the start.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

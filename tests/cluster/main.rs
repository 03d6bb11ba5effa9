//! The real cluster, and the scenarios that are shown on it: `make e2e`, `make cluster`.
//!
//! `e2e [NAME…]` runs the scenarios whose name contains one of the words; `--lanes=N` before them does so on N clusters
//! side by side. Without a word it runs everything: all scenarios, and these three, each of which is an argument, too:
//! `--killed N [SEED]` kills N runs at random moments and looks for what is left of them, `--dual-stack` shows a cluster
//! whose nodes, pods and Services have addresses of both families, `--five-nodes` one of more nodes, of which one or two
//! have no DNS.
//!
//! `--list` names the scenarios, `--stay` starts a cluster and leaves it until Ctrl-C, `--down` ends those.

#![allow(clippy::unwrap_used)] // A panic is how a scenario says that it is not so.
#![allow(clippy::disallowed_methods)] // The rule is the exporter's: the test bed starts a cluster's programs.

mod alertmanager;
mod api;
mod cluster;
mod confine;
mod containerfile;
mod control_plane;
mod dual_stack;
mod fault;
mod five_nodes;
mod helm;
mod image;
mod ingress;
mod inotify;
mod killed;
mod knock;
mod kwok;
mod lab;
mod lanes;
mod monitor;
mod netvitals;
mod node;
mod objects;
mod operator;
mod page;
mod pki;
mod plan;
mod program;
#[path = "../../dashboards/queries.rs"]
mod queries;
mod scenario;
mod stage;
mod tools;
mod wait;
mod watched;
mod web;

use std::any::Any;
use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Options};
use crate::confine::word;
use crate::lanes::{FAILED, Queue};
use crate::scenario::Scenario;
use crate::stage::Stage;

/// What is part of everything, and starts clusters of its own.
const BESIDES: &[&[&str]] = &[&["--dual-stack"], &["--five-nodes"], &["--killed", "20"]];

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--quiet").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [word::FIRST, ..] => confine::first(&args[1..]),
        [word::INSIDE, "--stay"] => stay(),
        [word::INSIDE, "--dual-stack"] => dual_stack::show(),
        [word::INSIDE, "--five-nodes"] => five_nodes::show(),
        [word::INSIDE, ..] => run(&chosen(&words[1..])),
        [word::LANE, rest @ ..] => {
            lanes::end_with_parent();
            match rest {
                ["--killed", times] => killed::show(number(times), fastrand::u64(..)),
                _ => confine::outside(&args[1..]),
            }
        }
        [word::JANITOR, owner, raised @ ..] => confine::janitor(owner, raised),
        [word::KNOCK, addresses @ ..] => knock::knock(addresses),
        [word::NODE, name, folder] => node::hold(name, folder),
        ["--dual-stack" | "--five-nodes"] => confine::outside(&args),
        ["--down"] => confine::down(),
        ["--killed", times] => killed::show(number(times), fastrand::u64(..)),
        ["--killed", times, seed] => killed::show(number(times), number(seed)),
        ["--list"] => {
            scenario::all().for_each(|scenario| println!("{}", scenario.name));
            ExitCode::SUCCESS
        }
        ["--stay"] => confine::outside(&args),
        [lanes, words @ ..] if lanes.starts_with("--lanes=") => {
            match lanes["--lanes=".len()..].parse() {
                Ok(count @ 1..=8) => several(count, words),
                _ => {
                    eprintln!("e2e: {lanes}: from 1 to 8 clusters fit side by side");
                    ExitCode::FAILURE
                }
            }
        }
        words => several(1, words),
    }
}

/// Shows the scenarios whose name contains one of the words, on so many clusters at once; without a word all of them,
/// and what needs clusters of its own.
fn several(lanes: usize, words: &[&str]) -> ExitCode {
    let count = chosen(words).len();
    if count == 0 {
        eprintln!("e2e: no scenario has any of {words:?} in its name: `--list` names them");
        return ExitCode::FAILURE;
    }
    match (lanes.min(count), words.is_empty()) {
        (1, false) => {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            confine::outside(&words)
        }
        (lanes, false) => lanes::run(lanes, words, count, &[]),
        (lanes, true) => lanes::run(lanes, words, count, BESIDES),
    }
}

/// A number in an argument.
fn number<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// The scenarios whose name contains one of the words; all without a word.
fn chosen(words: &[&str]) -> Vec<Scenario> {
    let named = |scenario: &Scenario| words.iter().any(|word| scenario.name.contains(word));
    scenario::all().filter(|scenario| words.is_empty() || named(scenario)).collect()
}

/// Shows the scenarios on one cluster, one after the other.
fn run(scenarios: &[Scenario]) -> ExitCode {
    let started = Instant::now();
    println!("\nrunning {} scenarios", scenarios.len());
    let stage = Stage::new(start());
    let cluster = &stage.cluster;
    let (queue, mut passed, mut failed) = (Queue::here(), 0, Vec::new());
    for scenario in scenarios.iter().filter(|scenario| queue.claims(scenario)) {
        let began = Instant::now();
        println!("test {} ...", scenario.name);
        let shown = catch_unwind(AssertUnwindSafe(|| scenario.show(&stage)));
        let took = began.elapsed().as_secs_f64();
        match shown {
            Ok(()) => {
                println!("test {} ... ok ({took:.1} s)", scenario.name);
                passed += 1;
            }
            Err(why) => {
                println!("test {} ... FAILED ({took:.1} s)", scenario.name);
                cluster.show();
                stage.clean();
                failed.push(format!("{}: {}", scenario.name, said(why.as_ref())));
            }
        }
    }
    // Once more, and last: what the cluster had to show in between is long.
    for why in &failed {
        println!("{FAILED}{why}");
    }
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "test result: {verdict}. {passed} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s",
        failed.len(),
        scenario::all().count() - scenarios.len(),
        started.elapsed().as_secs_f64()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a panic said, on one line.
fn said(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    said.unwrap_or("a panic without words").lines().collect::<Vec<_>>().join("; ")
}

/// Starts the cluster; its logs are shown when that fails.
fn start() -> Cluster {
    let lab = confine::lab();
    let (logs, started) = (lab.logs(), Instant::now());
    let mut options = Options::default();
    // Few addresses: they shall run out.
    options.flags.node_cidr_mask = 28;
    match catch_unwind(|| Cluster::start(lab, &options)) {
        Ok(cluster) => {
            println!("cluster ready in {:.1} s", started.elapsed().as_secs_f64());
            cluster
        }
        Err(_) => {
            program::show_logs(&logs, 15);
            std::process::exit(1);
        }
    }
}

/// Starts a cluster for a person, and leaves it until somebody ends it.
fn stay() -> ExitCode {
    let cluster = start();
    if tools::netvitals().is_some() {
        cluster.install(&[]);
    }
    let folder = cluster.lab.folder();
    let marked = fs::write(folder.join("stays"), "");
    marked.expect("the lab's folder can be written");
    println!("{}", cluster.kubectl(&["get", "nodes,pods", "-A", "-o", "wide"]));
    println!("logs: {}", cluster.lab.logs().display());
    println!("to enter it: {}", cluster.entrance());
    println!("Ctrl-C ends it, or `make cluster-down`");
    loop {
        thread::sleep(Duration::from_secs(1));
        if let Some(broken) = cluster.broken() {
            eprintln!("{broken}: see its log");
            thread::sleep(Duration::from_secs(60));
        }
    }
}

//! `make bench`: what netvitals costs, as a table, and whether that is less than it must be.
//!
//! Every part runs in a process of its own, and so does what answers it, over loopback only;
//! each is bounded in count and in time. A lost probe or a missed bound fails the run.

#![allow(clippy::disallowed_methods)] // The rule is the exporter's: a bench starts its own parts.

mod child;
mod dns;
mod encode;
mod figure;
mod machine;
mod pods;
mod sync;

use std::env;
use std::process::ExitCode;

use self::child::Child;
use self::figure::Figure;

/// As in the shipped image.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Which part of the bench this process is.
const PART: &str = "NETVITALS_BENCH_PART";

/// What measures.
type Measure = fn() -> Vec<Figure>;

/// The parts whose figures are printed, in this order.
const PARTS: [(&str, Measure); 4] = [
    ("sync-streamed", || sync::measure(true)),
    ("sync-paged", || sync::measure(false)),
    ("dns", dns::measure),
    ("encode", encode::measure),
];

fn main() -> ExitCode {
    match env::var(PART).as_deref() {
        Ok("pods") => pods::serve(true),
        Ok("pods-paged") => pods::serve(false),
        Ok("resolver") => dns::serve(),
        Ok(part) => {
            let (_, measure) = PARTS.iter().find(|(name, _)| *name == part).expect("a part");
            measure().iter().for_each(|figure| println!("{}", figure.line()));
        }
        Err(_) => return table(),
    }
    ExitCode::SUCCESS
}

/// Runs every part, and prints what came of it.
fn table() -> ExitCode {
    println!("{}", machine::describe());
    let only = env::args().nth(1).filter(|argument| !argument.starts_with("--"));
    let mut missed = Vec::new();
    for (part, _) in PARTS {
        if only.as_deref().is_some_and(|only| !part.starts_with(only)) {
            continue;
        }
        let Some(lines) = Child::start(part).finish() else {
            missed.push(format!("{part}: failed"));
            continue;
        };
        for figure in lines.iter().filter_map(|line| Figure::read(line)) {
            println!("{figure}");
            if figure.is_missed() {
                missed.push(format!("{part}: {}", figure.name));
            }
        }
    }
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("missed: {}", missed.join(", "));
    ExitCode::FAILURE
}

//! The demo finds what its scenarios break, with the real roles in this process.

use std::net::TcpListener;
use std::time::Duration;

use futures::future::join_all;
use netvitals::report::Verdict;
use netvitals::role::demo::{Demo, Options};
use netvitals::sim::scenario::{ALL, Scenario};
use tokio::process::Command;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Runs one scenario until its verdict holds; returns what is otherwise than it should be.
async fn failure(scenario: &'static Scenario) -> Option<String> {
    let stop = CancellationToken::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let start = Instant::now();
    let mut demo = Demo::start(Options { scenario, once: true }, listener, stop.clone())
        .await
        .expect("a demo");
    let verdict = demo.watch(&stop).await.expect("roles that run");
    let took = start.elapsed();
    let report = demo.report().expect("a report");
    stop.cancel();
    demo.end().await.expect("an orderly end");

    let mut roots: Vec<&str> = report.roots.iter().map(|(_, it)| it.code.id).collect();
    roots.dedup();
    let expected: Vec<&str> = scenario.root.into_iter().collect();
    let well = match scenario.root {
        // A busy machine answers late, which is a warning.
        None => matches!(verdict, Some(Verdict::Healthy | Verdict::Warning)),
        Some(_) => verdict == Some(Verdict::Problem),
    };
    (!well || roots != expected)
        .then(|| format!("{}: {verdict:?} with {roots:?} after {took:?}\n", scenario.name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_names_its_root_cause() {
    let mut failures = String::new();
    // All at once would be more than two cores do, and late answers are findings.
    for some in ALL.chunks(3) {
        let some = join_all(some.iter().map(failure)).await;
        failures.extend(some.into_iter().flatten());
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Runs the program.
async fn netvitals(args: &[&str]) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_netvitals"));
    let output = program.arg("demo").args(args).kill_on_drop(true).output();
    let output = timeout(Duration::from_secs(60), output).await.expect("an end");
    let output = output.expect("the program");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn one_look_ends_with_the_verdict() {
    let once = ["--once", "--web.listen-address=127.0.0.1:0"];
    let (code, text) = netvitals(&once).await;
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = netvitals(&[&once[..], &["--scenario=dead-endpoints"]].concat()).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("endpoint_mismatch.stale"), "{text}");
}

#[tokio::test]
async fn the_list_names_every_scenario_and_its_root_cause() {
    let (code, text) = netvitals(&["--list"]).await;
    assert_eq!(code, Some(0));
    for (line, scenario) in text.lines().zip(ALL) {
        assert!(line.starts_with(scenario.name) && line.contains(scenario.summary), "{line}");
        assert!(line.contains(scenario.root.unwrap_or("none")), "{line}");
    }
    assert_eq!(text.lines().count(), ALL.len());
}

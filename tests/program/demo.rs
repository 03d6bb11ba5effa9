//! The demo finds what its scenarios break, with the real roles in this process.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use futures::future::join_all;
use netvitals::report::Verdict;
use netvitals::role::demo::{Demo, Options};
use netvitals::sim::scenario::{ALL, Scenario};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// One test at a time: more would be more than two cores do, and late answers are findings.
static ALONE: Mutex<()> = Mutex::const_new(());

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
    let _alone = ALONE.lock().await;
    let mut failures = String::new();
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
    let _alone = ALONE.lock().await;
    let once = ["--once", "--web.listen-address=127.0.0.1:0", "--scenario=dead-endpoints"];
    let (code, text) = netvitals(&once).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("endpoint_mismatch.stale"), "{text}");
}

#[tokio::test]
async fn it_stays_until_it_is_interrupted_and_leaves_nothing_behind() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut program = Command::new(env!("CARGO_BIN_EXE_netvitals"));
    program.args(["demo", "--web.listen-address=127.0.0.1:0"]).env("TMPDIR", folder.path());
    let mut program =
        program.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program");
    let mut said = BufReader::new(program.stdout.take().expect("its output")).lines();
    let verdict = async {
        while let Ok(Some(line)) = said.next_line().await {
            if line.contains("service_reachability") {
                return true;
            }
        }
        false
    };
    assert!(timeout(Duration::from_secs(60), verdict).await.expect("a verdict"), "it ended early");
    let pid = program.id().and_then(|id| i32::try_from(id).ok()).expect("its id");
    kill(Pid::from_raw(pid), Signal::SIGINT).expect("a signal");
    let ended = timeout(Duration::from_secs(20), program.wait()).await.expect("an end");
    assert_eq!(ended.expect("a status").code(), Some(0));
    assert_eq!(folder.path().read_dir().expect("the folder").count(), 0);
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

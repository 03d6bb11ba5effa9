//! What the program withstands: a log that cannot be written, files that are pipes.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::{Config, KUBECONFIG, Mute, netvitals, refused, start};

#[test]
fn a_log_that_cannot_be_written_costs_its_lines_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(&kubeconfig, KUBECONFIG).expect("a file");
    let kubeconfig = kubeconfig.to_str().expect("text");
    let cluster = ["cluster", "--kubeconfig", kubeconfig];
    let agent = ["agent", "--node-name=n1", "--cluster-url=http://127.0.0.1:1"];

    let full_disk = || fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let (reader, closed) = io::pipe().expect("a pipe");
    drop(reader);
    let (_unread, mut stuck) = io::pipe().expect("a pipe");
    stuck.write_all(&[b'x'; 64 << 10]).expect("what a pipe holds");
    for (args, log, drops) in [
        (cluster.as_slice(), full_disk().into(), true),
        (&agent, full_disk().into(), true),
        (&cluster, closed.into(), true),
        // What waits for a pipe that is never emptied is not given up yet.
        (&agent, stuck.into(), false),
    ] {
        let mut program = Mute::start(args, log);
        while drops && program.counted("netvitals_log_dropped_lines_total ") < 1.0 {
            std::thread::yield_now();
        }
        assert!(program.get("/livez").starts_with("HTTP/1.1 200 "), "{args:?}");
        assert_eq!(program.counted("netvitals_task_panics_total{"), 0.0, "{args:?}");
        program.send(Signal::SIGTERM);
        assert_eq!(program.child.wait().expect("it ends").code(), Some(0), "{args:?}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test runs the exporter")]
fn a_configuration_is_as_valid_where_nobody_reads_that_it_is() {
    let run = |args: &[&str], out: Stdio, err: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netvitals"));
        command.env_clear().args(args).stdout(out).stderr(err).status().expect("it runs").code()
    };
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").expect("it"));
    let closed = || Stdio::from(io::pipe().expect("a pipe").1);
    let valid = ["agent", "--config.check"];
    let invalid = ["agent", "--config.check", "--config.file=/nowhere"];
    assert_eq!(run(&valid, full(), full()), Some(0));
    assert_eq!(run(&valid, closed(), closed()), Some(0));
    assert_eq!(run(&invalid, closed(), closed()), Some(2));
    assert_eq!(run(&invalid, full(), full()), Some(2));
    assert_eq!(run(&["demo", "--list"], closed(), closed()), Some(0));
}

/// A pipe that nothing writes to, in a folder of its own.
fn pipe() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    mkfifo(&path, Mode::S_IRWXU).expect("a pipe");
    (folder, path)
}

#[test]
fn an_agent_whose_resolv_conf_is_a_pipe_lives_and_ends_when_it_is_told_to() {
    let (_folder, path) = pipe();
    let conf = format!("--resolv-conf={}", path.display());
    let agent = start(&["agent", "--node-name=n1", "--cluster-url=http://127.0.0.1:1", &conf]);
    assert!(agent.get("/livez").starts_with("HTTP/1.1 200 "));
    let (code, log) = agent.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_configuration_that_is_a_pipe_is_waited_for_so_long_and_no_longer() {
    let (_folder, path) = pipe();
    let flag = format!("--config.file={}", path.display());
    let refusal = refused(&netvitals(&["agent", "--config.check", &flag]), 2);
    assert!(refusal.contains("it is a pipe"), "{refusal}");

    let config = Config::of("node_name: n1\n");
    let agent = start(&["agent", "--cluster-url=http://127.0.0.1:1", &config.flag()]);
    fs::remove_file(config.path()).expect("own file");
    mkfifo(&config.path(), Mode::S_IRWXU).expect("a pipe");
    agent.send(Signal::SIGHUP);
    agent.waits_until_it_follows(0);
    agent.send(Signal::SIGHUP);
    assert!(agent.get("/livez").starts_with("HTTP/1.1 200 "));
    let (code, log) = agent.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_cluster_role_whose_kubeconfig_is_a_pipe_ends_when_it_is_told_to() {
    let (_folder, path) = pipe();
    let args = ["cluster", "--kubeconfig", path.to_str().expect("text")];
    let mut program = Mute::start(&args, Stdio::null());
    let status = format!("/proc/{}/status", program.child.id());
    // It hears the signal: the kernel has its handler.
    let hears = || {
        let status = fs::read_to_string(&status).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a line");
        let caught = u64::from_str_radix(caught.trim(), 16).expect("a set of signals");
        caught & (1 << (Signal::SIGTERM as u64 - 1)) != 0
    };
    while !hears() {
        std::thread::yield_now();
    }
    program.send(Signal::SIGTERM);
    assert_eq!(program.child.wait().expect("it ends").code(), Some(0));
}

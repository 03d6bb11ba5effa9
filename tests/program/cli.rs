//! The program as a person meets it: help, mistakes, and what they are told.

mod reload;
mod withstands;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

fn netvitals(args: &[&str]) -> Output {
    netvitals_with(args, &[])
}

#[expect(clippy::disallowed_methods, reason = "the test runs the exporter")]
fn netvitals_with(args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netvitals"));
    command.env_clear().envs(environment.iter().copied()).args(args);
    command.output().expect("the program runs")
}

/// Returns the one line on standard error of a run that ended with `code`.
fn refused(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_owned()
}

fn said(output: &Output) -> String {
    assert!(output.status.success());
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn help_names_the_roles_their_flags_and_environment_names() {
    let help = said(&netvitals(&["--help"]));
    for role in ["agent", "cluster", "demo"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(role)), "{help}");
        let help = said(&netvitals(&[role, "--help"]));
        for word in ["--web.listen-address", "NETVITALS_WEB_LISTEN_ADDRESS", "[default: :12350]"] {
            assert!(help.contains(word), "{word} in {help}");
        }
    }
    let version = said(&netvitals(&["--version"]));
    assert_eq!(version, format!("netvitals {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_flag_subcommand_or_value_is_named() {
    for (args, named) in [
        (["cluster", "--pull-interval=1s"], "unexpected argument '--pull-interval' found"),
        (["clutser", "--help"], "unrecognized subcommand 'clutser'"),
        (["agent", "--vantage=moon"], "invalid value 'moon' for '--vantage <VANTAGE>'"),
        (["demo", "--scenario=sunny"], "invalid value 'sunny' for '--scenario <SCENARIO>'"),
        (["cluster", "--pull.interval=9"], "write 10s, 250ms, 5m or 1m30s"),
    ] {
        let output = netvitals(&args);
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.lines().next().is_some_and(|line| line.contains(named)), "{text}");
        assert!(text.contains("try '--help'"), "{text}");
    }
}

#[test]
fn a_bad_environment_is_as_bad_as_a_bad_flag() {
    let environment = [("NETVITALS_LOG_FORMAT", "xml")];
    let output = netvitals_with(&["cluster", "--config.check"], &environment);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'--log.format <LOG_FORMAT>'"));
    let output = netvitals_with(&["cluster", "--config.check"], &[("RUST_LOG", "netvitals=loud")]);
    assert!(refused(&output, 2).ends_with("write it as netvitals=debug"));
}

#[test]
fn a_valid_configuration_is_said_to_be_so() {
    let output = netvitals(&["cluster", "--config.check"]);
    assert_eq!(said(&output), "the configuration is valid\n");
}

#[test]
fn what_a_role_serves_is_printed_without_another_program() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = format!("http://localhost:{}", listener.local_addr().expect("an address").port());
    let answers = std::thread::spawn(move || {
        for status in ["200 OK", "503 Service Unavailable"] {
            let (mut peer, _) = listener.accept().expect("a peer");
            let mut line = String::new();
            BufReader::new(&peer).read_line(&mut line).expect("a request");
            assert_eq!(line, "GET /v1/report HTTP/1.1\r\n");
            let head = "Content-Length: 3\r\nConnection: close";
            write!(peer, "HTTP/1.1 {status}\r\n{head}\r\n\r\nit\n").expect("an answer");
        }
    });
    let ask = || netvitals(&["get", &server, "/v1/report"]);
    assert_eq!(said(&ask()), "it\n");
    let expected = format!("netvitals: {server}/v1/report: the answer has status 503");
    assert_eq!(refused(&ask(), 1), expected);
    answers.join().expect("both were asked for");
    let refusal = refused(&ask(), 1);
    assert!(refusal.contains("cannot connect: Connection refused"), "{refusal}");
}

#[test]
fn a_port_in_use_names_the_remedy() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    for role in [["cluster", "--namespace=a"], ["agent", "--node-name=a"]] {
        let output = netvitals(&[&role, ["--web.listen-address", &*address].as_slice()].concat());
        assert_eq!(
            refused(&output, 1),
            format!(
                "netvitals: cannot listen on {address}: Address already in use (os error 98): \
                 choose another address with --web.listen-address"
            )
        );
    }
}

#[test]
fn an_unreadable_kubeconfig_names_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let run = |path: &Path| {
        let path = path.to_str().expect("text");
        let args = ["cluster", "--web.listen-address=127.0.0.1:0", "--kubeconfig", path];
        refused(&netvitals(&args), 1)
    };
    let missing = run(&folder.path().join("missing"));
    assert!(missing.ends_with("name a readable kubeconfig with --kubeconfig"), "{missing}");
    let closed = file("closed", "");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("own file");
    for path in [closed, file("text", "hello"), file("empty", "")] {
        let said = run(&path);
        assert!(said.contains(path.to_str().expect("text")), "{said}");
    }
}

#[test]
fn a_cluster_without_any_api_server_says_what_to_give() {
    let output = netvitals(&["cluster", "--web.listen-address=127.0.0.1:0"]);
    assert!(refused(&output, 1).contains("--kubeconfig"));
}

/// A program whose log cannot be written, as a client of it sees it.
struct Mute {
    child: Child,
    address: String,
}

impl Mute {
    #[expect(clippy::disallowed_methods, reason = "the test runs the exporter")]
    fn start(args: &[&str], log: Stdio) -> Self {
        // Its log cannot say which port it took.
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address").to_string();
        drop(free);
        let mut command = Command::new(env!("CARGO_BIN_EXE_netvitals"));
        command.env_clear().env("RUST_LOG", "netvitals=trace").args(args);
        command.arg("--web.listen-address").arg(&address).stderr(log);
        Self { child: command.spawn().expect("the program runs"), address }
    }

    fn get(&self, path: &str) -> String {
        loop {
            if let Ok(reply) = get(&self.address, path) {
                return reply;
            }
            std::thread::yield_now();
        }
    }

    fn send(&self, signal: Signal) {
        send(&self.child, signal);
    }

    fn counted(&self, name: &str) -> f64 {
        let page = self.get("/metrics");
        let counts = page.lines().filter(|line| line.starts_with(name));
        counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A configuration file that changes.
struct Config(TempDir);

impl Config {
    fn of(text: &str) -> Self {
        let config = Self(tempfile::tempdir().expect("a folder"));
        config.write(text);
        config
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("netvitals.yaml")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).expect("a file");
    }

    fn flag(&self) -> String {
        format!("--config.file={}", self.path().display())
    }
}

/// Of an API server that is away.
const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
                          clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n\
                          users: [{name: a, user: {}}]\n\
                          contexts: [{name: a, context: {cluster: a, user: a}}]\n";

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, signal).expect("it runs");
}

fn get(address: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    Ok(reply)
}

/// A role that runs until it is dropped.
struct Running {
    child: Child,
    address: String,
    log: BufReader<ChildStderr>,
    /// What was logged before it listened.
    first: String,
}

fn start(args: &[&str]) -> Running {
    start_as_told(&[args, &["--web.listen-address=127.0.0.1:0"]].concat())
}

#[expect(clippy::disallowed_methods, reason = "the test runs the exporter")]
fn start_as_told(args: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netvitals"));
    command.env_clear().args(args).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let mut log = BufReader::new(child.stderr.take().expect("its log is piped"));
    let mut first = String::new();
    while !first.contains("msg=listening") {
        assert!(log.read_line(&mut first).expect("text") > 0, "it ended: {first}");
    }
    let address = first.trim_end().rsplit_once("address=").expect("its address").1.to_owned();
    Running { child, address, log, first }
}

impl Running {
    fn get(&self, path: &str) -> String {
        self.try_get(path).expect("it answers")
    }

    fn try_get(&self, path: &str) -> io::Result<String> {
        get(&self.address, path)
    }

    /// Whether its configuration was valid when it was last read.
    fn follows(&self, valid: u8) -> bool {
        let line = format!("\nnetvitals_config_last_reload_successful {valid}\n");
        self.get("/metrics").contains(&line)
    }

    fn waits_until_it_follows(&self, valid: u8) {
        while !self.follows(valid) {
            std::thread::yield_now();
        }
    }

    /// Waits for words on its page; a connection to a server that ends may be cut off.
    fn waits_until_it_says(&self, words: &str) {
        while !self.try_get("/").is_ok_and(|page| page.contains(words)) {
            std::thread::yield_now();
        }
    }

    fn send(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Asks it to end, and returns its code and its log.
    fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        self.send(signal);
        let mut log = std::mem::take(&mut self.first);
        self.log.read_to_string(&mut log).expect("text");
        (self.child.wait().expect("it ends").code(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended already there is nobody to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_agent_whose_resolv_conf_is_missing_says_so_and_runs_until_it_is_told_to_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing");
    let missing = missing.to_str().expect("text");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let url = "--cluster-url=http://127.0.0.1:1";
        let agent = start(&["agent", "--node-name=n1", url, "--resolv-conf", missing]);
        assert!(agent.get("/livez").starts_with("HTTP/1.1 200 "));
        assert!(agent.get("/").contains("agent of node n1"));
        let page = agent.get("/metrics");
        let failed = "netvitals_agent_read_failures_total{node=\"n1\",vantage=\"pod\",source=\"resolv_conf\"} ";
        let count = page.lines().find_map(|line| line.strip_prefix(failed));
        assert!(count.is_some_and(|count| count != "0"), "{page}");
        let (code, log) = agent.end(signal);
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains(missing), "{log}");
    }
}

#[test]
fn a_cluster_role_without_its_api_server_lives_and_says_what_it_cannot_see() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kubeconfig");
    fs::write(&path, KUBECONFIG).expect("a file");
    let cluster = start(&["cluster", "--kubeconfig", path.to_str().expect("text")]);
    assert!(cluster.get("/livez").starts_with("HTTP/1.1 200 "));
    // The first tick brings the first report.
    while !cluster.get("/readyz").starts_with("HTTP/1.1 200 ") {
        std::thread::yield_now();
    }
    let page = cluster.get("/metrics");
    assert!(page.contains("netvitals_source_up{source=\"Pod\"} 0\n"), "{page}");
    assert!(cluster.get("/").contains("Inconclusive."));
    let (code, log) = cluster.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
}

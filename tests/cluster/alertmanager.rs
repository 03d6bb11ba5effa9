//! A real Alertmanager in the lab, with the shipped inhibitions, and a receiver that keeps what it is told.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::program::{Program, run};
use crate::tools::source;
use crate::wait::{secs, until};
use crate::web;

/// Where it listens, and where Prometheus sends alerts.
pub(crate) const ADDRESS: &str = "127.0.0.1:9093";

const RECEIVER: &str = "127.0.0.1:9094";

/// An Alertmanager that runs.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    program: Program,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Alertmanager {
    /// Starts it, and its receiver.
    pub(crate) fn start(cluster: &Cluster) -> Self {
        let told = receiver();
        let folder = cluster.lab.folder().join("alertmanager");
        fs::create_dir_all(&folder).expect("the lab's folder can be written");
        let file = source("alerts/inhibition.yaml");
        let inhibition = fs::read_to_string(&file);
        let inhibition = inhibition.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // Each alert is a group of its own: the receiver is told of each, at once.
        let config = format!(
            "route: {{receiver: test, group_by: ['...'], group_wait: 1s, group_interval: 2s, repeat_interval: 1h}}\n\
             receivers: [{{name: test, webhook_configs: [{{url: 'http://{RECEIVER}/', send_resolved: true}}]}}]\n\
             {inhibition}"
        );
        let path = folder.join("alertmanager.yaml");
        fs::write(&path, config).expect("the lab's folder can be written");
        let path = path.display().to_string();
        run(&[cluster.tools.path("amtool").as_str(), "check-config", &path]);
        let argv = vec![
            cluster.tools.path("alertmanager"),
            format!("--config.file={path}"),
            format!("--storage.path={}", folder.join("data").display()),
            format!("--web.listen-address={ADDRESS}"),
            // No peers.
            "--cluster.listen-address=".into(),
        ];
        let program = Program::start(&cluster.lab.logs(), "alertmanager", argv);
        until("Alertmanager is ready", secs(60), || web::body(ADDRESS, "/-/ready").map(drop));
        Self { program, told }
    }

    /// Waits until the receiver is told of an alert with that name and status that `fits` accepts, and returns it.
    pub(crate) fn tells(
        &self,
        name: &str,
        status: &str,
        within: Duration,
        fits: impl Fn(&Value) -> bool,
    ) -> Value {
        until(&format!("the receiver hears that {name} is {status}"), within, || {
            let told = self.told.lock().expect("no holder panics");
            let found = told.iter().find(|alert| {
                alert["labels"]["alertname"] == name && alert["status"] == status && fits(alert)
            });
            found.cloned().ok_or_else(|| {
                let all =
                    told.iter().map(|alert| format!("{} {}", alert["status"], alert["labels"]));
                format!("told: {}", all.collect::<Vec<_>>().join("; "))
            })
        })
    }

    /// The alerts that it has, those that it keeps to itself too, with their states.
    ///
    /// # Errors
    ///
    /// Fails with its words.
    pub(crate) fn alerts(&self) -> Result<Vec<Value>, String> {
        let body = web::body(ADDRESS, "/api/v2/alerts")?;
        serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))
    }

    /// Says that it ended, if it did.
    pub(crate) fn ended(&self) -> Option<String> {
        self.program.ended()
    }
}

/// Starts to listen; returns what will be told.
fn receiver() -> Arc<Mutex<Vec<Value>>> {
    let listener = TcpListener::bind(RECEIVER).expect("nobody else is in the lab's namespace");
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    thread::spawn(move || {
        for peer in listener.incoming().flatten() {
            match hear(peer) {
                Ok(alerts) => kept.lock().expect("no holder panics").extend(alerts),
                Err(error) => eprintln!("the receiver of alerts was told: {error}"),
            }
        }
    });
    told
}

/// The alerts of one notification.
fn hear(peer: TcpStream) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    peer.set_read_timeout(Some(secs(5)))?;
    let mut reader = BufReader::new(&peer);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse()?;
            }
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    (&peer).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    let mut notification: Value = serde_json::from_slice(&body)?;
    match notification["alerts"].take() {
        Value::Array(alerts) => Ok(alerts),
        other => Err(format!("no list of alerts: {other}").into()),
    }
}
